"""The end: unready at once, nothing new, what is in flight is answered."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.reviews import pod, review_body
from tests.server.reviewers import Gate, Stub
from tests.server.running import Authority, Served, serving, wait_for
from tests.server.wire import connected, look, request

if TYPE_CHECKING:
    from collections.abc import Iterator

ALLOWED = review_body(pod(app="web"))


class Stopping:
    """Stops a server in the background."""

    def __init__(self, served: Served, delay_seconds: float = 0.0) -> None:
        self._served = served
        self._delay = delay_seconds
        self._site = served.server._site
        self.hurry = asyncio.Event()
        self.answered: bool | None = None
        self._thread = threading.Thread(target=self._stop)

    def _stop(self) -> None:
        stop = self._served.server.stop(delay_seconds=self._delay, hurry=self.hurry)
        self.answered = self._served.run(stop)

    @property
    def is_delayed(self) -> bool:
        """Whether it serves as before, although it is to end."""
        return self._served.server._stopping and not self._site.draining

    def wait_for_drain(self) -> None:
        wait_for(lambda: self._site.draining)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self._site.draining or self.is_delayed)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def test_what_is_in_flight_is_answered_and_the_connection_closes(
    gate: Gate, authority: Authority
) -> None:
    endpoints = {"/slow": Stub(gate), "/fast": Stub(suspends=False)}
    with (
        serving(authority, endpoints) as served,
        connected(served) as idle,
        connected(served) as busy,
        connected(served) as arriving,
    ):
        assert idle.ask(path="/fast").status == 200
        whole = request(ALLOWED, "/fast")
        arriving.send(whole[:-1])
        busy.send(request(ALLOWED, "/slow"))
        gate.arrived.acquire()
        wait_for(lambda: served.server._site.is_busy)
        with Stopping(served) as stopping:
            assert idle.is_closed()
            assert look(served.health_port, "/readyz")[0] == 503
            with pytest.raises(OSError), connected(served):
                pass
            arriving.send(whole[-1:])
            response = arriving.read()
            assert response.status == 200
            assert response.headers["connection"] == "close"
            assert arriving.is_closed()
            gate.open.set()
            response = busy.read()
            assert response.status == 200
            assert response.headers["connection"] == "close"
            assert busy.is_closed()
        assert stopping.answered is True


def test_what_does_not_end_is_cut_off(gate: Gate, authority: Authority) -> None:
    with (
        serving(authority, {"/slow": Stub(gate)}, drain_seconds=0.1) as served,
        connected(served) as client,
    ):
        client.send(request(ALLOWED, "/slow"))
        gate.arrived.acquire()
        with Stopping(served) as stopping:
            assert client.is_closed()
        assert stopping.answered is False
        assert gate.cancelled.wait(20)


def test_a_server_that_has_nothing_to_do_ends_at_once(authority: Authority) -> None:
    with serving(authority) as served, Stopping(served) as stopping:
        pass
    assert stopping.answered is True


def test_it_serves_as_before_until_nobody_sends_new_requests(
    authority: Authority,
) -> None:
    with (
        serving(authority) as served,
        connected(served) as idle,
        connected(served) as busy,
        Stopping(served, delay_seconds=1.0) as stopping,
    ):
        assert look(served.health_port, "/readyz")[0] == 503
        with connected(served) as newcomer:
            for client in (newcomer, busy):
                response = client.ask()
                assert response.status == 200
                if stopping.is_delayed:
                    assert "connection" not in response.headers
        stopping.wait_for_drain()
        with pytest.raises(OSError), connected(served):
            pass
        # A request may be on its way: both are answered once more.
        for client in (idle, busy):
            response = client.ask()
            assert response.headers["connection"] == "close"
            assert client.is_closed()
    assert stopping.answered is True


def test_connections_that_stay_idle_close_at_the_end(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admit.server.serving.PATIENCE_SECONDS", 0.1)
    with (
        serving(authority) as served,
        connected(served) as idle,
        Stopping(served, delay_seconds=0.01) as stopping,
    ):
        assert idle.is_closed()
    assert stopping.answered is True


def test_a_second_signal_ends_the_delay(gate: Gate, authority: Authority) -> None:
    with (
        serving(authority, {"/slow": Stub(gate)}) as served,
        connected(served) as client,
    ):
        client.send(request(ALLOWED, "/slow"))
        gate.arrived.acquire()
        with Stopping(served, delay_seconds=3600) as stopping:
            served.loop.call_soon_threadsafe(stopping.hurry.set)
            assert client.is_closed()
        assert stopping.answered is False


def test_who_is_connected_to_the_kernel_is_served(authority: Authority) -> None:
    """Closing a socket that listens resets what was not accepted yet."""
    with serving(authority) as served:
        reached, connecting = threading.Event(), threading.Event()
        ending: list[asyncio.Task[bool]] = []

        def hold() -> None:
            """Keep the loop from accepting, then stop."""
            reached.set()
            connecting.wait(20)
            ending.append(served.loop.create_task(served.server.stop()))

        served.loop.call_soon_threadsafe(hold)
        reached.wait(20)
        with socket.create_connection(("127.0.0.1", served.port), 20) as plain:
            context = served.authority.context()
            handshake = threading.Thread(
                target=lambda: done.append(
                    context.wrap_socket(plain, server_hostname="localhost")
                )
            )
            done: list[socket.socket] = []
            handshake.start()
            time.sleep(0.05)
            connecting.set()
            handshake.join(20)
            assert len(done) == 1
            done[0].close()
        wait_for(lambda: bool(ending) and ending[0].done())


def test_a_request_that_is_arriving_is_waited_for(authority: Authority) -> None:
    with serving(authority) as served, connected(served) as client:
        whole = request(ALLOWED)
        client.send(whole[:-1])
        wait_for(lambda: served.server._site.is_busy)
        with Stopping(served) as stopping:
            time.sleep(1.0)  # longer than clients get to take note
            client.send(whole[-1:])
            assert client.read().status == 200
        assert stopping.answered is True
