"""Releases of policies on the cluster, put there in each way that admit writes them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from admit._tasks.dialect import dump_yaml
from admit.errors import ClusterError
from admit.testing import find_assets, wait_until
from tests.commands import invoke
from tests.node.workloads import wait_available

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.node.clusters import Cluster

WAYS = ("plain", "kustomize", "helm")


def manifests(policies: Path, *options: object) -> list[dict[str, Any]]:
    result = invoke("manifests", policies, *options, "-o", "json")
    assert result.exit_code == 0, result.output
    items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
    return items


@contextlib.contextmanager
def released(
    cluster: Cluster, policies: Path, way: str, name: str, *more: str
) -> Iterator[dict[str, Any]]:
    """Have a release until the block ends; yields its Deployment, once it is available.

    Its certificate is one of ours: what the pods do for themselves is tested elsewhere.
    """
    space = f"admit-{name}"
    folder = policies.parent
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    files = ("--certs", "files", "--ca-file", folder / "ca.pem")
    options = ("--name", name, *files, *more)
    objects = manifests(policies, *options)
    (deployment,) = [o for o in objects if o["kind"] == "Deployment"]
    prepare(cluster, space, authority.issue_cert(f"{name}.{space}.svc"), name)
    try:
        if way == "helm":
            invoke("manifests", policies, *options, "--helm", folder / "chart")
            run_helm(cluster, "install", name, folder / "chart", "--namespace", space)
        elif way == "kustomize":
            invoke("manifests", policies, *options, "--kustomize", folder / "base")
            expect(cluster.kubectl("apply", "-k", str(folder / "base")))
        else:
            text = dump_yaml(objects)
            expect(cluster.kubectl("apply", "-f", "-", input=text))
        wait_available(cluster, deployment)
        yield cluster.client.get(deployment)
    finally:
        if way == "helm":
            run_helm(cluster, "uninstall", name, "--namespace", space)
        backwards = [o for o in reversed(objects) if o["kind"] != "Namespace"]
        gone = ("--ignore-not-found", "--wait=false")
        text = dump_yaml(backwards)
        expect(cluster.kubectl("delete", *gone, "-f", "-", input=text))
        # Its pods would keep a namespace for half a minute: their grace.
        now = ("--force", "--grace-period=0", f"--namespace={space}")
        expect(cluster.kubectl("delete", "pods", "--all", *now))
        expect(cluster.kubectl("delete", *gone, "namespace", space))
        wait_until(
            lambda: not exists(cluster, f"/api/v1/namespaces/{space}"),
            what=f"{space} to be gone",
            seconds=90.0,
        )


def prepare(cluster: Cluster, space: str, leaf: trustme.LeafCert, name: str) -> None:
    """Make the namespace and the Secret, which somebody else fills in this mode."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": space, "labels": labels}
    cluster.client.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    )
    cluster.client.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": f"{name}-tls", "namespace": space},
            "stringData": {
                "tls.crt": leaf.cert_chain_pems[0].bytes().decode(),
                "tls.key": leaf.private_key_pem.bytes().decode(),
            },
        }
    )


def run_helm(cluster: Cluster, *arguments: object) -> None:
    helm = shutil.which("helm", path=f"{find_assets() or ''}:{os.environ['PATH']}")
    if helm is None:
        pytest.skip("there is no helm (tools/assets/build makes one, with Go)")
    expect(
        subprocess.run(
            [helm, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)},
        )
    )


def expect(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def exists(cluster: Cluster, path: str) -> bool:
    try:
        cluster.client.get(path)
    except ClusterError as error:
        if error.status.get("code") == 404:
            return False
        raise
    return True
