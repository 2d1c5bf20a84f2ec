"""Every other example on a real API server: what is created, what comes of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.driving import (
    EXAMPLES,
    config_map,
    example,
    kubectl_apply,
    pod,
    refusal,
)
from tests.serving import manifests, served

if TYPE_CHECKING:
    from pathlib import Path

    from admit.testing import ControlPlane


@pytest.fixture(scope="module", autouse=True)
def namespaces(cluster: ControlPlane) -> None:
    for name in ("team-a", "archive", "ingress"):
        kind = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.client.apply(kind)


def test_the_first_label_of_a_pod_makes_the_map(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    """The tutorial's mutating webhook alone: with the other one no such pod passes."""
    policies = EXAMPLES / "tutorial" / "policies.py"
    with served(policies, tmp_path) as server:
        mutating, _ = manifests(policies, server)
        with cluster.registered(mutating, probe=pod("probe")):
            assert kubectl_apply(cluster, pod("bare")) == ("pod/bare created", "")
            path = "/api/v1/namespaces/team-a/pods/bare"
            labels = cluster.client.get(path)["metadata"]["labels"]
            assert labels == {"environment": "production"}


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
            'admission webhook "validate-nothing-runs-in-default.namespaces.example.com" '
            "denied the request: Pod may not be made in the namespace default: use a "
            "namespace of your team [nothing_runs_in_default]"
        )
        # What was there before goes on: its pods come from the cluster's controllers.
        controller = "system:serviceaccount:kube-system:replicaset-controller"
        groups = ["system:masters", "system:serviceaccounts:kube-system"]
        as_controller = running.client.impersonate(controller, groups)
        assert as_controller.create(pod("n-owned", "default"), dry_run=True)
        assert "read-only" in refusal(running, config_map("new", "archive"))
        on_it = ("configmap", "old", "-n", "archive")
        denied = running.kubectl("delete", *on_it)
        assert "the namespace archive is read-only" in denied.stderr
        denied = running.kubectl("label", *on_it, "a=b")
        assert "the namespace archive is read-only" in denied.stderr
        archivist = ["--as=ada", "--as-group=archivists", "--as-group=system:masters"]
        assert "labeled" in running.kubectl("label", *on_it, "a=b", *archivist).stdout
        assert "deleted" in running.kubectl("delete", *on_it, *archivist).stdout
        assert "hostNetwork is reserved" in refusal(running, pod("h", hostNetwork=True))
        assert running.client.create(pod("h", "ingress", hostNetwork=True))
        _, refused = kubectl_apply(running, pod("w", "default"), "--dry-run=server")
        assert "may not be made" in refused


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
        assert warned == (
            "Warning: container web may run as root: set runAsNonRoot [run_as_non_root]"
        )
        on_it = ("pod", "s-web", "-n", "team-a")
        debug = ["debug", "s-web", "-n", "team-a", "--attach=false"]
        debug.append("--image=registry.example.com/debug:1")
        denied = running.kubectl(*debug, "--profile=sysadmin")
        assert "privileged containers are not allowed" in denied.stderr
        assert running.kubectl(*debug, "--profile=general").returncode == 0
        assert "labeled" in running.kubectl("label", *on_it, "a=b").stdout
        image = running.kubectl("set", "image", *on_it, "web=nginx:1.29")
        assert "nginx:1.29 comes from docker.io" in image.stderr
        deleted = running.kubectl("delete", *on_it, "--grace-period=0", "--force")
        assert "deleted" in deleted.stdout
        _, refused = kubectl_apply(running, bad, "--dry-run=server")
        assert "privileged containers are not allowed" in refused


def test_what_is_wrong_already_may_be_labelled(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(pod("s-old"))
    on_it = ("pod", "s-old", "-n", "team-a")
    with example(cluster, tmp_path, "security", pod("probe")) as running:
        done = running.kubectl("label", *on_it, "a=b")
        assert "labeled" in done.stdout
        assert "comes from docker.io" in done.stderr
        assert "[approved_registries], as before" in done.stderr
        worse = running.kubectl("set", "image", *on_it, "web=quay.io/a/b:1")
        assert "quay.io/a/b:1 comes from quay.io" in worse.stderr


DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "team-a"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]},
        },
    },
}


