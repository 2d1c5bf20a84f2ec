"""The plugin, and its completion, as kubectl runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane

BIN = Path(sys.executable).parent
CONFIGURATION = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "completed"},
}


@pytest.fixture(autouse=True)
def _registered(cluster: ControlPlane) -> Iterator[None]:
    made = cluster.client.create(CONFIGURATION)
    yield
    cluster.client.delete(made)


def run(cluster: ControlPlane, *command: str) -> str:
    path = f"{BIN}:{cluster.assets}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_kubectl_runs_admit(cluster: ControlPlane) -> None:
    assert "webhooks healthy" in run(cluster, "kubectl", "admit", "doctor")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("do",), "doctor\tSay what"),
        (("failopen", "--for", "1h", "compl"), "completed"),
        (("restore", ""), "completed"),
        (("doctor", "--sev"), "--severity"),
    ],
)
def test_completion_asks_the_cluster(
    cluster: ControlPlane, words: tuple[str, ...], offered: str
) -> None:
    said = run(cluster, "kubectl_complete-admit", *words).splitlines()
    assert said[-1] == ":4"
    assert any(line.startswith(offered) for line in said), said


def test_without_a_cluster_nothing_is_offered(tmp_path: Path) -> None:
    command = [str(BIN / "kubectl_complete-admit"), "failopen", ""]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == ":4\n"
