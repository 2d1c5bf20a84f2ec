"""`admit install`: put policies into a cluster and wait until they answer."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from admit._tasks.break_glass import read_duration
from admit._tasks.install import InstallOptions, InstallReport, install
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


@click.command("install", short_help="Put policies into a cluster.")
@policies_argument
@click.option(
    "--timeout",
    default="3m",
    show_default=True,
    metavar="DURATION",
    help="Until everything answers; then it is rolled back.",
)
@click.option("--dry-run", is_flag=True, help="Ask the API server, but change nothing.")
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
    *,
    policies: str,
    timeout: str,
    dry_run: bool,
    kubeconfig: str,
    context: str,
    output: str,
    **given: Any,
) -> None:
    """Apply what POLICIES need, wait for the pods, and see that they are asked.

    What does not answer in time, or is interrupted, is rolled back: the cluster is as
    it was before.

    \b
    Examples:
      admit install policies.py
      admit install policies.py --image registry.example.com/admit:1 --timeout 5m
      admit install policies.py --dry-run
    """  # noqa: D301 - click's mark
    options = InstallOptions(
        release=read_release(policies, given),
        kubeconfig=kubeconfig,
        context=context,
        timeout_seconds=read_duration(timeout).total_seconds(),
        dry_run=dry_run,
    )
    report = asyncio.run(install(options, _tell))
    if output == "json":
        show_json(report)
    else:
        _show(report)
    click.get_current_context().exit(1 if report.failure else 0)


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(clean(line), err=True)


def _show(report: InstallReport) -> None:
    if report.failure:
        click.echo(f"rolled back: {clean(report.failure)}")
        for line in report.left:
            click.echo(f"    still there: {clean(line)}")
        return
    for step in report.steps:
        click.echo(f"{step.outcome} {clean(step.object)}")
