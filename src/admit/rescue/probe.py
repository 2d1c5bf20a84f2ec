"""Ask the API server whether it can reach a webhook: by a write that is not made.

What lives here: harmless objects, and what an answer to creating one with dry run says
about each webhook that must have seen it. A denial is an answer: the webhook is there.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from admit._cluster import Resource
from admit.errors import ClusterError
from admit.matching import Attributes, answer
from admit.webhook import read_webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from admit._cluster import Cluster
    from admit.webhook import StoredWebhook

__all__ = ("Probed", "probe")

# What the API server says when it could not ask (webhook/errors/statuserror.go), and
# when the webhook decided.
_FAILED: Final = re.compile(r'failed calling webhook "([^"]+)"')
_DENIED: Final = re.compile(r'admission webhook "([^"]+)" denied the request')

Outcome: TypeAlias = Literal["answers", "fails", "not asked"]


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe says about one webhook.

    Args:
        configuration: ``Kind/name`` it is in.
        webhook: the entry's name.
        outcome: ``not asked`` where no harmless object is seen by it.
        reason: the API server's own words.
        seconds: that the whole request took, all its webhooks and more.
    """

    configuration: str
    webhook: str
    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0


def _object(kind: str, **content: Any) -> dict[str, Any]:
    version = "apps/v1" if kind == "Deployment" else "v1"
    metadata = {"generateName": "admit-probe-", "namespace": "default"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


_POD: Final = {"containers": [{"name": "probe", "image": "registry.k8s.io/pause"}]}
_LABELS: Final = {"app": "admit-probe"}

_PROBES: Final = tuple(
    (Resource(group, "v1", plural, content["kind"], namespaced=True), content)
    for group, plural, content in (
        ("", "configmaps", _object("ConfigMap")),
        ("", "pods", _object("Pod", spec=_POD)),
        ("", "secrets", _object("Secret")),
        ("", "services", _object("Service", spec={"ports": [{"port": 80}]})),
        ("", "serviceaccounts", _object("ServiceAccount")),
        (
            "apps",
            "deployments",
            _object(
                "Deployment",
                spec={
                    "selector": {"matchLabels": _LABELS},
                    "template": {"metadata": {"labels": _LABELS}, "spec": _POD},
                },
            ),
        ),
    )
)


async def probe(
    cluster: Cluster, configurations: Iterable[Mapping[str, Any]]
) -> tuple[Probed, ...]:
    """Create harmless objects with dry run; tell what became of each webhook."""
    found: dict[tuple[str, str], Probed] = {}
    waiting = []
    for one in configurations:
        name = f"{one['kind']}/{one['metadata']['name']}"
        for entry in one.get("webhooks") or ():
            found[name, entry["name"]] = Probed(name, entry["name"], "not asked")
            waiting.append((name, read_webhook(entry)))
    for resource, content in _PROBES:
        seen = [
            (name, webhook)
            for name, webhook in waiting
            if answer(webhook, _attributes(resource)).can_be_called
            and found[name, webhook.name].outcome == "not asked"
        ]
        if not seen:
            continue
        began = time.monotonic()
        reason = await _create(cluster, resource, content)
        seconds = time.monotonic() - began
        mutating = {hook for kind, hook in found if kind.startswith("Mutating")}
        for name, webhook in seen:
            outcome = _judge(name, webhook, reason, mutating)
            if outcome != "not asked":
                probed = Probed(name, webhook.name, outcome, reason, seconds)
                found[name, webhook.name] = probed
    return tuple(found.values())


def _judge(
    name: str, webhook: StoredWebhook, reason: str, mutating: set[str]
) -> Outcome:
    """Where something else refused, the later webhooks were not asked.

    All mutating ones are asked before any that validates. One with match conditions
    may not have been asked although nothing failed.
    """
    failed, denied = _FAILED.search(reason), _DENIED.search(reason)
    if failed is not None and failed[1] == webhook.name:
        return "fails"
    if any(f"'{c.expression}' resulted" in reason for c in webhook.match_conditions):
        return "fails"
    if denied is not None and denied[1] == webhook.name:
        return "answers"
    refused = failed or denied
    earlier = refused and name.startswith("Mutating") and refused[1] not in mutating
    if (not reason or earlier) and not webhook.match_conditions:
        return "answers"
    return "not asked"


def _attributes(resource: Resource) -> Attributes:
    return Attributes(
        operation="CREATE",
        group=resource.group,
        version=resource.version,
        resource=resource.plural,
        kind_group=resource.group,
        kind=resource.kind,
        namespace="default",
        labels={},
    )


async def _create(cluster: Cluster, resource: Resource, content: dict[str, Any]) -> str:
    try:
        await cluster.create(resource, content, dry_run=True)
    except ClusterError as error:
        return error.message
    return ""
