"""What `admit manifests` writes, running: the same in whatever way it comes there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from admit.testing import wait_until
from tests.commands import write
from tests.node.releases import WAYS, released
from tests.node.workloads import wait_available

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.clusters import Cluster

pytestmark = pytest.mark.usefixtures("image")

# They look into the test's own namespace, so that no other test meets them.
POLICIES = """
from admit import App, Deny, Pod

app = App("guard", domain="example.com")


@app.validate(namespaces=["{namespace}"])
def require_app_label(pod: Pod) -> None:
    if "app" not in pod.metadata.labels:
        raise Deny("Pod must have an app label")


@app.mutate(namespaces=["{namespace}"])
def default_environment(pod: Pod) -> None:
    pod.metadata.labels.setdefault("environment", "production")
"""

REFUSED = "Pod must have an app label [require_app_label]"


def ask(cluster: Cluster, namespace: str, **labels: str) -> tuple[str, dict[str, str]]:
    """Create a pod with labels, as a dry run; return what is refused, or its labels."""
    container = {
        "name": "web",
        "image": "example.com/web:1",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"name": "web", "namespace": namespace, "labels": labels}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    text = json.dumps(pod | {"spec": {"containers": [container]}})
    command = ("create", "--dry-run=server", "-o", "json", "-f", "-")
    done = cluster.kubectl(*command, input=text)
    if done.returncode:
        return done.stderr, {}
    found: dict[str, str] = json.loads(done.stdout)["metadata"].get("labels", {})
    return "", found


def wait_refused(cluster: Cluster, namespace: str) -> None:
    wait_until(
        lambda: REFUSED in ask(cluster, namespace)[0],
        what="the policies to be asked",
        seconds=60.0,
    )


def normal(deployment: dict[str, Any], name: str) -> Any:
    """What is the same whatever a release is called and whoever applied it."""
    text = json.dumps(deployment["spec"]).replace(name, "NAME")
    return json.loads(text.replace('"Helm"', '"admit"'))


def test_plain_objects_a_base_and_a_chart_run_the_same_and_decide(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    specs = []
    for way in WAYS:
        policies = write(tmp_path / way / "policies.py", POLICIES)
        policies.write_text(policies.read_text().replace("{namespace}", namespace))
        name = f"{way}-way"
        with released(cluster, policies, way, name) as deployment:
            specs.append(normal(deployment, name))
            wait_refused(cluster, namespace)
            said, labels = ask(cluster, namespace, app="web")
            assert (said, labels) == ("", {"app": "web", "environment": "production"})
        said, labels = ask(cluster, namespace)
        # It is gone, and nothing that blocks is left.
        assert (said, labels) == ("", {})
    assert specs[0] == specs[1] == specs[2]


def test_a_changed_config_map_decides_without_a_restart(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    policies = write(tmp_path / "policies.py", POLICIES)
    policies.write_text(policies.read_text().replace("{namespace}", namespace))
    with released(cluster, policies, "plain", "changed") as deployment:
        wait_refused(cluster, namespace)
        path = "/api/v1/namespaces/admit-changed/configmaps/changed-policies"
        stored = cluster.client.get(path)
        text = stored["data"]["policies.py"]
        stored["data"]["policies.py"] = text.replace("an app label", "THE app label")
        cluster.client.update(stored)
        wait_until(
            lambda: "THE app label" in ask(cluster, namespace)[0],
            what="the new policies to decide",
            seconds=120.0,
        )
        now = cluster.client.get(deployment)
        assert now["metadata"]["generation"] == deployment["metadata"]["generation"]


def test_it_comes_back_by_itself_after_a_power_cut(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Every replica is gone at once, and everything fails closed."""
    policies = write(tmp_path / "policies.py", POLICIES)
    # In every namespace that is not spared: pods of its own among what is matched.
    text = policies.read_text().replace('(namespaces=["{namespace}"])', "")
    policies.write_text(text)
    with released(cluster, policies, "plain", "power") as deployment:
        wait_refused(cluster, namespace)
        cluster.restart_node()
        space = deployment["metadata"]["namespace"]
        now = ("--force", "--grace-period=0", "--all", "--wait=false")
        cluster.kubectl("delete", "pods", f"--namespace={space}", *now)
        wait_available(cluster, deployment, seconds=120.0)
        wait_refused(cluster, namespace)
