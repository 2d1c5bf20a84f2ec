"""`admit backup`: keep webhook configurations as they are."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from admit._tasks.break_glass import GlassOptions, break_glass
from admit.cli.break_glass import (
    backup_options,
    cluster_options,
    selection_options,
    show_report,
)
from admit.cli.options import debug_option, output_option

__all__ = ("command",)


@click.command("backup", short_help="Keep webhook configurations as they are.")
@selection_options
@click.option("--reason", default="", metavar="TEXT", help="Why; kept with the backup.")
@backup_options
@cluster_options
@output_option()
@debug_option
def command(*, output: str, **options: Any) -> None:
    """Write webhook configurations to a file, and to a ConfigMap of the cluster.

    All of them, unless some are named. The file is a List that kubectl create -f takes
    where admit is not at hand; what only a living object has is left out of it.

    \b
    Examples:
      admit backup --reason "before the upgrade"
      admit backup --vendor kyverno --file kyverno.yaml
    """  # noqa: D301 - click's mark
    named = ("names", "vendor", "matching")
    options["every"] |= not any(options[name] for name in named)
    task = break_glass(GlassOptions(occasion="backup", **options), lambda _: True)
    report = asyncio.run(task)
    click.get_current_context().exit(
        show_report(report, output, done="", nothing="Nothing else was changed")
    )
