"""`admit serve` as a user runs it, with a certificate of a throw-away authority."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOP_SECONDS = 30.0
ADMIT = (sys.executable, "-m", "admit")


@dataclass(frozen=True)
class Served:
    """A running server: where, whom to trust, what it logs."""

    url: str
    ca_file: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextlib.contextmanager
def served(
    policies: Path, folder: Path, *options: str, program: tuple[str, ...] = ADMIT
) -> Iterator[Served]:
    """Run `admit serve POLICIES` on a free port until the block ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    log = folder / "server.log"
    command = [
        *(*program, "serve", str(policies)),
        *("--cert-file", str(folder / "tls.crt")),
        *("--key-file", str(folder / "tls.key")),
        *("--host", "127.0.0.1", "--port", "0", "--health-port", "none"),
        *("--endpoint-delay", "0"),
        *("-o", "json", *options),
    ]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    try:
        said = b""
        for line in process.stdout or ():
            said += line
            if line.startswith(b"}"):
                break
        else:
            raise AssertionError(f"the server did not start: {log.read_text()}")
        url = f"https://127.0.0.1:{json.loads(said)['port']}"
        yield Served(url, folder / "ca.pem", log, process)
    finally:
        process.terminate()
        process.communicate(timeout=STOP_SECONDS)


def manifests(policies: Path, server: Served) -> list[dict[str, Any]]:
    """What `admit manifests` prints for a server."""
    command = [
        *(*ADMIT, "manifests", str(policies)),
        *("--url", server.url, "--ca-file", str(server.ca_file), "-o", "json"),
    ]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    written: list[dict[str, Any]] = json.loads(printed)["items"]
    return written
