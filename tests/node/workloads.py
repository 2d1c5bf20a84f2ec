"""Pods that the restricted Pod Security Standard accepts, running Python."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from admit.testing import wait_until

if TYPE_CHECKING:
    from tests.node.clusters import Cluster

CONTENTS = Path(__file__).parent.parent.parent / "tools/image/contents.toml"

# The only interpreter of admit's image.
PYTHON = f"python{tomllib.loads(CONTENTS.read_text())['python']}"

PORT = 8080


def make_deployment(
    name: str, namespace: str, *, image: str, code: str, replicas: int = 2
) -> dict[str, Any]:
    """Return a Deployment of a Python program that listens on PORT."""
    container = {
        "name": "python",
        "image": image,
        "imagePullPolicy": "Never",
        "command": [PYTHON, "-u", "-c", code],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "containers": [container],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Python as process 1 does not end at SIGTERM.
        "terminationGracePeriodSeconds": 1,
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def make_service(name: str, namespace: str) -> dict[str, Any]:
    """Return the Service of such a Deployment, on port 80."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": PORT}],
        },
    }


def wait_available(
    cluster: Cluster, deployment: dict[str, Any], *, seconds: float = 60.0
) -> None:
    """Wait until all replicas of a Deployment, as it is now, are available."""
    wanted = deployment["spec"]["replicas"]

    def is_available() -> bool:
        now = cluster.client.get(deployment)
        status = now["status"]
        observed = status.get("observedGeneration") == now["metadata"]["generation"]
        counts = [status.get(n) for n in ("replicas", "updatedReplicas")]
        return observed and {*counts, status.get("availableReplicas")} == {wanted}

    name = deployment["metadata"]["name"]
    what = f"{wanted} replicas of {name} to be available"
    wait_until(is_available, what=what, seconds=seconds)


def find_pods(cluster: Cluster, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pods of a Deployment."""
    labels = deployment["spec"]["selector"]["matchLabels"]
    found = cluster.client.list(
        "v1",
        "Pod",
        namespace=deployment["metadata"]["namespace"],
        params={"labelSelector": ",".join(f"{n}={v}" for n, v in labels.items())},
    )
    # A list leaves out what all in it have.
    return [{"apiVersion": "v1", "kind": "Pod", **pod} for pod in found]


def wait_restarted(
    cluster: Cluster,
    deployment: dict[str, Any],
    *,
    pods: list[dict[str, Any]] | None = None,
    seconds: float = 60.0,
) -> None:
    """Wait until these pods' containers were started again, all by default, and all run.

    After a restart of the node the API says what was true before, until the kubelet has
    looked.
    """

    def have_restarted() -> bool:
        names = {pod["metadata"]["name"] for pod in pods or ()}
        states = [
            state
            for pod in find_pods(cluster, deployment)
            if not names or pod["metadata"]["name"] in names
            for state in pod["status"].get("containerStatuses", [{}])
        ]
        return all(state.get("restartCount") and state["ready"] for state in states)

    name = deployment["metadata"]["name"]
    wait_until(have_restarted, what=f"{name} to be started again", seconds=seconds)
    wait_available(cluster, deployment, seconds=seconds)
