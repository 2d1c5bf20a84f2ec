"""What a run needs and the clone does not hold: Go programs, a venv, certificates.

Programs and venv are made once and kept in `${XDG_CACHE_HOME:-~/.cache}/admit/bench`,
in folders named by what they are made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
BASELINES = HERE / "baselines"
REQUIREMENTS = HERE.parent / "requirements" / "bench.txt"

# The programs of the Go module. Each is built alone: without a module proxy those that
# need the standard library only still build.
PROGRAMS = ("load", "nethttp", "nethttplean", "controllerruntime")

# How much of a failed build's output is shown.
FAILURE_LINES = 5


class MissingError(Exception):
    """A part cannot run on this machine; says why and what would help."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """One throw-away authority, one certificate for localhost, for all servers."""

    ca_file: Path
    cert_file: Path
    key_file: Path


def issue_certificates(folder: Path) -> Certificates:
    """Write CA, certificate and key into a folder."""
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    made = Certificates(folder / "ca.pem", folder / "tls.crt", folder / "tls.key")
    authority.cert_pem.write_to_path(made.ca_file)
    leaf.private_key_pem.write_to_path(made.key_file)
    made.cert_file.write_bytes(b"".join(p.bytes() for p in leaf.cert_chain_pems))
    return made


def get_program(name: str) -> Path:
    """Return a program of the Go module, built if need be.

    Raises:
        MissingError: Go is not there, or the build failed.
    """
    go = shutil.which("go")
    if go is None:
        raise MissingError("needs Go 1.26 or newer on PATH")
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        # Not empty: an empty one gives way to `go env -w GOFLAGS=...`.
        "GOFLAGS": "-trimpath",
    }
    asked = [go, "version"]
    version = subprocess.run(asked, capture_output=True, check=True, cwd=BASELINES)
    sources = [BASELINES / "go.mod", BASELINES / "go.sum"]
    sources += sorted(BASELINES.glob("*/*.go"))
    with _folder("go", version.stdout, sources) as folder:
        program = folder / name
        if not program.exists():
            _say(f"building {name}")
            made = folder / f".{name}.{os.getpid()}"
            command = [go, "build", "-o", str(made), f"./{name}"]
            _run(command, what=f"go build {name}", cwd=BASELINES, env=environment)
            made.rename(program)
    return program


def get_gunicorn() -> Path:
    """Return the gunicorn of a venv that holds the Python baselines.

    Raises:
        MissingError: the requirements could not be installed.
    """
    with _folder("venv", sys.version.encode(), [REQUIREMENTS]) as folder:
        gunicorn = folder / "bin" / "gunicorn"
        if not (folder / ".ready").exists():
            _say("installing Flask and gunicorn")
            shutil.rmtree(folder)
            make = [sys.executable, "-m", "venv", str(folder)]
            _run(make, what="python -m venv", cwd=HERE)
            install = [str(folder / "bin" / "python"), "-m", "pip", "install"]
            install += ["--quiet", "--disable-pip-version-check"]
            install += ["--require-hashes", "--requirement", str(REQUIREMENTS)]
            _run(install, what="pip install", cwd=HERE)
            (folder / ".ready").touch()
    return gunicorn


@contextmanager
def _folder(kind: str, version: bytes, sources: list[Path]) -> Iterator[Path]:
    """The folder of what is made from these sources, locked."""
    digest = hashlib.sha256(version)
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()
    folder = cache / "admit" / "bench" / f"{kind}-{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _run(
    command: list[str], *, what: str, cwd: Path, env: dict[str, str] | None = None
) -> None:
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(
            command,
            check=False,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.seek(0)
        lines = log.read().splitlines()[-FAILURE_LINES:]
    if done.returncode:
        raise MissingError("\n    ".join([f"{what} failed:", *lines]))


def _say(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr, flush=True)
