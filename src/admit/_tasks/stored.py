"""What a cluster has of the objects that a release names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from admit._cluster import Cluster

__all__ = ("look_up", "name_of")


def name_of(manifest: dict[str, Any]) -> str:
    """Return ``Kind/name`` or ``Kind/namespace/name``."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace", "")
    return "/".join(filter(None, (manifest["kind"], namespace, metadata["name"])))


async def look_up(cluster: Cluster, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is stored of this name, None for nothing or an unknown kind."""
    resource = await cluster.find(manifest["apiVersion"], manifest["kind"])
    if resource is None:
        return None
    metadata = manifest["metadata"]
    return await cluster.get(resource, metadata["name"], metadata.get("namespace", ""))
