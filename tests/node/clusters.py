"""A cluster that runs containers: a node of our own, or whatever a kubeconfig names."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import ssl
import subprocess
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from admit.testing import Client, get_assets
from admit.testing.kubectl import run_kubectl

if TYPE_CHECKING:
    from admit.testing.node import Node

# A command that gives the cluster of KUBECONFIG an image; the archive's name is added.
LOAD_IMAGE = "ADMIT_LOAD_IMAGE"

Completed = subprocess.CompletedProcess[str]


class Cluster(Protocol):
    """What the tests here ask of a cluster."""

    kubeconfig: Path
    client: Client

    # The tests run on its node, where addresses of Services work.
    is_here: bool

    def kubectl(self, *arguments: str, input: str | None = None) -> Completed:
        """Run kubectl as the admin."""

    def load_image(self, archive: Path) -> None:
        """Let pods run the images of an archive."""

    def kill_container(self, container_id: str) -> None:
        """Kill a container of a pod's status; skips where that cannot be."""

    def restart_node(self) -> None:
        """Cut the power of the node and switch it on; skips where that cannot be."""

    def stop_api_server(self) -> None:
        """End the API server at once; skips where that cannot be."""

    def start_api_server(self, *flags: str) -> None:
        """Start it again, with more flags, and wait until it is ready."""


class OwnCluster:
    """The node that this test session started."""

    is_here = True

    def __init__(self, node: Node) -> None:
        self.node = node
        self.kubeconfig = node.control_plane.kubeconfig
        self.client = node.control_plane.client

    def kubectl(self, *arguments: str, input: str | None = None) -> Completed:
        return self.node.control_plane.kubectl(*arguments, input=input)

    def load_image(self, archive: Path) -> None:
        self.node.load_image(archive)

    def kill_container(self, container_id: str) -> None:
        self.node.kill_container(container_id)

    def restart_node(self) -> None:
        self.node.restart()

    def stop_api_server(self) -> None:
        self.node.control_plane.stop_api_server()

    def start_api_server(self, *flags: str) -> None:
        self.node.control_plane.start_api_server(*flags)


class NamedCluster:
    """The cluster that KUBECONFIG names; kubectl reads the file."""

    is_here = False

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = Path(shutil.which("kubectl") or get_assets() / "kubectl")
        self._home = Path(tempfile.mkdtemp(prefix="admit-kubectl-"))
        self.client = self._make_client()

    def kubectl(self, *arguments: str, input: str | None = None) -> Completed:
        return run_kubectl(
            self._kubectl,
            arguments,
            kubeconfig=self.kubeconfig,
            home=self._home,
            input=input,
        )

    def load_image(self, archive: Path) -> None:
        command = os.environ.get(LOAD_IMAGE)
        if not command:
            pytest.fail(
                f"with KUBECONFIG set, {LOAD_IMAGE} names the command that loads an "
                "image archive, such as `kind load image-archive`"
            )
        subprocess.run([*shlex.split(command), str(archive)], check=True)

    def kill_container(self, container_id: str) -> None:
        pytest.skip(f"{container_id} is on a node that we cannot reach")

    def restart_node(self) -> None:
        pytest.skip("the node of KUBECONFIG is not ours to restart")

    def stop_api_server(self) -> None:
        pytest.skip("the API server of KUBECONFIG is not ours to stop")

    def start_api_server(self, *_flags: str) -> None:
        self.stop_api_server()

    def close(self) -> None:
        self.client.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _make_client(self) -> Client:
        view = ("config", "view", "--raw", "--minify", "--flatten", "--output=json")
        shown = self.kubectl(*view)
        if shown.returncode:
            pytest.fail(f"KUBECONFIG: {shown.stderr}")
        config = json.loads(shown.stdout)
        cluster: dict[str, Any] = config["clusters"][0]["cluster"]
        user: dict[str, Any] = config["users"][0]["user"]
        if "client-certificate-data" not in user:
            pytest.fail("KUBECONFIG: the tests need a user with a client certificate")
        pair = self._home / "client.pem"
        pair.touch(mode=0o600)
        for name in ("client-certificate-data", "client-key-data"):
            with pair.open("ab") as file:
                file.write(b64decode(user[name]))
        authority = b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        context.load_cert_chain(pair)
        return Client(cluster["server"], context)


def describe(cluster: Cluster) -> str:
    """Return what helps to see why a test failed: pods, warnings, last words."""
    asked = (
        ("get", "pods", "--all-namespaces", "--output=wide"),
        ("get", "events", "--all-namespaces", "--field-selector=type=Warning"),
        *(
            ("logs", f"--namespace={space}", name, "--all-containers", "--tail=20")
            for space, name in _find_pods(cluster)
        ),
    )
    parts = []
    for arguments in asked:
        done = cluster.kubectl(*arguments)
        parts.append(f"$ kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return "\n".join(parts)


def _find_pods(cluster: Cluster) -> list[tuple[str, str]]:
    pods = [pod["metadata"] for pod in cluster.client.list("v1", "Pod")]
    return [
        (pod["namespace"], pod["name"])
        for pod in pods
        if not pod["namespace"].startswith("kube-")
    ]
