"""Compare admit with what its users have now, side by side in one run.

    make bench                          everything (a few minutes)
    make bench ARGS=--short             fewer and shorter rounds
    make bench ARGS="--only net-http"   admit and this server
    make bench ARGS="-o json"           as JSON on standard output; progress on stderr

Nothing here passes or fails by a time: the figures are ratios to baselines of the same
run. The exit code is 1 where a server answered wrongly, else 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import reviews
import startup
import viewing
from apiserver import CREATES, measure_creates, render_creates
from builds import Certificates, MissingError, get_program, issue_certificates
from results import (
    IMPORT_TARGET_SECONDS,
    READY_TARGET_SECONDS,
    Results,
    Target,
    encode,
    ratio_targets,
    render,
)
from rounds import Load, measure
from servers import SERVERS, machine, started

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
SHORT_ROUNDS = 3
# What a short run sends, as a share of a whole one.
SHORT_SHARE = 0.25

PARTS = ("reviews", "start", "view", "api-server")


def main() -> int:
    """Measure what was asked for and print it."""
    options = _parse()
    date = datetime.now(UTC).date().isoformat()
    results = Results(machine=machine(), date=date)
    names = {server.name for server in SERVERS}
    parts = [part for part in PARTS if not options.only or part in options.only]
    if names & set(options.only):
        parts.insert(0, "reviews")
    with tempfile.TemporaryDirectory(prefix="admit-bench-") as temporary:
        run = Run(options, results, Path(temporary))
        for part in dict.fromkeys(parts):
            run.take(part)
    print(encode(results) if options.output == "json" else render_all(results))
    return 1 if results.errors else 0


class Run:
    """One run: its options, its folder, what it found so far."""

    def __init__(
        self, options: argparse.Namespace, results: Results, folder: Path
    ) -> None:
        self._options = options
        self._results = results
        self._folder = folder
        self._certificates: Certificates = issue_certificates(folder)

    def take(self, part: str) -> None:
        """Measure one part; where it cannot run, note why."""
        steps: dict[str, Callable[[], None]] = {
            "reviews": self._take_reviews,
            "start": self._take_start,
            "view": self._take_view,
            "api-server": self._take_api_server,
        }
        print(f"bench: {part}", file=sys.stderr, flush=True)
        try:
            steps[part]()
        except MissingError as error:
            self._results.missing[part] = str(error)

    def _take_reviews(self) -> None:
        results, short = self._results, self._options.short
        allowed, denied = reviews.write_reviews(self._folder)
        load = Load(
            program=get_program("load"),
            ca_file=self._certificates.ca_file,
            allowed=allowed,
            denied=denied,
            share=SHORT_SHARE if short else 1.0,
        )
        asked = set(self._options.only) & {server.name for server in SERVERS}
        results.rounds = SHORT_ROUNDS if short else ROUNDS
        with ExitStack() as stack:
            running = []
            for server in SERVERS:
                if asked and server.name not in {"admit", *asked}:
                    continue
                try:
                    server_context = started(server, self._certificates, self._folder)
                    running.append(stack.enter_context(server_context))
                except MissingError as error:
                    results.missing[server.name] = str(error)
            results.servers = measure(running, load, results.rounds)
        results.targets += ratio_targets(results)

    def _take_start(self) -> None:
        results, short = self._results, self._options.short
        count = startup.IMPORTS // 4 if short else startup.IMPORTS
        results.imports = startup.measure_imports(count)
        whole = results.imports[0]
        most = IMPORT_TARGET_SECONDS * 1e3
        spread = (whole.spread[0] * 1e3, whole.spread[1] * 1e3)
        target = Target(whole.statement, whole.seconds * 1e3, most, "ms", spread)
        results.targets.append(target)
        count = startup.STARTS // 4 if short else startup.STARTS
        times = startup.measure_ready(self._certificates, self._folder, count)
        results.ready_seconds = sorted(times)
        results.targets.append(ready_target(results.ready_seconds))

    def _take_view(self) -> None:
        self._results.view = viewing.measure_view()
        self._results.targets.append(viewing.to_target(self._results.view))

    def _take_api_server(self) -> None:
        count = CREATES // 4 if self._options.short else CREATES
        found = self._results.api_server = measure_creates(self._folder, count)
        added = found["added_seconds"]
        name = "added to a create, with controller-runtime"
        most = added["controller-runtime"] * 1e3
        target = Target(name, added["admit"] * 1e3, most, "ms")
        self._results.targets.append(target)


def ready_target(seconds: list[float]) -> Target:
    """From exec to ready: the median start of several."""
    millis = [one * 1e3 for one in seconds]
    middle = millis[len(millis) // 2]
    spread = (millis[0], millis[-1])
    return Target("ready", middle, READY_TARGET_SECONDS * 1e3, "ms", spread)


def render_all(results: Results) -> str:
    """The tables of all parts, the targets last."""
    blocks = [_import_line(one) for one in results.imports]
    if results.view:
        blocks += ["", viewing.render(results.view)]
    if results.api_server:
        blocks += ["", render_creates(results.api_server)]
    return "\n".join([*blocks, render(results)])


def _import_line(one: startup.ImportTime) -> str:
    bare, whole = one.bare_seconds * 1e3, one.whole_seconds * 1e3
    text = f"({whole:.1f} ms less a bare interpreter's {bare:.1f} ms)"
    return f"{one.statement:36}{one.seconds * 1e3:7.1f} ms {text}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=[*PARTS, *(server.name for server in SERVERS)],
        help="one part, or admit and one server; may be given again",
    )
    parser.add_argument("--short", action="store_true", help="fewer, shorter rounds")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
