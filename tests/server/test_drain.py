"""The end: unready at once, nothing new, what is in flight is answered."""

from __future__ import annotations

import threading
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

    def __init__(self, served: Served) -> None:
        self._served = served
        self.answered: bool | None = None
        self._thread = threading.Thread(target=self._stop)

    def _stop(self) -> None:
        self.answered = self._served.run(self._served.server.stop())

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self._served.server._site.draining)
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
