"""One program of a control plane: started under a guard, its log, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from admit.errors import ClusterError
from admit.testing import guard
from admit.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

# From SIGTERM to SIGKILL: an API server with open watches needs two to three seconds.
GRACE_SECONDS = 10.0

# For the guard to see the end of a program that it killed, and to remove its folder.
KILL_SECONDS = 3.0

# What an error shows of a log: enough to see the cause, short enough to read.
TAIL_LINES = 15
TAIL_LINE_CHARACTERS = 400
TAIL_BYTES = 256 * 1024


class Process:
    """Start a program now; stop it when asked or when this process ends.

    Args:
        command: the program and its arguments.
        log: the file that gets its standard output and error.
        needs: a process that must not be stopped before this one; if this Python
            is killed the guards keep that order too.
        folder: removed once the program was stopped.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        needs: Process | None = None,
        folder: Path | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        self._grace_seconds = grace_seconds
        self._start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as sink:
            self._guard = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-I", "-S", guard.__file__),
                    *(str(grace_seconds), str(folder or "")),
                    *command,
                ],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=_environment(),
                # Ctrl-C in a terminal reaches this Python, which stops in order.
                start_new_session=True,
                # While this guard lives, the needed one sees no end of its input.
                pass_fds=(needs.leash,) if needs is not None else (),
            )
        self._input = cast("IO[bytes]", self._guard.stdin)

    @property
    def leash(self) -> int:
        """The end of a pipe; the program runs while anyone holds it open."""
        return self._input.fileno()

    @property
    def exit_code(self) -> int | None:
        """The program's exit code; None while it runs."""
        return self._guard.poll()

    def stop(self) -> None:
        """Stop the program and wait until it is gone; may be called again.

        Whoever needs it may go on, and has to live without it.
        """
        if not self._input.closed:
            # Closing alone does not do: whoever needs it holds the leash as well.
            with suppress(BrokenPipeError):
                os.write(self.leash, b"\0")
            self._input.close()
        try:
            self._guard.wait(self._grace_seconds + KILL_SECONDS)
        except subprocess.TimeoutExpired:
            # The guard hangs.
            self.kill()

    def kill(self) -> None:
        """End the program at once, as a crash would; its folder stays."""
        self._input.close()
        if self.exit_code is None:
            # The guard's session holds it and the program, and nothing else.
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines that this run wrote to the log."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        last = deque(text.splitlines(), maxlen=lines)
        return "\n".join(line[:TAIL_LINE_CHARACTERS] for line in last)


def wait_ready(
    processes: Collection[Process],
    is_ready: Callable[[], object],
    *,
    what: str,
    seconds: float,
) -> None:
    """Wait until something is ready, or a program that it needs has ended.

    Raises:
        ClusterError: it is not; has the ends of the logs.
    """

    def find_ended() -> Process | None:
        return next((p for p in processes if p.exit_code is not None), None)

    try:
        wait_until(
            lambda: find_ended() or is_ready(),
            what=f"{what} to be ready",
            seconds=seconds,
        )
    except ClusterError as error:
        logs = "\n".join(f"{p.name}:\n{p.tail()}" for p in processes)
        raise ClusterError(f"{error}; the ends of the logs:\n{logs}") from None
    if ended := find_ended():
        raise ClusterError(
            f"{ended.name} ended with exit code {ended.exit_code}; the end of its "
            f"log:\n{ended.tail()}"
        )


def _environment() -> dict[str, str]:
    """Return the environment without proxies: webhooks here are on this machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
    }
