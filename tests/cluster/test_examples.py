"""Every other example on a real API server: what is created, what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.cluster.driving import config_map, example, kubectl_apply, pod, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from admit.testing import ControlPlane


@pytest.fixture(scope="module", autouse=True)
def namespaces(cluster: ControlPlane) -> None:
    for name in ("team-a", "archive", "ingress"):
        kind = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.client.apply(kind)


def test_naming(cluster: ControlPlane, tmp_path: Path) -> None:
    with example(cluster, tmp_path, "naming", config_map("probe")) as running:
        said = kubectl_apply(running, config_map("payments-settings"))
        assert said == ("configmap/payments-settings created", "")
        assert refusal(running, config_map("settings")) == (
            'admission webhook "validate-team-in-name.naming.example.com" denied the '
            "request: 'settings' is not TEAM-WHAT in lower case, such as payments-api "
            "[team_in_name]"
        )
        # What the cluster itself makes in each namespace is not asked about.
        assert running.client.create(config_map("kube-root-ca.crt"))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
        assert "'x' is not TEAM-STAGE" in refusal(running, namespace)
        on_it = ("configmap", "payments-settings", "-n", "team-a")
        assert "labeled" in running.kubectl("label", *on_it, "a=b").stdout
        assert "deleted" in running.kubectl("delete", *on_it).stdout
        out, _ = kubectl_apply(running, config_map("web-x"), "--dry-run=server")
        assert out == "configmap/web-x created (server dry run)"


def test_namespaces(cluster: ControlPlane, tmp_path: Path) -> None:
    cluster.client.create(config_map("old", "archive"))
    with example(cluster, tmp_path, "namespaces", pod("probe")) as running:
        assert kubectl_apply(running, pod("n-web")) == ("pod/n-web created", "")
        assert refusal(running, pod("web", "default")) == (
            'admission webhook "validate.namespaces.example.com" denied the request: '
            "Pod may not be made in the namespace default: use a namespace of your "
            "team [nothing_runs_in_default]"
        )
        assert "read-only" in refusal(running, config_map("new", "archive"))
        denied = running.kubectl("delete", "configmap", "old", "-n", "archive")
        assert "the namespace archive is read-only" in denied.stderr
        denied = running.kubectl("label", "configmap", "old", "-n", "archive", "a=b")
        assert "the namespace archive is read-only" in denied.stderr
        assert "hostNetwork is reserved" in refusal(running, pod("h", hostNetwork=True))
        assert running.client.create(pod("h", "ingress", hostNetwork=True))
        _, refused = kubectl_apply(running, pod("w", "default"), "--dry-run=server")
        assert "may not be made" in refused
    cluster.client.delete(config_map("old", "archive"))


def test_security(cluster: ControlPlane, tmp_path: Path) -> None:
    ours = {"name": "web", "image": "registry.example.com/web:1"}
    good = pod("s-web", containers=[ours], securityContext={"runAsNonRoot": True})
    with example(cluster, tmp_path, "security", pod("probe")) as running:
        assert kubectl_apply(running, good) == ("pod/s-web created", "")
        privileged = {**ours, "securityContext": {"privileged": True}}
        bad = pod("bad", containers=[{**privileged, "image": "nginx"}])
        assert refusal(running, bad) == (
            'admission webhook "validate.security.example.com" denied the request: '
            "containers web: privileged containers are not allowed "
            "[no_privileged_containers]\n"
            "containers web: nginx comes from docker.io, approved are "
            "registry.example.com, registry.k8s.io [approved_registries]"
        )
        _, warned = kubectl_apply(running, pod("s-root", containers=[ours]))
        assert "Warning: container web may run as root" in warned
        stored = running.client.get(good)
        debugger = {**privileged, "name": "debug", "targetContainerName": "web"}
        path = f"{running.client.path_of(good)}/ephemeralcontainers"
        stored["spec"]["ephemeralContainers"] = [debugger]
        answer = running.client.send("PUT", path, stored)
        assert answer.code == 403
        assert "ephemeralContainers debug: privileged" in answer.body["message"]
        on_it = ("pod", "s-web", "-n", "team-a")
        assert "labeled" in running.kubectl("label", *on_it, "a=b").stdout
        deleted = running.kubectl("delete", *on_it, "--grace-period=0", "--force")
        assert "deleted" in deleted.stdout
        _, refused = kubectl_apply(running, bad, "--dry-run=server")
        assert "privileged containers are not allowed" in refused


def test_defaults(cluster: ControlPlane, tmp_path: Path) -> None:
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d-web", "namespace": "team-a"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]},
            },
        },
    }
    with example(cluster, tmp_path, "defaults", pod("probe")) as running:
        assert kubectl_apply(running, pod("d-pod")) == ("pod/d-pod created", "")
        stored = running.client.get(pod("d-pod"))
        assert stored["metadata"]["labels"] == {
            "environment": "production",
            "app.kubernetes.io/managed-by": "platform",
        }
        (container,) = stored["spec"]["containers"]
        assert container["resources"] == {
            "requests": {"cpu": "100m", "memory": "128Mi"}
        }
        assert stored["spec"]["securityContext"] == {"runAsNonRoot": True}
        assert stored["spec"]["automountServiceAccountToken"] is False
        running.client.create(deployment)
        annotations = running.client.get(deployment)["metadata"]["annotations"]
        assert annotations["example.com/contact"] == "platform@example.com"
        assert annotations["example.com/created-by"]
        # An update of a pod that has it all changes nothing.
        on_it = ("pod", "d-pod", "-n", "team-a")
        assert "labeled" in running.kubectl("label", *on_it, "environment-").stdout
        assert running.client.get(stored)["metadata"]["labels"]["environment"]
        deleted = running.kubectl("delete", *on_it, "--grace-period=0", "--force")
        assert "deleted" in deleted.stdout
        out, _ = kubectl_apply(running, pod("d-dry"), "--dry-run=server")
        assert out == "pod/d-dry created (server dry run)"


def test_corrections(cluster: ControlPlane, tmp_path: Path) -> None:
    metadata = {"labels": {"app": " Web "}, "annotations": {"note": " two words "}}
    untidy = pod(
        "c-web", metadata=metadata, containers=[{"name": "a", "image": "nginx"}]
    )
    with example(cluster, tmp_path, "corrections", pod("probe")) as running:
        out, warned = kubectl_apply(running, untidy)
        assert out == "pod/c-web created"
        assert warned == "Warning: container a: nginx has no tag, using 1.29"
        stored = running.client.get(untidy)
        assert stored["metadata"]["labels"] == {"app": "web"}
        assert stored["metadata"]["annotations"] == {"note": "two words"}
        assert stored["spec"]["containers"][0]["image"] == "nginx:1.29"
        on_it = ("pod", "c-web", "-n", "team-a")
        assert "annotated" in running.kubectl("annotate", *on_it, "b= c ").stdout
        assert running.client.get(untidy)["metadata"]["annotations"]["b"] == "c"
        deleted = running.kubectl("delete", *on_it, "--grace-period=0", "--force")
        assert "deleted" in deleted.stdout
        out, _ = kubectl_apply(running, {**untidy}, "--dry-run=server")
        assert out == "pod/c-web created (server dry run)"
