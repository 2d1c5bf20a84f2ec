"""What RFC 6902 and the API server's dialect agree on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from admit.errors import PatchError
from admit.patch.dialect import apply
from admit.patch.operation import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.patch.operation import JSON, Operation

__all__ = ("check_portable",)


def check_portable(
    document: JSON, operations: Sequence[Operation]
) -> tuple[PatchError, ...]:
    """Return what RFC 6902 and the API server would not do alike; empty: all.

    Portable are add, remove and replace of what is there, below the root, with plain
    indices.

    Raises:
        PatchError: an operation that the API server refuses.
    """
    found = []
    for index, operation in enumerate(operations):
        try:
            after = apply(document, (operation,))
        except PatchError as error:
            raise PatchError(
                error.message, index=index, pointer=operation.path
            ) from None
        difference = _find_difference(operation, document)
        if difference:
            found.append(PatchError(difference, index=index, pointer=operation.path))
        document = after
    return tuple(found)


def _find_difference(operation: Operation, document: JSON) -> str | None:
    if operation.op not in {"add", "remove", "replace"}:
        return f"{operation.op} is read differently"
    if not operation.path.startswith("/"):
        return "the root is read differently"
    if re.search("~(?![01])", operation.path):
        return "the escape is read differently"
    if (operation.op == "remove") != (operation.value is msgspec.UNSET):
        return "a value that is missing, or too much"
    *parents, last = split(operation.path)
    node = document
    for part in parents:
        if isinstance(node, list):
            if not _is_plain(part):
                return "the index is read differently"
            node = node[int(part)]
        else:
            node = node[part]
    if isinstance(node, list) and not _is_plain(last):
        return "the index is read differently"
    if isinstance(node, dict) and operation.op == "replace" and last not in node:
        return "replace of a key that is not there"
    return None


def _is_plain(part: str) -> bool:
    return part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")
