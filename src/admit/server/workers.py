"""Several processes behind one port: the parent binds, watches, restarts, tells.

The parent reviews nothing and never loads a policy. Each worker is a fresh process
(no fork of a running loop) that gets the bound sockets and one end of a socket pair.
Over the pair it first reads what to do, then sends a report about once a second:
readiness and numbers. The report is also the sign of life, and the end of the pair
that the other has gone. So the health pages need to ask nobody.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from admit.errors import AdmitError, CertificateError, ConfigError, PolicyError
from admit.server.health import Check, HealthPort, to_health_pages
from admit.server.listener import bind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.server.drain import Stop
    from admit.server.options import ServeOptions

__all__ = ("Failure", "Numbers", "Report", "Workers", "encode_line")

log: Final = logging.getLogger("admit.server")

# Bytes of one line between worker and parent: a report with 1,000 webhooks has 1 MiB.
LINE_BYTES: Final = 8 * 1024 * 1024

# Seconds before a worker that ended by itself is started again; doubled each time it
# does not last, so that a crash at start does not become a busy loop.
FIRST_DELAY_SECONDS: Final = 0.1
LAST_DELAY_SECONDS: Final = 30.0
LASTING_SECONDS: Final = 60.0

# Seconds beyond endpoint_delay_seconds and drain_seconds until a worker that does not
# end is killed.
KILL_SECONDS: Final = 2.0


class Report(msgspec.Struct, frozen=True, tag="report"):
    """What a worker tells about itself; `numbers` is for the ledger alone."""

    checks: list[Check]
    numbers: msgspec.Raw


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Why a worker could not begin: an `AdmitError` on its way to the parent."""

    error: str
    message: str
    place: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, error: AdmitError) -> Failure:
        """Take an error apart."""
        return cls(type(error).__name__, error.message, error.place, error.hint)

    def to_error(self) -> AdmitError:
        """Put it together again."""
        kinds = {kind.__name__: kind for kind in (CertificateError, PolicyError)}
        kind = kinds.get(self.error, ConfigError)
        return kind(self.message, place=self.place, hint=self.hint)


_decoder: Final = msgspec.json.Decoder(Report | Failure)


def encode_line(message: Report | Failure) -> bytes:
    """Write a message as one line."""
    return msgspec.json.encode(message) + b"\n"


class Numbers(Protocol):
    """Adds up what workers count; `admit.telemetry.Ledger` is one."""

    async def render(self, alive: Sequence[bytes], restarts: int) -> bytes:
        """Return the body of `/metrics`."""
        ...

    def retire(self, last: bytes) -> None:
        """Keep the counters of a worker that has ended."""
        ...


class Workers:
    """The parent's side.

    Args:
        options: as for one process; the bounds count for each worker.
        command: starts a worker; the number of its file descriptor is put behind it.
        order: what a worker reads first, one line.
        numbers: adds up what the workers count.
    """

    def __init__(
        self,
        options: ServeOptions,
        *,
        command: Sequence[str],
        order: bytes,
        numbers: Numbers,
    ) -> None:
        self._options = options
        self.command = tuple(command)
        self.order = order
        self.numbers = numbers
        self._sockets = bind(options.host, options.port)
        self._workers = [Worker(self, number) for number in range(options.workers)]
        self._health: HealthPort | None = None
        self.stopping = False
        self.failed: asyncio.Future[AdmitError] = asyncio.Future()

    @property
    def is_ending(self) -> bool:
        """Whether no process is to be started any more."""
        return self.stopping or self.failed.done()

    @property
    def port(self) -> int:
        """The review port that was taken."""
        return int(self._sockets[0].getsockname()[1])

    @property
    def health_port(self) -> int | None:
        """The health port that was taken; None without one."""
        return None if self._health is None else self._health.port

    @property
    def file_numbers(self) -> tuple[int, ...]:
        """The descriptors of the bound sockets."""
        return tuple(sock.fileno() for sock in self._sockets)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(w.process.pid for w in self._workers if w.process is not None)

    def start(self) -> None:
        """Open the health port and start the workers.

        Raises:
            ConfigError: the health port cannot be taken (operator's fault).
        """
        if self._options.health_port is not None:
            pages = to_health_pages(
                live=self._check_life,
                ready=self._check_readiness,
                render_metrics=self._render,
            )
            self._health = HealthPort(self._options, pages)
        for worker in self._workers:
            worker.start()

    async def run(self, stop: Stop) -> None:
        """Serve on until a signal; then let the workers finish what they have.

        Raises:
            AdmitError: a worker could not begin, and none had before.
        """
        asked = asyncio.ensure_future(stop.asked.wait())
        try:
            await asyncio.wait(
                (asked, self.failed), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            asked.cancel()
            await self.stop(stop)
        if self.failed.done():
            raise self.failed.result()

    async def stop(self, stop: Stop) -> None:
        """End all workers, in bounded time."""
        self.stopping = True
        for sock in self._sockets:
            sock.close()
        hurry = asyncio.ensure_future(self._pass_on(stop.hurry))
        seconds = self._options.drain_seconds + KILL_SECONDS
        if not stop.at_once:
            seconds += self._options.endpoint_delay_seconds
        number = signal.SIGINT if stop.at_once else signal.SIGTERM
        await asyncio.gather(*(w.stop(number, seconds) for w in self._workers))
        hurry.cancel()
        if self._health is not None:
            await self._health.stop()

    async def _pass_on(self, hurry: asyncio.Event) -> None:
        """A second signal reaches the workers too."""
        await hurry.wait()
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)

    def _check_life(self) -> list[Check]:
        """A worker is alive while its loop sends reports."""
        now, longest = asyncio.get_running_loop().time(), self._options.liveness_seconds
        return [
            Check(
                f"worker {worker.number}",
                now - worker.seen_at <= longest,
                f"last seen {now - worker.seen_at:.1f} s ago",
            )
            for worker in self._workers
            if worker.report is not None
        ]

    def _check_readiness(self) -> list[Check]:
        """Ready is who can decide: all workers."""
        checks = [Check("shutting down", passed=False)] if self.stopping else []
        for worker in self._workers:
            name = f"worker {worker.number}"
            if worker.report is None:
                checks.append(Check(name, passed=False, detail="starting"))
            else:
                checks += [
                    Check(f"{name}, {check.name}", check.passed, check.detail)
                    for check in worker.report.checks
                ]
        return checks

    async def _render(self) -> bytes:
        alive = [bytes(w.report.numbers) for w in self._workers if w.report is not None]
        restarts = sum(worker.restarts for worker in self._workers)
        return await self.numbers.render(alive, restarts)


