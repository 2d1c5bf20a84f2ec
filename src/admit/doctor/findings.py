"""Findings, and what they are about: configurations and their entries as values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from admit.doctor.catalogue import CATALOGUE, Severity
from admit.doctor.validation import STATIC_SUFFIX, decode_configuration
from admit.errors import ConfigError
from admit.webhook import StoredWebhook, read_webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.doctor.validation import Decoded, Path

__all__ = ("API_VERSIONS", "KINDS", "Configuration", "Entry", "Finding")

KINDS: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
API_VERSIONS: Final = (
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1beta1",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with where and why.

    Args:
        id: in the catalogue, which has title, hint and link.
        severity: how bad, here.
        reason: why, in a sentence about this very configuration.
        configuration: number of the configuration among those that were looked at.
        name: ``ValidatingWebhookConfiguration/policies``.
        webhook: the entry's name; empty where it is about the whole.
        path: where in the configuration.
    """

    id: str
    severity: Severity
    reason: str
    configuration: int
    name: str
    webhook: str = ""
    path: Path = ()

    @property
    def hint(self) -> str:
        """What to do."""
        return CATALOGUE[self.id].hint

    @property
    def link(self) -> str:
        """Where Kubernetes explains it."""
        return CATALOGUE[self.id].link


@dataclass(frozen=True, slots=True)
class Entry:
    """A webhook of a configuration.

    Args:
        configuration: whose it is.
        number: in the list, from 0.
        content: as JSON, without nulls and unknown fields.
        webhook: the same as a value, with the API server's defaults.
    """

    configuration: Configuration
    number: int
    content: dict[str, Any]
    webhook: StoredWebhook

    @property
    def mutating(self) -> bool:
        """It may change objects."""
        return self.configuration.kind == "MutatingWebhookConfiguration"

    @property
    def fails(self) -> bool:
        """What it cannot be asked about is refused."""
        return self.webhook.failure_policy == "Fail"

    def find(
        self, id: str, reason: str, *path: str | int, severity: Severity | None = None
    ) -> Finding:
        """Return a finding about this entry, or a member of it."""
        found = self.configuration.find(id, reason, "webhooks", self.number, *path)
        return replace(
            found, webhook=self.webhook.name, severity=severity or found.severity
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """A Validating- or MutatingWebhookConfiguration of anybody.

    Args:
        number: among those that are looked at.
        kind: one of `KINDS`.
        api_version: as it says.
        decoded: its content as the API server understands it.
        static: it is a static manifest, not an object of the API.
    """

    number: int
    kind: str
    api_version: str
    decoded: Decoded
    static: bool = False
    entries: tuple[Entry, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Of the object; empty if it has none."""
        name: str = self.decoded.content.get("metadata", {}).get("name", "")
        return name

    @property
    def annotations(self) -> dict[str, str]:
        """Of the object."""
        metadata = self.decoded.content.get("metadata", {})
        found: dict[str, str] = metadata.get("annotations", {})
        return found

    def find(self, id: str, reason: str, *path: str | int) -> Finding:
        """Return a finding about this configuration, or a member of it."""
        name = f"{self.kind}/{self.name}"
        return Finding(id, CATALOGUE[id].severity, reason, self.number, name, "", path)

    @classmethod
    def read(
        cls, content: dict[str, Any], number: int, *, static: bool = False
    ) -> Configuration:
        """Read a configuration; entries that no API server would store are left out."""
        decoded = decode_configuration(content)
        name = decoded.content.get("metadata", {}).get("name", "")
        read = cls(
            number,
            content["kind"],
            content["apiVersion"],
            decoded,
            static or name.endswith(STATIC_SUFFIX),
        )
        return replace(read, entries=tuple(_read_entries(read)))


def _read_entries(configuration: Configuration) -> Iterator[Entry]:
    content = configuration.decoded.content
    for number, entry in enumerate(content.get("webhooks", ())):
        try:
            webhook = read_webhook(entry)
        except ConfigError:
            continue
        yield Entry(configuration, number, entry, webhook)
