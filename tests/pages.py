"""The pages of docs/ as programs: files that they show, commands and what those say.

A fenced block may have an HTML comment on the line before it:

    <!-- file: NAME -->     the block is a file, written before the commands run
    <!-- cluster -->        its commands need the API server of a background block
    <!-- background -->     its one command goes on; ready when it says so
    <!-- not run: REASON --> its commands are not run, for this reason

A command whose page shows an error fails, and no other does. In what it says ``...``
stands for anything, on a line or for several lines.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL
)
SECONDS = 120.0


@dataclass(frozen=True)
class Block:
    """A fenced block and the comment before it."""

    mark: str
    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command with what it says."""
        parts = re.split(r"^\$ (.*)\n", self.text, flags=re.MULTILINE)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    return [
        Block(found["mark"] or "", found["language"], found["text"])
        for found in BLOCK.finditer(page.read_text())
    ]


def needs_cluster(page: Path) -> bool:
    return any(block.mark == "cluster" for block in blocks(page))


def matches(said: str, expected: str) -> bool:
    """Compare what was said, where ``...`` stands for anything."""
    pattern = "".join(
        r"(?:.*\n)*"
        if line == "..."
        else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in expected.strip().splitlines()
    )
    return (
        re.fullmatch(pattern, f"{said.strip()}\n" if said.strip() else "") is not None
    )


class Walk:
    """One reader's way through a page, in a folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **environment,
        }
        self.background: list[subprocess.Popen[str]] = []
        (folder / "examples").symlink_to(ROOT / "examples")

    def go(self, page: Path) -> int:
        """Follow a page; return how many commands were run."""
        count = 0
        for block in blocks(page):
            if block.mark.startswith("file: "):
                (self.folder / block.mark.removeprefix("file: ")).write_text(block.text)
            elif block.language == "console" and not block.mark.startswith("not run: "):
                count += self._run(block)
        return count

    def _run(self, block: Block) -> int:
        for command, expected in block.commands:
            if block.mark.startswith("background"):
                self._start(command, expected)
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=SECONDS,
            )
            assert matches(done.stdout, expected), (
                f"$ {command}\n{done.stdout}\n--- expected\n{expected}"
            )
            refused = re.search(r"^error|^Error|: error: ", expected, re.MULTILINE)
            assert bool(done.returncode) == bool(refused), f"$ {command}: exit code"
        return len(block.commands)

    def _start(self, command: str, expected: str) -> None:
        log = self.folder / f"background-{len(self.background)}"
        with log.open("w") as output:
            self.background.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {command}"],
                    cwd=self.folder,
                    env=self.environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        deadline = time.monotonic() + SECONDS
        while not matches(log.read_text(), expected):
            assert self.background[-1].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        exported = re.search(r"export KUBECONFIG=(\S+)", log.read_text())
        if exported:
            self.environment["KUBECONFIG"] = exported[1]

    def stop(self) -> None:
        for process in self.background:
            process.send_signal(signal.SIGINT)
        for process in self.background:
            process.wait(SECONDS)


@contextlib.contextmanager
def walking(folder: Path, **environment: str) -> Iterator[Walk]:
    walk = Walk(folder, **environment)
    try:
        yield walk
    finally:
        walk.stop()
