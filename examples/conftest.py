"""Each example is a folder of its own, as a user's is: its tests import `policies`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


class _Example(pytest.Module):
    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        sys.path.insert(0, str(self.path.parent))
        try:
            yield from super().collect()
        finally:
            sys.path.remove(str(self.path.parent))
            sys.modules.pop("policies", None)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if HERE in module_path.parents:
        return _Example.from_parent(parent, path=module_path)
    return None
