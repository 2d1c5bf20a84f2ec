"""The pages whose commands need an API server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages import ROOT, needs_cluster, pages, walking

if TYPE_CHECKING:
    from admit.testing import ControlPlane


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if needs_cluster(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_command_says_what_the_page_says(
    cluster: ControlPlane, page: Path, tmp_path: Path
) -> None:
    # kubectl of the API server's version comes first.
    path = f"{cluster.assets}:{os.environ['PATH']}"
    with walking(tmp_path, KUBEBUILDER_ASSETS=str(cluster.assets)) as walk:
        walk.environment["PATH"] = f"{walk.environment['PATH'].split(':')[0]}:{path}"
        assert walk.go(page)
