"""`admit doctor`: look at a cluster's webhooks, whoever runs them: what is wrong?

Everything is only read, but for one kind of write that is never made: harmless objects
created with dry run, so that the API server itself calls the webhooks. What may not be
looked at is said, and the rest is looked at all the same.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from admit._cluster import (
    CUSTOM_RESOURCE_DEFINITIONS,
    ENDPOINT_SLICES,
    NAMESPACES,
    PODS,
    SERVICES,
    connect,
)
from admit.doctor import (
    SEVERITIES,
    Configuration,
    Context,
    Severity,
    is_at_least,
)
from admit.doctor.live.backends import key_of
from admit.doctor.live.diagnose import diagnose
from admit.doctor.live.handshake import shake_hands
from admit.doctor.live.logs import read_log
from admit.doctor.live.numbers import Numbers, read_numbers
from admit.doctor.live.snapshot import Backend, Call, LiveFinding, Snapshot
from admit.errors import ClusterError, ConfigError
from admit.matching import BUILT_IN
from admit.rescue.probe import probe
from admit.rescue.steps import list_configurations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from admit._cluster import Cluster
    from admit.doctor.findings import Entry
    from admit.matching import Equivalents

__all__ = ("DoctorOptions", "DoctorReport", "WebhookReport", "examine")

_T = TypeVar("_T")

# Services that are looked at at once.
TOGETHER: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """Where to look, and at what beside the API.

    Args:
        kubeconfig: file, and `context` in it; empty for what kubectl takes.
        probe: let the API server call the webhooks for dry runs that are not made.
        api_server_log: files of kube-apiserver's log.
        audit_log: files of its audit log, JSON lines.
    """

    kubeconfig: str = ""
    context: str = ""
    probe: bool = True
    api_server_log: tuple[str, ...] = ()
    audit_log: tuple[str, ...] = ()


class WebhookReport(msgspec.Struct, frozen=True, rename="camel"):
    """One webhook and how it does.

    Args:
        resources: what its rules name, for people.
        health: the worst severity found about it; ``ok`` without.
        seconds: how long a request took that it was asked about; None if not asked.
    """

    configuration: str
    webhook: str
    resources: tuple[str, ...]
    failure_policy: str
    timeout_seconds: int
    health: str
    seconds: float | None = None


class DoctorReport(msgspec.Struct, frozen=True, rename="camel"):
    """What was found, the worst first.

    Args:
        unseen: what could not be looked at, and why.
    """

    findings: tuple[LiveFinding, ...]
    webhooks: tuple[WebhookReport, ...]
    counts: dict[str, int]
    unseen: tuple[str, ...]
    server: str
    seen_at: dt.datetime

    def has_at_least(self, severity: Severity) -> bool:
        """Tell whether a finding is as bad as this, or worse."""
        return any(is_at_least(finding.severity, severity) for finding in self.findings)


async def examine(options: DoctorOptions) -> DoctorReport:
    """Look at a cluster once.

    Raises:
        ConfigError: a kubeconfig or log cannot be read (operator's fault).
        ClusterError: not even the webhook configurations can be listed.
    """
    calls = [
        *(call for file in options.api_server_log for call in _read(file, audit=False)),
        *(call for file in options.audit_log for call in _read(file, audit=True)),
    ]
    async with connect(options.kubeconfig, options.context) as cluster:
        return await _Examination(cluster, options).run(calls)


def _read(name: str, *, audit: bool) -> Sequence[Call]:
    try:
        with Path(name).open(encoding="utf-8", errors="replace") as lines:
            return read_log(lines, audit=audit)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=name) from error


class _Examination:
    """One look at one cluster."""

    def __init__(self, cluster: Cluster, options: DoctorOptions) -> None:
        self._cluster = cluster
        self._options = options
        self._unseen: list[str] = []

    async def run(self, calls: Sequence[Call]) -> DoctorReport:
        raw = await list_configurations(self._cluster)
        read = [Configuration.read(content, n) for n, content in enumerate(raw)]
        entries = [entry for one in read for entry in one.entries]
        labels = await self._find_namespaces()
        backends = await self._find_backends(entries, labels)
        probed = await self._probe(raw)
        snapshot = Snapshot(
            configurations=read,
            raw=raw,
            backends=backends,
            calls=(*probed, *calls),
            numbers=await self._find_numbers(),
            handshakes=await shake_hands(entries, backends),
            now=dt.datetime.now(dt.UTC),
        )
        context = Context(
            namespaces=labels or {},
            equivalents=await self._find_equivalents(),
            now=snapshot.now,
        )
        findings = diagnose(snapshot, context)
        counts = Counter(finding.severity for finding in findings)
        return DoctorReport(
            findings,
            tuple(_describe(entry, findings, probed) for entry in entries),
            {severity: counts[severity] for severity in SEVERITIES},
            tuple(self._unseen),
            self._cluster.server,
            snapshot.now.replace(microsecond=0),
        )

    async def _try(self, what: str, looking: Awaitable[_T], otherwise: _T) -> _T:
        """Look at one thing; say what could not be seen, and go on."""
        try:
            return await looking
        except ClusterError as error:
            self._unseen.append(f"{what}: {error.message}")
            return otherwise

    async def _find_namespaces(self) -> Mapping[str, Mapping[str, str]] | None:
        async def look() -> dict[str, Mapping[str, str]]:
            listing = await self._cluster.list(NAMESPACES)
            return {
                item["metadata"]["name"]: item["metadata"].get("labels") or {}
                for item in listing.items
            }

        return await self._try("namespaces", look(), None)

    async def _find_equivalents(self) -> Equivalents:
        async def look() -> Equivalents:
            listing = await self._cluster.list(CUSTOM_RESOURCE_DEFINITIONS)
            return BUILT_IN.with_custom(listing.items)

        return await self._try("custom resource definitions", look(), BUILT_IN)

    async def _find_backends(
        self,
        entries: Sequence[Entry],
        namespaces: Mapping[str, Mapping[str, str]] | None,
    ) -> dict[str, Backend]:
        keys = sorted({key for entry in entries if (key := key_of(entry))})
        slots = asyncio.Semaphore(TOGETHER)

        async def look(key: str) -> Backend | None:
            async with slots:
                there = namespaces is None or key.partition("/")[0] in namespaces
                looking = self._find_backend(key, namespace=there)
                return await self._try(f"Service {key}", looking, None)

        found = await asyncio.gather(*(look(key) for key in keys))
        return {
            key: backend
            for key, backend in zip(keys, found, strict=True)
            if backend is not None
        }

    async def _find_backend(self, key: str, *, namespace: bool) -> Backend:
        place, _, name = key.partition("/")
        service = await self._cluster.get(SERVICES, name, place) if namespace else None
        if service is None:
            return Backend(namespace, None)
        slices = await self._cluster.list(
            ENDPOINT_SLICES, place, label_selector=f"kubernetes.io/service-name={name}"
        )
        selector = (service.get("spec") or {}).get("selector") or {}
        pods: list[dict[str, Any]] = []
        if selector:
            labels = ",".join(f"{key}={value}" for key, value in selector.items())
            listing = self._cluster.list(PODS, place, label_selector=labels)
            pods = await self._try(f"pods of {key}", _items(listing), [])
        return Backend(namespace, service, slices.items, pods)

    async def _probe(self, raw: Sequence[Mapping[str, Any]]) -> list[Call]:
        if not self._options.probe:
            return []
        return [
            Call(
                one.webhook,
                one.reason if one.outcome == "fails" else "",
                "dry run",
                seconds=one.seconds,
            )
            for one in await probe(self._cluster, raw)
            if one.outcome != "not asked"
        ]

    async def _find_numbers(self) -> Numbers | None:
        async def look() -> Numbers:
            return read_numbers(await self._cluster.fetch("/metrics"))

        return await self._try("metrics of the API server", look(), None)


async def _items(looking: Awaitable[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await looking).items
    return found


def _describe(
    entry: Entry, findings: Sequence[LiveFinding], probed: Sequence[Call]
) -> WebhookReport:
    name = f"{entry.configuration.kind}/{entry.configuration.name}"
    ours = [
        finding.severity
        for finding in findings
        if finding.configuration == name and finding.webhook in {"", entry.webhook.name}
    ]
    seconds = [c.seconds for c in probed if c.webhook == entry.webhook.name]
    return WebhookReport(
        name,
        entry.webhook.name,
        tuple(
            dict.fromkeys(
                f"{resource}.{group}" if group not in {"", "*"} else resource
                for rule in entry.webhook.rules
                for group in rule.api_groups
                for resource in rule.resources
            )
        ),
        entry.webhook.failure_policy,
        entry.webhook.timeout_seconds,
        min(ours, key=SEVERITIES.index, default="ok"),
        seconds[0] if seconds else None,
    )
