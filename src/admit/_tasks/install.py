"""`admit install`: put a release into a cluster, or leave the cluster as it was.

Objects first, then the pods, then what makes the API server call them, and last a call.
A rollback goes like an uninstall: what can block is taken away before what answers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from admit._cluster import connect
from admit._tasks.deployment import generate_release
from admit._tasks.diff import OWNER, without_state
from admit._tasks.rolling import Waiting
from admit._tasks.stored import look_up, name_of
from admit._tasks.uninstall import belongs, in_stages
from admit.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit._cluster import Cluster
    from admit._tasks.deployment import Release, ReleaseOptions

__all__ = ("InstallOptions", "InstallReport", "Step", "install")

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions:
    """What is installed, where, and how long it may take.

    Args:
        release: which policies, and how they run.
        kubeconfig: file, and `context` in it; empty for what kubectl takes.
        timeout_seconds: until everything answers; a rollback comes after that.
        dry_run: ask the API server, change nothing.
    """

    release: ReleaseOptions
    kubeconfig: str = ""
    context: str = ""
    timeout_seconds: float = 180.0
    dry_run: bool = False


class Step(msgspec.Struct, frozen=True):
    """What became of one object, named as in `name_of`."""

    object: str
    outcome: Literal["created", "changed", "same"]


class InstallReport(msgspec.Struct, frozen=True, rename="camel"):
    """What was done.

    Args:
        steps: in that order.
        dry_run: nothing was changed.
        failure: why it was rolled back; empty if it was not.
        left: what could not be put back, and why.
    """

    steps: tuple[Step, ...]
    dry_run: bool
    failure: str = ""
    left: tuple[str, ...] = ()


async def install(
    options: InstallOptions, tell: Callable[[str], None]
) -> InstallReport:
    """Apply a release, wait until it answers; roll back if it does not, or on cancel.

    Raises:
        ConfigError, PolicyError, CertificateError: as `generate_release`.
        ClusterError: the cluster cannot be asked, or has other objects of these names;
            nothing was written.
    """
    release = generate_release(options.release)
    async with connect(options.kubeconfig, options.context) as cluster:
        installing = _Installing(cluster, release, tell)
        await installing.remember()
        if options.dry_run:
            await installing.try_out()
            return InstallReport(tuple(installing.steps), dry_run=True)
        waiting = Waiting(cluster, tell)
        try:
            async with asyncio.timeout(options.timeout_seconds):
                await installing.run(waiting)
        except TimeoutError:
            why = waiting.reason or "the API server is slow"
            failure = f"not ready after {options.timeout_seconds:g} s: {why}"
        except asyncio.CancelledError:
            failure = "interrupted"
        except ClusterError as error:
            failure = str(error)
        else:
            return InstallReport(tuple(installing.steps), dry_run=False)
        tell(f"{failure}; rolling back")
        left = await installing.roll_back()
        return InstallReport(tuple(installing.steps), False, failure, left)


class _Installing:
    def __init__(
        self, cluster: Cluster, release: Release, tell: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._release = release
        self._tell = tell
        self._before: dict[str, Object | None] = {}
        self.steps: list[Step] = []

    async def remember(self) -> None:
        """Keep what is there; refuse to take over what is not the release's."""
        for manifest in (*self._release.objects, *self._release.configurations):
            found = await look_up(self._cluster, manifest)
            if found is not None and not belongs(found, self._release):
                raise ClusterError(
                    "is there and is not this release's; nothing was changed",
                    place=name_of(manifest),
                    hint="choose another --name or --namespace, or delete it",
                )
            self._before[name_of(manifest)] = found

    async def try_out(self) -> None:
        """Apply with dry run; what lacks its namespace cannot be tried."""
        namespace = self._before[name_of(self._release.objects[0])]
        for manifest in (*self._release.objects, *self._release.configurations):
            if namespace is None and "namespace" in manifest["metadata"]:
                self.steps.append(Step(name_of(manifest), "created"))
            else:
                await self._apply(manifest, dry_run=True)

    async def run(self, waiting: Waiting) -> None:
        for manifest in self._release.objects:
            await self._apply(manifest)
        await waiting.until_rolled_out(self._release.options)
        configurations = self._release.configurations
        if self._release.options.certs != "self":
            for manifest in configurations:
                await self._apply(manifest)
        if self._release.options.certs != "files":
            await waiting.until_registered(configurations)
        await waiting.until_called(configurations)

    async def _apply(self, manifest: Object, *, dry_run: bool = False) -> None:
        before = self._before[name_of(manifest)]
        after = await self._cluster.apply(
            manifest, owner=OWNER, force=True, dry_run=dry_run
        )
        outcome: Literal["created", "changed", "same"] = "created"
        if before is not None:
            same = without_state(before) == without_state(after)
            outcome = "same" if same else "changed"
        step = Step(name_of(manifest), outcome)
        self.steps.append(step)
        self._tell(f"{step.object} {step.outcome}")

    async def roll_back(self) -> tuple[str, ...]:
        """Make everything what it was; return what could not be, and why.

        What was there before comes back first only for what does not block: an old
        configuration follows its pods.
        """
        left = []
        for stage in in_stages(self._release):
            for manifest in stage:
                if self._before[name_of(manifest)] is None:
                    left += await self._put_back(manifest)
        for manifest in (*self._release.objects, *self._release.configurations):
            if self._before[name_of(manifest)] is not None:
                left += await self._put_back(manifest)
        return tuple(left)

    async def _put_back(self, manifest: Object) -> list[str]:
        before = self._before[name_of(manifest)]
        try:
            resource = await self._cluster.find(
                manifest["apiVersion"], manifest["kind"]
            )
            found = await look_up(self._cluster, manifest)
            if resource is None:
                return []
            metadata = manifest["metadata"]
            if before is None:
                if found is not None and belongs(found, self._release):
                    await self._cluster.delete(
                        resource,
                        metadata["name"],
                        metadata.get("namespace", ""),
                        uid=found["metadata"]["uid"],
                    )
            elif found is None:
                await self._cluster.create(resource, without_state(before))
            elif without_state(found) != without_state(before):
                version = found["metadata"]["resourceVersion"]
                old = {**before["metadata"], "resourceVersion": version}
                await self._cluster.replace(resource, {**before, "metadata": old})
        except ClusterError as error:
            return [f"{name_of(manifest)}: {error}"]
        return []
