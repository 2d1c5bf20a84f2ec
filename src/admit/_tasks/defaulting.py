"""What the API server fills in before it asks a mutating webhook, and who overlooks it.

The table is what a real API server sent to a webhook (tests/cluster/test_defaults.py,
which writes it with ADMIT_UPDATE=1): for each kind path and value, ``*`` in a path for
any item of a list. Fields whose absence is not told by the table are not noted.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from admit.patch import Operation

__all__ = ("TABLE", "find_defaulted")

TABLE: Final = Path(__file__).with_name("defaults.json")


@functools.cache
def _read_table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def find_defaulted(
    api_version: str, kind: str, patch: Iterable[Operation]
) -> Iterator[tuple[str, Any]]:
    """Yield path and the API server's value of what a patch adds where it has one."""
    defaults = _read_table().get(f"{api_version} {kind}", {})
    for operation in patch:
        if operation.op == "add":
            path = "/".join(
                "*" if part.isdigit() else part for part in operation.path.split("/")
            )
            if path in defaults:
                yield operation.path, defaults[path]
