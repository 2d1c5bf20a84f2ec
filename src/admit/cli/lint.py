"""`admit lint`: say what is wrong with webhook configurations in files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from admit._tasks.lint import LintOptions, lint_files
from admit._tasks.sarif import to_sarif
from admit.cli.options import debug_option, output_option
from admit.cli.output import clean, show_json
from admit.doctor import SEVERITIES

if TYPE_CHECKING:
    from admit._tasks.lint import FindingReport, LintReport
    from admit.doctor import Severity

__all__ = ("command",)

COLOURS: Final = {"error": "red", "warning": "yellow", "info": "cyan"}


@click.command("lint", short_help="Find what is wrong with webhook configurations.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("-R", "--recursive", is_flag=True, help="Look into folders of folders.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="error",
    show_default=True,
    help="Exit with 1 if a finding is as bad as this, or worse.",
)
@click.option(
    "--serving-cert",
    default="",
    metavar="FILE",
    help="What the webhook serves, in PEM: it is checked against caBundle and name.",
)
@click.option(
    "--static",
    is_flag=True,
    help="All are static manifests, which the API server reads from a directory.",
)
@output_option("text", "json", "sarif")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    recursive: bool,
    severity: Severity,
    serving_cert: str,
    static: bool,
    output: str,
) -> None:
    """Look at webhook configurations, whoever wrote them, without a cluster.

    FILES are YAML or JSON, folders, or - for standard input; other objects in them are
    passed over, but Namespaces and CustomResourceDefinitions are taken for what the
    cluster has. What the API server would refuse is said in its own words; then what
    it accepts and what will hurt. Match conditions are not evaluated.

    Exit code 1 if a finding is as bad as --severity.

    \b
    Examples:
      admit lint webhooks.yaml
      helm template CHART | admit lint -
      admit lint -R deploy/ --severity warning -o sarif > lint.sarif
    """  # noqa: D301 - click's mark
    report = lint_files(
        LintOptions(
            files=files,
            recursive=recursive,
            static=static,
            serving_certificate=serving_cert,
            stdin=sys.stdin.buffer,
        )
    )
    if output == "json":
        show_json(report)
    elif output == "sarif":
        show_json(to_sarif(report))
    else:
        _show(report)
    if report.has_at_least(severity):
        ctx.exit(1)


def _show(report: LintReport) -> None:
    for finding in report.findings:
        _show_finding(finding)
    many = _count(report.configurations, "configuration")
    hooks = _count(report.webhooks, "webhook")
    if not report.findings:
        click.echo(f"Nothing found in {many} with {hooks}.")
        return
    counted = ", ".join(
        _count(report.counts[severity], severity) if severity != "info" else f"{n} info"
        for severity in SEVERITIES
        if (n := report.counts[severity])
    )
    click.echo(f"{counted} in {many} with {hooks}.")


def _show_finding(finding: FindingReport) -> None:
    level = click.style(finding.severity, fg=COLOURS[finding.severity], bold=True)
    what = f"{clean(finding.reason)} [{finding.id}]"
    click.echo(f"{clean(finding.file)}:{finding.line}: {level}: {what}")
    about = finding.webhook or finding.configuration
    where = f"{about}, {finding.path}" if finding.path else about
    click.echo(f"    {clean(where)}")
    click.echo(f"    {click.style('hint:', bold=True)} {finding.hint}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
