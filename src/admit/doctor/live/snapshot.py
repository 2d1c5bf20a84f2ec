"""What was seen of a cluster, as values: the material that findings are made of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from admit.doctor.catalogue import Severity
    from admit.doctor.findings import Configuration, Entry
    from admit.doctor.live.handshake import Handshake
    from admit.doctor.live.numbers import Numbers

__all__ = ("Backend", "Call", "LiveFinding", "Snapshot")


@dataclass(frozen=True, slots=True)
class Backend:
    """What stands behind a Service of a webhook.

    Args:
        namespace: whether it exists.
        service: the object; None if there is none.
        slices: its EndpointSlices.
        pods: those that its selector finds.
    """

    namespace: bool
    service: Mapping[str, Any] | None
    slices: Sequence[Mapping[str, Any]] = ()
    pods: Sequence[Mapping[str, Any]] = ()

    @property
    def labels(self) -> Mapping[str, Any] | None:
        """Labels of one of its pods; without a pod, what the Service selects."""
        for pod in self.pods:
            found: Mapping[str, Any] = pod["metadata"].get("labels") or {}
            return found
        return None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the API server tried, or how often it did.

    Args:
        webhook: the entry's name, all that the API server says of it.
        reason: why it failed, in the API server's words; empty if it did not.
        source: where that was read: ``probe``, ``API server log``, ``audit log``.
        count: how often.
        seconds: how long the whole request took; None if nobody measured.
        ignored: it failed open.
    """

    webhook: str
    reason: str
    source: str
    count: int = 1
    seconds: float | None = None
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that was seen, and what could not be.

    Args:
        configurations: as the API server holds them, and read.
        backends: by ``namespace/name`` of the Service; absent if nobody could look.
        calls: tried by a probe, or found in logs.
        numbers: of the API server's own metrics; None if they could not be read.
        handshakes: that came about from here, by the webhook's name.
        now: UTC.
    """

    configurations: Sequence[Configuration]
    raw: Sequence[Mapping[str, Any]]
    backends: Mapping[str, Backend] = field(default_factory=dict)
    calls: Sequence[Call] = ()
    numbers: Numbers | None = None
    handshakes: Mapping[str, Handshake] = field(default_factory=dict)
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def entries(self) -> list[Entry]:
        """Every webhook of every configuration."""
        return [entry for one in self.configurations for entry in one.entries]


@dataclass(frozen=True, slots=True)
class LiveFinding:
    """One thing that is wrong with what is live.

    Args:
        id: in the catalogue, or among the causes.
        severity: how bad, here.
        configuration: ``Kind/name``; empty where it is about the cluster.
        webhook: the entry's name; empty where it is about the whole.
        evidence: what was seen, each in a line.
        cause: what that means, in a sentence.
        remedy: what to type.
        link: where it is explained.
    """

    id: str
    severity: Severity
    configuration: str
    webhook: str
    evidence: tuple[str, ...]
    cause: str
    remedy: str
    link: str
