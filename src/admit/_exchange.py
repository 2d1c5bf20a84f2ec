"""The core: bytes in, bytes out, and the one table of outcomes.

What lives here: which HTTP status and which body each way to end has. What this file
must not know: sockets, policies, who asks. The server, `admit review`, tests and the
demo all come through `exchange`; nobody has a second way to decide.

Only a denial is HTTP 200 with ``allowed: false``. Everything else that is no answer is
a failed call, on which the API server acts by failurePolicy; a patch that does not fit
must be found here, because there failurePolicy does not apply
(apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go).
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec

from admit import patch as json_patch
from admit.errors import AdmitError, HandlerError, PatchError, ReviewError
from admit.review import decode_object, decode_review, encode_response

if TYPE_CHECKING:
    from admit.review import AdmissionRequest, AdmissionResponse, Reviewer

__all__ = (
    "BODY_LIMIT_BYTES",
    "OUTCOMES",
    "Outcome",
    "Reply",
    "exchange",
    "failure",
    "read_timeout",
)

# Bytes of a review that are read. An UPDATE carries the object twice, etcd takes
# 1.5 MiB by default and 3 MiB in large clusters, and the envelope comes on top; the
# same figure as controller-runtime pkg/webhook/admission/http.go.
BODY_LIMIT_BYTES: Final = 7 * 1024 * 1024

# Seconds of the API server's timeout kept for the way back, and at most this share of
# it: an answer that arrives just too late is a failed call.
MARGIN_SECONDS: Final = 0.2
MARGIN_SHARE: Final = 0.1

# Seconds to decide at most, whatever the URL says. The API server waits 30 s for a
# webhook; strangers may write any number, and a clock must be able to hold it.
LONGEST_SECONDS: Final = 86_400.0

Name: TypeAlias = Literal[
    "allowed",
    "denied",
    "bad request",
    "unknown path",
    "other method",
    "no token",
    "wrong client",
    "slow request",
    "length missing",
    "too large",
    "headers too large",
    "handler failed",
    "patch refused",
    "deadline passed",
    "cannot decide",
]


class Outcome(NamedTuple):
    """One row of the table: HTTP status, Kubernetes reason, what it means."""

    status: int
    reason: str
    meaning: str


OUTCOMES: Final[dict[Name, Outcome]] = {
    "allowed": Outcome(
        200, "", "a review with `allowed: true`; the patch, if one was recorded"
    ),
    "denied": Outcome(
        200,
        "Forbidden",
        "a review with `allowed: false`; every denial, with its policy",
    ),
    "bad request": Outcome(
        400, "BadRequest", "not HTTP, not JSON, or no review that admit speaks"
    ),
    "no token": Outcome(
        401, "Unauthorized", "a bearer token is asked for: none, or another, was shown"
    ),
    "wrong client": Outcome(
        403, "Forbidden", "the client certificate has none of the allowed names"
    ),
    "unknown path": Outcome(404, "NotFound", "no webhook answers at this path"),
    "other method": Outcome(405, "MethodNotAllowed", "reviews come by POST"),
    "slow request": Outcome(408, "Timeout", "headers or body took too long to arrive"),
    "length missing": Outcome(
        411, "BadRequest", "a body with neither Content-Length nor chunks"
    ),
    "too large": Outcome(413, "RequestEntityTooLarge", "the body exceeds the limit"),
    "headers too large": Outcome(431, "BadRequest", "path or headers exceed the limit"),
    "handler failed": Outcome(
        500, "InternalError", "a policy raised: which, and where"
    ),
    "patch refused": Outcome(
        500, "InternalError", "the patch does not apply, or may not be here (DELETE)"
    ),
    "deadline passed": Outcome(504, "Timeout", "the API server has stopped waiting"),
    "cannot decide": Outcome(
        503, "ServiceUnavailable", "no certificate or policies yet, or too many at once"
    ),
}
"""Read by the code, by docs/reference/outcomes.md and by the tests."""


class Reply(NamedTuple):
    """What goes back: HTTP status, JSON body, and which row of the table it is."""

    status: int
    body: bytes
    outcome: Name


_encoder: Final = msgspec.json.Encoder()


def failure(
    outcome: Name, message: str, *, place: str | None = None, hint: str | None = None
) -> Reply:
    """Return a Kubernetes Status, whose message the API server shows to the user.

    Shapes: ``{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status":
    "Failure", "message", "reason", "code"}``.

    Source: apimachinery pkg/apis/meta/v1/types.go; client-go rest/request.go reads it.
    """
    row = OUTCOMES[outcome]
    where = f" at {place}" if place else ""
    what_next = f" ({hint})" if hint else ""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"admit: {message}{where}{what_next}",
        "reason": row.reason,
        "code": row.status,
    }
    return Reply(row.status, _encoder.encode(status), outcome)


async def exchange(
    reviewer: Reviewer, body: bytes, *, deadline: float | None = None
) -> Reply:
    """Answer the bytes of a review with the bytes of an answer. Never raises.

    Args:
        reviewer: decides; if it has an attribute `suspends` that is False, this
            coroutine never suspends either.
        body: an AdmissionReview as JSON.
        deadline: in seconds of the running loop's clock, which is the monotonic one;
            None waits for ever.
    """
    try:
        review = decode_review(body)
        if deadline is None or not getattr(reviewer, "suspends", True):
            response = await reviewer(review.request)
            # A computation cannot be cancelled; when it ends too late, it is too late.
            if deadline is not None and monotonic() > deadline:
                raise TimeoutError
        else:
            async with asyncio.timeout_at(deadline):
                response = await reviewer(review.request)
        if response.patch and response.allowed:
            _check_patch(review.request, response)
        return Reply(
            200,
            encode_response(review.api_version, review.request.uid, response),
            "allowed" if response.allowed else "denied",
        )
    except ReviewError as error:
        return _explain("bad request", error)
    except HandlerError as error:
        return _explain("handler failed", error)
    except PatchError as error:
        return _explain("patch refused", error)
    except UnicodeEncodeError:
        return failure("handler failed", "a policy's text holds a lone surrogate")
    except TimeoutError as error:
        return failure("deadline passed", _who_was_running(error))


_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+")
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_SECONDS: Final = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}


def read_timeout(text: str | None, default_seconds: float) -> float:
    """Return how many seconds there are to decide, out of ``?timeout=10s``.

    The text is a Go duration (``1m30s``, ``500ms``). Without one, or with one that
    makes no sense, it is the default; the margin for the way back is taken off.

    Source: client-go rest/request.go writes it, rounded up to whole seconds.
    """
    seconds = default_seconds
    if text and len(text) <= 32 and _DURATION.fullmatch(text):
        seconds = sum(
            float(number) * _SECONDS[unit]
            for number, unit in _DURATION_PART.findall(text)
        )
    seconds = min(seconds, LONGEST_SECONDS)
    return max(0.0, seconds - min(MARGIN_SECONDS, MARGIN_SHARE * seconds))


def _who_was_running(error: TimeoutError) -> str:
    """The cancelled handler put its name into the cancellation."""
    cancelled = error.__cause__ or error.__context__  # Python 3.11.2 has no cause
    if isinstance(cancelled, asyncio.CancelledError) and cancelled.args:
        return f"policy {cancelled.args[0]} was still running at the deadline"
    return "the decision came after the deadline"


def _check_patch(request: AdmissionRequest, response: AdmissionResponse) -> None:
    """Apply the patch as the API server will.

    Raises:
        PatchError: it does not apply, or there is no object to apply it to.
    """
    document = decode_object(request.raw_object, "$.request.object")
    if document is None:
        raise PatchError(
            f"there is no object to change on {request.operation}",
            index=0,
            pointer=response.patch[0].path,
        )
    json_patch.apply(document, response.patch)


def _explain(outcome: Name, error: AdmitError) -> Reply:
    return failure(outcome, error.message, place=error.place, hint=error.hint)
