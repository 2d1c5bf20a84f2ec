"""`admit manifests`: print what runs and registers the webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from admit._tasks.api_server import write_api_server_files
from admit._tasks.chart import write_chart
from admit._tasks.deployment import generate_release
from admit._tasks.dialect import dump_yaml
from admit._tasks.kustomize import write_kustomize
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
    from collections.abc import Sequence

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
@click.option(
    "--api-server-auth",
    default="",
    metavar="FOLDER",
    help="Write what makes the API server show who it is, for --client-ca-file or "
    "--token-file of `admit serve`.",
)
@click.option(
    "--api-server-credential",
    type=click.Choice(["certificate", "token"]),
    default="certificate",
    show_default=True,
    help="What it shows.",
)
@click.option(
    "--kustomize",
    default="",
    metavar="FOLDER",
    help="Write a Kustomize base there instead.",
)
@click.option(
    "--helm", default="", metavar="FOLDER", help="Write a Helm chart there instead."
)
@deployment_options
@modes_option
@output_option("yaml", "json")
@debug_option
def command(*, policies: str, output: str, **given: Any) -> None:
    """Print what runs POLICIES in a cluster and registers them there.

    POLICIES is a Python file, a folder of them, or module:app. Every default is
    written out. The webhook configurations come last: namespaces, labels and `when` of
    the policies become selectors and match conditions, so that the API server sends
    only what somebody wants to see; kube-system and what else a cluster needs to start
    are left out unless a policy names them.

    With --url or --service only the configurations are printed, for a server that runs
    already. With --kustomize or --helm the same objects are written as a base or a
    chart. With --static nothing is printed but the files that were written: copy the
    FOLDER to every control plane node, to the same place, and start kube-apiserver with
    --admission-control-config-file=FOLDER/admission.yaml. With --api-server-auth it is
    the same, but the files say what the API server shows to these webhooks.

    \b
    Examples:
      admit manifests policies.py | kubectl apply -f -
      admit manifests policies.py --helm chart && helm install pod-labels ./chart \\
        --namespace admit-pod-labels --create-namespace
      admit manifests policies.py --url https://10.0.0.5:8443 --ca-file ca.pem
      admit manifests guard.py --url https://localhost:8443 --ca-file ca.pem \\
        --static /etc/kubernetes/admission
    """  # noqa: D301 - click's mark
    folder = _find_folder(given)
    if given["url"] or given["service"] or folder == "static":
        objects, files, notes = _write_configurations(policies, given)
    else:
        objects, files, notes = _write_release(policies, given)
    for note in notes:
        show_note(note)
    if folder:
        names = [*map(str, files)]
        show_json({"files": names}) if output == "json" else click.echo(
            "\n".join(names)
        )
    elif output == "json":
        items = list(objects)
        show_json({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
    else:
        click.echo(dump_yaml(objects), nl=False)


def _find_folder(given: dict[str, Any]) -> str:
    """Return which folder is to be written, if any."""
    names = ("static", "api_server_auth", "kustomize", "helm")
    folders = [name for name in names if given[name]]
    if len(folders) > 1:
        one, two = (name.replace("_", "-") for name in folders[:2])
        raise click.UsageError(f"--{one} and --{two} are two commands")
    folder = "".join(folders)
    if folder in {"kustomize", "helm"} and (given["url"] or given["service"]):
        raise click.UsageError(
            f"--{folder} writes everything; --url and --service are for configurations"
        )
    return folder


# Objects to be printed, files that were written, and what a person should know.
_Written: TypeAlias = "tuple[Sequence[dict[str, Any]], Sequence[Path], Sequence[str]]"


def _write_configurations(policies: str, given: dict[str, Any]) -> _Written:
    names = ("url", "service", "ca_file", "modes")
    report = generate_manifests(
        ManifestsOptions(source=policies, **{name: given[name] for name in names})
    )
    objects = report.configurations
    if given["api_server_auth"]:
        return _write_api_server_files(objects, given)
    if not given["static"]:
        return objects, (), report.notes
    files = write_static_manifests(objects, Path(given["static"]))
    return objects, files, report.notes


def _write_api_server_files(
    configurations: Sequence[dict[str, Any]], given: dict[str, Any]
) -> _Written:
    folder = Path(given["api_server_auth"])
    return (), *write_api_server_files(
        configurations, folder, given["api_server_credential"]
    )


def _write_release(policies: str, given: dict[str, Any]) -> _Written:
    options = read_release(policies, given)
    if given["helm"]:
        return (), *write_chart(options, Path(given["helm"]))
    release = generate_release(options)
    if given["api_server_auth"]:
        return _write_api_server_files(release.configurations, given)
    objects = (*release.objects, *release.configurations)
    if not given["kustomize"]:
        return objects, (), release.notes
    return objects, write_kustomize(release, Path(given["kustomize"])), release.notes
