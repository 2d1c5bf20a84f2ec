"""What backup, failopen, disable and restore share: options, and what is shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from admit._tasks.break_glass import BACKUP_NAMESPACE
from admit.cli.completing import complete_names
from admit.cli.output import clean, show_json, show_note
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit._tasks.break_glass import BreakGlassReport, StepReport

__all__ = (
    "backup_options",
    "cluster_options",
    "confirmation",
    "selection_options",
    "show_report",
    "write_options",
)

_Command = TypeVar("_Command", bound="Callable[..., Any]")

COLOURS: Final = {"change": "yellow", "create": "green", "delete": "red"}


def _all(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


cluster_options = _all(
    click.option(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="Instead of $KUBECONFIG or ~/.kube/config.",
    ),
    click.option(
        "--context", default="", metavar="NAME", help="Another than the current one."
    ),
)

selection_options = _all(
    click.argument(
        "names", nargs=-1, metavar="[NAMES]...", shell_complete=complete_names
    ),
    click.option("--all", "every", is_flag=True, help="All there are."),
    click.option(
        "--vendor", default="", metavar="NAME", help="Those of kyverno, gatekeeper, …"
    ),
    click.option(
        "--matching",
        default="",
        metavar="RESOURCE",
        help="Those that may be asked about it: pods, deployments.apps, pods/exec.",
    ),
)

backup_options = _all(
    click.option(
        "--file",
        default="",
        metavar="FILE",
        help="Of the backup; webhooks-TIME.yaml by default. An existing one is kept.",
    ),
    click.option(
        "--configmap/--no-configmap",
        "config_map",
        default=True,
        help="Keep the backup in the cluster too.",
    ),
    click.option(
        "--namespace",
        default=BACKUP_NAMESPACE,
        show_default=True,
        help="Of the backup in the cluster.",
    ),
)

write_options = _all(
    click.option(
        "--dry-run", is_flag=True, help="Ask the API server, but change nothing."
    ),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
)


def confirmation(
    *, yes: bool, dry_run: bool
) -> Callable[[tuple[StepReport, ...]], bool]:
    """Return what shows the steps and asks, at a terminal, whether to do them."""

    def confirm(steps: tuple[StepReport, ...]) -> bool:
        if yes or dry_run:
            return True
        if not sys.stdin.isatty():
            raise ConfigError("nobody can be asked here", hint="--yes does it unasked")
        for step in steps:
            _show_step(step, err=True)
        return click.confirm(f"Do this to {_count(len(steps))}?", err=True)

    return confirm


def show_report(
    report: BreakGlassReport | None, output: str, *, done: str, nothing: str
) -> int:
    """Show what was done; return the exit code.

    Args:
        report: None where the operator said no.
        output: text or json.
        done: a sentence about ``{count}`` configurations.
        nothing: one about none.
    """
    if report is None:
        click.echo("Nothing was changed.", err=True)
        return 1
    if output == "json":
        show_json(report)
        return 3 if report.failed else 0
    for step in report.steps:
        _show_step(step)
    if report.backup.file:
        where = f" and configmap {name}" if (name := report.backup.config_map) else ""
        click.echo(f"Backup: {report.backup.file}{where}")
    if report.backup.warning:
        show_note(report.backup.warning)
    count = sum(not step.error for step in report.steps)
    text = done.format(count=_count(count)) if report.steps else nothing
    until = f" until {report.until:%Y-%m-%d %H:%M:%SZ}" if report.until else ""
    click.echo(f"{text}{until}{' (dry run)' if report.dry_run else ''}.")
    return 3 if report.failed else 0


def _show_step(step: StepReport, *, err: bool = False) -> None:
    verb = click.style(step.verb, fg=COLOURS.get(step.verb), bold=True)
    click.echo(f"{verb} {clean(step.configuration)}", err=err)
    for place, before, after in step.differences:
        change = f"{clean(before) or 'absent'} -> {clean(after) or 'absent'}"
        click.echo(f"    {clean(place)}: {change}", err=err)
    for warning in step.warnings:
        show_note(warning)
    if step.error:
        click.echo(f"    {click.style('failed:', fg='red')} {clean(step.error)}")


def _count(number: int) -> str:
    return f"{number} webhook configuration{'' if number == 1 else 's'}"
