"""Serve policies: a source and options in, a running server, an exit code out.

One process serves by itself; several are run by a parent that loads no policy
(`admit.server.Workers`), each with `admit._tasks.worker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from admit._handler import Mode  # noqa: TC001 - msgspec reads the annotation
from admit._tasks.certificates import Made, certified, find_problem
from admit._tasks.registration import registered
from admit.server import (
    Counts,
    ServeOptions,
    Server,
    Stop,
    Workers,
    catch_signals,
)
from admit.telemetry import (
    Ledger,
    Measures,
    collect,
    configure_logs,
    render_alone,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from admit._tasks.load import Policies
    from admit._tasks.succession import Succession
    from admit.telemetry import Lines

__all__ = ("Order", "Serving", "end", "end_threads", "load", "run", "serve")

# Seconds that threads of blocking policies get to end after the last reply.
THREADS_SECONDS: Final = 1.0

LogFormat: TypeAlias = Literal["auto", "json", "text"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve and how to tell about it; what a worker is given.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        options: where, and within which bounds.
        made: how the certificate is made; None for the files of the options.
        modes: policies' modes that are not those of the code, by policy name.
        log_format: json, text, or auto: text at a terminal.
        log_level: debug (allowed reviews too), info, warning or error.
    """

    source: str
    options: ServeOptions
    made: Made | None = None
    modes: dict[str, Mode] = {}
    log_format: LogFormat = "auto"
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a server can be reached, once it has its addresses.

    Args:
        waiting: why it does not serve yet; empty if it does.
    """

    host: str
    port: int
    health_port: int | None
    workers: int
    waiting: str = ""


Started: TypeAlias = "Callable[[Serving], None]"


def serve(order: Order, started: Started = lambda _: None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    Args:
        order: what to serve.
        started: called once, when the addresses are taken.

    Raises:
        PolicyError: the policies cannot be loaded (their author's fault).
        ConfigError: an address cannot be taken (operator's fault).
    """
    lines = configure_logs(order.log_format, level=order.log_level)
    if order.options.workers > 1:
        return run(_serve_workers(order, started))
    measures = Measures()
    policies = load(order, measures, lines)
    run(_serve_one(order, policies, measures, started))
    end_threads(policies.current)
    return 0


def load(order: Order, measures: Measures, lines: Lines) -> Succession:
    """Load the policies, and be ready to load them again.

    Raises:
        PolicyError: the policies cannot be loaded.
    """
    from admit._tasks.announcing import announce_in  # noqa: PLC0415 - same
    from admit._tasks.reload import Reloader  # noqa: PLC0415 - not for the parent
    from admit._tasks.succession import Succession  # noqa: PLC0415 - same

    reloader = Reloader(order.source, modes=order.modes)
    tell = None if order.made is None else announce_in(order.made.namespace)
    return Succession(reloader, measures, lines, tell=tell)


async def _serve_one(
    order: Order, policies: Succession, measures: Measures, started: Started
) -> int:
    """Serve in this process."""
    counts = Counts()

    async def render_metrics() -> bytes:
        return await render_alone(collect(measures, counts))

    async with certified(order.made, order.options, counts) as certificate:
        server = Server(
            certificate.options,
            counts=counts,
            render_metrics=render_metrics,
            more_checks=certificate.checks,
        )
        with catch_signals(asyncio.get_running_loop()) as stop:
            await server.start()
            async with (
                registered(order.made, certificate, counts) as follow,
                policies.at_work(server, follow=follow),
            ):
                started(_describe(order, server.port, server.health_port))
                await stop.asked.wait()
            await end(server, stop)
    return 0


async def _serve_workers(order: Order, started: Started) -> int:
    """Let workers serve, and watch over them."""
    options = order.options
    workers = Workers(
        options,
        command=(sys.executable, "-m", "admit._tasks.worker"),
        order=msgspec.json.encode(order),
        numbers=Ledger(),
    )
    with catch_signals(asyncio.get_running_loop()) as stop:
        workers.start()
        started(_describe(order, workers.port, workers.health_port))
        await workers.run(stop)
    return 0


def _describe(order: Order, port: int, health_port: int | None) -> Serving:
    options = order.options
    waiting = find_problem(order.made, options)
    return Serving(options.host, port, health_port, options.workers, waiting)


async def end(server: Server, stop: Stop) -> None:
    """End as the signals ask."""
    delay = 0.0 if stop.at_once else server.options.endpoint_delay_seconds
    await server.stop(delay_seconds=delay, hurry=stop.hurry)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop, where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not there on every system

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def end_threads(policies: Policies) -> None:
    """Let no blocking policy that hangs keep the process.

    Python waits for its threads at exit, for ever. Their reviews were answered long ago
    (504), and the process has been asked to end.
    """
    policies.close()
    for thread in threading.enumerate():
        if thread.name.startswith("admit-blocking"):
            thread.join(THREADS_SECONDS)
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
