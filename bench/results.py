"""What a run found: the tables for a person, the same as JSON, and the targets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rounds import get_ratio

if TYPE_CHECKING:
    from rounds import Measured, Ratio
    from startup import ImportTime

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that admit has to reach; `measured` in the unit of `most`."""

    name: str
    measured: float
    most: float
    unit: str = ""
    spread: tuple[float, float] | None = None

    @property
    def reached(self) -> bool:
        return self.measured <= self.most


# admit's CPU per review in parts of each baseline's, at most.
RATIO_TARGETS = {
    "net-http": 0.4,
    "controller-runtime": 0.2,
    "flask": 0.08,
    "prototype": 1.5,
}
MEMORY_TARGET_BYTES = 40e6
IMPORT_TARGET_SECONDS = 0.060
READY_TARGET_SECONDS = 0.300


@dataclass(slots=True)
class Results:
    """Everything one run measured; parts that did not run are absent."""

    machine: str
    date: str
    rounds: int = 0
    servers: list[Measured] = field(default_factory=list)
    imports: list[ImportTime] = field(default_factory=list)
    ready_seconds: list[float] = field(default_factory=list)
    view: dict[str, Any] = field(default_factory=dict)
    api_server: dict[str, Any] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        return sum(server.errors for server in self.servers)

    def find_server(self, name: str) -> Measured | None:
        return next((s for s in self.servers if s.name == name), None)


def ratio_targets(results: Results) -> list[Target]:
    """What the turns of the servers say."""
    admit, targets = results.find_server("admit"), []
    for name, most in RATIO_TARGETS.items():
        baseline = results.find_server(name)
        if admit is not None and baseline is not None:
            ratio = get_ratio(admit, baseline)
            text = f"server CPU, parts of {name}"
            target = Target(text, ratio.median, most, "x", (ratio.least, ratio.most))
            targets.append(target)
    if admit is not None and admit.memory is not None:
        used = admit.memory.rss_bytes / 1e6
        targets.append(
            Target("worker memory (RSS)", used, MEMORY_TARGET_BYTES / 1e6, "MB")
        )
    return targets


def render(results: Results) -> str:
    """The tables."""
    lines = []
    if results.servers:
        lines += ["", *_server_lines(results)]
    if results.targets:
        lines += ["", *_target_lines(results.targets)]
    for part, reason in results.missing.items():
        lines += ["", f"not measured: {part}: {reason}"]
    for server in results.servers:
        if server.errors:
            first = next(t.first_error for t in server.turns if t.errors)
            lines += ["", f"{server.name}: {server.errors} wrong answers: {first}"]
    return "\n".join(lines)


def _server_lines(results: Results) -> list[str]:
    head = (
        f"{'server':20}{'µs CPU':>8}{'x admit':>9}  {'(spread)':14}"
        f"{'reviews/s':>10}{'p50 ms':>8}{'p99 ms':>8}{'RSS MB':>8}{'PSS MB':>8}"
    )
    admit = results.find_server("admit")
    lines = [
        f"{results.machine}; {results.rounds} rounds, medians; server CPU per review",
        head,
    ]
    for server in results.servers:
        ratio = get_ratio(server, admit) if admit is not None else None
        lines.append(_server_line(server, ratio))
    return lines


def _server_line(server: Measured, ratio: Ratio | None) -> str:
    micros = server.median("cpu_seconds") * 1e6
    line = f"{server.name:20}{micros:8.1f}"
    if ratio is None:
        line += " " * 25
    else:
        spread = f"({ratio.least:.2f}-{ratio.most:.2f})"
        line += f"{ratio.median:9.2f}  {spread:14}"
    line += f"{server.median('requests_per_second'):10,.0f}"
    line += f"{server.median('p50_seconds') * 1e3:8.2f}"
    line += f"{server.median('p99_seconds') * 1e3:8.2f}"
    if server.memory is not None:
        line += (
            f"{server.memory.rss_bytes / 1e6:8.1f}{server.memory.pss_bytes / 1e6:8.1f}"
        )
    return line


def _target_lines(targets: list[Target]) -> list[str]:
    lines = [f"{'target':44}{'measured':>12}{'at most':>12}  reached"]
    for target in targets:
        unit = f" {target.unit}".rstrip()
        measured = f"{target.measured:.3g}{unit}"
        most = f"{target.most:.3g}{unit}"
        line = f"{target.name:44}{measured:>12}{most:>12}  "
        line += "yes" if target.reached else "NO"
        if target.spread is not None:
            line += f"  ({target.spread[0]:.3g}-{target.spread[1]:.3g})"
        lines.append(line)
    return lines


def encode(results: Results) -> str:
    """One JSON object; times in seconds, sizes in bytes.

    Shape: machine, date, rounds, servers (name, turns, memory), imports,
    ready_seconds, view, api_server, targets (name, measured, most, unit, spread,
    reached), missing (part: reason).
    """
    whole = asdict(results)
    for target, plain in zip(results.targets, whole["targets"], strict=True):
        plain["reached"] = target.reached
    return json.dumps(whole, indent=2, ensure_ascii=False)
