"""Keep-alive, pipelining, slow clients, and every limit."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from tests.reviews import pod, review_body
from tests.server.reviewers import Gate, Stub, fail, hold_the_loop
from tests.server.running import Authority, Served, serving, wait_for
from tests.server.wire import Client, chunked, connected, get, request

ALLOWED = review_body(pod(app="web"))
DENIED = review_body(pod())


def test_one_connection_takes_many_reviews(served: Served) -> None:
    with connected(served) as client:
        for _ in range(20):
            assert client.ask(ALLOWED).json["response"]["allowed"] is True
            assert client.ask(DENIED).json["response"]["allowed"] is False
        port = client.sock.getsockname()[1]
        assert client.sock.getsockname()[1] == port


def test_a_reply_has_a_date_and_the_length_of_its_body(served: Served) -> None:
    with connected(served) as client:
        response = client.ask(ALLOWED)
    assert response.headers["date"].endswith(" GMT")
    assert response.headers["content-type"] == "application/json"
    assert "connection" not in response.headers


@pytest.mark.parametrize("data", [request(ALLOWED), chunked(ALLOWED, 7)])
def test_a_review_may_come_byte_by_byte(data: bytes, served: Served) -> None:
    with connected(served) as client:
        for at in range(len(data)):
            client.send(data[at : at + 1])
        assert client.read().status == 200
        assert client.ask().status == 200


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    with connected(served) as client:
        client.send(
            request(ALLOWED) + get("/nowhere") + request(DENIED) + get("/health")
        )
        assert client.read().json["response"]["allowed"] is True
        assert client.read().status == 404
        assert client.read().json["response"]["allowed"] is False
        assert client.read().body.startswith(b"ok")
        assert client.ask().status == 200


def test_pipelined_requests_wait_for_the_one_before(authority: Authority) -> None:
    gate = Gate()
    endpoints = {"/slow": Stub(gate), "/fast": Stub(suspends=False)}
    with serving(authority, endpoints) as served, connected(served) as client:
        client.send(request(ALLOWED, "/slow") + request(ALLOWED, "/fast"))
        client.send(request(ALLOWED, "/slow") + get("/nowhere") + b"nonsense\r\n\r\n")
        gate.arrived.acquire()
        client.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(20)
        gate.open.set()
        client.stream = client.sock.makefile("rb")
        statuses = [client.read().status for _ in range(5)]
        assert statuses == [200, 200, 200, 404, 400]
        assert client.is_closed()


def test_no_more_is_read_than_can_be_answered(authority: Authority) -> None:
    gate, count = Gate(), 30_000
    endpoints = {"/slow": Stub(gate), "/fast": Stub(suspends=False)}
    with serving(authority, endpoints) as served, connected(served) as client:
        client.send(request(ALLOWED, "/slow"))
        gate.arrived.acquire()
        data = get("/nowhere") * count
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        (connection,) = served.server._site.connections
        wait_for(lambda: not connection._transport.is_reading())
        assert 0 < len(connection._queue) < 3000
        gate.open.set()
        assert client.read().status == 200
        for _ in range(count):
            assert client.read().status == 404
        sender.join()


def test_asyncios_own_loop_serves_too(authority: Authority) -> None:
    gate = Gate()
    endpoints = {"/slow": Stub(gate), "/fast": Stub(suspends=False)}
    with (
        serving(authority, endpoints, new_loop=asyncio.new_event_loop) as served,
        connected(served) as client,
    ):
        client.send(request(ALLOWED, "/slow") + chunked(ALLOWED, 9, "/fast"))
        gate.arrived.acquire()
        gate.open.set()
        assert [client.read().status for _ in range(2)] == [200, 200]
        client.send(request(b" " * 8_000_000, "/fast")[:500])
        assert client.read().status == 413
        assert client.is_closed()


def test_a_client_that_leaves_cancels_its_review(authority: Authority) -> None:
    gate = Gate()
    with serving(authority, {"/slow": Stub(gate)}) as served:
        with connected(served) as client:
            client.send(request(ALLOWED, "/slow?timeout=1h"))
            gate.arrived.acquire()
        assert gate.cancelled.wait(20)
        wait_for(lambda: served.counts.in_flight == 0)
        wait_for(lambda: served.counts.connections == 0)


def test_a_review_that_waits_is_cancelled_at_the_deadline(
    authority: Authority,
) -> None:
    gate = Gate()
    with (
        serving(authority, {"/slow": Stub(gate)}) as served,
        connected(served) as client,
    ):
        response = client.ask(ALLOWED, "/slow?timeout=100ms")
        assert response.status == 504
        assert gate.cancelled.wait(20)
        assert client.ask(ALLOWED, "/slow?timeout=1ms").status == 504


def test_a_computation_that_ends_too_late_is_answered_504(
    authority: Authority,
) -> None:
    late = Stub(hold_the_loop, suspends=False)
    with serving(authority, {"/late": late}) as served, connected(served) as client:
        assert client.ask(ALLOWED, "/late?timeout=100ms").status == 504
        assert client.ask(ALLOWED, "/late?timeout=5s").status == 200


@pytest.mark.parametrize("suspends", [True, False])
def test_a_fault_inside_admit_is_a_500_that_quotes_nothing(
    suspends: bool,  # noqa: FBT001 - a table
    authority: Authority,
) -> None:
    faulty = Stub(fail, suspends=suspends)
    with serving(authority, {"/faulty": faulty}) as served, connected(served) as client:
        response = client.ask(ALLOWED, "/faulty")
        assert response.status == 500
        assert "ZeroDivisionError" in response.message
        assert "MARKER" not in response.message
        assert client.ask(ALLOWED, "/faulty").status == 500
        assert "MARKER" not in served.log.getvalue()
        assert "reviewers.py" in served.log.getvalue()


def test_a_reviewer_that_lies_about_waiting_fails(authority: Authority) -> None:
    liar = Stub(Gate(), suspends=False)
    with serving(authority, {"/liar": liar}) as served, connected(served) as client:
        assert client.ask(ALLOWED, "/liar").status == 500


SHORT: dict[str, Any] = {
    "header_seconds": 0.2,
    "body_seconds": 0.2,
    "idle_seconds": 0.4,
}


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"P", "headers"),
        (b"POST /validate HTTP/1.1\r\nHost: loc", "headers"),
        (b"POST /validate HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", "body"),
        (
            b"POST /validate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{",
            "body",
        ),
        (get("/health") + b"POST /validate HTTP/1.1\r\n", "headers"),
    ],
)
def test_a_slow_sender_is_told_408(
    start: bytes, part: str, authority: Authority
) -> None:
    other = "body" if part == "headers" else "header"
    options = SHORT | {f"{other}_seconds": 1000.0}
    with serving(authority, **options) as served, connected(served) as client:
        client.send(start)
        if start.startswith(b"GET"):
            assert client.read().status == 200
        response = client.read()
        assert response.status == 408
        assert part in response.message
        assert client.is_closed()


def test_an_idle_connection_is_closed_in_silence(authority: Authority) -> None:
    with serving(authority, **SHORT) as served:
        with connected(served) as client:
            assert client.is_closed()
        with connected(served) as client:
            assert client.ask().status == 200
            assert client.is_closed()


def test_a_client_that_never_shakes_hands_is_let_go(authority: Authority) -> None:
    with (
        serving(authority, handshake_seconds=0.2) as served,
        socket.create_connection(("127.0.0.1", served.port), 20) as sock,
    ):
        assert sock.recv(1) == b""
        wait_for(lambda: served.counts.handshake_failures == 1)
        assert "took too long" in served.log.getvalue()


def test_a_slow_reader_is_cut_off(authority: Authority) -> None:
    with (
        serving(authority, write_seconds=0.3, header_seconds=1000.0) as served,
        connected(served) as client,
    ):
        client.sock.settimeout(20)
        with pytest.raises(OSError):  # noqa: PT012 - any of the sends
            for _ in range(100_000):
                client.send(get("/nowhere") * 100)
        wait_for(lambda: served.counts.connections == 0)


def test_a_reader_that_catches_up_gets_every_reply(authority: Authority) -> None:
    count = 30_000
    with serving(authority) as served, connected(served) as client:
        sender = threading.Thread(target=client.send, args=(get("/nowhere") * count,))
        sender.start()
        wait_for(lambda: bool(served.server._site.connections))
        (connection,) = served.server._site.connections
        wait_for(lambda: not connection._writable)
        for _ in range(count):
            assert client.read().status == 404
        sender.join()
        assert client.ask().status == 200


def test_a_connection_ends_at_its_age(authority: Authority) -> None:
    with (
        serving(authority, connection_seconds=0.2) as served,
        connected(served) as client,
    ):
        while "connection" not in (response := client.ask()).headers:
            time.sleep(0.02)
        assert response.status == 200
        assert client.is_closed()


def test_connections_do_not_all_end_at_once(authority: Authority) -> None:
    """API servers that connected together do not connect anew together."""
    with (
        serving(authority, connection_seconds=100) as served,
        ExitStack() as stack,
    ):
        for _ in range(20):
            assert stack.enter_context(connected(served)).ask().status == 200
        now = served.loop.time()
        ages = [c._reader._retires_at - now for c in served.server._site.connections]
    assert len(ages) == 20
    assert 70 < min(ages) < max(ages) <= 120
    assert max(ages) - min(ages) > 1


def test_too_many_reviews_at_once_are_told_503(authority: Authority) -> None:
    gate = Gate()
    with serving(authority, {"/slow": Stub(gate)}, in_flight=2) as served:
        with ExitStack() as stack:
            waiting = [stack.enter_context(connected(served)) for _ in range(2)]
            for client in waiting:
                client.send(request(ALLOWED, "/slow"))
                gate.arrived.acquire()
            with connected(served) as client:
                response = client.ask(ALLOWED, "/slow")
                assert response.status == 503
                assert response.headers["retry-after"] == "1"
                gate.open.set()
                assert [c.read().status for c in waiting] == [200, 200]
                assert client.ask(ALLOWED, "/slow").status == 200
        assert served.counts.responses[503] == 1


def test_too_many_bodies_at_once_are_told_503(authority: Authority) -> None:
    body = b" " * 200_000
    with (
        serving(authority, buffered_bytes=300_000) as served,
        connected(served) as first,
        connected(served) as second,
    ):
        first.send(request(body)[:-1])
        wait_for(lambda: served.server._site.buffered_bytes > 190_000)
        second.send(request(body)[:-1])
        response = second.read()
        assert response.status == 503
        assert second.is_closed()
        first.send(b" ")
        assert first.read().status == 400
        assert served.server._site.buffered_bytes == 0


def test_the_newcomer_takes_the_place_of_the_longest_idle(
    authority: Authority,
) -> None:
    with serving(authority, connections=2) as served, ExitStack() as stack:
        first = stack.enter_context(connected(served))
        first.ask()
        second = stack.enter_context(connected(served))
        second.ask()
        third = stack.enter_context(connected(served))
        assert third.ask().status == 200
        assert first.is_closed()
        assert second.ask().status == 200


def test_where_nobody_is_idle_the_newcomer_waits(authority: Authority) -> None:
    gate = Gate()
    with serving(authority, {"/slow": Stub(gate)}, connections=1) as served:
        with connected(served) as busy:
            busy.send(request(ALLOWED, "/slow"))
            gate.arrived.acquire()
            plain = socket.create_connection(("127.0.0.1", served.port), 20)
            wait_for(lambda: "connections are full" in served.log.getvalue())
            gate.open.set()
            assert busy.read().status == 200
        with (
            plain,
            served.authority.context().wrap_socket(
                plain, server_hostname="localhost"
            ) as sock,
        ):
            client = Client(sock)
            assert client.ask(ALLOWED, "/slow").status == 200
            client.stream.close()


def test_small_writes_are_not_held_back(authority: Authority) -> None:
    with serving(authority) as served, connected(served) as client:
        assert client.ask().status == 200

        async def look() -> int:
            (connection,) = served.server._site.connections
            sock = connection._transport.get_extra_info("socket")
            return int(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        assert served.run(look()) == 1


def test_lines_that_strangers_cause_are_bounded(authority: Authority) -> None:
    with serving(authority) as served, connected(served) as client:
        for _ in range(200):
            client.send(get("/nowhere"))
            assert client.read().status == 404
        assert served.log.getvalue().count("unknown path") < 20
