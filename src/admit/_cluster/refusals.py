"""What the API server answers instead of doing it, as errors to act on.

Source: apimachinery pkg/api/errors; pkg/apis/meta/v1 Status.
"""

from __future__ import annotations

from typing import Any

from admit.errors import ClusterError

__all__ = (
    "ConflictError",
    "FieldConflictError",
    "ForbiddenError",
    "GoneError",
    "UnreachableError",
    "to_error",
)


class ConflictError(ClusterError):
    """It exists already, or somebody wrote it since it was read: read again."""


class FieldConflictError(ConflictError):
    """Other managers own fields that an apply would set.

    Args:
        fields: each with its manager: ``{".spec.replicas": "kubectl"}``.
    """

    def __init__(self, message: str, *, fields: dict[str, str], **about: Any) -> None:
        super().__init__(message, **about)
        self.fields = fields


class ForbiddenError(ClusterError):
    """A right is missing; message and hint say which."""


class GoneError(ClusterError):
    """The version from which to watch is too old: list again."""


class UnreachableError(ClusterError):
    """Nobody answered."""


def to_error(code: int, body: Any, place: str) -> ClusterError:
    """Return the error for an answer that is none.

    Args:
        code: the HTTP status.
        body: the answer, a Status or whatever a proxy in between wrote.
        place: method and path.
    """
    status = body if isinstance(body, dict) else {}
    message = str(status.get("message") or body or f"HTTP {code}")[:2000]
    about: dict[str, Any] = {"status": status, "place": place}
    details = status.get("details") or {}
    if code == 401:
        return ForbiddenError(
            message,
            hint="the credentials are not accepted: has the token or certificate "
            "expired? kubectl auth whoami",
            **about,
        )
    if code == 403 and status.get("reason") == "Forbidden" and "cannot" in message:
        return ForbiddenError(
            message, hint="kubectl auth can-i tells; grant it by RBAC", **about
        )
    if code == 409:
        fields = {
            str(cause.get("field")): _manager(str(cause.get("message")))
            for cause in details.get("causes") or ()
            if cause.get("reason") == "FieldManagerConflict"
        }
        if fields:
            return FieldConflictError(message, fields=fields, **about)
        return ConflictError(message, **about)
    if code == 410:
        return GoneError(message, **about)
    return ClusterError(message, **about)


def _manager(message: str) -> str:
    """Take the name out of ``conflict with "kubectl" using apps/v1``."""
    _, _, rest = message.partition('"')
    return rest.partition('"')[0]
