"""The servers of the benchmark: how each is started, how it says that it is there.

All decide by the same policy, with the same certificate, on the same core.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builds import HERE, MissingError, get_gunicorn, get_program
from processes import cores, pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builds import Certificates

ADMIT = Path(sys.executable).with_name("admit")

# From start to the first handshake on a busy machine.
START_SECONDS = 20.0

# From SIGTERM to SIGKILL.
STOP_SECONDS = 10.0

# How much of a server's log is shown when it does not start.
LOG_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens and what it serves with."""

    port: int
    health_port: int
    certificates: Certificates

    def go_flags(self) -> list[str]:
        address, made = f"127.0.0.1:{self.port}", self.certificates
        files = ["-cert-file", str(made.cert_file), "-key-file", str(made.key_file)]
        return ["-address", address, *files]


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the comparison.

    Args:
        name: in the table and for `--only`.
        path: where it takes reviews.
        requests: in one round; about a second of its CPU time.
        command: makes the command line; raises MissingError where it cannot run.
    """

    name: str
    path: str
    requests: int
    command: Callable[[Place], list[str]]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    server: Server
    place: Place
    pid: int


def admit_command(place: Place) -> list[str]:
    """The server the way its users start it, silent on denials as the others are."""
    made = place.certificates
    command = [str(ADMIT), "serve", str(HERE / "policies.py"), "--host", "127.0.0.1"]
    command += ["--endpoint-delay", "0"]
    command += ["--port", str(place.port), "--health-port", str(place.health_port)]
    return [*command, "--log-level", "warning", *_files(made)]


def prototype_command(place: Place) -> list[str]:
    """The least that can be done: protocol, decode, one check, encode."""
    made, script = place.certificates, HERE / "prototype.py"
    if not script.exists():
        raise MissingError("bench/prototype.py is not there")
    return [sys.executable, str(script), "--port", str(place.port), *_files(made)]


def _files(made: Certificates) -> list[str]:
    return ["--cert-file", str(made.cert_file), "--key-file", str(made.key_file)]


def _nethttp_command(place: Place) -> list[str]:
    return [str(get_program("nethttp")), *place.go_flags()]


def _lean_command(place: Place) -> list[str]:
    return [str(get_program("nethttplean")), *place.go_flags()]


def _controller_runtime_command(place: Place) -> list[str]:
    return [str(get_program("controllerruntime")), *place.go_flags()]


def _flask_command(place: Place) -> list[str]:
    made, folder = place.certificates, HERE / "baselines"
    command = [str(get_gunicorn()), "--workers", "1", "--chdir", str(folder)]
    command += ["--bind", f"127.0.0.1:{place.port}", "--log-level", "warning"]
    command += ["--certfile", str(made.cert_file), "--keyfile", str(made.key_file)]
    return command


def _sync_command(place: Place) -> list[str]:
    return [*_flask_command(place), "--worker-class", "sync", "flask_tutorial:app"]


def _threads_command(place: Place) -> list[str]:
    threads = ["--worker-class", "gthread", "--threads", "16"]
    return [*_flask_command(place), *threads, "flask_tutorial:app"]


REVIEWS = "/validate?timeout=10s"
TUTORIAL = "/validate-pods?timeout=10s"
SERVERS = (
    Server("admit", REVIEWS, 20_000, admit_command),
    Server("prototype", REVIEWS, 20_000, prototype_command),
    Server("net-http", REVIEWS, 6_000, _nethttp_command),
    Server("net-http-lean", REVIEWS, 6_000, _lean_command),
    Server("controller-runtime", REVIEWS, 3_000, _controller_runtime_command),
    Server("flask", TUTORIAL, 800, _sync_command),
    Server("flask-threads", TUTORIAL, 1_200, _threads_command),
)


@contextmanager
def started(
    server: Server, certificates: Certificates, folder: Path, *, pin: bool = True
) -> Iterator[Running]:
    """Run a server until the end of the block, on the servers' core if pinned.

    Raises:
        MissingError: what it needs is not there, or it did not start.
    """
    place = Place(find_free_port(), find_free_port(), certificates)
    command = server.command(place)
    log = folder / f"{server.name}.log"
    core = cores()[1] if pin else os.sched_getaffinity(0)
    with log.open("wb") as sink, pinned(core):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, place, log)
        yield Running(server, place, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], place: Place, log: Path) -> None:
    context = ssl.create_default_context(cafile=str(place.certificates.ca_file))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with (
                socket.create_connection(("127.0.0.1", place.port), 5) as plain,
                context.wrap_socket(plain, server_hostname="localhost"),
            ):
                return
        except OSError:
            time.sleep(0.02)
    text = log.read_bytes()[-LOG_BYTES:].decode(errors="replace").rstrip()
    raise MissingError("did not start:\n    " + text.replace("\n", "\n    "))


def find_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def machine() -> str:
    """The size of this machine, for people who compare runs."""
    count = os.cpu_count()
    python = ".".join(str(part) for part in sys.version_info[:3])
    return f"{count} cores, Python {python}"
