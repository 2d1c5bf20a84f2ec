"""`admit doctor`: say what is wrong with any webhook in a cluster."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import click

from admit._tasks.doctor import DoctorOptions, examine
from admit.cli.break_glass import cluster_options
from admit.cli.doctor_page import render_page
from admit.cli.options import debug_option, output_option
from admit.cli.output import clean, show_json, show_note
from admit.doctor import SEVERITIES

if TYPE_CHECKING:
    from admit._tasks.doctor import DoctorReport
    from admit.doctor import Severity
    from admit.doctor.live.snapshot import LiveFinding

__all__ = ("command",)

COLOURS: Final = {"error": "red", "warning": "yellow", "info": "cyan"}


@click.command("doctor", short_help="Say what is wrong with a cluster's webhooks.")
@click.option(
    "--probe/--no-probe",
    default=True,
    help="Let the API server call the webhooks, for harmless dry runs.",
)
@click.option(
    "--api-server-log",
    multiple=True,
    metavar="FILE",
    help="Of kube-apiserver; failed calls in it are grouped by cause.",
)
@click.option(
    "--audit-log",
    multiple=True,
    metavar="FILE",
    help="Of kube-apiserver, JSON lines: what failed, and what failed open.",
)
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="error",
    show_default=True,
    help="Exit with 1 if a finding is as bad as this, or worse.",
)
@cluster_options
@click.option(
    "--watch",
    "every",
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="Look again every so often, until Ctrl-C.",
)
@output_option("text", "json", "html")
@debug_option
def command(
    *,
    severity: Severity,
    every: float | None,
    output: str,
    **where: Any,
) -> None:
    """Look at every webhook of a cluster, whoever runs it, and change nothing.

    What the configurations say is looked at as by admit lint; then what only a cluster
    can tell: Service, endpoints and pods, the certificate that is served, whether the
    API server reaches the webhook, its own numbers and logs, and whether everything
    would come up again after it was down. The cause comes first, with what to type.

    What may not be looked at is said; the rest is looked at all the same.

    \b
    Examples:
      admit doctor
      admit doctor -o json --severity warning
      admit doctor --api-server-log /var/log/kube-apiserver.log
      admit doctor -o html > webhooks.html
      admit doctor --watch 10
    """  # noqa: D301 - click's mark
    options = DoctorOptions(**where)
    while True:
        report = asyncio.run(examine(options))
        if output == "html":
            click.echo(render_page(report))
        elif output == "json":
            show_json(report)
        else:
            if every is not None:
                click.clear()
            _show(report)
        if every is None:
            break
        time.sleep(every)
    click.get_current_context().exit(int(report.has_at_least(severity)))


def _show(report: DoctorReport) -> None:
    for finding in report.findings:
        _show_finding(finding)
    for unseen in report.unseen:
        show_note(f"not looked at: {unseen}")
    counted = ", ".join(f"{report.counts[s]} {s}" for s in SEVERITIES)
    webhooks = len(report.webhooks)
    healthy = sum(one.health in {"ok", "info"} for one in report.webhooks)
    click.echo(f"{healthy} of {webhooks} webhooks healthy; {counted}. {report.server}")


def _show_finding(finding: LiveFinding) -> None:
    level = click.style(finding.severity, fg=COLOURS[finding.severity], bold=True)
    about = finding.configuration
    if finding.webhook:
        about = f"{finding.webhook} in {about}"
    click.echo(f"{level}: {clean(about)}: {clean(finding.cause)} [{finding.id}]")
    for line in finding.evidence:
        click.echo(f"    {clean(line)}")
    click.echo(f"    {click.style('do:', bold=True)} {clean(finding.remedy)}")
