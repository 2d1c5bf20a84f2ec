"""One real API server for all tests here; each of them is marked ``cluster``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster(admit_control_plane: ControlPlane) -> ControlPlane:
    """The API server that all tests share."""
    return admit_control_plane


@pytest.fixture
def namespace(cluster: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own.

    Nothing empties it (that is the controller-manager's work), but its name is new.
    """
    made = cluster.client.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": "test-"},
        }
    )
    name: str = made["metadata"]["name"]
    yield name
    cluster.client.delete(made)
