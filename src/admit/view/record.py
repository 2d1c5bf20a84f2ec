"""What was edited, and what was there before.

The tree is edited in place. At the first edit of a container the record keeps a shallow
copy of what it held, so the patch is written from the edited containers alone; nothing
else is looked at. An edit that was undone leaves nothing, because what a container
holds is compared with what it held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from admit.errors import PolicyError
from admit.patch import Operation, join, same

if TYPE_CHECKING:
    from admit.patch import Verb
    from admit.view.node import View

__all__ = ("Record",)

_View = TypeVar("_View", bound="View")

# Pairs of elements that a list's alignment may compare. Beyond it (two lists of over
# 200 elements with nothing in common at either end) elements are replaced in place.
ALIGNMENT_LIMIT: Final = 40_000

_canonical: Final = msgspec.json.Encoder(order="sorted")


class Record:
    """A document, the views on it, and the edits made through them.

    Args:
        document: a JSON object; edited in place.
        editable: where it is False, an edit through a view raises `PolicyError`.
    """

    __slots__ = (
        "_before",
        "_created",
        "_way",
        "document",
        "editable",
        "edits",
        "pruned",
    )

    def __init__(self, document: dict[str, Any], *, editable: bool = True) -> None:
        self.document = document
        self.editable = editable
        self.edits = 0
        # By identity, with the container itself, which keeps the identity its own.
        self._before: dict[int, tuple[Any, Any]] = {}
        self._created: dict[int, Any] = {}
        self._way: set[int] = set()
        self.pruned: dict[int, Any] = {}

    def view(self, cls: type[_View]) -> _View:
        """Return the document as a kind."""
        return cls._at(self.document, (self, None, None))

    def touch(self, view: View, node: Any) -> None:
        """Keep what a container holds, before it is edited for the first time.

        Raises:
            PolicyError: this record is for looking only (policy author's fault).
        """
        if not self.editable:
            raise PolicyError(
                f"{view._path() or 'the object'} cannot be edited here",
                hint="only a handler under @app.mutate edits, and not on DELETE",
            )
        self.edits += 1
        if id(node) in self._before:
            return
        self._before[id(node)] = (node, node.copy())
        parent = view._place[1]
        while parent is not None:
            self._way.add(id(parent._node))
            parent = parent._place[1]

    def create(self, node: Any) -> None:
        """Note a parent that was made for what is written into it."""
        self._created[id(node)] = node

    def operations(self) -> tuple[Operation, ...]:
        """Return the smallest patch that makes these edits, in an order that applies.

        Adds, removes and replaces only, with plain indices: what RFC 6902 and the API
        server agree on. Parents that were created and then emptied again are dropped.
        """
        if not self._before:
            return ()
        operations: list[Operation] = []
        self._write(self.document, (), operations)
        return tuple(operations)

    def _write(
        self, node: Any, path: tuple[str | int, ...], out: list[Operation]
    ) -> None:
        entry = self._before.get(id(node))
        if entry is None:
            for key, child in _items(node):
                self._descend(child, (*path, key), out)
        elif isinstance(node, dict):
            self._write_table(entry[1], node, path, out)
        else:
            self._write_list(entry[1], node, path, out)

    def _descend(
        self, child: Any, path: tuple[str | int, ...], out: list[Operation]
    ) -> None:
        if id(child) in self._before or id(child) in self._way:
            self._write(child, path, out)

    def _write_table(
        self,
        before: dict[str, Any],
        node: dict[str, Any],
        path: tuple[str | int, ...],
        out: list[Operation],
    ) -> None:
        out.extend(
            Operation("remove", join((*path, key))) for key in before if key not in node
        )
        for key, value in list(node.items()):
            if self._prune(node, key, value):
                continue
            if key not in before:
                out.append(Operation("add", join((*path, key)), _copy(value)))
            elif value is before[key]:
                self._descend(value, (*path, key), out)
            elif not same(self._pristine(before[key]), value):
                out.append(Operation("replace", join((*path, key)), _copy(value)))

    def _prune(self, parent: dict[str, Any], key: str, value: Any) -> bool:
        """Drop a parent that was created for an edit since undone."""
        if id(value) not in self._created:
            return False
        if isinstance(value, dict):
            for inner, child in list(value.items()):
                self._prune(value, inner, child)
        if value:
            return False
        del parent[key]
        self.pruned[id(value)] = value
        return True

    def _pristine(self, value: Any) -> Any:
        """Return a value as it was before any edit inside it."""
        entry = self._before.get(id(value))
        held = value if entry is None else entry[1]
        if isinstance(held, dict):
            return {key: self._pristine(child) for key, child in held.items()}
        if isinstance(held, list):
            return [self._pristine(child) for child in held]
        return held

    def _write_list(
        self,
        before: list[Any],
        node: list[Any],
        path: tuple[str | int, ...],
        out: list[Operation],
    ) -> None:
        old = [self._token(element) for element in before]
        known = {
            id(element): token
            for element, token in zip(before, old, strict=True)
            if isinstance(element, dict | list)
        }
        new = [known.get(id(e)) or _canonical.encode(e) for e in node]
        position = 0
        kept_at: list[int] = []
        for removed, added, kept in _align(old, new):
            for index in range(position, position + added):
                verb: Verb = "replace" if index - position < removed else "add"
                pointer = join((*path, index))
                out.append(Operation(verb, pointer, _copy(node[index])))
            position += added
            out.extend(
                Operation("remove", join((*path, position)))
                for _ in range(removed - added)
            )
            kept_at += range(position, position + kept)
            position += kept
        for index in kept_at:
            self._descend(node[index], (*path, index), out)

    def _token(self, element: Any) -> bytes:
        return _canonical.encode(self._pristine(element))


def _items(node: Any) -> Any:
    return node.items() if isinstance(node, dict) else enumerate(node)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_copy(child) for child in value]
    return value


def _align(old: list[bytes], new: list[bytes]) -> list[tuple[int, int, int]]:
    """Return steps from old to new: elements removed, added, kept."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while (
        end < min(len(old), len(new)) - start
        and old[len(old) - 1 - end] == new[len(new) - 1 - end]
    ):
        end += 1
    steps = [(0, 0, start)]
    steps += _align_middle(old[start : len(old) - end], new[start : len(new) - end])
    return [*steps, (0, 0, end)]


def _align_middle(old: list[bytes], new: list[bytes]) -> list[tuple[int, int, int]]:
    """Keep a longest common subsequence; what is between is removed and added."""
    if not old or not new or len(old) * len(new) > ALIGNMENT_LIMIT:
        return [(len(old), len(new), 0)]
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            lengths[i][j] = (
                lengths[i + 1][j + 1] + 1
                if old[i] == new[j]
                else max(lengths[i + 1][j], lengths[i][j + 1])
            )
    steps = []
    i = j = removed = added = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            steps.append((removed, added, 1))
            i, j, removed, added = i + 1, j + 1, 0, 0
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i, removed = i + 1, removed + 1
        else:
            j, added = j + 1, added + 1
    steps.append((removed + len(old) - i, added + len(new) - j, 0))
    return steps
