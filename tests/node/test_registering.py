"""What `admit manifests` writes by default: the pods make their certificates and keep
their own registration right, and whoever takes it out leaves nothing that can block.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from admit._tasks.dialect import dump_yaml
from admit.testing import wait_until
from tests.commands import invoke, write
from tests.node.releases import exists, expect, manifests
from tests.node.test_deployment import POLICIES, ask, wait_refused
from tests.node.workloads import wait_available

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.node.clusters import Cluster

pytestmark = pytest.mark.usefixtures("image")

SPACE = "admit-guard"
CONFIGURATION = "guard.example.com"


@pytest.fixture
def policies(tmp_path: Path, namespace: str) -> Path:
    text = POLICIES.replace("{namespace}", namespace)
    return write(tmp_path / "policies.py", text)


@pytest.fixture
def release(
    cluster: Cluster, policies: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[dict[str, Any]]]:
    """The release in one go, as the README has it."""
    objects = manifests(policies)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    expect(cluster.kubectl("apply", "-f", "-", input=dump_yaml(objects)))
    try:
        (deployment,) = [o for o in objects if o["kind"] == "Deployment"]
        wait_available(cluster, deployment)
        yield objects
    finally:
        now = ("--force", "--grace-period=0", f"--namespace={SPACE}")
        removed = invoke("uninstall", policies)
        assert removed.exit_code == 0, removed.output
        cluster.kubectl("delete", "pods", "--all", *now)
        wait_until(
            lambda: not exists(cluster, f"/api/v1/namespaces/{SPACE}"),
            what=f"{SPACE} to be gone",
            seconds=90.0,
        )


def registered(cluster: Cluster) -> dict[str, Any] | None:
    path = (
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/"
        f"{CONFIGURATION}"
    )
    if not exists(cluster, path):
        return None
    found: dict[str, Any] = cluster.client.get(path)
    return found


def authorities(cluster: Cluster) -> list[x509.Certificate]:
    found = registered(cluster)
    assert found is not None
    (entry,) = found["webhooks"]
    pem = base64.b64decode(entry["clientConfig"]["caBundle"])
    return x509.load_pem_x509_certificates(pem)


def test_pods_register_themselves_and_heal_what_is_changed(
    cluster: Cluster, namespace: str, release: list[dict[str, Any]]
) -> None:
    assert release
    wait_refused(cluster, namespace)
    refused, _ = ask(cluster, namespace)
    assert "Pod must have an app label" in refused
    _, labels = ask(cluster, namespace, app="web")
    assert labels["environment"] == "production"
    (authority,) = authorities(cluster)
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical

    # Changed by hand.
    change = (
        '{"webhooks": [{"name": "validate.guard.example.com", "timeoutSeconds": 3}]}'
    )
    kind = "validatingwebhookconfiguration"
    expect(cluster.kubectl("patch", kind, CONFIGURATION, "-p", change))
    wait_until(
        lambda: (registered(cluster) or {})["webhooks"][0]["timeoutSeconds"] == 10,
        what="the time-out to be put right",
        seconds=30.0,
    )
    # Deleted by hand: it comes back, after the time that an uninstall needs.
    expect(cluster.kubectl("delete", kind, CONFIGURATION))
    wait_until(
        lambda: registered(cluster) is not None,
        what="the configuration to be put back",
        seconds=60.0,
    )
    wait_refused(cluster, namespace)


def test_break_glass_is_respected_and_ended_in_time(
    cluster: Cluster, namespace: str, release: list[dict[str, Any]]
) -> None:
    assert release
    wait_refused(cluster, namespace)
    options = ("--reason", "INC-42", "--yes", "--no-configmap", "--for")
    opened = invoke("failopen", f"validating/{CONFIGURATION}", *options, "25s")
    assert opened.exit_code == 0, opened.output

    def policy() -> str:
        found = registered(cluster)
        return found["webhooks"][0]["failurePolicy"] if found else ""

    assert policy() == "Ignore"
    # The pods leave it, until its time is over.
    wait_until(lambda: policy() == "Fail", what="it to be closed", seconds=120.0)


def test_nothing_is_left_that_could_block(
    cluster: Cluster, namespace: str, policies: Path, release: list[dict[str, Any]]
) -> None:
    assert release
    wait_refused(cluster, namespace)
    removed = invoke("uninstall", policies)
    assert removed.exit_code == 0, removed.output
    assert registered(cluster) is None
    wait_until(
        lambda: not ask(cluster, namespace)[0],
        what="pods to be created as before",
        seconds=30.0,
    )