class Worker:
    """One place among the workers: a process, and the one that follows it.

    Attributes:
        process: that runs now.
        report: its last report; None until it has sent one.
        seen_at: when that came, in seconds of the loop's clock.
        restarts: how often a process here ended by itself.
    """

    def __init__(self, parent: Workers, number: int) -> None:
        self._parent = parent
        self.number = number
        self.process: asyncio.subprocess.Process | None = None
        self.report: Report | None = None
        self.seen_at = 0.0
        self.restarts = 0
        self._delay = FIRST_DELAY_SECONDS
        self._runner: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process to end."""
        return self.process is not None and self.process.returncode is None

    def start(self) -> None:
        """Run processes here until `stop`."""
        self._runner = asyncio.get_running_loop().create_task(self._run())

    def send_signal(self, number: signal.Signals) -> None:
        """Ask the process to end."""
        if self.process is not None and self.is_running:
            self.process.send_signal(number)

    async def stop(self, number: signal.Signals, seconds: float) -> None:
        """Let the process end, or end it."""
        if self._runner is None:
            return
        if self.is_running:
            self.send_signal(number)
            await asyncio.wait((self._runner,), timeout=seconds)
        if self.process is not None and self.is_running:
            self.process.kill()
        self._runner.cancel()
        await asyncio.wait((self._runner,))

    async def _run(self) -> None:
        time = asyncio.get_running_loop().time
        while not self._parent.is_ending:
            started_at = time()
            code = await self._run_once()
            if self._parent.is_ending:
                return
            if time() - started_at >= LASTING_SECONDS:
                self._delay = FIRST_DELAY_SECONDS
            self.restarts += 1
            log.error(
                "worker ended, another is started",
                extra={
                    "fields": {
                        "kind": "worker",
                        "worker": self.number,
                        "code": code,
                        "delay_seconds": self._delay,
                    }
                },
            )
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, LAST_DELAY_SECONDS)

    async def _run_once(self) -> int:
        """Run one process to its end, and return how it ended."""
        ours, theirs = socket.socketpair()
        files = self._parent.file_numbers
        self.process = process = await asyncio.create_subprocess_exec(
            *self._parent.command,
            str(theirs.fileno()),
            *map(str, files),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), *files),
            start_new_session=True,  # what a terminal sends reaches the parent alone
        )
        theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LINE_BYTES)
        try:
            writer.write(self._parent.order + b"\n")
            await self._read(reader)
            return await process.wait()
        finally:
            writer.close()
            if self.report is not None:
                self._parent.numbers.retire(bytes(self.report.numbers))
                self.report = None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take reports until the worker closes its end."""
        while line := await reader.readline():
            message = _decoder.decode(line)
            if isinstance(message, Failure):
                self._fail(message)
            else:
                self.report = message
                self.seen_at = asyncio.get_running_loop().time()

    def _fail(self, failure: Failure) -> None:
        """What keeps a first worker from beginning keeps all of them."""
        if not self.restarts and not self._parent.failed.done():
            self._parent.failed.set_result(failure.to_error())
        else:
            log.error("worker cannot begin: %s", failure.to_error())
