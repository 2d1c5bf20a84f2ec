"""What `admit manifests` prints, running: policies that kubectl meets in a cluster."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from admit.errors import ClusterError
from admit.testing import wait_until
from tests.commands import invoke
from tests.node import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.node.clusters import Cluster

TUTORIAL = Path(__file__).parent.parent.parent / "examples/tutorial/policies.py"
CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


@contextmanager
def applied(cluster: Cluster, name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Have a release of the tutorial's policies, with a certificate from a file.

    Gives the Deployment. The configurations come last, once the pods are ready, and go
    first.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificates = ("--certs", "files", "--ca-file", folder / "ca.pem")
    printed = invoke("manifests", TUTORIAL, "--name", name, *certificates, "-o", "json")
    assert printed.exit_code == 0, printed.output
    items: list[dict[str, Any]] = json.loads(printed.stdout)["items"]
    found = {item["kind"]: item for item in items}
    deployment, service = found["Deployment"], found["Service"]["metadata"]
    leaf = authority.issue_cert(f"{service['name']}.{service['namespace']}.svc")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": f"{service['name']}-tls",
            "namespace": service["namespace"],
        },
        "data": {
            "tls.crt": encode(leaf.cert_chain_pems[0].bytes()),
            "tls.key": encode(leaf.private_key_pem.bytes()),
        },
    }
    first = [item for item in items if item["kind"] not in CONFIGURATIONS]
    try:
        apply(cluster, [*first, secret])
        workloads.wait_available(cluster, deployment)
        apply(cluster, [item for item in items if item["kind"] in CONFIGURATIONS])
        yield deployment
    finally:
        cluster.kubectl(
            *("delete", "--wait=false", "--ignore-not-found", "-f", "-"),
            input=as_list(items[::-1]),
        )


def apply(cluster: Cluster, objects: list[dict[str, Any]]) -> None:
    done = cluster.kubectl("apply", "-f", "-", input=as_list(objects))
    assert done.returncode == 0, done.stderr


def as_list(objects: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def make_pod(namespace: str, **labels: str) -> dict[str, Any]:
    made = workloads.make_deployment("web", namespace, image="none", code="")
    spec = made["spec"]["template"]["spec"]
    metadata = {"name": "web", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def wait_enforced(cluster: Cluster, namespace: str) -> None:
    """Wait until a pod without a label is refused, whoever refuses it."""

    def is_refused() -> bool:
        try:
            cluster.client.create(make_pod(namespace), dry_run=True)
        except ClusterError as error:
            return "Pod must have an app label" in str(error)
        return False

    wait_until(is_refused, what="the policies to be in effect")


@pytest.mark.usefixtures("image")
def test_kubectl_is_denied_and_mutated_by_restricted_pods(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    with applied(cluster, "answers", tmp_path):
        wait_enforced(cluster, namespace)
        command = ("create", "--dry-run=server", "--output=json", "-f", "-")
        pod = make_pod(namespace)
        bad = cluster.kubectl(*command, input=json.dumps(pod))
        assert bad.returncode == 1
        assert "Pod must have an app label" in bad.stderr
        pod = make_pod(namespace, app="web")
        good = cluster.kubectl(*command, input=json.dumps(pod))
        assert good.returncode == 0, good.stderr
        labels = json.loads(good.stdout)["metadata"]["labels"]
        assert labels == {"app": "web", "environment": "production"}
    # Nobody is asked any more, once the API server has seen that.
    unlabelled = make_pod(namespace)
    wait_until(
        lambda: cluster.client.create(unlabelled, dry_run=True), what="no policy"
    )


@pytest.mark.usefixtures("image")
def test_after_a_power_cut_the_policies_come_back_by_themselves(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """failurePolicy is Fail and nobody is there to answer: nothing stands in the way."""
    with applied(cluster, "comes-back", tmp_path) as deployment:
        wait_enforced(cluster, namespace)
        cluster.restart_node()
        workloads.wait_restarted(cluster, deployment)
        wait_enforced(cluster, namespace)
