"""Webhook configurations in a control plane of one's own, and when they count.

The API server learns of configurations by a watch of each kind, in the order in which
they were written. So a marker is written after them, in both kinds, that calls us for
one object nobody else asks about: once it is called, they all count.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, Final

from admit.errors import ClusterError
from admit.review import AdmissionRequest, AdmissionResponse
from admit.webhook import (
    MatchCondition,
    MutatingWebhook,
    Rule,
    ValidatingWebhook,
    Webhook,
    to_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit._tasks.manifests import Target
    from admit.testing import Client

__all__ = ("Registered",)

# Sorts before every app's, so that no policy refuses the question first.
MARKER: Final = "00-admit-dev-ready"
MARKER_PATH: Final = "/admit-dev/ready"

# No configuration of admit's looks in there unless a policy names it.
MARKER_NAMESPACE: Final = "kube-system"

_RULE: Final = Rule(
    api_groups=("",),
    api_versions=("v1",),
    operations=("CREATE",),
    resources=("configmaps",),
)

# It takes a second; a busy machine may need many times that.
EFFECT_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05


class _Marker:
    """A Reviewer that allows, and remembers that it was asked."""

    suspends = False
    timeout_seconds = 2

    def __init__(self, webhook_name: str) -> None:
        self.webhook_name = webhook_name
        self.names: set[str] = set()

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        self.names.add(request.name)
        return AdmissionResponse()


class Registered:
    """The configurations that are in effect.

    Args:
        client: may write them.
        target: where the webhook listens.
    """

    def __init__(self, client: Client, target: Target) -> None:
        self._client = client
        self._target = target
        self._current: dict[tuple[str, str], dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._markers = {
            f"{MARKER_PATH}/{phase}": _Marker(f"{phase}.{MARKER}.internal")
            for phase in ("mutate", "validate")
        }

    @property
    def routes(self) -> dict[str, Any]:
        """What the webhook must answer for this to work."""
        return dict(self._markers)

    async def replace(self, configurations: Sequence[dict[str, Any]]) -> None:
        """Have these configurations in effect, and no others of ours.

        Raises:
            ClusterError: the API server refuses one, or does not use them in time.
        """
        new = {(c["kind"], c["metadata"]["name"]): c for c in configurations}
        if new == self._current:
            return
        for configuration in configurations:
            await asyncio.to_thread(self._client.apply, configuration)
        for key in self._current.keys() - new.keys():
            await asyncio.to_thread(self._client.delete, self._current[key])
        self._current = new
        await self._wait()

    async def _wait(self) -> None:
        """Wait until the API server asks the marker of each kind."""
        name = f"admit-dev-ready-{next(self._numbers)}"
        markers = self._write_markers(name)
        try:
            for marker in markers:
                await asyncio.to_thread(self._client.apply, marker)
            loop = asyncio.get_running_loop()
            give_up_at, last = loop.time() + EFFECT_SECONDS, ""
            while not all(name in marker.names for marker in self._markers.values()):
                if loop.time() > give_up_at:
                    raise ClusterError(
                        f"the API server did not call the webhook within "
                        f"{EFFECT_SECONDS:g} s{last}"
                    )
                last = await asyncio.to_thread(self._probe, name)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for marker in markers:
                await asyncio.to_thread(self._client.delete, marker)

    def _probe(self, name: str) -> str:
        """Send what the markers match; return what the API server says against it."""
        probe = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": MARKER_NAMESPACE},
        }
        try:
            self._client.create(probe, dry_run=True)
        except ClusterError as error:
            return f"; last answer: {error}"
        return ""

    def _write_markers(self, name: str) -> list[dict[str, Any]]:
        condition = MatchCondition(
            name="ready", expression=f'request.dryRun && request.name == "{name}"'
        )
        written = []
        for path, marker in self._markers.items():
            is_mutating = path.endswith("mutate")
            kind: type[Webhook] = MutatingWebhook if is_mutating else ValidatingWebhook
            webhook = kind(
                name=marker.webhook_name,
                client_config=self._target.at(path),
                rules=(_RULE,),
                failure_policy="Ignore",
                timeout_seconds=marker.timeout_seconds,
                match_conditions=(condition,),
            )
            labels = {"app.kubernetes.io/managed-by": "admit"}
            written.append(to_manifest(MARKER, (webhook,), labels))
        return written
