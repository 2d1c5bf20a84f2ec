"""Wait until what was applied works: pods, configurations, and the way to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from admit._cluster import DEPLOYMENTS, PODS
from admit._tasks.stored import look_up, name_of
from admit.rescue.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from admit._cluster import Cluster
    from admit.deployment import DeploymentOptions

__all__ = ("Waiting",)

PAUSE_SECONDS: Final = 1.0


class Waiting:
    """Asks the cluster again and again; whoever waits sets the limit.

    Args:
        cluster: the one that is asked.
        tell: takes a line for a person, each time it says something else.
    """

    def __init__(self, cluster: Cluster, tell: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._tell = tell
        self.reason = ""

    async def until_rolled_out(self, options: DeploymentOptions) -> None:
        """Return when every pod is of the new template and available."""
        while True:
            found = await self._cluster.get(
                DEPLOYMENTS, options.name, options.namespace
            )
            missing = _judge(found)
            if not missing:
                return
            stuck = await self._find_stuck(options)
            await self._again(f"{missing}{f': {stuck}' if stuck else ''}")

    async def until_registered(self, configurations: Sequence[dict[str, Any]]) -> None:
        """Return when each configuration is there and says whom to trust."""
        for manifest in configurations:
            while True:
                found = await look_up(self._cluster, manifest)
                if found is not None and all(
                    webhook["clientConfig"].get("caBundle")
                    for webhook in found.get("webhooks") or ()
                ):
                    break
                what = "is not there" if found is None else "has no caBundle"
                await self._again(f"{name_of(manifest)} {what} yet")

    async def until_called(self, configurations: Sequence[dict[str, Any]]) -> None:
        """Return when the API server reaches every webhook that can be probed."""
        while True:
            probed = await probe(self._cluster, configurations)
            failed = [one for one in probed if one.outcome == "fails"]
            if not failed:
                return
            await self._again(failed[0].reason)

    async def _find_stuck(self, options: DeploymentOptions) -> str:
        selector = ",".join(f"{key}={value}" for key, value in options.labels.items())
        listing = await self._cluster.list(
            PODS, options.namespace, label_selector=selector
        )
        for pod in listing.items:
            for state in (pod.get("status") or {}).get("containerStatuses") or ():
                waiting = (state.get("state") or {}).get("waiting") or {}
                if waiting.get("reason"):
                    return f"pod {pod['metadata']['name']} is in {waiting['reason']}"
        return ""

    async def _again(self, reason: str) -> None:
        if reason != self.reason:
            self.reason = reason
            self._tell(reason)
        await asyncio.sleep(PAUSE_SECONDS)


def _judge(deployment: dict[str, Any] | None) -> str:
    """Say what is missing, as `kubectl rollout status` finds it."""
    if deployment is None:
        return "the Deployment is gone"
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return "nobody has seen the Deployment yet"
    wanted = deployment["spec"]["replicas"]
    for name, words in (("updatedReplicas", "new"), ("availableReplicas", "available")):
        there = status.get(name, 0)
        if there < wanted:
            return f"{there} of {wanted} pods are {words}"
    if status.get("replicas", 0) > status["updatedReplicas"]:
        return "old pods are still there"
    return ""
