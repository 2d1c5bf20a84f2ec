"""From Service to EndpointSlice to ready pod: where the way to a webhook ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from admit.doctor.findings import Entry
    from admit.doctor.live.snapshot import Backend

__all__ = ("find_gap", "key_of")

# Pods of which the state is shown.
SHOWN: int = 3


def key_of(entry: Entry) -> str:
    """Return ``namespace/name`` of the Service; empty for a URL."""
    service = entry.webhook.client_config.get("service")
    if not service:
        return ""
    return f"{service.get('namespace', '')}/{service.get('name', '')}"


def find_gap(entry: Entry, backend: Backend) -> tuple[str, tuple[str, ...]] | None:
    """Return the id of the cause and the evidence; None if the way is complete."""
    key = key_of(entry)
    namespace = key.partition("/")[0]
    if not backend.namespace:
        return "namespace-gone", (f"there is no namespace {namespace}",)
    if backend.service is None:
        return "service-missing", (f"there is no Service {key}",)
    spec = backend.service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return None
    port = entry.webhook.client_config["service"].get("port", 443)
    ports = [one.get("port") for one in spec.get("ports") or ()]
    if port not in ports:
        named = ", ".join(map(str, ports)) or "none"
        return (
            "service-port-missing",
            (f"Service {key} has port {named}, the configuration names {port}",),
        )
    if _count_ready(backend.slices):
        return None
    return "no-endpoints", (
        f"no address of Service {key} is ready",
        *_describe_pods(spec, backend.pods),
    )


def _count_ready(slices: Sequence[Mapping[str, Any]]) -> int:
    return sum(
        len(endpoint.get("addresses") or ())
        for one in slices
        for endpoint in one.get("endpoints") or ()
        # Absent means ready (discovery/v1 EndpointConditions).
        if (endpoint.get("conditions") or {}).get("ready") is not False
    )


def _describe_pods(
    spec: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    selector = spec.get("selector") or {}
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    if not pods:
        yield f"no pod has the labels {labels}" if labels else "it selects no pods"
    for pod in pods[:SHOWN]:
        yield f"pod {pod['metadata']['name']}: {_describe_pod(pod)}"
    if len(pods) > SHOWN:
        yield f"and {len(pods) - SHOWN} more"


def _describe_pod(pod: Mapping[str, Any]) -> str:
    """Return the most telling of what the kubelet says."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        for state in ("waiting", "terminated"):
            told = (container.get("state") or {}).get(state)
            if told and told.get("reason"):
                restarts = container.get("restartCount", 0)
                after = f" after {restarts} restarts" if restarts else ""
                return f"{told['reason']}{after}"
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return f"{status.get('phase', '')}, {condition['message']}"
    return str(status.get("phase", "unknown"))
