"""`admit manifests`: print what runs and registers the webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from admit._tasks.deployment import generate_release
from admit._tasks.dialect import dump_yaml
from admit._tasks.manifests import ManifestsOptions, generate_manifests
from admit._tasks.static import write_static_manifests
from admit.cli.deployment import deployment_options, read_release
from admit.cli.options import (
    debug_option,
    modes_option,
    output_option,
    policies_argument,
)
from admit.cli.output import show_json, show_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from admit._handler import Mode

__all__ = ("command",)


@click.command("manifests", short_help="Print everything that policies need.")
@policies_argument
@click.option(
    "--url",
    default="",
    help="Only configurations, of a webhook at https://host:port; paths follow.",
)
@click.option(
    "--service",
    default="",
    metavar="NAMESPACE/NAME[:PORT]",
    help="Only configurations, of a webhook behind this Service; port 443 by default.",
)
@click.option(
    "--ca-file",
    default="",
    metavar="FILE",
    help="The authority that signed the webhook's certificate, in PEM.",
)
@click.option(
    "--static",
    default="",
    metavar="FOLDER",
    help="Write what the API server reads from a directory, before any API is there.",
)
@deployment_options
@modes_option
@output_option("yaml", "json")
@debug_option
def command(
    *,
    policies: str,
    url: str,
    service: str,
    static: str,
    modes: dict[str, Mode],
    output: str,
    **given: Any,
) -> None:
    """Print what runs POLICIES in a cluster and registers them there.

    POLICIES is a Python file, a folder of them, or module:app. Every default is
    written out. The webhook configurations come last: namespaces, labels and `when` of
    the policies become selectors and match conditions, so that the API server sends
    only what somebody wants to see; kube-system and what else a cluster needs to start
    are left out unless a policy names them.

    With --url or --service only the configurations are printed, for a server that runs
    already. With --static nothing is printed but the files that were written: copy the
    FOLDER to every control plane node, to the same place, and start kube-apiserver with
    --admission-control-config-file=FOLDER/admission.yaml.

    \b
    Examples:
      admit manifests policies.py | kubectl apply -f -
      admit manifests policies.py --url https://10.0.0.5:8443 --ca-file ca.pem
      admit manifests guard.py --url https://localhost:8443 --ca-file ca.pem \\
        --static /etc/kubernetes/admission
    """  # noqa: D301 - click's mark
    if not (url or service or static):
        release = generate_release(read_release(policies, {**given, "modes": modes}))
        _show((*release.objects, *release.configurations), release.notes, output)
        return
    ca_file = given["ca_file"]
    report = generate_manifests(
        ManifestsOptions(
            source=policies, url=url, service=service, ca_file=ca_file, modes=modes
        )
    )
    if not static:
        _show(report.configurations, report.notes, output)
        return
    _tell(report.notes)
    files = [*map(str, write_static_manifests(report.configurations, Path(static)))]
    show_json({"files": files}) if output == "json" else click.echo("\n".join(files))


def _show(objects: Sequence[dict[str, Any]], notes: Iterable[str], output: str) -> None:
    _tell(notes)
    if output == "json":
        items = list(objects)
        show_json({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    else:
        click.echo(dump_yaml(objects), nl=False)


def _tell(notes: Iterable[str]) -> None:
    for note in notes:
        show_note(note)
