"""Writing the patch: from what was edited and what was there before.

Each container that was edited is looked for in the document, and what changed in it is
written; an edit that was undone has changed nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit.patch import Operation, same
from admit.view.node import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from admit.patch import Verb
    from admit.view.node import Edits

__all__ = ("write",)

# Pairs of elements that an array's alignment may compare: 100 elements with 100 others,
# which takes about 2 ms. Beyond it elements are replaced in place.
ALIGNMENT_LIMIT: Final = 10_000

_encode: Final = msgspec.json.Encoder(order="sorted").encode


def write(document: Any, edits: Edits) -> tuple[Operation, ...]:
    """Return the smallest patch that makes the edits, in an order that applies."""
    writer = _Writer(document, edits)
    for node, before in writer.sort():
        path = writer.find_path(node)
        if path is not None:
            writer.write(path, node, before)
    return tuple(writer.operations)


class _Writer:
    """Operations so far, and where things are after them."""

    def __init__(self, document: Any, edits: Edits) -> None:
        self.operations: list[Operation] = []
        self._document = document
        self._edited, self._ways = edits._edited, edits._ways
        # Of an array, by identity: where its elements are, by identity.
        self._indices: dict[int, dict[int, int]] = {}

    def sort(self) -> Iterable[tuple[Any, Any]]:
        """Return what was edited, arrays before what is in them.

        The indices in a path are those after the array has been edited.
        """
        entries = self._edited.values()
        for _, before in entries:
            if type(before) is list:
                return sorted(entries, key=lambda entry: self._depth(entry[0]))
        return entries

    def _depth(self, node: Any) -> int:
        depth = 0
        while way := self._ways.get(id(node)):
            depth, node = depth + 1, way[0]
        return depth

    def find_path(self, node: Any) -> str | None:
        """Return where a container is, None where it needs no operations of its own.

        It is not in the document any more, or what is around it is new and written as
        a whole.
        """
        path = ""
        while node is not self._document:
            around, key = self._ways.get(id(node), (None, None))
            if around is None:
                return None
            if key is None:
                index = self._find_index(around, node)
                if index is None:
                    return None
                path = f"/{index}{path}"
            else:
                entry = self._edited.get(id(around))
                stayed = entry is None or entry[1].get(key, node) is node
                if not stayed or around.get(key) is not node:
                    return None
                path = f"/{_escape(key)}{path}"
            node = around
        return path

    def _find_index(self, array: list[Any], node: Any) -> int | None:
        indices = self._indices.get(id(array))
        if indices is None:
            indices = self._keep_indices(array, range(len(array)))
        return indices.get(id(node))

    def _keep_indices(self, array: list[Any], stayed: Iterable[int]) -> dict[int, int]:
        indices = {id(array[index]): index for index in stayed}
        self._indices[id(array)] = indices
        return indices

    def write(self, path: str, node: Any, before: Any) -> None:
        """Write what changed in a container itself."""
        if isinstance(node, dict):
            self._write_object(path, node, before)
        else:
            self._keep_indices(node, self._write_array(path, node, before))

    def _write_object(
        self, path: str, node: dict[str, Any], before: dict[str, Any]
    ) -> None:
        for key, old in before.items():
            value = node.get(key, ABSENT)
            if value is old:
                continue
            place = f"{path}/{_escape(key)}"
            if value is ABSENT:
                self.operations.append(Operation("remove", place))
            elif old is ABSENT:
                self.operations.append(Operation("add", place, _copy(value)))
            elif not same(self._restore(old), value):
                self.operations.append(Operation("replace", place, _copy(value)))

    @cached_property
    def _touched(self) -> set[int]:
        """The identities of what was edited, and of what is around that."""
        return {*self._edited, *(id(around) for around, _ in self._ways.values())}

    def _restore(self, value: Any) -> Any:
        """Return a value as it was before any edit inside it."""
        if not isinstance(value, (dict, list)) or id(value) not in self._touched:
            return value
        entry = self._edited.get(id(value))
        if isinstance(value, dict):
            held = value if entry is None else value | entry[1]
            return {k: self._restore(v) for k, v in held.items() if v is not ABSENT}
        return [self._restore(v) for v in (value if entry is None else entry[1])]

    def _write_array(self, path: str, node: list[Any], before: list[Any]) -> list[int]:
        """Return where the elements are that stayed."""
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
        return kept

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


def _escape(key: str) -> str:
    if "/" in key or "~" in key:
        return key.replace("~", "~0").replace("/", "~1")
    return key


def _copy(value: Any) -> Any:
    return msgspec.to_builtins(value) if isinstance(value, (dict, list)) else value
