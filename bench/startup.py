"""How long `import admit` takes, and how long a server takes from exec to ready."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builds import MissingError
from processes import cores, pinned
from servers import LOG_BYTES, Place, admit_command, find_free_port

if TYPE_CHECKING:
    from pathlib import Path

    from builds import Certificates

# Fresh interpreters of each kind.
IMPORTS = 20
# Server starts.
STARTS = 10

# Between two looks at /readyz.
POLL_SECONDS = 0.002
# A server that is not ready by then never will be.
READY_SECONDS = 20.0

BARE = "pass"
IMPORT = "import admit"
TUTORIAL = "from admit import App, Deny, Pod"


@dataclass(frozen=True, slots=True)
class ImportTime:
    """Seconds: medians of a bare interpreter and with the import, and the extremes.

    On a busy machine the least says more than the median.
    """

    statement: str
    bare_seconds: float
    whole_seconds: float
    spread: tuple[float, float]

    @property
    def seconds(self) -> float:
        return self.whole_seconds - self.bare_seconds


def measure_imports(count: int = IMPORTS) -> list[ImportTime]:
    """Time fresh interpreters, the kinds in turn."""
    statements = (BARE, IMPORT, TUTORIAL)
    taken: dict[str, list[float]] = {statement: [] for statement in statements}
    with pinned(cores()[1]):
        for _ in range(count + 1):
            for statement in statements:
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", statement], check=True)
                taken[statement].append(time.perf_counter() - start)
    # The first of each compiles and fills the disk cache.
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    return [
        ImportTime(one, medians[BARE], medians[one], _spread(taken[one], taken[BARE]))
        for one in statements[1:]
    ]


def _spread(whole: list[float], bare: list[float]) -> tuple[float, float]:
    quickest = min(bare[1:])
    return min(whole[1:]) - quickest, max(whole[1:]) - quickest


def measure_ready(
    certificates: Certificates, folder: Path, count: int = STARTS
) -> list[float]:
    """Seconds from exec to the first /readyz that says yes, for each start.

    Raises:
        MissingError: the server does not start.
    """
    return [_time_start(certificates, folder) for _ in range(count + 1)][1:]


def _time_start(certificates: Certificates, folder: Path) -> float:
    place = Place(find_free_port(), find_free_port(), certificates)
    log = folder / "ready.log"
    with log.open("wb") as sink, pinned(cores()[1]):
        start = time.perf_counter()
        process = subprocess.Popen(
            admit_command(place),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        with pinned(cores()[0]):
            while time.perf_counter() - start < READY_SECONDS:
                if _is_ready(place.health_port):
                    return time.perf_counter() - start
                if process.poll() is not None:
                    break
                time.sleep(POLL_SECONDS)
    finally:
        process.terminate()
        process.wait()
    text = log.read_bytes()[-LOG_BYTES:].decode(errors="replace").rstrip()
    raise MissingError("admit serve was not ready:\n" + text)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
