"""Before, during and after a start that webhooks would block, on a real API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit.testing import ControlPlane
from tests.cluster.driving import EXAMPLES, pod
from tests.commands import invoke
from tests.serving import manifests, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result


def dead(name: str, resource: str, group: str = "", **members: Any) -> dict[str, Any]:
    """A webhook that nobody answers, and that fails closed."""
    rule = {
        "operations": ["*"],
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": [resource],
    }
    webhook = {
        "name": f"{name}.example.com",
        "clientConfig": {"service": {"namespace": name, "name": "webhook"}},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **members,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


def only(namespace: str) -> dict[str, Any]:
    labels = {"kubernetes.io/metadata.name": namespace}
    return {"namespaceSelector": {"matchLabels": labels}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(autouse=True)
def _place(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    yield
    cluster.kubectl("delete", "validatingwebhookconfigurations", "--all")


def admit(*arguments: object, code: int = 0) -> Result:
    result = invoke("rescue", *arguments)
    assert result.exit_code == code, result.output
    return result


def policies(cluster: ControlPlane) -> dict[str, str]:
    """Return each webhook's failurePolicy."""
    items = cluster.client.list(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"
    )
    return {w["name"]: w["failurePolicy"] for one in items for w in one["webhooks"]}


def test_nothing_is_in_the_way(cluster: ControlPlane) -> None:
    cluster.client.create(dead("shop", "pods", **only("shop-apps")))
    assert "No webhook is in the way of a start." in admit("plan").output
    assert "Nothing is in the way." in admit("open", "--reason", "x", "--yes").output


def test_plan_open_close(cluster: ControlPlane) -> None:
    cluster.client.create(dead("leases", "leases", "coordination.k8s.io"))
    cluster.client.create(dead("one", "pods", **only("two")))
    cluster.client.create(dead("two", "pods", **only("one")))
    cluster.client.create(dead("shop", "pods", **only("shop-apps")))

    planned = admit("plan", code=1).output
    assert "leases.example.com in ValidatingWebhookConfiguration/leases blocks" in (
        planned
    )
    assert "    the node renews its lease" in planned
    assert "Nothing comes up by itself:\n    leases.example.com is down" in planned
    assert "shop.example.com" not in planned
    report = json.loads(admit("plan", "-o", "json", "--file", "2.yaml", code=1).stdout)
    assert {one["webhook"] for one in report["blocks"] if one["sure"]} == {
        "leases.example.com",
        "one.example.com",
        "two.example.com",
    }
    assert [len(chain) for chain in report["deadlocks"]] == [2, 3]

    admit("open", "--reason", "restore", "--yes")
    assert policies(cluster) == {
        "leases.example.com": "Ignore",
        "one.example.com": "Ignore",
        "shop.example.com": "Fail",
        "two.example.com": "Ignore",
    }
    closed = admit("close", "--yes").output
    assert "Restored 3 webhook configurations." in closed
    assert set(policies(cluster).values()) == {"Fail"}
    # No harmless object is seen by webhooks on leases, or in those namespaces.
    assert "one.example.com not asked" in closed


def test_close_sees_who_answers(cluster: ControlPlane, tmp_path: Path) -> None:
    with served(EXAMPLES / "tutorial/policies.py", tmp_path) as server:
        files = manifests(EXAMPLES / "tutorial/policies.py", server)
        with cluster.registered(*files, probe=pod("web", "default")):
            cluster.client.create(dead("silent", "services"))
            failopen = ("failopen", "--all", "--reason", "x", "--yes")
            assert invoke(*failopen).exit_code == 0
            closed = admit("close", "--yes", code=1).output
            assert "silent.example.com fails: " in closed
            for name in ("mutate-pods", "validate-pods"):
                assert f"{name}.pod-labels.example.com answers" in closed


def test_open_waits_for_an_api_server(tmp_path: Path) -> None:
    nobody = tmp_path / "kubeconfig"
    nobody.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}
                ],
                "users": [{"name": "x", "user": {"token": "x"}}],
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "current-context": "x",
            }
        )
    )
    options = ("--kubeconfig", nobody, "--wait", "1s", "--yes")
    assert "127.0.0.1:1" in admit("open", "--reason", "x", *options, code=3).output
