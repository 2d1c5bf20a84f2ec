"""Whole processes: one, and several with a parent; signals, crashes, what is shown."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from admit._tasks.serve import Order
from admit.server import ServeOptions
from tests.reviews import pod, review_body
from tests.server.running import SECRET
from tests.server.wire import look, scrape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.running import Authority

ALLOWED = review_body(pod(app="web", secret=SECRET))
DENIED = review_body(pod(secret=SECRET))

POLICIES = """
from __future__ import annotations
import asyncio, os, time
from admit import App, Deny, Pod

app = App("pod-labels", domain="example.com")

@app.validate
def require_app_label(pod: Pod) -> None:
    if "app" not in pod.metadata.labels:
        raise Deny("Pod must have an app label")

@app.validate(path="/worker")
def tell_worker(pod: Pod) -> None:
    raise Deny(str(os.getpid()))

@app.validate(path="/slow", timeout_seconds=20)
async def be_slow(pod: Pod) -> None:
    await asyncio.sleep(0.5)

@app.validate(path="/wait", timeout_seconds=20)
async def wait(pod: Pod) -> None:
    await asyncio.sleep(15)

@app.validate(path="/hold", timeout_seconds=20)
def hold(pod: Pod) -> None:
    time.sleep(2)

@app.validate(path="/stuck", timeout_seconds=1, blocking=True)
def be_stuck(pod: Pod) -> None:
    time.sleep(3600)
"""

MAIN = """
import sys, msgspec
from admit.errors import AdmitError
from admit._tasks.serve import Order, serve

def started(serving):
    print(serving.port, serving.health_port, flush=True)

try:
    sys.exit(serve(msgspec.json.decode(sys.argv[1], type=Order), started))
except AdmitError as error:
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    health_port: int
    authority: Authority
    log_file: Path
    connections: list[Any] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=20, context=self.authority.context()
        )
        self.connections.append(connection)
        return connection

    def ask(
        self,
        body: bytes = ALLOWED,
        path: str = "/validate",
        connection: http.client.HTTPSConnection | None = None,
    ) -> tuple[int, Any]:
        self.asked[path] += 1
        connection = connection or self.connect()
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def look(self, path: str) -> tuple[int, str]:
        return look(self.health_port, path)

    def worker(self) -> int:
        """The process that answers a new connection."""
        _, review = self.ask(path="/worker")
        return int(review["response"]["status"]["message"].split()[0])

    def total(self) -> float:
        """How many reviews `/worker` has had, says the metrics page."""
        webhook = "worker.pod-labels.example.com"
        key = (("operation", "CREATE"), ("verdict", "deny"), ("webhook", webhook))
        return scrape(self.look("/metrics")[1]).get(("admit_reviews_total", key), 0)

    def worker_processes(self) -> set[int]:
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
            return {int(child) for child in file.read().split()}

    def wait_until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self.process.poll() is not None:
                raise RuntimeError(self.log)
            time.sleep(0.02)

    def is_ready(self) -> bool:
        try:
            return self.look("/readyz")[0] == 200
        except OSError:
            return False


@contextlib.contextmanager
def running(
    authority: Authority, folder: Path, *, policies: str = POLICIES, **options: Any
) -> Iterator[Running]:
    source = folder / "policies.py"
    source.write_text(policies)
    certificate, key = authority.issue()
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "health_host": "127.0.0.1",
    }
    settings |= {"health_port": 0, "cert_file": certificate, "key_file": key}
    order = Order(source=str(source), options=ServeOptions(**settings | options))
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, msgspec.json.encode(order).decode()],
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    with process:
        ports = process.stdout.readline().split()
        if len(ports) != 2:
            process.wait()
            raise RuntimeError(log_file.read_text())
        served = Running(process, int(ports[0]), int(ports[1]), authority, log_file)
        try:
            served.wait_until(served.is_ready)
            yield served
        finally:
            for connection in served.connections:
                connection.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_it_with_0_after_what_is_in_flight(
    number: signal.Signals, workers: int, authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=workers) as served:
        assert served.ask()[0] == 200
        connection = served.connect()
        connection.request("POST", "/slow", ALLOWED)
        time.sleep(0.1)
        served.process.send_signal(number)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["connection"] == "close"
        assert json.loads(response.read())["response"]["allowed"] is True
        assert served.process.wait(20) == 0


def test_a_second_signal_cuts_the_end_short(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2) as served:
        connection = served.connect()
        connection.request("POST", "/wait", ALLOWED)
        time.sleep(0.1)
        served.process.terminate()
        time.sleep(0.1)
        served.process.terminate()
        with pytest.raises(OSError):
            connection.getresponse().read()
        assert served.process.wait(20) == 0


