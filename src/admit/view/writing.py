"""Writing the patch: from what was edited and what was there before.

What this file must not know: views. It gets the edited document, what its containers
held before, by identity, and the ways that lead to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit.patch import Operation, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from admit.patch import Verb

__all__ = ("ABSENT", "Edits", "write")

# Pairs of elements that an array's alignment may compare: 100 elements with 100 others,
# which takes about 2 ms. Beyond it elements are replaced in place.
ALIGNMENT_LIMIT: Final = 10_000

ABSENT: Final = object()
"""What an object held at a key that it did not have."""

_encode: Final = msgspec.json.Encoder(order="sorted").encode


@dataclass(slots=True)
class Edits:
    """What edited containers held before, by the container's identity.

    Args:
        objects: of an object, what it held at the keys that were edited.
        arrays: of an array, a shallow copy.
    """

    objects: dict[int, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[int, list[Any]] = field(default_factory=dict)

    def restore(self, value: Any) -> Any:
        """Return a copy of a value as it was before any edit inside it."""
        if isinstance(value, dict):
            held = value | self.objects.get(id(value), {})
            return {k: self.restore(v) for k, v in held.items() if v is not ABSENT}
        if isinstance(value, list):
            return [self.restore(v) for v in self.arrays.get(id(value), value)]
        return value


def write(
    document: Any, edits: Edits, ways: Mapping[int, Mapping[Any, Any]]
) -> tuple[Operation, ...]:
    """Return the smallest patch that makes these edits, in an order that applies.

    Args:
        document: as edited.
        edits: what its containers held before.
        ways: by a container's identity, those of its children that were edited or lead
            to one that was: an object's by key, an array's by identity.
    """
    writer = _Writer(edits, ways)
    writer.write(document, "")
    return tuple(writer.operations)


class _Writer:
    def __init__(self, edits: Edits, ways: Mapping[int, Mapping[Any, Any]]) -> None:
        self._edits = edits
        self._ways = ways
        self.operations: list[Operation] = []

    def write(self, node: Any, path: str) -> None:
        if isinstance(node, dict):
            self._write_object(node, path)
        else:
            self._write_array(node, path)

    def _write_object(self, node: dict[str, Any], path: str) -> None:
        """Write the keys that changed, then go into the values that stayed."""
        before = self._edits.objects.get(id(node), {})
        for key, old in before.items():
            value = node.get(key, ABSENT)
            if value is old:
                continue
            place = f"{path}/{_escape(key)}"
            if value is ABSENT:
                self.operations.append(Operation("remove", place))
            elif old is ABSENT:
                self.operations.append(Operation("add", place, _copy(value)))
            elif not same(self._edits.restore(old), value):
                self.operations.append(Operation("replace", place, _copy(value)))
        for key, child in self._ways.get(id(node), {}).items():
            if node.get(key) is child and before.get(key, child) is child:
                self.write(child, f"{path}/{_escape(key)}")

    def _write_array(self, node: list[Any], path: str) -> None:
        """Write the elements that changed, then go into those that stayed."""
        before = self._edits.arrays.get(id(node))
        kept: Iterable[int] = range(len(node))
        if before is not None:
            kept = self._write_elements(before, node, path)
        children = self._ways.get(id(node))
        if children:
            for index in kept:
                if id(node[index]) in children:
                    self.write(node[index], f"{path}/{index}")

    def _write_elements(
        self, before: list[Any], node: list[Any], path: str
    ) -> list[int]:
        """Write the elements that changed; return where the others are now."""
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
        before = [_encode(self._edits.restore(element)) for element in old]
        known = dict(zip(map(id, old), before, strict=True))
        return before, [known.get(id(e)) or _encode(e) for e in new]


def _align_tokens(old: list[bytes], new: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Keep a longest common subsequence; what is between is removed and added."""
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            lengths[i][j] = (
                lengths[i + 1][j + 1] + 1
                if old[i] == new[j]
                else max(lengths[i + 1][j], lengths[i][j + 1])
            )
    i = j = removed = added = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            yield removed, added, 1
            i, j, removed, added = i + 1, j + 1, 0, 0
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i, removed = i + 1, removed + 1
        else:
            j, added = j + 1, added + 1
    yield removed + len(old) - i, added + len(new) - j, 0


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_copy(child) for child in value]
    return value
