"""`admit rescue`: bring a cluster up that its own webhooks keep down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import click

from admit._tasks.break_glass import BACKUP_NAMESPACE, GlassOptions, read_duration
from admit._tasks.rescue import close_rescue, open_rescue, plan_rescue
from admit._tasks.restore import RestoreOptions
from admit.cli.break_glass import (
    backup_options,
    cluster_options,
    confirmation,
    show_report,
    write_options,
)
from admit.cli.options import debug_option, output_option
from admit.cli.output import clean, show_json

if TYPE_CHECKING:
    from admit._tasks.rescue import ClosedReport, PlanReport

__all__ = ("command",)

OUTCOMES: Final = {"answers": "green", "fails": "red", "not asked": "yellow"}


@click.group("rescue", short_help="Bring up a cluster that webhooks keep down.")
def command() -> None:
    """Before, during and after a restore of etcd, or any start from nothing.

    \b
    Examples:
      admit rescue plan
      admit rescue open --reason "restore of the 3 a.m. snapshot"
      admit rescue close
    """  # noqa: D301 - click's mark


@command.command("plan", short_help="Say what will block a start; back it up.")
@backup_options
@cluster_options
@output_option()
@debug_option
def plan(*, output: str, **options: Any) -> None:
    """Say which webhooks will keep the cluster from starting, and back all of them up.

    Every write that a start needs is asked of the matcher: nodes, leases, certificates,
    the pods of the network, and what each webhook's own pods need. Who waits for itself
    is shown as a chain. Exit code 1 if something is in the way for certain.

    \b
    Example:
      admit rescue plan --file before-restore.yaml
    """  # noqa: D301 - click's mark
    task = plan_rescue(GlassOptions(occasion="rescue", reason="rescue plan", **options))
    report = asyncio.run(task)
    if output == "json":
        show_json(report)
    else:
        _show_plan(report)
    click.get_current_context().exit(int(any(one.sure for one in report.blocks)))


def _show_plan(report: PlanReport) -> None:
    for block in report.blocks:
        sure = "blocks" if block.sure else "may block"
        label = click.style(sure, fg="red" if block.sure else "yellow", bold=True)
        click.echo(f"{clean(block.webhook)} in {clean(block.configuration)} {label}:")
        for write in block.writes:
            click.echo(f"    {write}")
    for chain in report.deadlocks[:1]:
        click.echo(click.style("Nothing comes up by itself:", fg="red", bold=True))
        for line in chain:
            click.echo(f"    {clean(line)}")
    if not report.blocks:
        click.echo("No webhook is in the way of a start.")
    else:
        click.echo("Then: admit rescue open --reason TEXT, as soon as etcd is restored")
    where = f" and configmap {report.config_map}" if report.config_map else ""
    click.echo(f"Backup: {clean(report.backup)}{where}")


@command.command("open", short_help="Let all that blocks a start fail open.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with it.")
@click.option(
    "--wait",
    default="10m",
    show_default=True,
    metavar="TIME",
    help="For an API server that is starting.",
)
@write_options
@backup_options
@cluster_options
@output_option()
@debug_option
def open_(*, wait: str, yes: bool, output: str, **options: Any) -> None:
    """Set failurePolicy Ignore on everything that keeps the cluster from starting.

    It is tried until the API server answers. There is no end to it: admit rescue close
    puts it back.

    \b
    Example:
      admit rescue open --reason "restore of the 3 a.m. snapshot" --yes
    """  # noqa: D301 - click's mark
    task = open_rescue(
        GlassOptions(occasion="failopen", **options),
        confirmation(yes=yes, dry_run=options["dry_run"]),
        read_duration(wait).total_seconds(),
    )
    report = asyncio.run(task)
    code = show_report(
        report, output, done="Opened {count}", nothing="Nothing is in the way"
    )
    click.get_current_context().exit(code)


@command.command("close", short_help="Put back what was opened; see that it answers.")
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
def close(*, yes: bool, output: str, **options: Any) -> None:
    """Restore everything that is open, and ask each webhook with a harmless dry run.

    Exit code 1 if a webhook does not answer.

    \b
    Example:
      admit rescue close --yes
    """  # noqa: D301 - click's mark
    task = close_rescue(
        RestoreOptions(**options), confirmation(yes=yes, dry_run=options["dry_run"])
    )
    click.get_current_context().exit(_show_closed(asyncio.run(task), output))


def _show_closed(report: ClosedReport | None, output: str) -> int:
    restored = report.restored if report is not None else None
    if report is not None and output == "json":
        show_json(report)
        return 3 if report.restored.failed else int(report.failed)
    code = show_report(
        restored, output, done="Restored {count}", nothing="Nothing to restore"
    )
    for one in report.probes if report is not None else ():
        outcome = click.style(one.outcome, fg=OUTCOMES[one.outcome], bold=True)
        reason = f": {clean(one.reason)}" if one.outcome == "fails" else ""
        click.echo(f"{clean(one.webhook)} {outcome}{reason}")
    return code or int(report is not None and report.failed)
