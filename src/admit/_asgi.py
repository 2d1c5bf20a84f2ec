"""Routes as an ASGI application, for those who have an ASGI server already.

The bounds are those of admit's own server; connections are the host's business.

Source: ASGI 3.0, HTTP and lifespan.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qs

from admit._exchange import (
    BODY_LIMIT_BYTES,
    Reply,
    exchange,
    failure,
    read_timeout,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    Scope: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

__all__ = ("serve_asgi",)

HEALTH_PATH: Final = "/health"


async def serve_asgi(
    routes: Mapping[str, Any], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one ASGI connection: a review, a look at the health, or the lifespan.

    Args:
        routes: the reviewer of each path; its `timeout_seconds` counts where the
            request names no timeout.
        scope: what ASGI says of the connection.
        receive: gives the next event.
        send: takes the next event.
    """
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        if scope["path"] == HEALTH_PATH and scope["method"] in {"GET", "HEAD"}:
            await _send(send, 200, b"ok\n", b"text/plain")
            return
        reply = await _review(routes, scope, receive)
        await _send(send, reply.status, reply.body, b"application/json")


async def _review(routes: Mapping[str, Any], scope: Scope, receive: Receive) -> Reply:
    reviewer = routes.get(scope["path"])
    if reviewer is None:
        return failure("unknown path", f"no webhook answers at {scope['path'][:100]!r}")
    if scope["method"] != "POST":
        return failure("other method", "reviews come by POST")
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    seconds = read_timeout(query.get("timeout", [None])[0], reviewer.timeout_seconds)
    deadline = asyncio.get_running_loop().time() + seconds
    body = await _read_body(receive)
    if body is None:
        return failure("too large", f"the body exceeds {BODY_LIMIT_BYTES} bytes")
    return await exchange(reviewer, body, deadline=deadline)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, or None as soon as it is too large."""
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return bytes(body)
        body += event.get("body", b"")
        if len(body) > BODY_LIMIT_BYTES:
            return None
        if not event.get("more_body", False):
            return bytes(body)


async def _send(send: Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
    ]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
