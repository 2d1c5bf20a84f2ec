"""Every option of what runs in a cluster in one value, with its default and reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from admit._version import __version__
from admit.certs.service import Service
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from admit._handler import Mode

__all__ = (
    "DEFAULT_IMAGE",
    "PRIORITY_CLASS",
    "SYSTEM",
    "Certs",
    "DeploymentOptions",
    "default_namespace",
)

Certs: TypeAlias = Literal["self", "cert-manager", "files"]

DEFAULT_IMAGE: Final = f"admit:{__version__}"

# Two, so that one may be away; more where an API server's load asks for it.
REPLICAS: Final = 2

# What fails closed is needed by everything that is scheduled: the scheduler must not
# put it out for something that is not.
PRIORITY_CLASS: Final = "system-cluster-critical"

# What Kubernetes' own classes begin with, which some clusters bind to a quota.
SYSTEM: Final = "system-"

# Namespaces and Services are DNS labels, and a Service's begins with a letter
# (apimachinery pkg/util/validation, IsDNS1035Label).
LABEL_LIMIT: Final = 63
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_WORDS: Final = {
    _NAME: "a letter, then lower-case letters, digits and '-'; at most 63",
    _NAMESPACE: "lower-case letters, digits and '-'; at most 63",
    _SUBDOMAIN: "lower-case letters, digits, '-' and '.'; at most 253",
}


def default_namespace(name: str) -> str:
    """Return the namespace of a release that nobody put elsewhere: one of its own.

    Whoever may edit ConfigMaps there decides for the cluster, so it is shared with
    nobody; and its objects are never reviewed, so it must not be one that others use.
    """
    return f"admit-{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentOptions:
    """Say what runs in the cluster, and how.

    Args:
        name: of the release: of its Deployment, Service, ServiceAccount and the rest;
            empty for the app's name (see `named`).
        namespace: where it runs, and nothing else should; empty for ``admit-NAME``.
        image: the container image that holds `admit`.
        replicas: pods that review.
        max_replicas: pods to which a HorizontalPodAutoscaler may scale by CPU; 0 for
            no such object.
        certs: who makes the serving certificate: `self`, the pods; `cert-manager`; or
            `files`, somebody else who fills the Secret.
        secret: the Secret of the certificate; `NAME-tls` if not given.
        client_ca: certificates in PEM: only clients with one that these signed may ask;
            empty for all.
        client_names: of which such a client has to have one.
        modes: policies' modes that are not those of the code, by policy name.
        priority_class: of the pods; empty for the cluster's default.
        network_policy: write the NetworkPolicy.
        api_servers: addresses (CIDR) from which reviews come and where the API is;
            empty if nobody knows them, and then the policy admits all.
        monitoring: write what the Prometheus operator reads: ServiceMonitor and
            PrometheusRule.
        monitoring_labels: further labels of those two, by which Prometheus finds them.
    """

    name: str = ""
    namespace: str = ""
    image: str = DEFAULT_IMAGE
    replicas: int = REPLICAS
    max_replicas: int = 0
    certs: Certs = "self"
    secret: str = ""
    client_ca: str = ""
    client_names: tuple[str, ...] = ()
    modes: Mapping[str, Mode] = field(default_factory=dict)
    priority_class: str = PRIORITY_CLASS
    network_policy: bool = True
    api_servers: tuple[str, ...] = ()
    monitoring: bool = False
    monitoring_labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would refuse, where the option can still be named.

        Raises:
            ConfigError: a name or number makes no sense (operator's fault).
        """
        _check("--name", self.name, _NAME)
        _check("--namespace", self.namespace, _NAMESPACE)
        _check("--secret", self.secret, _SUBDOMAIN, limit=253)
        _check("--priority-class", self.priority_class, _SUBDOMAIN, limit=253)
        for address in self.api_servers:
            _check_network(address)
        if not self.image or re.search(r"\s", self.image):
            raise ConfigError(f"{self.image!r} is no image", place="--image")
        if self.replicas < 1:
            raise ConfigError(
                f"{self.replicas} replicas decide nothing",
                place="--replicas",
                hint="at least 1; with 2 one may be away",
            )
        if self.max_replicas and self.max_replicas < self.replicas:
            raise ConfigError(
                f"{self.max_replicas} is less than the {self.replicas} of --replicas",
                place="--max-replicas",
            )
        if self.client_names and not self.client_ca:
            raise ConfigError(
                "a client's name proves nothing without an authority",
                place="--client-name",
                hint="give --client-ca-file too",
            )
        if self.certs not in get_args(Certs):
            raise ConfigError(
                f"{self.certs!r} is none of {', '.join(get_args(Certs))}",
                place="--certs",
            )

    def named(self, apps: Sequence[str]) -> DeploymentOptions:
        """Return the options with the name and namespace that were not given.

        Args:
            apps: the names of the apps that the release serves.

        Raises:
            ConfigError: there are several apps, so no name is theirs; or the app's
                name is none that Kubernetes takes.
        """
        if not self.name and len(apps) > 1:
            raise ConfigError(
                f"the apps {', '.join(apps)} need a name that is theirs together",
                place="--name",
                hint="it names the Deployment, the Service and the rest",
            )
        name = self.name or apps[0]
        namespace = self.namespace or default_namespace(name)
        return replace(self, name=name, namespace=namespace)

    @property
    def registers(self) -> bool:
        """Whether the pods keep their webhook configurations right.

        Those who make the certificate do, for they know its authority: a configuration
        that were put back without it would refuse everything.
        """
        return self.certs == "self"

    @property
    def secret_name(self) -> str:
        """The Secret of the serving certificate."""
        return self.secret or f"{self.name}-tls"

    @property
    def service(self) -> Service:
        """The Service that the webhook configurations name."""
        return Service(namespace=self.namespace, name=self.name)

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which its pods are found; they can never change."""
        return {
            "app.kubernetes.io/name": "admit",
            "app.kubernetes.io/instance": self.name,
        }

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every object."""
        return {**self.selector, "app.kubernetes.io/managed-by": "admit"}

    @property
    def cluster_name(self) -> str:
        """The name of what belongs to no namespace; unlike any other release's."""
        return f"{self.namespace}:{self.name}"

    def metadata(self, name: str = "") -> dict[str, Any]:
        """Return the metadata of an object in the namespace."""
        return {
            "name": name or self.name,
            "namespace": self.namespace,
            "labels": self.labels,
        }

    def cluster_metadata(self) -> dict[str, Any]:
        """Return the metadata of an object that belongs to no namespace."""
        return {"name": self.cluster_name, "labels": self.labels}


def _check_network(text: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no range of addresses: {error}",
            place="--api-server",
            hint="like 10.0.0.0/28, or 10.0.0.5/32 for one address",
        ) from None


def _check(
    option: str, text: str, pattern: re.Pattern[str], *, limit: int = LABEL_LIMIT
) -> None:
    """Refuse a name that Kubernetes would refuse; an empty one is not given."""
    if text and (not pattern.fullmatch(text) or len(text) > limit):
        raise ConfigError(
            f"{text!r} cannot be a name there", place=option, hint=_WORDS[pattern]
        )
