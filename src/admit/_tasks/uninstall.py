"""Take a release out of a cluster: what can block first, then what runs.

The API server calls what is registered, whether pods are left or not. So first goes
the pods' right to put the configurations back, then these, then everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from admit._cluster import connect
from admit._tasks.deployment import generate_release
from admit._tasks.stored import name_of
from admit.errors import ClusterError

if TYPE_CHECKING:
    from admit._cluster import Cluster
    from admit._tasks.deployment import Release, ReleaseOptions

__all__ = ("Removed", "UninstallReport", "belongs", "in_stages", "uninstall")

Object: TypeAlias = dict[str, Any]
Outcome: TypeAlias = Literal["deleted", "absent", "foreign", "failed"]


class Removed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one object.

    Args:
        object: ``Kind/name`` or ``Kind/namespace/name``.
        outcome: deleted; absent, it was not there; foreign, another of this name is
            there and stays; failed, it may still be there.
        error: why it failed.
    """

    object: str
    outcome: Outcome
    error: str = ""


class UninstallReport(msgspec.Struct, frozen=True, rename="camel"):
    """What was removed, in that order."""

    removed: tuple[Removed, ...]
    dry_run: bool

    @property
    def failed(self) -> bool:
        """Something of the release may still be there."""
        return any(one.outcome == "failed" for one in self.removed)


async def uninstall(
    options: ReleaseOptions,
    *,
    kubeconfig: str = "",
    context: str = "",
    dry_run: bool = False,
) -> UninstallReport:
    """Delete what `generate_release` generates; whatever else there is stays.

    While a configuration cannot be deleted, nothing that runs is: it would block.

    Raises:
        ConfigError, PolicyError, CertificateError: as `generate_release`.
        ClusterError: the cluster cannot be reached.
    """
    release = generate_release(options)
    removed: list[Removed] = []
    async with connect(kubeconfig, context) as cluster:
        for stage in in_stages(release):
            removed += [
                await _remove(cluster, manifest, release, dry_run=dry_run)
                for manifest in stage
            ]
            if any(one.outcome == "failed" for one in removed):
                break
        return UninstallReport(tuple(removed), dry_run)


def in_stages(release: Release) -> tuple[tuple[Object, ...], ...]:
    """Return objects in stages, each of which needs the one before to be gone."""
    backwards = release.objects[::-1]
    right = tuple(o for o in backwards if o["kind"] == "ClusterRoleBinding")
    rest = tuple(o for o in backwards if o["kind"] != "ClusterRoleBinding")
    # A pod may have been about to write one when it lost the right.
    return right, release.configurations, rest, release.configurations


async def _remove(
    cluster: Cluster, manifest: Object, release: Release, *, dry_run: bool
) -> Removed:
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace", "")
    name = name_of(manifest)
    try:
        resource = await cluster.find(manifest["apiVersion"], manifest["kind"])
        if resource is None:
            return Removed(name, "absent")
        found = await cluster.get(resource, metadata["name"], namespace)
        if found is None:
            return Removed(name, "absent")
        if not belongs(found, release):
            return Removed(name, "foreign")
        uid = found["metadata"]["uid"]
        deleted = await cluster.delete(
            resource, metadata["name"], namespace, uid=uid, dry_run=dry_run
        )
    except ClusterError as error:
        return Removed(name, "failed", str(error))
    return Removed(name, "deleted" if deleted else "absent")


def belongs(found: Object, release: Release) -> bool:
    """Say whether an object is the release's, not another one of the same name."""
    if "webhooks" in found:
        service = {"name": release.options.name, "namespace": release.options.namespace}
        called = [one["clientConfig"].get("service") or {} for one in found["webhooks"]]
        return all(service.items() <= one.items() for one in called)
    labels = found["metadata"].get("labels") or {}
    return release.options.labels.items() <= labels.items()
