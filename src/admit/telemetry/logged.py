"""The line about a review: who decided, about what, and how it ended.

Never what an object or a message says, since a message may quote the object.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.review import AdmissionRequest

    _Fields: TypeAlias = Mapping[str, Any]

__all__ = ("LEVELS", "describe")

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


def describe(
    request: AdmissionRequest, verdict: str, seconds: float, more: _Fields
) -> dict[str, Any]:
    """Return the fields of a line about a review."""
    resource = request.resource.resource
    if request.sub_resource:
        resource = f"{resource}/{request.sub_resource}"
    return {
        "kind": "review",
        "webhook": more["webhook"],
        "version": more["version"],
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


def _cut(text: str) -> str:
    return text[:NAME_LENGTH]
