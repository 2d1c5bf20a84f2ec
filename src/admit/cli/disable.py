"""`admit disable`: take webhooks out of the way altogether."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from admit._tasks.break_glass import GlassOptions, break_glass
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


@click.command("disable", short_help="Take webhooks out of the way altogether.")
@selection_options
@click.option(
    "--scope-out",
    is_flag=True,
    help="Keep the configuration, with a selector that matches nothing.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with it.")
@write_options
@backup_options
@cluster_options
@output_option()
@debug_option
def command(*, yes: bool, output: str, **options: Any) -> None:
    """Back up webhook configurations, then delete them, whoever they belong to.

    The backup is on the disk before anything is deleted, and in a ConfigMap of the
    cluster; admit restore makes them again from there.

    \b
    Examples:
      admit disable --vendor gatekeeper --reason "uninstalled, left behind"
      admit disable validating/policies --scope-out --reason INC-42
    """  # noqa: D301 - click's mark
    task = break_glass(
        GlassOptions(occasion="disable", **options),
        confirmation(yes=yes, dry_run=options["dry_run"]),
    )
    click.get_current_context().exit(
        show_report(
            asyncio.run(task),
            output,
            done="Disabled {count}",
            nothing="Nothing to disable",
        )
    )
