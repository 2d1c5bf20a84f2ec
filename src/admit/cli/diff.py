"""`admit diff`: show what `admit install` would change."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from admit._tasks.diff import diff
from admit.cli.break_glass import cluster_options
from admit.cli.deployment import deployment_options, read_release
from admit.cli.options import (
    debug_option,
    modes_option,
    output_option,
    policies_argument,
)
from admit.cli.output import clean, show_json

__all__ = ("command",)


@click.command("diff", short_help="Show what an install would change.")
@policies_argument
@click.option(
    "--ca-file",
    default="",
    metavar="FILE",
    help="The authority that signed the webhook's certificate, in PEM.",
)
@deployment_options
@modes_option
@cluster_options
@output_option()
@debug_option
def command(
    *, policies: str, kubeconfig: str, context: str, output: str, **given: Any
) -> None:
    """Compare what runs in the cluster with what POLICIES need, with these options.

    The API server says what it would store; nothing is changed. Ends with 1 if
    something differs.

    \b
    Examples:
      admit diff policies.py
      admit diff policies.py --replicas 3 --mode require_app_label=warn
    """  # noqa: D301 - click's mark
    options = read_release(policies, given)
    report = asyncio.run(diff(options, kubeconfig=kubeconfig, context=context))
    if output == "json":
        show_json(report)
    else:
        for one in report.changed:
            click.echo(clean(one.diff), nl=False)
    click.get_current_context().exit(1 if report.changed else 0)
