"""`admit manifests`: the webhook configurations of policies, ready to apply.

Every default is written out: what is applied shows no difference afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from admit._tasks.load import Policies, load_policies
from admit._tasks.webhooks import Entry, to_entry
from admit.deployment import default_namespace
from admit.errors import CertificateError, ConfigError
from admit.webhook import ClientConfig, ServiceReference, to_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit._handler import Mode
    from admit.app import App

__all__ = (
    "ManifestsOptions",
    "ManifestsReport",
    "Target",
    "explain_missing_ca",
    "generate_manifests",
    "read_ca",
    "to_configurations",
)

LABELS: Final = {"app.kubernetes.io/managed-by": "admit"}

SERVICE_PORT: Final = 443

_DNS_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SERVICE: Final = re.compile(
    rf"(?P<namespace>{_DNS_LABEL})/(?P<name>{_DNS_LABEL})(?::(?P<port>\d{{1,5}}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the API server finds the webhook: a URL or a Service.

    Args:
        url: ``https://host:port``; paths are appended.
        service: the Service; its path is set for each entry.
        ca_bundle: certificates in PEM that sign the server's; None for the roots that
            the API server's machine trusts.
    """

    url: str = ""
    service: ServiceReference | None = None
    ca_bundle: bytes | None = None

    @property
    def namespace(self) -> str:
        """The namespace in which the webhook itself runs, if that is known."""
        return self.service.namespace if self.service is not None else ""

    def name_configuration(self, app: App) -> str:
        """Return the name of an app's configurations, which are cluster-wide.

        The app's own, unless it is served by a release that is not called like it, or
        is not where such a release is by default: then two releases of one app may be
        in the cluster, and each has its own.
        """
        parts = [app.name]
        if self.service is not None:
            name, namespace = self.service.name, self.service.namespace
            if namespace != default_namespace(name):
                parts += [name, namespace]
            elif name != app.name:
                parts.append(name)
        return ".".join([*parts, app.domain])

    def at(self, path: str) -> ClientConfig:
        """Return the client configuration for a path."""
        if self.service is None:
            return ClientConfig(url=f"{self.url}{path}", ca_bundle=self.ca_bundle)
        service = ServiceReference(
            name=self.service.name,
            namespace=self.service.namespace,
            port=self.service.port,
            path=path,
        )
        return ClientConfig(service=service, ca_bundle=self.ca_bundle)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestsOptions:
    """Which policies, and where they are served.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        url: ``https://host:port``; or
        service: ``NAMESPACE/NAME[:PORT]``. One of the two.
        ca_file: PEM file of the authority that signs the server's certificate.
    """

    source: str
    url: str = ""
    service: str = ""
    ca_file: str = ""
    modes: Mapping[str, Mode] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestsReport:
    """The configurations as plain objects, and what a person should know of them."""

    configurations: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def generate_manifests(options: ManifestsOptions) -> ManifestsReport:
    """Return the webhook configurations of policies.

    Raises:
        ConfigError: the address makes no sense, or nothing can be loaded.
        PolicyError: a policy cannot be loaded or registered; file and line.
        CertificateError: the CA file holds no certificate.
    """
    policies = load_policies(options.source, modes=options.modes)
    target = _read_target(options)
    configurations, notes = to_configurations(policies, target)
    if not target.ca_bundle:
        notes = (explain_missing_ca(target), *notes)
    return ManifestsReport(configurations=configurations, notes=notes)


def to_configurations(
    policies: Policies, target: Target
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Return the configurations of every app, mutating ones first, and the notes."""
    configurations, notes = [], []
    for mutating in (True, False):
        for mounted in policies.mounted:
            entries = [
                to_entry(e, target.at(e.path), own_namespace=target.namespace)
                for e in mounted.endpoints
                if e.mutating is mutating
            ]
            if entries:
                name = target.name_configuration(mounted.app)
                configurations.append(_write(name, entries))
            notes += [note for entry in entries for note in entry.notes]
    return tuple(configurations), tuple(dict.fromkeys(notes))


def _write(name: str, entries: list[Entry]) -> dict[str, Any]:
    webhooks = tuple(entry.webhook for entry in entries)
    return to_manifest(name, webhooks, dict(LABELS))


def _read_target(options: ManifestsOptions) -> Target:
    if bool(options.url) is bool(options.service):
        raise ConfigError(
            "the API server must be told one address of the webhook",
            hint="give --service NAMESPACE/NAME or --url https://host:port",
        )
    ca_bundle = read_ca(options.ca_file) if options.ca_file else None
    if options.url:
        return Target(url=_check_url(options.url), ca_bundle=ca_bundle)
    return Target(service=_read_service(options.service), ca_bundle=ca_bundle)


def _check_url(text: str) -> str:
    """Return the URL without a slash at its end.

    Source: apiserver pkg/util/webhook/validation.go.
    """
    hint = "like https://webhook.example.com:8443"
    try:
        url = urlsplit(text)
        port_is_wrong = url.port == 0
    except ValueError as error:
        raise ConfigError(f"{text!r} is no URL: {error}", hint=hint) from None
    wrong = None
    if url.scheme != "https":
        wrong = "the API server calls https addresses only"
    elif not url.hostname or port_is_wrong:
        wrong = "there is no host or port"
    elif url.query or url.fragment or "@" in url.netloc:
        wrong = "it must have neither user, nor query, nor fragment"
    if wrong:
        raise ConfigError(f"{text!r}: {wrong}", place="--url", hint=hint)
    return text.rstrip("/?#")


def _read_service(text: str) -> ServiceReference:
    found = _SERVICE.fullmatch(text)
    port = int(found["port"] or SERVICE_PORT) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise ConfigError(
            f"{text!r} is not NAMESPACE/NAME or NAMESPACE/NAME:PORT", place="--service"
        )
    return ServiceReference(
        name=found["name"], namespace=found["namespace"], path="/", port=port
    )


def read_ca(file: str) -> bytes:
    """Return the certificates of a PEM file, and nothing else that may be in it.

    Raises:
        ConfigError: the file cannot be read.
        CertificateError: it holds no certificate.
    """
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=file) from error
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise CertificateError(
            "no certificate in PEM",
            place=file,
            hint="a file that starts with -----BEGIN CERTIFICATE-----",
        ) from error
    return b"".join(
        certificate.public_bytes(Encoding.PEM) for certificate in certificates
    )


def explain_missing_ca(target: Target) -> str:
    """Say what a client configuration without caBundle means."""
    if target.service is None:
        return (
            "no --ca-file: the API server trusts only the roots of its own machine; a "
            "certificate of a private authority needs it"
        )
    host = f"{target.service.name}.{target.service.namespace}.svc"
    return (
        f"no --ca-file: no public authority signs {host}, so every call fails until "
        "caBundle is filled in (cert-manager does it for the annotation "
        "cert-manager.io/inject-ca-from)"
    )
