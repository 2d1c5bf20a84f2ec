"""A Reviewer that says what it decides: one line for a review that was not allowed.

A line has who decided, about what, and how it ended; never what an object or a message
says, since a message may quote the object. Allowed reviews are told at level debug.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from admit.errors import AdmitError, HandlerError
from admit.telemetry.wrapper import Wrapper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.review import AdmissionRequest, AdmissionResponse
    from admit.telemetry.logs import Sayer

    _Fields: TypeAlias = Mapping[str, Any]

__all__ = ("Logged", "logged")

# Characters of a name that are logged: Kubernetes has no longer one, a stranger might.
NAME_LENGTH: Final = 253

# What a person on call wants to see: failed calls above denials, which are routine.
LEVELS: Final = {
    "allow": logging.DEBUG,
    "mutate": logging.DEBUG,
    "deny": logging.INFO,
    "error": logging.ERROR,
    "invalid": logging.WARNING,
    "timeout": logging.WARNING,
}


def logged(reviewer: Any, sayer: Sayer) -> Logged:
    """Return a reviewer that decides as the given one does, and says so."""
    return Logged(reviewer, sayer)


class Logged(Wrapper):
    """A reviewer and its lines."""

    __slots__ = ("_sayer", "_version")

    def __init__(self, reviewer: Any, sayer: Sayer) -> None:
        super().__init__(reviewer)
        self._sayer = sayer
        self._version: str = getattr(reviewer, "version", "")

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Decide, and say so unless it was allowed."""
        start = perf_counter()
        try:
            response: AdmissionResponse = await self._reviewer(request)
        except asyncio.CancelledError as cancelled:
            self._say("timeout", request, start, {"policies": list(cancelled.args)})
            raise
        except HandlerError as error:
            fields = {"policies": [error.policy], "error": error.reason}
            self._say("error", request, start, fields | {"place": error.place})
            raise
        except AdmitError as error:
            self._say("invalid", request, start, {"place": error.place})
            raise
        if not response.allowed:
            policies = [r.policy for r in response.results if r.verdict == "deny"]
            self._say("deny", request, start, {"policies": policies})
        elif self._sayer.hears(logging.DEBUG):
            self._say("mutate" if response.patch else "allow", request, start, {})
        return response

    def _say(
        self, verdict: str, request: AdmissionRequest, start: float, more: _Fields
    ) -> None:
        level = LEVELS[verdict]
        if not self._sayer.hears(level):
            return
        seconds = perf_counter() - start
        resource = request.resource.resource
        if request.sub_resource:
            resource = f"{resource}/{request.sub_resource}"
        fields = {
            "kind": "review",
            "webhook": self.webhook_name,
            "version": self._version,
            "operation": request.operation,
            "group": _cut(request.resource.group),
            "resource": _cut(resource),
            "namespace": _cut(request.namespace),
            "name": _cut(request.name),
            "uid": _cut(request.uid),
            "dry_run": bool(request.dry_run),
            "verdict": verdict,
            "duration_seconds": round(seconds, 6),
            **more,
        }
        self._sayer.say(level, f"review: {verdict}", fields)


def _cut(text: str) -> str:
    return text[:NAME_LENGTH]
