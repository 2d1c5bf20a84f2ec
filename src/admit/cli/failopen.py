"""`admit failopen`: let requests through where a webhook cannot be asked."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from admit._tasks.break_glass import GlassOptions, break_glass, read_duration
from admit.cli.break_glass import (
    backup_options,
    cluster_options,
    confirmation,
    selection_options,
    show_report,
    write_options,
)
from admit.cli.options import debug_option, output_option

__all__ = ("command",)

FOREVER = "ever"


@click.command("failopen", short_help="Let requests through while a webhook is down.")
@selection_options
@click.option(
    "--for",
    "lasts",
    default="1h",
    show_default=True,
    metavar="TIME",
    help="Until it is closed again: 30m, 2h; ever for until somebody does.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with it.")
@write_options
@backup_options
@cluster_options
@output_option()
@debug_option
def command(*, lasts: str, yes: bool, output: str, **options: Any) -> None:
    """Set failurePolicy of webhooks to Ignore, whoever they belong to.

    What they decide still counts, where they can be asked; where they cannot, requests
    go through. A backup is taken first. Each configuration remembers, in an annotation,
    how it was, who opened it, why and until when. admit's own server closes what is
    overdue; without one, admit restore does, and admit doctor tells.

    \b
    Examples:
      admit failopen --matching pods --for 30m --reason "webhook pods are gone"
      admit failopen validating/policies --reason INC-42 --dry-run
    """  # noqa: D301 - click's mark
    task = break_glass(
        GlassOptions(
            occasion="failopen",
            lasts=None if lasts == FOREVER else read_duration(lasts),
            **options,
        ),
        confirmation(yes=yes, dry_run=options["dry_run"]),
    )
    click.get_current_context().exit(
        show_report(
            asyncio.run(task), output, done="Opened {count}", nothing="Nothing to open"
        )
    )
