"""Writing the patch: from what was edited and what was there before.

Each container that was edited is looked for in the document, and what changed in it is
written; an edit that was undone has changed nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import to_builtins

from admit.patch import Operation, same
from admit.view.node import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from admit.patch import Verb
    from admit.view.node import Edits, Way

__all__ = ("write",)

# Pairs of elements that an array's alignment may compare: 100 elements with 100 others,
# which takes about 2 ms. Beyond it elements are replaced in place.
ALIGNMENT_LIMIT: Final = 10_000

# Elements that are looked through, which for a few is cheaper than to index them all.
SCAN_LIMIT: Final = 8

_CONTAINERS: Final = (dict, list)
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def write(edits: Edits) -> tuple[Operation, ...]:
    """Return the smallest patch that makes the edits, in an order that applies."""
    writer = _Writer(edits)
    entries: Iterable[tuple[Any, Any, Way]] = edits._edited.values()
    for _, before, _ in entries:
        if type(before) is list:
            # Around before within: the indices in a path are those after the array
            # has been edited.
            entries = sorted(entries, key=_depth)
            break
    for node, before, way in entries:
        path = writer.find_path(node, way)
        if path is None:
            continue
        if type(before) is dict:
            writer.write_object(path, node, before)
        else:
            writer.write_array(path, node, before)
    return tuple(writer.operations)


class _Writer:
    """Operations so far, and where things are after them."""

    def __init__(self, edits: Edits) -> None:
        self.operations: list[Operation] = []
        self._edited = edits._edited
        # Of an array, by identity: where its elements are, by identity.
        self._indices: dict[int, dict[int, int]] = {}

    def find_path(self, node: Any, way: Way) -> str | None:
        """Return where a container is, None where it needs no operations of its own.

        It is not in the document any more, or what is around it is new and written as
        a whole.
        """
        path, edited = "", self._edited
        for around, key in way:
            if around is None:
                return None
            if key is None:
                index = self._find_index(around, node)
                if index is None:
                    return None
                path = f"/{index}{path}"
            else:
                if around.get(key) is not node:
                    return None
                entry = edited.get(id(around))
                if entry is not None and entry[1].get(key, node) is not node:
                    return None
                name = _escape(key) if "/" in key or "~" in key else key
                path = f"/{name}{path}"
            node = around
        return path

    def _find_index(self, array: list[Any], node: Any) -> int | None:
        indices = self._indices.get(id(array))
        if indices is None:
            if len(array) <= SCAN_LIMIT:
                for index, element in enumerate(array):
                    if element is node:
                        return index
                return None
            indices = self._keep_indices(array, range(len(array)))
        return indices.get(id(node))

    def _keep_indices(self, array: list[Any], stayed: Iterable[int]) -> dict[int, int]:
        indices = {id(array[index]): index for index in stayed}
        self._indices[id(array)] = indices
        return indices

    def write_object(
        self, path: str, node: dict[str, Any], before: dict[str, Any]
    ) -> None:
        """Write which keys changed; `before` has those that may have."""
        for key, old in before.items():
            value = node.get(key, ABSENT)
            if value is old:
                continue
            place = f"{path}/{key}"
            if "/" in key or "~" in key:
                place = f"{path}/{_escape(key)}"
            if value is ABSENT:
                self.operations.append(Operation("remove", place))
                continue
            nested = isinstance(value, _CONTAINERS)
            if type(old) is type(value) and (
                same(self._restore(old), value) if nested else old == value
            ):
                continue
            verb: Verb = "add" if old is ABSENT else "replace"
            new = to_builtins(value) if nested else value
            self.operations.append(Operation(verb, place, new))

    @cached_property
    def _touched(self) -> set[int]:
        """The identities of what was edited, and of what is around that."""
        around = {id(a) for _, _, way in self._edited.values() for a, _ in way}
        return around.union(self._edited)

    def _restore(self, value: Any) -> Any:
        """Return a value as it was before any edit inside it."""
        if not isinstance(value, (dict, list)) or id(value) not in self._touched:
            return value
        entry = self._edited.get(id(value))
        if isinstance(value, dict):
            held = value if entry is None else value | entry[1]
            return {k: self._restore(v) for k, v in held.items() if v is not ABSENT}
        return [self._restore(v) for v in (value if entry is None else entry[1])]

    def write_array(self, path: str, node: list[Any], before: list[Any]) -> None:
        """Write which elements changed."""
        kept: list[int] = []
        position = 0
        for removed, added, stayed in self._align(before, node):
            for index in range(position, position + added):
                verb: Verb = "replace" if index - position < removed else "add"
                value = _copy(node[index])
                self.operations.append(Operation(verb, f"{path}/{index}", value))
            position += added
            self.operations += [
                Operation("remove", f"{path}/{position}")
                for _ in range(removed - added)
            ]
            kept += range(position, position + stayed)
            position += stayed
        self._keep_indices(node, kept)

    def _align(
        self, before: list[Any], node: list[Any]
    ) -> Iterator[tuple[int, int, int]]:
        """Yield steps from before to now: elements removed, added, kept."""
        shorter = min(len(before), len(node))
        start = 0
        while start < shorter and before[start] is node[start]:
            start += 1
        end = 0
        while end < shorter - start and before[-1 - end] is node[-1 - end]:
            end += 1
        old, new = before[start : len(before) - end], node[start : len(node) - end]
        yield 0, 0, start
        if old and new and len(old) * len(new) <= ALIGNMENT_LIMIT:
            yield from _align_tokens(*self._tokens(old, new))
        else:
            yield len(old), len(new), 0
        yield 0, 0, end

    def _tokens(self, old: list[Any], new: list[Any]) -> tuple[list[bytes], ...]:
        """Return what to compare elements by: their JSON before any edit inside."""
        before = [_encode(self._restore(element)) for element in old]
        known = dict(zip(map(id, old), before, strict=True))
        return before, [known.get(id(e)) or _encode(e) for e in new]


def _align_tokens(old: list[bytes], new: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Yield the steps that take the fewest operations; a replacement is one."""
    costs = _count_operations(old, new)
    i = j = removed = added = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            yield removed, added, 1
            i, j, removed, added = i + 1, j + 1, 0, 0
            continue
        replace, remove = costs[i + 1][j + 1], costs[i + 1][j]
        add = costs[i][j + 1]
        if replace <= min(remove, add):
            i, removed, j, added = i + 1, removed + 1, j + 1, added + 1
        elif remove <= add:
            i, removed = i + 1, removed + 1
        else:
            j, added = j + 1, added + 1
    yield removed + len(old) - i, added + len(new) - j, 0


def _count_operations(old: list[bytes], new: list[bytes]) -> list[list[int]]:
    """Return how many operations it takes from each place in both to the ends."""
    costs = [list(range(len(new), -1, -1))]
    for i in range(len(old) - 1, -1, -1):
        below = costs[-1]
        row = [len(old) - i]
        for j in range(len(new) - 1, -1, -1):
            if old[i] == new[j]:
                row.append(below[j + 1])
            else:
                row.append(1 + min(below[j + 1], below[j], row[-1]))
        costs.append(row[::-1])
    return costs[::-1]


def _depth(entry: tuple[Any, Any, Way]) -> int:
    return len(entry[2])


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _copy(value: Any) -> Any:
    return to_builtins(value) if isinstance(value, _CONTAINERS) else value
