"""What is documented is what is there: commands, tables, links."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit import App, Deny, HandlerError, Pod
from admit.telemetry import Measures
from admit.telemetry.logged import LEVELS
from admit.telemetry.watched import watched as watch
from tests.pages import ROOT, blocks, matches, needs_cluster, pages, walking
from tests.reviews import ask, pod

if TYPE_CHECKING:
    from collections.abc import Mapping

ALONE = [page for page in pages() if not needs_cluster(page)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", ALONE, ids=name_of)
def test_every_command_says_what_the_page_says(page: Path, tmp_path: Path) -> None:
    with walking(tmp_path) as walk:
        count = walk.go(page)
    shown = [block for block in blocks(page) if block.language == "console"]
    assert count or not [b for b in shown if not b.mark.startswith("not run: ")]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_commands_that_are_not_run_have_a_reason(page: Path) -> None:
    for block in blocks(page):
        if block.mark.startswith("not run"):
            assert len(block.mark.removeprefix("not run: ")) > 10


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "index.md":
            assert str(page.relative_to(ROOT / "docs")) in index


def test_the_tables_are_those_of_the_code() -> None:
    script = ROOT / "tools" / "reference.py"
    command = [sys.executable, str(script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_field_of_a_log_line_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "logs.md").read_text()
    lines: list[dict[str, Any]] = []

    class Kept:
        def hears(self, level: int) -> bool:
            return level >= 0

        def say(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
            lines.append({"time": 0, "level": level, "message": message, **fields})

    app = App("logged")

    @app.validate
    def refuses(pod: Pod) -> None:
        if not pod.metadata.name:
            raise ValueError
        raise Deny("no")

    (endpoint,) = app.endpoints()
    watched = watch(endpoint, Measures(), Kept())
    for given in (pod(), pod() | {"metadata": {}}):
        with contextlib.suppress(HandlerError):
            asyncio.run(watched(ask(given)))
    assert [line["verdict"] for line in lines] == ["deny", "error"]
    for name in {name for line in lines for name in line}:
        assert f"`{name}`" in page
    for verdict in LEVELS:
        assert f"`{verdict}`" in page


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/*/policies.py")))
def test_an_examples_page_shows_its_policies(example: Path) -> None:
    page = ROOT / "docs" / "examples" / f"{example.parent.name}.md"
    assert example.read_text() in page.read_text()


def test_what_the_architecture_names_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.split("## Where would I change")[1]
    named = re.findall(r"`([\w/]+/|[\w/*]+\.py)`", table)
    assert named
    for name in named:
        assert [*ROOT.glob(name), *(ROOT / "src" / "admit").glob(name)], name


def test_every_make_target_is_in_the_readme_or_contributing() -> None:
    makefile = (ROOT / "Makefile").read_text()
    told = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    for target in re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE):
        assert f"make {target}" in told or target == "help", target


@pytest.mark.parametrize(
    ("said", "expected", "same"),
    [
        ("a\nb\nc\n", "a\n...\nc", True),
        ("a\nc\n", "...\na\n...\nc\n...", True),
        ("a: 17 ms", "a: ... ms", True),
        ("a", "b", False),
        ("a\nb", "a", False),
        ("", "", True),
    ],
)
def test_three_dots_stand_for_anything(said: str, expected: str, *, same: bool) -> None:
    assert matches(said, expected) == same
