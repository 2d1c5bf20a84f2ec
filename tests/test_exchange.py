from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from admit import App, Deny, Pod
from admit._exchange import OUTCOMES, Reply, exchange, failure, read_timeout
from admit.errors import HandlerError, PatchError
from admit.patch import Operation
from admit.review import AdmissionRequest, AdmissionResponse, Status
from tests.reviews import pod, review_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run(reviewer: Any, body: bytes, *, seconds: float | None = None) -> Reply:
    async def go() -> Reply:
        now = asyncio.get_running_loop().time()
        deadline = None if seconds is None else now + seconds
        return await exchange(reviewer, body, deadline=deadline)

    return asyncio.run(go())


def answering(
    response: AdmissionResponse,
) -> Callable[[AdmissionRequest], Awaitable[AdmissionResponse]]:
    async def reviewer(_request: AdmissionRequest) -> AdmissionResponse:
        return response

    return reviewer


def raising(error: Exception) -> Callable[[AdmissionRequest], Awaitable[Any]]:
    async def reviewer(_request: AdmissionRequest) -> AdmissionResponse:
        raise error

    return reviewer


async def sleeper(_request: AdmissionRequest) -> AdmissionResponse:
    await asyncio.sleep(30)
    return AdmissionResponse()


def test_allowed_is_a_review_with_the_uid_that_asked() -> None:
    reply = run(answering(AdmissionResponse()), review_body(pod(), uid="u-7"))
    assert (reply.status, reply.outcome) == (200, "allowed")
    assert json.loads(reply.body)["response"] == {"uid": "u-7", "allowed": True}


def test_denied_is_http_200_because_it_is_an_answer() -> None:
    denial = AdmissionResponse(allowed=False, status=Status("no", "Forbidden", 403))
    reply = run(answering(denial), review_body(pod()))
    assert (reply.status, reply.outcome) == (200, "denied")
    assert json.loads(reply.body)["response"]["status"]["message"] == "no"


def test_the_answer_speaks_the_version_that_asked() -> None:
    reply = run(answering(AdmissionResponse()), review_body(pod(), version="v1beta1"))
    assert json.loads(reply.body)["apiVersion"] == "admission.k8s.io/v1beta1"


PATCHED = AdmissionResponse(patch=(Operation("add", "/metadata/labels/a", "b"),))

FAILURES: list[tuple[str, Any, bytes, str, str]] = [
    ("not JSON", sleeper, b"{", "bad request", "not JSON"),
    (
        "no uid",
        sleeper,
        review_body(pod(), uid=""),
        "bad request",
        "the request has no uid at $.request.uid",
    ),
    (
        "handler raised",
        raising(HandlerError("policy p failed: KeyError", policy="p", reason="K")),
        review_body(pod()),
        "handler failed",
        "policy p failed: KeyError",
    ),
    (
        "patch does not apply",
        answering(PATCHED),
        review_body(pod()),
        "patch refused",
        "/metadata/labels/a",
    ),
    (
        "patch on DELETE",
        answering(PATCHED),
        review_body(None, operation="DELETE", old=pod()),
        "patch refused",
        "there is no object to change on DELETE",
    ),
    (
        "reviewer found a bad patch itself",
        raising(PatchError("no", index=0, pointer="/a")),
        review_body(pod()),
        "patch refused",
        "patch[0] '/a'",
    ),
    (
        "deadline",
        sleeper,
        review_body(pod()),
        "deadline passed",
        "the decision came after the deadline",
    ),
    (
        "a surrogate in a text",
        answering(AdmissionResponse(audit_annotations={"a": "\ud800"})),
        review_body(pod()),
        "handler failed",
        "lone surrogate",
    ),
]


@pytest.mark.parametrize(
    ("reviewer", "body", "outcome", "message"),
    [row[1:] for row in FAILURES],
    ids=[row[0] for row in FAILURES],
)
def test_what_is_no_answer_is_a_status_of_its_row(
    reviewer: Any, body: bytes, outcome: str, message: str
) -> None:
    reply = run(reviewer, body, seconds=0.05)
    row = OUTCOMES[reply.outcome]
    assert reply.outcome == outcome
    assert reply.status == row.status
    status = json.loads(reply.body)
    assert message in status["message"]
    assert status["message"].startswith("admit: ")
    assert {key: status[key] for key in ("kind", "status", "code", "reason")} == {
        "kind": "Status",
        "status": "Failure",
        "code": row.status,
        "reason": row.reason,
    }


def test_a_failed_call_says_nothing_of_the_object() -> None:
    body = review_body({**pod(), "secret": "hunter2"})
    for reviewer in (answering(PATCHED), sleeper):
        assert b"hunter2" not in run(reviewer, body, seconds=0.05).body


def test_a_patch_that_applies_is_sent() -> None:
    reply = run(answering(PATCHED), review_body(pod(team="a")))
    assert json.loads(reply.body)["response"]["patchType"] == "JSONPatch"


def test_a_denial_is_not_held_up_by_a_patch_that_would_not_apply() -> None:
    denial = AdmissionResponse(allowed=False, patch=PATCHED.patch)
    reply = run(answering(denial), review_body(pod()))
    assert reply.outcome == "denied"


def test_the_policy_that_was_running_at_the_deadline_is_named() -> None:
    app = App("slow")

    @app.validate
    async def waits(pod: Pod) -> None:
        await asyncio.sleep(30)

    (endpoint,) = app.endpoints()
    reply = run(endpoint, review_body(pod()), seconds=0.05)
    assert reply.outcome == "deadline passed"
    assert b"policy waits was still running" in reply.body


def test_a_computation_that_ends_too_late_is_too_late() -> None:
    app = App("late")

    @app.validate
    def quick(pod: Pod) -> None:
        raise Deny("no")

    (endpoint,) = app.endpoints()
    assert run(endpoint, review_body(pod()), seconds=-1).outcome == "deadline passed"
    assert run(endpoint, review_body(pod()), seconds=60).outcome == "denied"


def test_a_reviewer_with_sync_handlers_only_never_suspends() -> None:
    app = App("quick")

    @app.validate
    def quick(pod: Pod) -> None:
        raise Deny("no")

    (endpoint,) = app.endpoints()
    coroutine = exchange(endpoint, review_body(pod()))
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value.outcome == "denied"


def test_every_row_can_be_told() -> None:
    for outcome, row in OUTCOMES.items():
        reply = failure(outcome, "why", place="$.x", hint="do y")
        assert reply.status == row.status
        assert json.loads(reply.body)["message"] == "admit: why at $.x (do y)"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 9.8),
        ("1s", 0.9),
        ("1m30s", 89.8),
        ("99999999999999999999h", 86_399.8),
        ("500ms", 0.45),
        ("1.5s", 1.35),
        ("2h", 7199.8),
        ("0s", 0.0),
        (None, 4.8),
        ("", 4.8),
        ("10", 4.8),
        ("-1s", 4.8),
        ("abc", 4.8),
        ("1s" * 100, 4.8),
    ],
)
def test_the_timeout_leaves_a_margin(text: str | None, seconds: float) -> None:
    assert read_timeout(text, 5.0) == pytest.approx(seconds)
