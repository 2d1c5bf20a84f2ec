"""One cluster with containers for all tests here; each of them is marked ``node``.

`make node-test` starts it, or takes the one that KUBECONFIG names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from admit.errors import ClusterError
from admit.testing.node import Node
from admit.testing.node.namespaces import CGROUP
from tests.node.clusters import Cluster, NamedCluster, OwnCluster, describe
from tests.node.images import IMAGE, IMAGE_ARCHIVE, write_pause

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

HERE = Path(__file__).parent

# The pod security standard that admit's own pods meet.
# Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    # At teardown it may be gone.
    if report.failed and report.when != "teardown" and cluster is not None:
        try:
            report.sections.append(("cluster", describe(cluster)))
        except ClusterError as error:
            report.sections.append(("cluster", str(error)))
    return report


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster that all tests share."""
    if named := os.environ.get("KUBECONFIG"):
        foreign = NamedCluster(Path(named))
        yield foreign
        foreign.close()
        return
    if not os.environ.get(CGROUP):
        reason = "no node: `make node-test` starts one, or set KUBECONFIG"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (and CI=true)", pytrace=False)
        pytest.skip(reason)
    with Node(pause_image=write_pause(tmp_path_factory.mktemp("pause"))) as node:
        yield OwnCluster(node)


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    """The name of admit's own image, which pods can run; `make image` made it."""
    cluster.load_image(IMAGE_ARCHIVE)
    return IMAGE


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, which takes restricted pods alone."""
    made = cluster.client.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": "test-", "labels": RESTRICTED},
        }
    )
    name: str = made["metadata"]["name"]
    yield name
    cluster.client.delete(made)
