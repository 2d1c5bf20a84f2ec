"""`admit dev`: a real API server beside the policies one is writing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from admit._tasks.dev import DevOptions, develop
from admit._tasks.events import Broken, Decided, Ready, Reloaded, Starting
from admit.cli.options import (
    debug_option,
    modes_option,
    output_option,
    policies_argument,
)
from admit.cli.output import clean, show_error
from admit.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit._tasks.events import Event

__all__ = ("command",)

COLOURS: Final = {
    "allow": "green",
    "mutate": "cyan",
    "deny": "red",
    "error": "magenta",
    "timeout": "magenta",
}


@click.command("dev", short_help="Run a real API server that asks policies.")
@policies_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Where the webhook listens.",
)
@click.option(
    "--assets",
    default="",
    metavar="FOLDER",
    help="The control plane's programs.  [default: KUBEBUILDER_ASSETS, then the cache]",
)
@click.option(
    "--kubeconfig",
    default="",
    metavar="FILE",
    help="Where to put the kubeconfig meanwhile; the file must not exist.",
)
@modes_option
@output_option()
@debug_option
def command(*, policies: str, output: str, **options: Any) -> None:
    """Run etcd and kube-apiserver on this machine, and let them ask POLICIES.

    POLICIES is a Python file, a folder of them, or module:app. Each decision is a
    line. What is saved is used at once; a file that does not load leaves the policies
    as they were and says why. Ctrl-C stops and removes everything.

    \b
    Example:
      admit dev policies.py
      export KUBECONFIG=...      # as printed; in another terminal
      kubectl run web --image=nginx
    """  # noqa: D301 - click's mark
    tell: Callable[[Event], None] = _show_json if output == "json" else _show
    develop(DevOptions(source=policies, **options), tell)


def _show_json(event: Event) -> None:
    """Write one JSON object a line, so that a program can follow."""
    click.echo(msgspec.json.encode(event))


def _show(event: Event) -> None:
    match event:
        case Starting():
            click.echo(f"Starting a control plane from {event.assets} ...")
        case Ready():
            _show_ready(event)
        case Decided():
            _show_decision(event)
        case Reloaded():
            click.echo(f"{_now()} reloaded; policies in use: {event.policies}")
        case Broken():
            click.echo(f"{_now()} not reloaded; the policies stay as they were")
            place, hint = event.place or None, event.hint or None
            show_error(PolicyError(event.message, place=place, hint=hint))


def _show_ready(event: Ready) -> None:
    click.echo(f"Ready: {event.api_server} asks {', '.join(event.webhooks)}")
    click.echo("In another terminal:")
    click.echo(f"\n  export KUBECONFIG={event.kubeconfig}")
    kubectl = "kubectl" if event.kubectl_on_path else event.kubectl
    click.echo(f"  {kubectl} run web --image=nginx\n")
    if event.kubectl_on_path:
        click.echo(f"(kubectl of the API server's version: {event.kubectl})")
    click.echo("Save the policies to reload them; Ctrl-C stops and removes everything.")


def _show_decision(event: Decided) -> None:
    verdict = click.style(event.verdict, fg=COLOURS[event.verdict], bold=True)
    where = f" in {event.namespace}" if event.namespace else ""
    dry = " (dry run)" if event.dry_run else ""
    by = f" [{', '.join(event.policies)}]" if event.policies else ""
    milliseconds = event.duration_seconds * 1000
    click.echo(
        f"{_now()} {verdict} {event.operation} {event.resource} "
        f"{clean(event.name) or '(new)'}{where}{dry}{by} {milliseconds:.1f} ms"
    )
    for text in (event.message, *(f"Warning: {text}" for text in event.warnings)):
        for line in clean(text).splitlines():
            click.echo(f"         {line}")


def _now() -> str:
    return time.strftime("%H:%M:%S")
