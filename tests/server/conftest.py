from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.running import Authority, Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def served(authority: Authority) -> Iterator[Served]:
    """The tutorial's policies, served with the defaults."""
    with serving(authority) as served:
        yield served
