"""An App in somebody else's ASGI server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from admit import App, Deny, Pod
from tests.reviews import pod, review_body

if TYPE_CHECKING:
    from collections.abc import Coroutine

ALLOWED = review_body(pod(app="web"))
MIB = 1024 * 1024


def make_app() -> App:
    app = App("pod-labels", domain="example.com")

    @app.validate
    def require_app_label(pod: Pod) -> None:
        if "app" not in pod.metadata.labels:
            raise Deny("Pod must have an app label")

    @app.mutate
    def default_app_label(pod: Pod) -> None:
        pod.metadata.labels.setdefault("app", "my-app")

    @app.validate(path="/slow")
    async def wait(pod: Pod) -> None:
        await asyncio.sleep(60)

    return app


def send(method: str, path: str, content: Any = None) -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=make_app())
        async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
            return await http.request(method, path, content=content)

    response: httpx2.Response = run(send())
    return response


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def test_reviews_are_answered() -> None:
    assert send("POST", "/validate", ALLOWED).json()["response"]["allowed"] is True
    denied = send("POST", "/validate?timeout=5s", review_body(pod()))
    assert denied.status_code == 200
    assert denied.headers["content-type"] == "application/json"
    status = denied.json()["response"]["status"]
    assert status["message"] == "Pod must have an app label [require_app_label]"
    mutated = send("POST", "/mutate", review_body(pod())).json()["response"]
    assert mutated["patchType"] == "JSONPatch"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/validate", b"nonsense", 400),
        ("POST", "/nowhere", ALLOWED, 404),
        ("GET", "/validate", None, 405),
        ("POST", "/validate", b" " * (7 * MIB + 1), 413),
        ("POST", "/slow?timeout=10ms", ALLOWED, 504),
    ],
)
def test_what_is_no_answer_has_a_status(
    method: str, path: str, content: bytes | None, status: int
) -> None:
    response = send(method, path, content)
    assert response.status_code == status
    assert response.json()["kind"] == "Status"
    assert response.json()["code"] == status
    assert ("allow" in response.headers) == (status == 405)


def test_health_is_a_page() -> None:
    assert send("GET", "/health").text == "ok\n"


def test_a_body_may_come_in_parts() -> None:
    async def parts() -> Any:
        for at in range(0, len(ALLOWED), 100):
            yield ALLOWED[at : at + 100]

    assert send("POST", "/validate", parts()).json()["response"]["allowed"] is True


def test_a_client_that_leaves_gets_nothing_decided() -> None:
    events = [
        {"type": "http.request", "body": ALLOWED[:10], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop(0)

    async def note(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "path": "/validate", "method": "POST"}
    run(make_app()(scope, receive, note))
    assert sent[0]["status"] == 400


def test_the_lifespan_is_lived() -> None:
    events = ["lifespan.startup", "lifespan.shutdown"]
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": events.pop(0)}

    async def note(event: Any) -> None:
        sent.append(event["type"])

    run(make_app()({"type": "lifespan"}, receive, note))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_other_protocols_are_left_alone() -> None:
    async def nothing(*_: Any) -> Any:
        raise AssertionError

    run(make_app()({"type": "websocket"}, nothing, nothing))
