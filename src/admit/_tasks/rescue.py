"""`admit rescue`: bring a cluster up from an etcd snapshot that webhooks would block.

Plan before: what will stand in the way, proved by the matcher, and a backup. Open
during: all of it fails open in one step, as soon as the API server answers. Close
after: everything is as it was, and each webhook is seen to answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from admit._cluster import NAMESPACES, connect
from admit._tasks.break_glass import (
    BreakGlassReport,
    GlassOptions,
    Kept,
    break_glass,
)
from admit._tasks.restore import RestoreOptions, restore
from admit.doctor import Configuration, Context
from admit.doctor.cold_start import find_blocks, find_deadlocks
from admit.errors import ClusterError
from admit.rescue.probe import Probed, probe
from admit.rescue.steps import list_configurations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from admit._cluster import Cluster
    from admit._tasks.break_glass import StepReport

__all__ = (
    "BlockReport",
    "ClosedReport",
    "PlanReport",
    "close_rescue",
    "open_rescue",
    "plan_rescue",
)

# Seconds between two tries while the API server does not answer.
PAUSE_SECONDS: Final = 2.0

Confirm: TypeAlias = "Callable[[tuple[StepReport, ...]], bool]"


class BlockReport(msgspec.Struct, frozen=True, rename="camel"):
    """A webhook that stands in the way of a start.

    Args:
        writes: what a start needs and it would refuse while it is down.
        sure: for certain; otherwise it depends on labels or match conditions.
    """

    configuration: str
    webhook: str
    writes: tuple[str, ...]
    sure: bool


class PlanReport(msgspec.Struct, frozen=True, rename="camel"):
    """What stands in the way, who waits for whom, and where the backup is."""

    blocks: tuple[BlockReport, ...]
    deadlocks: tuple[tuple[str, ...], ...]
    backup: str
    config_map: str


class ClosedReport(msgspec.Struct, frozen=True, rename="camel"):
    """What was put back, and whether each webhook answers."""

    restored: BreakGlassReport
    probes: tuple[Probed, ...]

    @property
    def failed(self) -> bool:
        """Something could not be put back, or does not answer."""
        return self.restored.failed or any(p.outcome == "fails" for p in self.probes)


@dataclass(frozen=True, slots=True)
class _Found:
    blocks: tuple[BlockReport, ...]
    deadlocks: tuple[tuple[str, ...], ...]


async def plan_rescue(options: GlassOptions) -> PlanReport:
    """Say what would block a restore now, and back everything up.

    Raises:
        ConfigError: the file cannot be written (operator's fault).
        ClusterError: the cluster cannot be asked.
    """
    async with connect(options.kubeconfig, options.context) as cluster:
        found = await _look(cluster)
    every = replace(options, occasion="rescue", every=True)
    report = await break_glass(every, lambda _: True)
    backup = report.backup if report is not None else None
    return PlanReport(
        found.blocks,
        found.deadlocks,
        backup.file if backup else "",
        backup.config_map if backup else "",
    )


async def open_rescue(
    options: GlassOptions, confirm: Confirm, wait_seconds: float
) -> BreakGlassReport | None:
    """Let everything that blocks a start fail open, once the API server answers.

    Args:
        options: how; what is meant is found here.
        confirm: asked once with what would be done; None is returned if it says no.
        wait_seconds: for an API server that is starting.

    Raises:
        ConfigError: the backup cannot be written (operator's fault).
        ClusterError: the API server did not answer in time.
    """

    async def find() -> _Found:
        async with connect(options.kubeconfig, options.context) as cluster:
            return await _look(cluster)

    found = await _retry(find, wait_seconds)
    names = tuple(dict.fromkeys(_short(one.configuration) for one in found.blocks))
    if not names:
        return BreakGlassReport((), Kept(), options.dry_run)
    return await break_glass(
        replace(options, occasion="failopen", names=names, every=False), confirm
    )


async def close_rescue(
    options: RestoreOptions, confirm: Confirm
) -> ClosedReport | None:
    """Put back what was opened; see that each webhook answers.

    Raises:
        ConfigError, ClusterError: as `restore`.
    """
    restored = await restore(options, confirm)
    if restored is None:
        return None
    names = {step.configuration for step in restored.steps if not step.error}
    async with connect(options.kubeconfig, options.context) as cluster:
        live = await list_configurations(cluster)
        closed = [
            one for one in live if f"{one['kind']}/{one['metadata']['name']}" in names
        ]
        return ClosedReport(restored, await probe(cluster, closed))


async def _look(cluster: Cluster) -> _Found:
    live = await list_configurations(cluster)
    read = [Configuration.read(content, n) for n, content in enumerate(live)]
    entries = [entry for one in read for entry in one.entries]
    listing = await cluster.list(NAMESPACES)
    context = Context(
        namespaces={
            item["metadata"]["name"]: item["metadata"].get("labels") or {}
            for item in listing.items
        }
    )
    blocks = tuple(
        BlockReport(
            f"{block.entry.configuration.kind}/{block.entry.configuration.name}",
            block.entry.webhook.name,
            tuple(dict.fromkeys(write.purpose for write in block.writes)),
            block.sure,
        )
        for block in find_blocks(entries, context)
    )
    deadlocks = find_deadlocks(entries, context)
    return _Found(blocks, tuple(one.describe() for one in deadlocks))


def _short(name: str) -> str:
    """Return a name as a command line takes it: ``validating/NAME``."""
    kind, _, rest = name.partition("/")
    return f"{kind.removesuffix('WebhookConfiguration').lower()}/{rest}"


async def _retry(look: Callable[[], Awaitable[_Found]], seconds: float) -> _Found:
    """Ask until there is an answer; an API server that starts gives several kinds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await look()
        except ClusterError:
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(PAUSE_SECONDS)
