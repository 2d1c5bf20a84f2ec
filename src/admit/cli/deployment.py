"""Options of what runs in the cluster, the same for every command that writes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from admit._tasks.deployment import PoliciesIn, ReleaseOptions
from admit._tasks.manifests import read_ca
from admit.deployment import Certs, DeploymentOptions

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("deployment_options", "read_release")

_Command = TypeVar("_Command", bound="Callable[..., Any]")


def _default(name: str) -> Any:
    return DeploymentOptions.__dataclass_fields__[name].default


def _read_client_ca(
    _ctx: click.Context, _parameter: click.Parameter, value: str
) -> str:
    return read_ca(value).decode() if value else ""


def _read_labels(
    _ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    labels = dict(text.partition("=")[::2] for text in value)
    if not all("=" in text for text in value) or "" in labels:
        raise click.BadParameter("a label is NAME=VALUE", param=parameter)
    return labels


_OPTIONS = (
    click.option("--name", default="", help="Names the release; the app's by default."),
    click.option(
        "--namespace",
        default="",
        help="Where it runs, and nothing else; admit-NAME by default.",
    ),
    click.option(
        "--image", default=_default("image"), show_default=True, help="Has admit."
    ),
    click.option(
        "--policies-in",
        type=click.Choice(get_args(PoliciesIn)),
        default=get_args(PoliciesIn)[0],
        show_default=True,
        help="image: it has them in /policies, or has module:app installed.",
    ),
    click.option(
        "--replicas",
        type=click.IntRange(1),
        default=_default("replicas"),
        show_default=True,
        help="Pods that review.",
    ),
    click.option(
        "--max-replicas",
        type=click.IntRange(0),
        default=_default("max_replicas"),
        help="Let a HorizontalPodAutoscaler add pods up to so many, by CPU.",
    ),
    click.option(
        "--certs",
        type=click.Choice(get_args(Certs)),
        default=_default("certs"),
        show_default=True,
        help="Who makes the certificate: the pods, cert-manager, or somebody else.",
    ),
    click.option(
        "--secret",
        default="",
        help="The Secret of the certificate; NAME-tls by default.",
    ),
    click.option(
        "--client-ca-file",
        "client_ca",
        default="",
        metavar="FILE",
        callback=_read_client_ca,
        help="Authorities, in PEM: only clients with a certificate of theirs may ask.",
    ),
    click.option(
        "--client-name",
        "client_names",
        multiple=True,
        metavar="NAME",
        help="A name that such a certificate has to have. May be repeated.",
    ),
    click.option(
        "--priority-class",
        default=_default("priority_class"),
        show_default=True,
        help="Of the pods; '' for the cluster's default.",
    ),
    click.option(
        "--network-policy/--no-network-policy",
        default=_default("network_policy"),
        show_default=True,
        help="Close all ports but those of reviews and health.",
    ),
    click.option(
        "--api-server",
        "api_servers",
        metavar="CIDR",
        multiple=True,
        help="Where API servers are, for the network policy: reviews come from there "
        "only. May be repeated.",
    ),
    click.option(
        "--monitoring",
        is_flag=True,
        help="Add what the Prometheus operator reads: ServiceMonitor, PrometheusRule.",
    ),
    click.option(
        "--monitoring-label",
        "monitoring_labels",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_read_labels,
        help="A label by which Prometheus finds those two. May be repeated.",
    ),
)


def deployment_options(command: _Command) -> _Command:
    """Take every option of what runs in the cluster."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_release(policies: str, given: dict[str, Any]) -> ReleaseOptions:
    """Make one value of the options that `deployment_options` and others took.

    Raises:
        ConfigError: one makes no sense.
    """
    fields = {field.name for field in dataclasses.fields(DeploymentOptions)}
    return ReleaseOptions(
        source=policies,
        deployment=DeploymentOptions(
            **{name: value for name, value in given.items() if name in fields}
        ),
        policies_in=given["policies_in"],
        ca_file=given["ca_file"],
    )
