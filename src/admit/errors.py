"""Whose fault, where, and what to do next.

Every error that admit raises on purpose is an `AdmitError`. Its class says who can
mend it (`owner`), which decides the HTTP status and the exit code; its fields say
where (`place`) and what to type next (`hint`). A verdict is not an error: `Deny`
stands outside the tree, so that ``except AdmitError`` never swallows one.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = (
    "AdmitError",
    "CertificateError",
    "ClusterError",
    "ConfigError",
    "Deny",
    "HandlerError",
    "PatchError",
    "PolicyError",
    "ReviewError",
)


class AdmitError(Exception):
    """Say what failed, whose fault it is, where, and what to do about it.

    ``str()`` is one sentence fit for a person: ``place: message (hint)``.
    """

    owner: ClassVar[str] = "admit"
    exit_code: ClassVar[int] = 2

    def __init__(
        self, message: str, *, place: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        what_next = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{what_next}"


class ReviewError(AdmitError):
    """The bytes are not an AdmissionReview; ``place`` is the JSON path."""

    owner = "caller"


class HandlerError(AdmitError):
    """A handler raised, or returned what cannot be a decision.

    Args:
        policy: the policy's name, as in messages and metrics.
        reason: in one word what kind of failure, for metrics: the class of the
            exception that the handler raised.
    """

    owner = "policy author"

    def __init__(
        self,
        message: str,
        *,
        policy: str,
        reason: str,
        place: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, place=place, hint=hint)
        self.policy = policy
        self.reason = reason


class PatchError(AdmitError):
    """A patch operation does not fit the document.

    Args:
        index: the operation's number in the patch, from 0.
        pointer: the JSON pointer that does not fit.
    """

    owner = "policy author"

    def __init__(
        self, message: str, *, index: int, pointer: str, hint: str | None = None
    ) -> None:
        super().__init__(message, place=f"patch[{index}] {pointer!r}", hint=hint)
        self.index = index
        self.pointer = pointer


class PolicyError(AdmitError):
    """A policy is declared or set up wrongly; ``place`` is file and line."""

    owner = "policy author"


class ConfigError(AdmitError):
    """An option, a file or the environment is wrong."""

    owner = "operator"


class CertificateError(AdmitError):
    """A certificate or key cannot be used; the message says which and why."""

    owner = "operator"


class ClusterError(AdmitError):
    """The cluster refused or could not be asked.

    Args:
        status: the Kubernetes Status object of the answer, ``{}`` if there was none.
    """

    owner = "cluster"
    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        status: dict[str, Any] | None = None,
        place: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, place=place, hint=hint)
        self.status = status or {}


class Deny(Exception):  # noqa: N818 - a verdict, not an error
    """Refuse the request: raised, or yielded when there are several reasons.

    The first line of the message is what the user of the cluster reads.

    Args:
        message: what is wrong and what would be right, in the user's words.
        code: the HTTP status that the user's client gets, 400 to 599; the API server
            turns anything below 400 into 400 (apiserver errors/statuserror.go).
        reason: the machine-readable word beside it (`metav1.StatusReason`).
    """

    def __init__(
        self, message: str, *, code: int = 403, reason: str = "Forbidden"
    ) -> None:
        if not str(message or "").strip():
            raise PolicyError(
                "Deny needs a message",
                hint="say what is wrong and what would be right",
            )
        if not 400 <= code <= 599:
            raise PolicyError(
                f"Deny cannot have code {code}", hint="use 400 to 599; 403 is usual"
            )
        # A lone surrogate cannot be written as UTF-8; the rest still says why.
        self.message = message.encode("utf-8", "replace").decode()
        super().__init__(self.message)
        self.code = code
        self.reason = reason
