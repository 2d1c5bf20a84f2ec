"""docs/reference/cli.md is what the commands' own help says.

`ADMIT_UPDATE=1 pytest tests/test_docs_cli.py` writes it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from admit._tasks.events import Broken, Decided, Ready, Reloaded, Starting
from admit.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).parent.parent / "docs/reference"

HEAD = """# Command line

Generated from the commands' own help by `tests/test_docs_cli.py`; do not edit. The JSON
shapes and the exit codes are in [cli-json.md](cli-json.md).
"""

# As wide as a page of this project.
WIDTH = 88


def describe(context: click.Context) -> str:
    text = context.get_help()
    return f"\n## `{context.command_path}`\n\n```text\n{text}\n```\n"


# As a run makes it: a command keeps the help option of its first context.
SETTINGS: dict[str, Any] = {"terminal_width": WIDTH, "max_content_width": WIDTH}


def describe_below(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = command.make_context(
            name, [], parent=context, resilient_parsing=True, **SETTINGS
        )
        yield describe(inner)
        if isinstance(command, click.Group):
            yield from describe_below(command, inner)


def generate() -> str:
    context = root.make_context("admit", [], resilient_parsing=True, **SETTINGS)
    return "".join((HEAD, describe(context), *describe_below(root, context)))


def test_the_reference_is_what_the_help_says() -> None:
    page, text = REFERENCE / "cli.md", generate()
    if os.environ.get("ADMIT_UPDATE"):
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("event", [Starting, Ready, Decided, Reloaded, Broken])
def test_every_member_of_an_event_is_documented(event: type) -> None:
    text = (REFERENCE / "cli-json.md").read_text(encoding="utf-8")
    config = event.__struct_config__  # type: ignore[attr-defined] # msgspec's
    (row,) = [
        line for line in text.splitlines() if line.startswith(f"| `{config.tag}`")
    ]
    for member in event.__struct_encode_fields__:  # type: ignore[attr-defined] # same
        assert f"`{member}`" in row


def test_every_member_of_a_review_is_documented() -> None:
    text = (REFERENCE / "cli-json.md").read_text(encoding="utf-8")
    for member in (
        *("allowed", "message", "reason", "code", "warnings", "auditAnnotations"),
        *("patch", "object", "policies", "policy", "verdict", "mode"),
    ):
        assert f"`{member}`" in text
