"""A resource as an operator names it: ``pods``, ``deployments.apps``, ``pods/exec``."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from admit.errors import ConfigError
from admit.rescue.selection import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from admit._cluster import Cluster

__all__ = ("find_target",)


async def find_target(cluster: Cluster, text: str) -> Target:
    """Find a resource by its plural, in the version that the API server prefers.

    Raises:
        ConfigError: the cluster serves no such resource, or two groups do.
        ClusterError: the cluster cannot be asked.
    """
    named, _, subresource = text.partition("/")
    plural, _, group = named.partition(".")
    found, plurals = [], set()
    async for at, version, served in _served(cluster):
        name = served["name"]
        plurals.add(name)
        if name == plural and (not group or at == group):
            target = Target(
                group=at,
                version=version,
                resource=plural,
                subresource=subresource,
                kind=served["kind"],
                namespaced=served["namespaced"],
            )
            found.append(target)
    if not found:
        near = difflib.get_close_matches(plural, plurals, n=1)
        raise ConfigError(
            f"the cluster serves no resource {named}",
            hint=f"{near[0]}?" if near else "the plural, as in kubectl api-resources",
        )
    core = [target for target in found if not target.group]
    if len(found) > 1 and not core:
        names = ", ".join(f"{plural}.{target.group}" for target in found)
        raise ConfigError(f"{named} is in several groups", hint=f"one of {names}")
    return (core or found)[0]


async def _served(cluster: Cluster) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Yield group, version and resource; a group whose server is down is passed over.

    Source: aggregated discovery (apidiscovery.k8s.io/v2) is one call, but only here is
    every API server alike.
    """
    paths = [("", "v1", "/api/v1")]
    for group in json.loads(await cluster.fetch("/apis"))["groups"]:
        version = group["preferredVersion"]
        path = f"/apis/{version['groupVersion']}"
        paths.append((group["name"], version["version"], path))
    for name, version, path in paths:
        resources = json.loads(await cluster.fetch(path)).get("resources") or ()
        for resource in resources:
            yield name, version, resource
