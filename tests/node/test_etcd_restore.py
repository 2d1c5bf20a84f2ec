"""A restore of etcd that a webhook blocks, from the snapshot to the policy's return.

On a control plane of its own: what is restored here must not take others along.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import ClusterError
from admit.testing import ControlPlane
from admit.testing.assets import find_assets
from tests.commands import invoke
from tests.serving import Served, manifests, served

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICIES = Path(__file__).parent.parent.parent / "examples/tutorial/policies.py"
KIND = "ValidatingWebhookConfiguration"


@pytest.fixture
def control_plane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlPlane]:
    if not find_assets():
        pytest.skip("no etcd of our own beside the cluster of KUBECONFIG")
    monkeypatch.chdir(tmp_path)
    with ControlPlane() as running:
        monkeypatch.setenv("KUBECONFIG", str(running.kubeconfig))
        yield running


def pod(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "web", "image": "nginx"}],
        },
    }


def refusal(control_plane: ControlPlane, name: str = "probe") -> str:
    """Why a pod cannot be made; empty if it can."""
    try:
        control_plane.client.create(pod(name), dry_run=True)
    except ClusterError as error:
        return error.message
    return ""


def wait(control_plane: ControlPlane, text: str) -> None:
    """Wait until the refusal has this text; empty for none."""
    deadline = time.monotonic() + 30
    while True:
        found = refusal(control_plane)
        if text in found and bool(text) is bool(found):
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def register(control_plane: ControlPlane, server: Served) -> None:
    """Register as an operator without admit might: before every pod there is."""
    for configuration in manifests(POLICIES, server):
        if configuration["kind"] == KIND:
            for webhook in configuration["webhooks"]:
                webhook["namespaceSelector"] = {}
            control_plane.client.create(configuration)


def rescue(*arguments: object, code: int = 0) -> str:
    result = invoke("rescue", *arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_a_restore_that_a_webhook_blocks(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.db"
    denied = "Pod must have an app label"
    with served(POLICIES, tmp_path) as server:
        register(control_plane, server)
        wait(control_plane, denied)
        assert "the network and DNS pods are created" in rescue("plan", code=1)
        control_plane.save_snapshot(snapshot)
    port = server.url.rpartition(":")[2]
    # The disaster: the webhook is gone, and so is what happened since.
    control_plane.client.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "lost", "namespace": "default"},
        }
    )
    control_plane.restore_snapshot(snapshot)
    with pytest.raises(ClusterError, match="not found"):
        control_plane.client.get("/api/v1/namespaces/default/configmaps/lost")

    wait(control_plane, "failed calling webhook")
    assert "Opened 1 webhook" in rescue("open", "--reason", "restore", "--yes")
    wait(control_plane, "")
    control_plane.client.create(pod("web"))

    again = tmp_path / "again"
    again.mkdir()
    with served(POLICIES, again, "--port", port):
        # The new server has another authority: the webhook does not answer yet.
        closed = rescue("close", "--yes", code=1)
        assert "validate-pods.pod-labels.example.com fails" in closed


def test_a_restore_ends_with_the_policy_back(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.db"
    with served(POLICIES, tmp_path) as server:
        register(control_plane, server)
        wait(control_plane, "Pod must have an app label")
        control_plane.save_snapshot(snapshot)
        control_plane.restore_snapshot(snapshot)
        assert "Opened 1 webhook" in rescue("open", "--reason", "restore", "--yes")
        closed = rescue("close", "--yes")
        assert "validate-pods.pod-labels.example.com answers" in closed
        wait(control_plane, "Pod must have an app label")


def test_what_is_no_snapshot_is_said(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no snapshot")
    with pytest.raises(ClusterError, match="etcdutl"):
        control_plane.restore_snapshot(broken)
