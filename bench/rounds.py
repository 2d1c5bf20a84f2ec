"""The servers take turns, round by round, under the same load; what each turn cost."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processes import Memory, cores, cpu_seconds, pinned, worker_memory

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Running

CONNECTIONS = 16

# Requests before each measurement, as a share of those in it.
WARMUP_SHARE = 0.1

# A turn that takes longer hangs.
TURN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One server in one round."""

    cpu_seconds: float
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    connects: int
    errors: int
    first_error: str


@dataclass(slots=True)
class Measured:
    """One server in all rounds."""

    name: str
    turns: list[Turn] = field(default_factory=list)
    memory: Memory | None = None

    def median(self, attribute: str) -> float:
        return statistics.median(getattr(turn, attribute) for turn in self.turns)

    @property
    def errors(self) -> int:
        return sum(turn.errors for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One server's CPU per review in parts of another's, round by round."""

    median: float
    least: float
    most: float


def get_ratio(one: Measured, other: Measured) -> Ratio:
    """Compare turns of the same round only: what slows one slows its neighbour."""
    pairs = zip(one.turns, other.turns, strict=True)
    ratios = [a.cpu_seconds / b.cpu_seconds for a, b in pairs]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


@dataclass(frozen=True, slots=True)
class Load:
    """The load generator and what it sends."""

    program: Path
    ca_file: Path
    allowed: Path
    denied: Path
    share: float = 1.0

    def take_turn(self, running: Running) -> Turn:
        """Put one server under load; count its CPU time between warm-up and end."""
        requests = max(100, int(running.server.requests * self.share))
        warmup = max(50, int(requests * WARMUP_SHARE))
        command = [str(self.program), "-path", running.server.path]
        command += ["-address", f"127.0.0.1:{running.place.port}"]
        command += ["-connections", str(CONNECTIONS), "-ca-file", str(self.ca_file)]
        command += ["-allowed", str(self.allowed), "-denied", str(self.denied)]
        command += ["-warmup", str(warmup), "-requests", str(requests)]
        with pinned(cores()[0]):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        with process:
            if process.stdout is None or process.stdout.readline() != "warm\n":
                process.kill()
                raise RuntimeError(
                    f"the load generator failed at {running.server.name}"
                )
            before = cpu_seconds(running.pid)
            out, _ = process.communicate("go\n", timeout=TURN_SECONDS)
            after = cpu_seconds(running.pid)
        report = json.loads(out)
        return Turn(
            cpu_seconds=(after - before) / requests,
            requests_per_second=report["requests_per_second"],
            p50_seconds=report["p50_seconds"],
            p99_seconds=report["p99_seconds"],
            connects=report["connects"],
            errors=report["errors"],
            first_error=report.get("first_error", ""),
        )


def measure(running: list[Running], load: Load, rounds: int) -> list[Measured]:
    """Let all servers take turns for this many rounds."""
    results = [Measured(one.server.name) for one in running]
    for number in range(1, rounds + 1):
        for one, result in zip(running, results, strict=True):
            turn = load.take_turn(one)
            result.turns.append(turn)
            result.memory = worker_memory(one.pid)
            text = f"round {number}/{rounds} {one.server.name:18}"
            text += f" {turn.cpu_seconds * 1e6:7.1f} µs CPU a review"
            print(f"bench: {text}", file=sys.stderr, flush=True)
    return results
