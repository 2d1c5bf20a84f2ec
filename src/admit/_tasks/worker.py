"""One of several processes that serve; started by `admit.server.Workers`.

Arguments: the number of the socket to the parent, then those of the bound sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from admit._tasks.certificates import certified
from admit._tasks.registration import registered
from admit._tasks.serve import Order, end, end_threads, load, run
from admit.errors import AdmitError
from admit.server import Counts, Failure, Report, Server, catch_signals, encode_line
from admit.telemetry import (
    Measures,
    collect,
    collect_process,
    configure_logs,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from admit._tasks.succession import Follow, Succession

# Seconds between two reports: short beside a scrape interval and a probe's period.
REPORT_SECONDS: Final = 0.5

# Bytes of reports that may wait for a parent that does not read.
WAITING_BYTES: Final = 1024 * 1024


def main(arguments: Sequence[str]) -> int:
    """Serve until the parent says so, or is gone."""
    to_parent, *sockets = (socket.socket(fileno=int(n)) for n in arguments)
    with to_parent.makefile("rb") as stream:
        order = msgspec.json.decode(stream.readline(), type=Order)
    lines = configure_logs(order.log_format, level=order.log_level)
    measures = Measures()
    try:
        policies = load(order, measures, lines)
        run(_serve(order, policies, measures, sockets, to_parent))
    except AdmitError as error:
        with contextlib.suppress(OSError):  # it may be ending, for the same reason
            to_parent.sendall(encode_line(Failure.of(error)))
        return error.exit_code
    end_threads(policies.current)
    return 0


async def _serve(
    order: Order,
    policies: Succession,
    measures: Measures,
    sockets: Sequence[socket.socket],
    to_parent: socket.socket,
) -> int:
    counts, changed = Counts(), asyncio.Event()
    async with certified(order.made, order.options, counts, changed.set) as certificate:
        server = Server(
            certificate.options,
            counts=counts,
            sockets=sockets,
            changed=changed.set,
            more_checks=certificate.checks,
        )
        async with registered(order.made, certificate, counts) as follow:
            await _serve_with(server, policies, measures, to_parent, changed, follow)
    return 0


async def _serve_with(
    server: Server,
    policies: Succession,
    measures: Measures,
    to_parent: socket.socket,
    changed: asyncio.Event,
    follow: Follow | None,
) -> None:
    """Serve, and report to the parent."""
    counts = server.counts
    to_parent.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=to_parent)
    with catch_signals(asyncio.get_running_loop()) as stop:

        async def report() -> None:
            used = await asyncio.to_thread(collect_process)
            samples = [*collect(measures, counts), *used]
            numbers = msgspec.Raw(msgspec.json.encode(samples))
            if writer.transport.get_write_buffer_size() < WAITING_BYTES:
                writer.write(encode_line(Report(server.checks(), numbers)))

        async def watch_parent() -> None:
            await reader.read()  # nothing more comes: this is the end of it
            if not stop.asked.is_set():
                stop.ask(at_once=True)

        await server.start()
        async with policies.at_work(server, follow=follow):
            helpers = [
                asyncio.create_task(watch_parent()),
                asyncio.create_task(_report_on(report, changed)),
            ]
            await stop.asked.wait()
        await end(server, stop)
        await report()
        for helper in helpers:
            helper.cancel()
    writer.close()


async def _report_on(
    report: Callable[[], Awaitable[None]], changed: asyncio.Event
) -> None:
    """Report when something changed, and now and then."""
    while True:
        changed.clear()
        await report()
        # Not `wait_for`, which may miss that it is cancelled (Python 3.11).
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REPORT_SECONDS):
                await changed.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
