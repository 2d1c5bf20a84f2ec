"""Every bad input has a row: its status, and whether the connection survives it.

Wherever it does, the same connection then takes a review; nothing of a body is logged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.reviews import pod, review_body
from tests.server.running import SECRET
from tests.server.wire import (
    chunked,
    connected,
    connected_plainly,
    get,
    request,
)

if TYPE_CHECKING:
    from tests.server.running import Served

MIB = 1024 * 1024
REVIEW = review_body(pod(app="web", secret=SECRET))
SURVIVES, CLOSES = True, False


def edited(old: bytes, new: bytes) -> bytes:
    """The review with one place changed."""
    assert REVIEW.count(old) >= 1
    return REVIEW.replace(old, new, 1)


BODIES = {
    "not JSON": (f"{SECRET} is not JSON".encode(), 400),
    "no body": (b"", 400),
    "a JSON string": (f'"{SECRET}"'.encode(), 400),
    "not a review": (json.dumps(pod(secret=SECRET)).encode(), 400),
    "another version": (edited(b"admission.k8s.io/v1", b"admission.k8s.io/v9"), 400),
    "truncated": (REVIEW[:-20], 400),
    "garbage behind the review": (REVIEW + SECRET.encode(), 400),
    "100,000 levels": (b"[" * 100_000, 400),
    "100,000 levels in the object": (
        edited(b'{"apiVersion": "v1"', b'{"a":' + b"[" * 100_000),
        400,
    ),
    "invalid UTF-8": (edited(SECRET.encode(), SECRET.encode() + b"\xff\xfe"), 400),
    "NaN": (edited(b'"web"', b"NaN"), 400),
    "a lone surrogate": (edited(b'"CREATE"', b'"\\ud800CREATE"'), 400),
    "a lone surrogate that nobody reads": (
        edited(b'"containers"', b'"x": "\\ud800", "containers"'),
        400,
    ),
    "no uid": (edited(b'"uid"', b'"notUid"'), 400),
    "an object that is a list": (review_body([SECRET]), 400),
    "labels that are a string": (
        edited(json.dumps({"app": "web", "secret": SECRET}).encode(), b'"web"'),
        400,
    ),
    "duplicate keys, of which the last counts": (
        edited(b'"operation": "CREATE"', b'"operation": 7, "operation": "CREATE"'),
        400,
    ),
    "duplicate labels": (edited(b'"app": "web"', b'"app": "a", "app": "web"'), 200),
    "null where a pod is created": (review_body(None), 200),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_gets_its_status_and_the_connection_survives(
    name: str, served: Served
) -> None:
    body, status = BODIES[name]
    with connected(served) as client:
        response = client.ask(body)
        assert response.status == status
        if status != 200:
            assert SECRET not in response.message
        assert client.ask().status == 200
    assert SECRET not in served.log.getvalue()


HTTP = {
    "unknown path": (request(REVIEW, "/nowhere"), 404, SURVIVES),
    "trailing slash": (request(REVIEW, "/validate/"), 404, SURVIVES),
    "unknown path, long body": (
        request(REVIEW + b" " * 200_000, "/nowhere"),
        404,
        CLOSES,
    ),
    "GET on a webhook": (get("/validate"), 405, SURVIVES),
    "POST on a page": (request(REVIEW, "/health"), 405, SURVIVES),
    "CONNECT": (get("localhost:443", "CONNECT"), 400, CLOSES),
    "no length": (get("/validate", "POST"), 411, SURVIVES),
    "length zero": (request(b""), 400, SURVIVES),
    "7 MiB and a byte": (request(b" " * (7 * MIB + 1)), 413, CLOSES),
    "7 MiB": (request(b" " * (7 * MIB)), 400, SURVIVES),
    "10 MiB in chunks": (chunked(b" " * (10 * MIB), MIB), 413, CLOSES),
    "7 MiB in chunks": (chunked(b" " * (7 * MIB), MIB), 400, SURVIVES),
    "long path": (get("/" + "a" * 20_000), 431, CLOSES),
    "long header": (request(REVIEW, "/validate", "X: " + "a" * 20_000), 431, CLOSES),
    "many headers": (request(REVIEW, "/validate", *["X: y"] * 9_000), 431, CLOSES),
    "endless header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, 431, CLOSES),
    "endless chunk extension": (
        chunked(b"", 1)[:-5] + b"1;x=" + b"a" * 200_000,
        431,
        CLOSES,
    ),
    "endless trailer": (chunked(b"{}", 1)[:-2] + b"X: " + b"a" * 200_000, 431, CLOSES),
    "not HTTP": (f"{SECRET}\r\n\r\n".encode(), 400, CLOSES),
    "another protocol": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, CLOSES),
    "another version": (b"GET /health HTTP/3.7\r\n\r\n", 400, CLOSES),
    "two lengths": (request(REVIEW, "/validate", "Content-Length: 1"), 400, CLOSES),
    "length and chunks": (
        request(REVIEW, "/validate", "Transfer-Encoding: chunked"),
        400,
        CLOSES,
    ),
    "negative length": (
        b"POST /validate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        400,
        CLOSES,
    ),
    "endless length": (
        b"POST /validate HTTP/1.1\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
        400,
        CLOSES,
    ),
    "bad chunk": (chunked(b"", 1)[:-5] + b"zz\r\n", 400, CLOSES),
    "space before the colon": (request(REVIEW, "/validate", "A : b"), 400, CLOSES),
    "a target that is no URL": (get("http://[::1/validate"), 400, SURVIVES),
    "full URL as target": (request(REVIEW, "https://h:8443/validate"), 200, SURVIVES),
    "escaped path": (request(REVIEW, "/valid%61te"), 200, SURVIVES),
    "nonsense timeout": (request(REVIEW, "/validate?timeout=soon"), 200, SURVIVES),
    "endless timeout": (
        request(REVIEW, f"/validate?timeout={'9' * 20}h"),
        200,
        SURVIVES,
    ),
    "many parameters": (request(REVIEW, "/validate?" + "a=b&" * 50), 200, SURVIVES),
    "chunks": (chunked(REVIEW, 100), 200, SURVIVES),
    "chunks of one byte": (chunked(REVIEW, 1), 200, SURVIVES),
    "chunks and a trailer": (
        chunked(REVIEW, 100)[:-2] + b"X: y\r\n\r\n",
        200,
        SURVIVES,
    ),
    "upgrade": (
        request(REVIEW, "/validate", "Connection: Upgrade", "Upgrade: h2c"),
        400,
        CLOSES,
    ),
    "upgrade without a body": (
        get("/health").replace(
            b"\r\n\r\n", b"\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
        ),
        200,
        CLOSES,
    ),
    "close": (request(REVIEW, "/validate", "Connection: close"), 200, CLOSES),
    "HTTP/1.0": (
        request(REVIEW).replace(b"HTTP/1.1", b"HTTP/1.0"),
        200,
        CLOSES,
    ),
    "refused before the body that is announced": (
        request(REVIEW, "/nowhere", "Expect: 100-continue")[: -len(REVIEW)],
        404,
        CLOSES,
    ),
    "unknown expectation": (request(REVIEW, "/validate", "Expect: tea"), 200, SURVIVES),
}


@pytest.mark.parametrize("name", HTTP)
def test_bad_http_gets_its_status(name: str, served: Served) -> None:
    data, status, survives = HTTP[name]
    with connected(served) as client:
        client.send(data)
        response = client.read()
        assert response.status == status
        closing = response.headers.get("connection") == "close"
        assert closing is not survives
        if survives:
            assert client.ask().status == 200
        else:
            assert client.is_closed()
        if status >= 400:
            assert response.message.startswith("admit: ")
    assert SECRET not in served.log.getvalue()


def test_other_methods_are_told_what_is_allowed(served: Served) -> None:
    with connected(served) as client:
        client.send(get("/validate"))
        assert client.read().headers["allow"] == "POST"
        client.send(request(b"{}", "/health"))
        assert client.read().headers["allow"] == "GET, HEAD"


def test_head_gets_the_head_alone(served: Served) -> None:
    with connected(served) as client:
        client.send(get("/health", "HEAD"))
        response = client.read(head=True)
        assert response.status == 200
        assert int(response.headers["content-length"]) > 0
        client.send(get("/health"))
        assert len(client.read().body) == int(response.headers["content-length"])


def test_a_client_that_waits_is_told_to_go_on(served: Served) -> None:
    whole = request(REVIEW, "/validate", "Expect: 100-continue")
    with connected(served) as client:
        for _ in range(2):
            client.send(whole[: -len(REVIEW)])
            assert client.read().status == 100
            client.send(REVIEW)
            assert client.read().status == 200


def test_a_client_that_waits_in_vain_is_not_told_to_go_on(served: Served) -> None:
    head = "POST /validate HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: "
    with connected(served) as client:
        client.send(head.encode() + b"%d\r\n\r\n" % (8 * MIB))
        assert client.read().status == 413
        assert client.is_closed()


def test_plain_http_on_the_tls_port_is_hung_up_on(served: Served) -> None:
    before = served.counts.handshake_failures
    with connected_plainly(served.port) as client:
        client.send(request(REVIEW))
        client.is_closed()
    with connected(served) as client:
        assert client.ask().status == 200
    assert served.counts.handshake_failures == before + 1
    assert "handshake failed" in served.log.getvalue()
    assert SECRET not in served.log.getvalue()


def test_tls_on_the_plain_port_is_bad_http(served: Served) -> None:
    hello = bytes.fromhex("160301020001000001fc0303") + bytes(500)
    with connected_plainly(served.health_port) as client:
        client.send(hello)
        assert client.read().status == 400
        assert client.is_closed()
