"""Completion: names that the cluster knows, and `kubectl admit` like `admit`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import ShellComplete

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ("complete_names", "main")

# Seconds that somebody waits after Tab.
PATIENCE: Final = 2.0

# What kubectl's shell function does with the lines: offer them, and no files
# (cobra shellCompDirectiveNoFileComp).
NO_FILES: Final = ":4"


def complete_names(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Return the webhook configurations of the cluster; none if it does not answer."""
    from admit._tasks.break_glass import find_names  # noqa: PLC0415 - at Tab alone
    from admit.errors import AdmitError  # noqa: PLC0415

    async def ask() -> list[str]:
        async with asyncio.timeout(PATIENCE):
            return await find_names(
                ctx.params.get("kubeconfig") or "", ctx.params.get("context") or ""
            )

    try:
        names = asyncio.run(ask())
    except (AdmitError, TimeoutError, OSError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def main() -> None:
    """Complete for kubectl, which runs ``kubectl_complete-admit WORDS... LAST``."""
    from admit.cli.root import root  # noqa: PLC0415

    *words, last = sys.argv[1:] or [""]
    completer = ShellComplete(root, {}, "admit", "_ADMIT_COMPLETE")
    for item in completer.get_completions(words, last):
        click.echo(_line(item))
    click.echo(NO_FILES)


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)