def test_defaults(cluster: ControlPlane, tmp_path: Path) -> None:
    limited = {"name": "web", "image": "nginx", "resources": {"limits": {"cpu": "50m"}}}
    with example(cluster, tmp_path, "defaults", pod("probe")) as running:
        assert kubectl_apply(running, pod("d-pod")) == ("pod/d-pod created", "")
        stored = running.client.get(pod("d-pod"))
        labels = {
            "environment": "production",
            "app.kubernetes.io/managed-by": "platform",
        }
        assert stored["metadata"]["labels"] == labels
        (container,) = stored["spec"]["containers"]
        little = {"cpu": "100m", "memory": "128Mi"}
        assert container["resources"] == {"requests": little}
        assert stored["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        given = {"labels": {"app": "a", "environment": "test"}}
        made = running.client.create(
            pod("d-given", metadata=given, containers=[limited])
        )
        assert made["metadata"]["labels"] == {**labels, **given["labels"]}
        requests = made["spec"]["containers"][0]["resources"]["requests"]
        assert requests == {"cpu": "50m", "memory": "128Mi"}
        running.client.create(DEPLOYMENT)
        annotations = running.client.get(DEPLOYMENT)["metadata"]["annotations"]
        assert annotations["example.com/contact"] == "platform@example.com"
        assert annotations["example.com/created-by"] == "admin"
        # An update of a pod that has it all changes nothing.
        on_it = ("pod", "d-pod", "-n", "team-a")
        assert "labeled" in running.kubectl("label", *on_it, "environment-").stdout
        assert running.client.get(stored)["metadata"]["labels"]["environment"]
        deleted = running.kubectl("delete", *on_it, "--grace-period=0", "--force")
        assert "deleted" in deleted.stdout
        out, _ = kubectl_apply(running, pod("d-dry"), "--dry-run=server")
        assert out == "pod/d-dry created (server dry run)"
    cluster.client.delete(DEPLOYMENT)


def test_corrections(cluster: ControlPlane, tmp_path: Path) -> None:
    metadata = {
        "labels": {"app": " Web ", "team": "Payments"},
        "annotations": {"example.com/note": " two words "},
    }
    untidy = pod(
        "c-web", metadata=metadata, containers=[{"name": "a", "image": "nginx"}]
    )
    manifest = yaml.safe_dump(untidy)
    with example(cluster, tmp_path, "corrections", pod("probe")) as running:
        applied = running.kubectl("apply", "-f", "-", input=manifest)
        assert applied.stdout == "pod/c-web created\n"
        assert applied.stderr == (
            "Warning: container a: nginx has no tag, using 1.29\n"
        )
        stored = running.client.get(untidy)
        assert stored["metadata"]["labels"] == {"app": "Web", "team": "payments"}
        assert stored["metadata"]["annotations"]["example.com/note"] == "two words"
        assert stored["spec"]["containers"][0]["image"] == "nginx:1.29"
        # The same file again sends the same mistakes, and changes nothing.
        again = running.kubectl("apply", "-f", "-", input=manifest)
        assert again.returncode == 0, again.stderr
        version = stored["metadata"]["resourceVersion"]
        assert running.client.get(untidy)["metadata"]["resourceVersion"] == version
        on_it = ("pod", "c-web", "-n", "team-a")
        note = "example.com/b= c "
        assert "annotated" in running.kubectl("annotate", *on_it, note).stdout
        annotations = running.client.get(untidy)["metadata"]["annotations"]
        assert annotations["example.com/b"] == "c"
        deleted = running.kubectl("delete", *on_it, "--grace-period=0", "--force")
        assert "deleted" in deleted.stdout
        out, _ = kubectl_apply(running, untidy, "--dry-run=server")
        assert out == "pod/c-web created (server dry run)"


def test_a_deployment_with_an_untidy_selector_can_be_applied_again(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    untidy = copy.deepcopy(DEPLOYMENT)
    untidy["spec"]["selector"]["matchLabels"] = {"app": " Web "}
    labels = {"app": " Web ", "team": "Payments"}
    untidy["spec"]["template"]["metadata"]["labels"] = labels
    manifest = yaml.safe_dump(untidy)
    with example(cluster, tmp_path, "corrections", pod("probe")) as running:
        for said in ("created", "configured"):
            applied = running.kubectl("apply", "-f", "-", input=manifest)
            assert applied.stdout == f"deployment.apps/web {said}\n", applied.stderr
        spec = running.client.get(untidy)["spec"]
        assert spec["selector"]["matchLabels"] == {"app": "Web"}
        assert spec["template"]["metadata"]["labels"] == {
            "app": "Web",
            "team": "payments",
        }
        assert running.client.get(untidy)["metadata"]["generation"] == 1
    cluster.client.delete(DEPLOYMENT)
