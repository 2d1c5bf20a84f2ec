"""A server in a thread of its own, with a real certificate, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme
import uvloop

from admit import App, Deny, Pod
from admit.server import Counts, ServeOptions, Server
from admit.telemetry import (
    Lines,
    Measures,
    collect,
    configure_logs,
    render_alone,
    watched,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

_numbers = itertools.count(1)

# In an object's label: it must never be seen in a log.
SECRET = "MARKER-of-the-body"


class Authority:
    """A throw-away CA that writes pairs of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()

    def issue(self, name: str = "") -> tuple[str, str]:
        """Write `name`.crt and `name`.key; return their paths."""
        name = name or f"tls-{next(_numbers)}"
        leaf = self._ca.issue_cert("localhost", "127.0.0.1", common_name=name)
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        certificate.write_bytes(chain)
        key.write_bytes(leaf.private_key_pem.bytes())
        return str(certificate), str(key)

    def context(self) -> ssl.SSLContext:
        """What a client needs to trust it."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context


@dataclass
class Served:
    """A server that runs."""

    server: Server
    loop: asyncio.AbstractEventLoop
    authority: Authority
    log: io.StringIO
    counts: Counts
    measures: Measures
    lines: Lines

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def health_port(self) -> int:
        assert self.server.health_port is not None
        return self.server.health_port

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the server's loop, and wait."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def set_routes(self, endpoints: Mapping[str, Any]) -> None:
        async def set_routes() -> None:
            self.server.set_routes(endpoints)

        self.run(set_routes())


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something another thread does is done; the test's time-out bounds."""
    while not holds():
        time.sleep(0.005)


def tutorial() -> App:
    """The guide's policies: an app label, or one by default."""
    app = App("pod-labels", domain="example.com")

    @app.validate
    def require_app_label(pod: Pod) -> None:
        if "app" not in pod.metadata.labels:
            raise Deny("Pod must have an app label")

    @app.mutate
    def default_app_label(pod: Pod) -> None:
        pod.metadata.labels.setdefault("app", "my-app")

    return app


def endpoints_of(app: App) -> dict[str, Any]:
    return {endpoint.path: endpoint for endpoint in app.endpoints()}


@contextlib.contextmanager
def serving(
    authority: Authority,
    endpoints: Mapping[str, Any] | None = None,
    *,
    files: tuple[str, str] | None = None,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
    **options: Any,
) -> Iterator[Served]:
    """Serve endpoints (the tutorial's by default) on free ports of 127.0.0.1."""
    certificate, key = files or authority.issue()
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "health_host": "127.0.0.1",
    }
    settings |= {"health_port": 0, "reload_seconds": 0.05, "drain_seconds": 5.0}
    settings |= options
    log = io.StringIO()
    lines = configure_logs("json", level="debug", stream=log)
    loop = new_loop()
    counts, measures = Counts(), Measures()
    started, stop = threading.Event(), asyncio.Event()
    failed: list[BaseException] = []
    held: list[Server] = []

    async def render_metrics() -> bytes:
        return await render_alone(collect(measures, counts))

    async def main() -> None:
        server = Server(
            ServeOptions(cert_file=certificate, key_file=key, **settings),
            counts=counts,
            render_metrics=render_metrics,
        )
        held.append(server)
        async with server:
            lines.attach(loop)
            chosen = endpoints_of(tutorial()) if endpoints is None else endpoints
            if chosen:
                server.set_routes(
                    {p: watched(e, measures, lines) for p, e in chosen.items()}
                )
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(main())
            loop.run_until_complete(loop.shutdown_default_executor())
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(30)
    try:
        if not failed:
            yield Served(held[0], loop, authority, log, counts, measures, lines)
    finally:
        with contextlib.suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
    if failed:
        raise failed[0]
