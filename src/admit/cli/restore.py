"""`admit restore`: put webhook configurations back."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from admit._tasks.break_glass import BACKUP_NAMESPACE
from admit._tasks.restore import RestoreOptions, restore
from admit.cli.break_glass import (
    cluster_options,
    confirmation,
    show_report,
    write_options,
)
from admit.cli.completing import complete_names
from admit.cli.options import debug_option, output_option

__all__ = ("command",)


@click.command("restore", short_help="Put back what failopen and disable changed.")
@click.argument("names", nargs=-1, metavar="[NAMES]...", shell_complete=complete_names)
@click.option(
    "--from",
    "source",
    default="",
    metavar="SOURCE",
    help="A backup: a FILE, or configmap/NAME. Configurations become exactly what they "
    "were.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Take a backup that was edited, or that is another cluster's.",
)
@click.option(
    "--namespace",
    default=BACKUP_NAMESPACE,
    show_default=True,
    help="Of the backups in the cluster.",
)
@write_options
@cluster_options
@output_option()
@debug_option
def command(*, yes: bool, output: str, **options: Any) -> None:
    """Close what admit failopen opened, and make again what admit disable deleted.

    Without NAMES, all of it. What somebody else edited in between stays; with --from it
    does not. What would change is shown first.

    \b
    Examples:
      admit restore
      admit restore validating/policies --from webhooks-20260131T030000Z.yaml
    """  # noqa: D301 - click's mark
    task = restore(
        RestoreOptions(**options),
        confirmation(yes=yes, dry_run=options["dry_run"]),
    )
    click.get_current_context().exit(
        show_report(
            asyncio.run(task),
            output,
            done="Restored {count}",
            nothing="Nothing to restore",
        )
    )
