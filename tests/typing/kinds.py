"""Only has to type-check, under mypy and pyright; what is wrong is marked as such.

A mark on a line that is right is an error too, under both.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import assert_type

from admit import (
    App,
    CustomResourceDefinition,
    Deny,
    Deployment,
    HorizontalPodAutoscaler,
    List,
    Map,
    NetworkPolicy,
    Node,
    Pod,
    PodExecOptions,
    Quantity,
    Resource,
    Struct,
    Time,
)
from admit.kinds import ResourceList, ResourceType
from admit.kinds.core_v1 import Container, PodSecurityContext
from admit.kinds.events_v1 import Event


class CronTabSpec(Struct):
    cronSpec: str | None
    size: Quantity | None
    limits: ResourceList
    last: Time | None
    port: int | str | None
    names: List[str]
    weights: Map[float]


class CronTab(Resource, group="stable.example.com", version="v1"):
    spec: CronTabSpec


app = App("typed")


@app.validate
def read(pod: Pod, old: Pod | None) -> None:
    assert_type(pod.metadata.name, str | None)
    assert_type(pod.metadata.creationTimestamp, Time | None)
    assert_type(pod.metadata.labels, Map[str])
    assert_type(pod.metadata.labels.get("app"), str | None)
    assert_type(pod.spec.containers, List[Container])
    assert_type(pod.spec.containers[0], Container)
    assert_type(pod.spec.containers[0].resources.limits, ResourceList)
    assert_type(pod.spec.containers[0].resources.limits.memory, Quantity | None)
    assert_type(pod.spec.securityContext, PodSecurityContext)
    assert_type(pod.spec.containers[0].ports[0].containerPort, int | None)
    for container in pod.spec.containers:
        assert_type(container, Container)
        assert_type(container.args, List[str])
        memory = container.resources.limits.memory
        if memory is not None and memory > "1Gi":
            raise Deny(f"{container.name} wants {memory}")
    if old and old.spec.nodeName != pod.spec.nodeName:
        raise Deny("nodes do not change")


@app.mutate
def write(pod: Pod) -> None:
    pod.metadata.labels.setdefault("app", "my-app")
    pod.metadata.labels = {"app": "web"}
    pod.metadata.labels = None
    pod.spec.nodeName = "a"
    pod.spec.nodeName = None
    pod.spec.securityContext = {"runAsNonRoot": True}
    pod.spec.securityContext.runAsNonRoot = True
    pod.spec.containers = [{"name": "a"}, pod.spec.containers[0]]
    pod.spec.containers.append({"name": "sidecar"})
    pod.spec.containers.extend(pod.spec.initContainers)
    pod.spec.containers.insert(0, Container({"name": "first"}))
    container = pod.spec.containers[0]
    container.args = ["a"]
    container.resources.limits = {"cpu": 1, "memory": "1Gi"}
    container.resources.limits.memory = "1Gi"
    container.resources.limits.cpu = 0.5
    container.resources.limits.cpu = None
    container.resources.limits["nvidia.com/gpu"] = 1
    container.resources.limits.setdefault("cpu", "100m")
    container.resources.requests.update({"cpu": "100m"}, memory=1024)
    pod.spec.volumes[0].emptyDir.sizeLimit = "1Gi"
    pod.metadata.deletionTimestamp = "2026-01-31T12:00:00Z"


@app.validate
def other_kinds(deployment: Deployment) -> None:
    assert_type(deployment.spec.template.spec.containers[0].name, str | None)
    assert_type(deployment.spec.strategy.rollingUpdate.maxSurge, int | str | None)
    assert_type(NetworkPolicy().spec.ingress[0].from_[0].ipBlock.cidr, str | None)
    assert_type(PodExecOptions().command, List[str])
    assert_type(HorizontalPodAutoscaler().spec.metrics[0].type, str | None)
    assert_type(Node.__resource__, ResourceType | None)
    assert_type(Event().note, str | None)
    crd = CustomResourceDefinition({"metadata": {"name": "a"}})
    schema = crd.spec.versions[0].schema.openAPIV3Schema
    assert_type(schema.properties["a"].properties["b"].type, str | None)


@app.mutate
def own(tab: CronTab) -> None:
    assert_type(tab.spec.cronSpec, str | None)
    assert_type(tab.spec.size, Quantity | None)
    assert_type(tab.spec.weights, Map[float])
    tab.spec.size = "1Gi"
    tab.spec.size = 1024
    tab.spec.last = "2026-01-31T12:00:00Z"
    tab.spec.limits = {"cpu": 1}
    tab.spec.port = 80
    tab.spec.names.append("c")
    tab.spec.names.extend(["d"])
    tab.spec.names = ["a", "b"]
    tab.spec.weights = {"a": 1}
    tab.spec["not-declared"] = {"x": 1}


def refused(pod: Pod, tab: CronTab) -> None:
    _ = pod.spec.contaners  # type: ignore[attr-defined]
    _ = pod.spec.containers[0].resources.limits.memroy  # type: ignore[attr-defined]
    _ = tab.spec.cronSpce  # type: ignore[attr-defined]
    pod.spec.nodeNam = "a"  # type: ignore[attr-defined]
    pod.spec.nodeName = 3  # type: ignore[assignment]
    pod.spec.securityContext = True  # type: ignore[assignment]
    pod.spec.containers = [3]  # type: ignore[list-item]
    pod.spec.containers[0].args = [3]  # type: ignore[list-item]
    pod.spec.containers[0].resources.limits = {"cpu": []}  # type: ignore[dict-item]
    tab.spec.size = []  # type: ignore[assignment]
    tab.spec.names.append(3)  # type: ignore[arg-type]
    tab.spec.names.extend([3])  # type: ignore[list-item]
    pod.metadata.labels["app"] = 3  # type: ignore[assignment]
    pod.spec.containers[0].resources.limits["cpu"] = []  # type: ignore[assignment]
    tab.spec.weights = {"a": "b"}  # type: ignore[dict-item]
