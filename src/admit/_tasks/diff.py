"""`admit diff`: what an install would change, by the API server's own word."""

from __future__ import annotations

import copy
import difflib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit._cluster import connect
from admit._tasks.deployment import generate_release
from admit._tasks.dialect import dump_yaml
from admit._tasks.stored import look_up, name_of

if TYPE_CHECKING:
    from admit._cluster import Cluster
    from admit._tasks.deployment import ReleaseOptions

__all__ = ("OWNER", "Changed", "DiffReport", "diff", "without_state")

# The field manager of everything that a person installs.
OWNER: Final = "admit"

# What the API server counts; it says nothing about what somebody wants.
_COUNTED: Final = (
    *("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"),
)


class Changed(msgspec.Struct, frozen=True):
    """One object that is not as it would be.

    Args:
        object: ``Kind/name`` or ``Kind/namespace/name``.
        diff: unified, of YAML.
    """

    object: str
    diff: str


class DiffReport(msgspec.Struct, frozen=True):
    """What would change, in the order of an install."""

    changed: tuple[Changed, ...]


async def diff(
    options: ReleaseOptions, *, kubeconfig: str = "", context: str = ""
) -> DiffReport:
    """Apply everything with dry run, and compare with what is stored.

    Raises:
        ConfigError, PolicyError, CertificateError: as `generate_release`.
        ClusterError: the cluster cannot be asked, or refuses an object.
    """
    release = generate_release(options)
    changed = []
    async with connect(kubeconfig, context) as cluster:
        for manifest in (*release.objects, *release.configurations):
            text = await _compare(cluster, manifest)
            if text:
                changed.append(Changed(name_of(manifest), text))
    return DiffReport(tuple(changed))


async def _compare(cluster: Cluster, manifest: dict[str, Any]) -> str:
    before = await look_up(cluster, manifest)
    # What is not there may lack its namespace too, and then no dry run is possible.
    after = manifest
    if before is not None:
        after = await cluster.apply(manifest, owner=OWNER, force=True, dry_run=True)
    name = name_of(manifest)
    lines = difflib.unified_diff(
        _write(before), _write(after), f"cluster/{name}", f"policies/{name}"
    )
    return "".join(lines)


def _write(content: dict[str, Any] | None) -> list[str]:
    if content is None:
        return []
    return dump_yaml([without_state(content)]).splitlines(keepends=True)


def without_state(content: dict[str, Any]) -> dict[str, Any]:
    """Return a copy with what somebody wants: no status, no counters, no caBundle."""
    wanted = copy.deepcopy(content)
    wanted.pop("status", None)
    for name in _COUNTED:
        wanted["metadata"].pop(name, None)
    for webhook in wanted.get("webhooks") or ():
        webhook["clientConfig"].pop("caBundle", None)
    return wanted
