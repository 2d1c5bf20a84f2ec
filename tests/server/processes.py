"""Whole processes that serve, as `admit serve` starts them."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

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
    settings |= {"endpoint_delay_seconds": 0}
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
