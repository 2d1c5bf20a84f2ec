"""`admit uninstall`: take out of a cluster what policies needed."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from admit._tasks.uninstall import uninstall
from admit.cli.break_glass import cluster_options
from admit.cli.deployment import deployment_options, read_release
from admit.cli.options import debug_option, output_option, policies_argument
from admit.cli.output import clean, show_json

__all__ = ("command",)


@click.command("uninstall", short_help="Take policies out of a cluster.")
@policies_argument
@click.option("--dry-run", is_flag=True, help="Ask the API server, but change nothing.")
@deployment_options
@cluster_options
@output_option()
@debug_option
def command(
    *,
    policies: str,
    dry_run: bool,
    kubeconfig: str,
    context: str,
    output: str,
    **given: Any,
) -> None:
    """Delete what admit manifests prints for POLICIES, with the same options.

    First the pods lose the right to register, then the webhook configurations go, then
    everything else: nothing is left that could block. If a configuration cannot be
    deleted, the pods stay. An object of the same name that is not this release's stays.

    \b
    Examples:
      admit uninstall policies.py
      admit uninstall policies.py --namespace team-a --name guard --dry-run
    """  # noqa: D301 - click's mark
    release = read_release(policies, {**given, "ca_file": ""})
    task = uninstall(release, kubeconfig=kubeconfig, context=context, dry_run=dry_run)
    report = asyncio.run(task)
    if output == "json":
        show_json(report)
    else:
        for one in report.removed:
            click.echo(f"{one.outcome} {clean(one.object)}")
            if one.error:
                click.echo(f"    {clean(one.error)}")
    click.get_current_context().exit(3 if report.failed else 0)
