"""A replica is replaced under constant requests: none is lost."""

from __future__ import annotations

import functools
import http.client
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.forwarding import Service
from tests.server.processes import ALLOWED, Running, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.running import Authority

# From the signal until no new connection goes there; in a cluster the EndpointSlice and
# every node's proxy take as long.
PROPAGATION_SECONDS = 0.7
DELAY_SECONDS = 1.0

CLIENTS = 6


class Asking:
    """Clients that ask all the time, over connections that they keep.

    Stricter than the API server: a connection that closes without having said so is a
    failure, also before a byte was written.
    """

    def __init__(self, authority: Authority, port: int) -> None:
        self._context = authority.context()
        self._port = port
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.answers = 0
        self.closed = 0
        # Some ask all the time, and some now and then.
        self._threads = [
            threading.Thread(target=self._ask, args=[0.002 * 4**number])
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, pause: float) -> None:
        connection: http.client.HTTPSConnection | None = None
        while not self._stop.wait(pause * random.uniform(0.5, 1.5)):
            if connection is None:
                connection = http.client.HTTPSConnection(
                    "localhost", self._port, timeout=20, context=self._context
                )
            try:
                connection.request("POST", "/validate", ALLOWED)
                response = connection.getresponse()
                response.read()
                assert response.status == 200
            except Exception as error:  # noqa: BLE001 - each is a request that is lost
                self.failures.append(repr(error))
                connection.close()
                connection = None
                continue
            self.answers += 1
            if response.will_close:
                self.closed += 1
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


def is_unready(replica: Running) -> bool:
    return not replica.is_ready()


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_is_lost_when_replicas_are_replaced(
    workers: int, authority: Authority, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "workers": workers,
        "endpoint_delay_seconds": DELAY_SECONDS,
    }
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    with (
        running(authority, folders[0], **options) as first,
        running(authority, folders[1], **options) as second,
        running(authority, folders[2], **options) as third,
        Service(first.port, second.port) as service,
        Asking(authority, service.port) as asking,
    ):
        for old, new in ((first, third), (second, third)):
            time.sleep(0.5)
            old.process.send_signal(signal.SIGTERM)
            old.wait_until(functools.partial(is_unready, old))
            time.sleep(PROPAGATION_SECONDS)
            others = {*service.endpoints} - {old.port}
            service.endpoints = (*others, new.port)
            assert old.process.wait(30) == 0
        before = asking.answers
        while asking.answers < before + 50:
            time.sleep(0.01)
    assert asking.failures == []
    assert asking.closed >= 1  # how many depends on who asked in those moments


def test_ctrl_c_does_not_wait_for_endpoints(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2, endpoint_delay_seconds=600) as served:
        assert served.ask()[0] == 200
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) == 0


def test_a_second_signal_ends_the_delay(authority: Authority, tmp_path: Path) -> None:
    with running(authority, tmp_path, workers=2, endpoint_delay_seconds=600) as served:
        served.process.terminate()
        served.wait_until(lambda: not served.is_ready())
        assert served.ask()[0] == 200
        served.process.terminate()
        assert served.process.wait(20) == 0
