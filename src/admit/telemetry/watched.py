"""A Reviewer that counts what it decides, and says what was not allowed.

One wrapper for both: each costs a call of its own. Allowed reviews are told at level
debug.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from admit.errors import AdmitError, HandlerError
from admit.telemetry.logged import LEVELS, describe
from admit.telemetry.wrapper import Wrapper

if TYPE_CHECKING:
    from admit.review import AdmissionRequest, AdmissionResponse
    from admit.telemetry.logs import Sayer
    from admit.telemetry.measured import Measures

__all__ = ("Watched", "watched")


def watched(reviewer: Any, measures: Measures, sayer: Sayer) -> Watched:
    """Return a reviewer that decides as the given one does, is counted and told.

    It keeps `webhook_name`, `suspends`, `timeout_seconds` and whatever else it has.
    """
    return Watched(reviewer, measures, sayer)


class Watched(Wrapper):
    """A reviewer, its numbers and its lines."""

    __slots__ = ("_measured", "_sayer", "_version")

    def __init__(self, reviewer: Any, measures: Measures, sayer: Sayer) -> None:
        super().__init__(reviewer)
        self._measured = measures.get(reviewer)
        self._sayer = sayer
        self._version: str = getattr(reviewer, "version", "")

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Decide, count it, and say so unless it was allowed."""
        start = perf_counter()
        try:
            response: AdmissionResponse = await self._reviewer(request)
        except BaseException as error:
            self._fail(request, perf_counter() - start, error)
            raise
        if not response.allowed:
            verdict = "deny"
        else:
            verdict = "mutate" if response.patch else "allow"
        seconds = perf_counter() - start
        self._measured.count(request, verdict, seconds)
        if verdict == "deny":
            policies = [r.policy for r in response.results if r.verdict == "deny"]
            self._say("deny", request, seconds, policies=policies)
        elif self._sayer.hears(logging.DEBUG):
            self._say(verdict, request, seconds)
        return response

    def _fail(
        self, request: AdmissionRequest, seconds: float, error: BaseException
    ) -> None:
        """Count and tell a review that ended without a verdict."""
        verdict, more = "error", dict[str, Any]()
        match error:
            case HandlerError():
                self._measured.count_failure(error.policy)
                more = {"policies": [error.policy], "error": error.reason}
                more["place"] = error.place
            case AdmitError():
                verdict, more = "invalid", {"place": error.place}
            case asyncio.CancelledError():
                verdict, more = "timeout", {"policies": list(error.args)}
            case _:
                self._measured.count(request, verdict, seconds)
                return
        self._measured.count(request, verdict, seconds)
        self._say(verdict, request, seconds, **more)

    def _say(
        self, verdict: str, request: AdmissionRequest, seconds: float, **more: Any
    ) -> None:
        level = LEVELS[verdict]
        if self._sayer.hears(level):
            about = {"webhook": self.webhook_name, "version": self._version}
            fields = describe(request, verdict, seconds, about | more)
            self._sayer.say(level, f"review: {verdict}", fields)
