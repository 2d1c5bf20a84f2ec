"""`admit kinds`: custom resources as Python classes."""

from __future__ import annotations

import sys

import click

from admit._tasks.kinds import write_kinds
from admit.cli.options import debug_option, output_option
from admit.cli.output import show_json

__all__ = ("command",)


@click.command("kinds", short_help="Print custom resources as Python classes.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@output_option()
@debug_option
def command(*, files: tuple[str, ...], output: str) -> None:
    """Print a typed class for each CustomResourceDefinition in the files.

    A file is YAML or JSON, a folder of them, or - for standard input. What is printed
    is Python to save beside the policies and to import there.

    \b
    Examples:
      admit kinds crd.yaml > crontab.py
      kubectl get crd crontabs.stable.example.com -o yaml | admit kinds -
    """  # noqa: D301 - click's mark
    report = write_kinds(files, stdin=sys.stdin.buffer if "-" in files else None)
    if output == "json":
        kinds = [
            {"apiVersion": api_version, "class": name}
            for api_version, name in report.kinds
        ]
        show_json({"kinds": kinds, "text": report.text})
    else:
        click.echo(report.text, nl=False)
