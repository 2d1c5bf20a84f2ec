"""`admit manifests`: print what registers the webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from admit._tasks.dialect import dump_yaml
from admit._tasks.manifests import ManifestsOptions, generate_manifests
from admit._tasks.static import write_static_manifests
from admit.cli.options import (
    debug_option,
    modes_option,
    output_option,
    policies_argument,
)
from admit.cli.output import show_json, show_note

if TYPE_CHECKING:
    from admit._handler import Mode

__all__ = ("command",)


@click.command("manifests", short_help="Print the webhook configurations of policies.")
@policies_argument
@click.option(
    "--url", default="", help="The webhook's https://host:port; paths follow."
)
@click.option(
    "--service",
    default="",
    metavar="NAMESPACE/NAME[:PORT]",
    help="The Service in front of the webhook; port 443 by default.",
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
@modes_option
@output_option("yaml", "json")
@debug_option
def command(
    *,
    policies: str,
    url: str,
    service: str,
    ca_file: str,
    static: str,
    modes: dict[str, Mode],
    output: str,
) -> None:
    """Print the Validating- and MutatingWebhookConfiguration of POLICIES.

    POLICIES is a Python file, a folder of them, or module:app. Every default is
    written out. Namespaces, labels and `when` of the policies become selectors and
    match conditions, so that the API server sends only what somebody wants to see;
    kube-system and what else a cluster needs to start are left out unless a policy
    names them.

    With --static nothing is printed but the files that were written: copy the FOLDER to
    every control plane node, to the same place, and start kube-apiserver with
    --admission-control-config-file=FOLDER/admission.yaml.

    \b
    Examples:
      admit manifests policies.py --service policies/webhook --ca-file ca.pem \\
        | kubectl apply -f -
      admit manifests policies.py --url https://10.0.0.5:8443 --ca-file ca.pem
      admit manifests guard.py --url https://localhost:8443 --ca-file ca.pem \\
        --static /etc/kubernetes/admission
    """  # noqa: D301 - click's mark
    report = generate_manifests(
        ManifestsOptions(
            source=policies, url=url, service=service, ca_file=ca_file, modes=modes
        )
    )
    for note in report.notes:
        show_note(note)
    if static:
        files = write_static_manifests(report.configurations, Path(static))
        names = [*map(str, files)]
        show_json({"files": names}) if output == "json" else click.echo(
            "\n".join(names)
        )
        return
    if output == "json":
        items = list(report.configurations)
        show_json({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    else:
        click.echo(dump_yaml(report.configurations), nl=False)