def test_a_stuck_thread_does_not_keep_the_process(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        assert served.ask(path="/stuck")[0] == 504
        served.process.terminate()
        assert served.process.wait(20) == 0


def test_a_denied_review_is_one_line_without_its_body(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        assert served.ask(DENIED)[1]["response"]["allowed"] is False
        served.wait_until(lambda: "review: deny" in served.log)
        lines = [json.loads(line) for line in served.log.splitlines()]
        (line,) = [line for line in lines if line.get("kind") == "review"]
        assert line["policies"] == ["require_app_label"]
        assert line["webhook"] == "validate.pod-labels.example.com"
        assert (line["namespace"], line["name"]) == ("default", "web")
        assert line["duration_seconds"] > 0
        assert SECRET not in served.log


def test_workers_share_the_work_and_add_up(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=3) as served:
        workers = served.worker_processes()
        assert len(workers) == 3
        seen = set[int]()
        while seen != workers:
            seen.add(served.worker())
        assert served.process.pid not in seen
        served.wait_until(lambda: served.total() == served.asked["/worker"])
        status, text = served.look("/readyz")
        assert status == 200
        assert text.count("[+] worker") == 9
        status, text = served.look("/healthz")
        assert (status, text.count("[+] worker")) == (200, 3)


def test_a_killed_worker_is_replaced_and_the_others_go_on(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2) as served:
        first, second = sorted(served.worker_processes())
        connections: dict[int, http.client.HTTPSConnection] = {}
        while len(connections) < 2:
            connection = served.connect()
            _, review = served.ask(path="/worker", connection=connection)
            message = review["response"]["status"]["message"]
            connections[int(message.split()[0])] = connection
        while served.worker() != first:
            pass
        served.wait_until(lambda: served.total() == served.asked["/worker"])
        os.kill(first, signal.SIGKILL)
        for _ in range(20):
            assert served.ask(connection=connections[second])[0] == 200
        served.wait_until(lambda: first not in served.worker_processes())
        served.wait_until(lambda: len(served.worker_processes()) == 2)
        served.wait_until(served.is_ready)
        served.wait_until(lambda: served.worker() not in {first, second})
        served.wait_until(lambda: served.total() == served.asked["/worker"])
        found = scrape(served.look("/metrics")[1])
        assert found["admit_worker_restarts_total", ()] == 1
        lines = [json.loads(line) for line in served.log.splitlines()]
        (line,) = [line for line in lines if line.get("kind") == "worker"]
        assert line["code"] == -signal.SIGKILL


def test_a_worker_that_holds_its_loop_fails_the_probe(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=2, liveness_seconds=1) as served:
        connection = served.connect()
        connection.request("POST", "/hold", ALLOWED)
        served.wait_until(lambda: served.look("/healthz")[0] == 503)
        served.wait_until(lambda: served.look("/healthz")[0] == 200)
        assert connection.getresponse().status == 200
        assert '"policy":"hold"' in served.log


def test_workers_end_with_their_parent(authority: Authority, tmp_path: Path) -> None:
    with running(authority, tmp_path, workers=2) as served:
        workers = served.worker_processes()
        served.process.kill()
        served.process.wait()
        for worker in workers:
            while is_alive(worker):
                time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_changed_policies_reach_every_worker_and_broken_ones_none(
    workers: int, authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path, workers=workers) as served:
        source = tmp_path / "policies.py"
        before = scrape(served.look("/metrics")[1])
        source.write_text(POLICIES.replace("Pod must have", "Pods must have"))
        served.wait_until(lambda: count_reloads(served, "loaded") == workers)
        for _ in range(8):
            message = served.ask(DENIED)[1]["response"]["status"]["message"]
            assert message.startswith("Pods must have")
        found = scrape(served.look("/metrics")[1])
        (info,) = [key for key in found if key[0] == "admit_policies_info"]
        assert info not in before
        assert found[info] == workers
        version = dict(info[1])["version"]
        assert served.look("/readyz")[1].count(f"version {version}\n") == workers
        source.write_text("def broken(")
        served.wait_until(lambda: count_reloads(served, "failed") == workers)
        status, page = served.look("/readyz")
        assert status == 200
        assert page.count(f"version {version}; the new ones cannot be used") == workers
        assert served.ask()[0] == 200
        assert scrape(served.look("/metrics")[1])["admit_policies_stale", ()] == workers


def count_reloads(served: Running, result: str) -> float:
    found = scrape(served.look("/metrics")[1])
    return found["admit_policies_reloads_total", (("result", result),)]


@pytest.mark.parametrize("workers", [1, 2])
def test_policies_that_do_not_load_end_it_with_2(
    workers: int, authority: Authority, tmp_path: Path
) -> None:
    with (
        pytest.raises(RuntimeError, match=r"policies\.py:1"),
        running(authority, tmp_path, policies="def broken(", workers=workers) as served,
    ):
        assert served.process.wait(20) == 2


def test_a_port_that_is_taken_ends_it_with_2(
    authority: Authority, tmp_path: Path
) -> None:
    with running(authority, tmp_path) as served:
        (tmp_path / "other").mkdir()
        with (
            pytest.raises(RuntimeError, match="cannot serve there"),
            running(authority, tmp_path / "other", port=served.port),
        ):
            pass


def test_a_worker_is_small(authority: Authority, tmp_path: Path) -> None:
    with running(authority, tmp_path, workers=2) as served:
        connections = [served.connect() for _ in range(16)]
        for connection in connections * 20:
            served.ask(connection=connection)
        for worker in served.worker_processes():
            with open(f"/proc/{worker}/smaps_rollup") as file:  # noqa: PTH123
                text = file.read()
            (pss,) = [line for line in text.splitlines() if line.startswith("Pss:")]
            assert int(pss.split()[1]) < 40 * 1024
