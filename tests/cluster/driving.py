"""Examples registered on the real API server, driven by kubectl and by a client."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from admit.errors import ClusterError
from tests.serving import manifests, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@contextlib.contextmanager
def example(
    cluster: ControlPlane, folder: Path, name: str, probe: dict[str, Any]
) -> Iterator[ControlPlane]:
    """An example's server, registered; gone when the block ends."""
    policies = EXAMPLES / name / "policies.py"
    with (
        served(policies, folder) as server,
        cluster.registered(*manifests(policies, server), probe=probe),
    ):
        yield cluster


def pod(name: str, namespace: str = "team-a", **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, **changes.pop("metadata", {})}
    spec = {"containers": [{"name": "web", "image": "nginx:1.29"}], **changes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def config_map(name: str, namespace: str = "team-a") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def refusal(cluster: ControlPlane, object: dict[str, Any]) -> str:
    """Why the client's create is refused."""
    with pytest.raises(ClusterError) as caught:
        cluster.client.create(object)
    message: str = caught.value.status["message"]
    return message


def kubectl_apply(
    cluster: ControlPlane, object: dict[str, Any], *options: str
) -> tuple[str, str]:
    done = cluster.kubectl("create", "-f", "-", *options, input=yaml.safe_dump(object))
    return done.stdout.strip(), done.stderr.strip()
