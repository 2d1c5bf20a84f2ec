"""The same tests on a cluster that a kubeconfig names, as the GitHub workflow does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.node.clusters import LOAD_IMAGE

if TYPE_CHECKING:
    from tests.node.clusters import Cluster

TESTS = "tests/node/test_node.py"


def run(cluster: Cluster, selected: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "node", TESTS, "-k", selected],
        env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.usefixtures("image")
def test_the_tests_run_on_the_cluster_of_a_kubeconfig(cluster: Cluster) -> None:
    # The image is there; what loads it needs not do anything.
    code, output = run(cluster, "restricted or power", **{LOAD_IMAGE: "true"})
    assert code == 0, output
    assert "1 passed, 1 skipped" in output
    assert "not ours to restart" in output


def test_without_a_way_to_load_images_the_tests_fail(cluster: Cluster) -> None:
    code, output = run(cluster, "restricted", **{LOAD_IMAGE: ""})
    assert code == 1, output
    assert f"{LOAD_IMAGE} names the command" in output


def test_without_any_cluster_a_pipeline_fails(cluster: Cluster) -> None:
    nothing = {"KUBECONFIG": "", "ADMIT_NODE_CGROUP": ""}
    code, output = run(cluster, "ready", **nothing, CI="true")
    assert code == 1, output
    assert "no node: `make node-test` starts one" in output
    code, output = run(cluster, "ready", **nothing, CI="")
    assert code == 0, output
    assert "1 skipped" in output
