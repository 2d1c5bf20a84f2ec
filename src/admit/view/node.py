"""View and Edits: a place in a document, and what its views note before they edit.

A view finds its JSON through its parent until there is something, and then holds on to
it: as in Python, a view of what was replaced or taken out is no part of the document
any more. A view of nothing, or of something empty, stands for the place itself. Reading
never changes the document.

The document is edited in place. Before a key of an object changes for the first time,
what was there is noted; of an array all that it held. The patch is written from these
notes alone (`writing`); what nobody edited is not looked at.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import msgspec

from admit.errors import PolicyError, ReviewError
from admit.patch import join
from admit.review import decode_members, decode_value

__all__ = (
    "ABSENT",
    "Blank",
    "Edits",
    "View",
    "Way",
    "at",
    "expectation",
    "unpack",
    "unpack_members",
    "wrong_type",
)

_View = TypeVar("_View", bound="View")

Way: TypeAlias = list[tuple[Any, str | None]]
"""The containers around a container, the nearest first, and the key in each."""

ABSENT: Final = object()
"""What an object held at a key that it did not have."""

# What may have members that nobody has decoded.
_UNREAD: Final = (dict, msgspec.Raw)


class Edits:
    """What was edited in a document, and what was there before.

    Args:
        editable: where it is False, an edit through a view raises `PolicyError`.
    """

    __slots__ = ("_created", "_edited", "editable", "edits")

    def __init__(self, *, editable: bool) -> None:
        self.editable = editable
        self.edits = 0
        # By a container's identity, which is its own as long as it is held here: what
        # was edited, what it held before (an object at the keys that were edited, an
        # array at all), and the way to it.
        self._edited: dict[int, tuple[Any, Any, Way]] = {}
        # Objects and arrays made for what is written into them: the object around it,
        # the key in that, what was there (ABSENT or None), what was made.
        self._created: list[tuple[dict[str, Any], str, Any, Any]] = []

    def _add(self, view: View, node: Any, before: Any) -> None:
        """Note what a container held, and where it is: views are not held.

        They hold their parents, and the root's holds these edits.
        """
        way: Way = []
        self._edited[id(node)] = (node, before, way)
        while (parent := view._parent) is not None:
            way.append((parent._node, view._key))
            view = parent

    def _drop_empty(self) -> None:
        """Take out what was made for edits since undone."""
        kept = []
        for entry in reversed(self._created):
            above, key, before, node = entry
            if node:
                kept.append(entry)
            elif above.get(key) is node:
                if before is ABSENT:
                    del above[key]
                else:
                    above[key] = before
        self._created = kept[::-1]


class View:
    """A place in a document: a key in a parent view.

    The key of an array's element is None: it moves. The root has no parent; in the
    key's stead are the document's `Edits`. `_node` is the JSON there, None where none
    was found yet.
    """

    __slots__ = ("_key", "_node", "_parent")
    _json: ClassVar[type] = dict
    # How a list's elements or a map's values are read; a struct has fields instead.
    _element: ClassVar[Any] = None
    _node: Any
    _parent: View | None
    _key: Any

    def _peek(self) -> Any:
        """Return the JSON here, or None."""
        node = self._node
        if node:
            return node
        parent, key = self._parent, self._key
        if parent is None or key is None:
            return node
        above = parent._peek()
        found = None if above is None else above.get(key)
        if found is None or type(found) is self._json:
            node = found
            _set_node(self, node)
        return node

    def _edit_key(self, key: str) -> dict[str, Any]:
        """Return the object here, of which a key is about to change."""
        edits = self._find_edits()
        node: dict[str, Any] = self._node or self._make(edits)
        entry = edits._edited.get(id(node))
        if entry is None or key not in entry[1]:
            before = node.get(key, ABSENT)
            if type(before) in _UNREAD:
                before = _get_whole(node, key)
            if entry is None:
                edits._add(self, node, {key: before})
            else:
                entry[1][key] = before
        return node

    def _edit_array(self) -> list[Any]:
        """Return the array here, which is about to change."""
        edits = self._find_edits()
        node: list[Any] = self._node or self._make(edits)
        if id(node) not in edits._edited:
            edits._add(self, node, node.copy())
        return node

    def _find_edits(self) -> Edits:
        """Return the document's edits, to which one is about to be added.

        Raises:
            PolicyError: the document is for looking only (policy author's fault).
        """
        view = self
        while (parent := view._parent) is not None:
            view = parent
        edits: Edits = view._key
        if not edits.editable:
            raise PolicyError(
                f"{self._path() or 'the object'} cannot be edited here",
                hint="only a handler under @app.mutate edits, and not on DELETE",
            )
        edits.edits += 1
        return edits

    def _make(self, edits: Edits) -> Any:
        """Return the JSON here; put it in if there is none."""
        node = self._peek()
        parent, key = self._parent, self._key
        if node is None and parent is not None:
            above = parent._make(edits)
            if above.get(key) is not None:
                raise PolicyError(
                    f"{self._path()} holds something else by now",
                    hint="take it from its parent again",
                )
            node = self._json()
            edits._created.append((above, key, above.get(key, ABSENT), node))
            parent._edit_key(key)[key] = node
            _set_node(self, node)
        return node

    def _path(self) -> str:
        """Return the pointer to here, for messages."""
        parent = self._parent
        return "" if parent is None else parent._path_to(self._key, self._node)

    def _path_to(self, key: str | None, value: Any) -> str:
        """Return the pointer to a value here: at a key, or an element found again."""
        if key is not None:
            return self._path() + join((key,))
        for index, element in enumerate(self._peek() or ()):
            if element is value:
                return self._path() + join((index,))
        return self._path() + "/removed"

    @classmethod
    def _reader_of(cls, key: str) -> Any:  # noqa: ARG003 - a struct's depend on it
        """Return how the value of a key is read."""
        return cls._element

    @classmethod
    def _find_copy(cls, key: str) -> Any:
        """Return how the value of a key is copied when a whole object is put in."""
        return cls._reader_of(key).copy

    def __bool__(self) -> bool:
        return bool(self._peek())

    def __len__(self) -> int:
        return len(self._peek() or ())

    def __eq__(self, other: object) -> bool:
        mine = self._whole()
        return bool(mine == (other._whole() if isinstance(other, View) else other))

    def _whole(self) -> Any:
        """Return the JSON here, all of it decoded; empty where there is none."""
        node = self._peek()
        unpack_members(node)
        return self._json() if node is None else node

    __hash__ = None  # type: ignore[assignment] # it can be edited

    def __repr__(self) -> str:
        state = "" if self._peek() is not None else " absent"
        return f"<{type(self).__name__} {self._path() or 'object'}{state}>"


_set_node: Final = View.__dict__["_node"].__set__  # past __setattr__


class Blank(View):
    """A view before it has its class, which may refuse to be written to."""

    __slots__ = ()


def at(cls: type[_View], node: Any, parent: View | None, key: Any) -> _View:
    """Return a view of a place."""
    view: Any = Blank()
    view._node = node
    view._parent = parent
    view._key = key
    # Half of what it takes to pass each class's own __setattr__.
    view.__class__ = cls
    found: _View = view
    return found


def unpack(node: dict[str, Any], key: str) -> Any:
    """Decode a member that nobody has read yet, and keep it; of metadata the members.

    Raises:
        ReviewError: it is not JSON (caller's fault).
    """
    packed: msgspec.Raw = node[key]
    decode = decode_value
    if key == "metadata" and bytes(memoryview(packed)[:1]) == b"{":
        decode = decode_members
    value = node[key] = decode(packed, f"object /{key}")
    return value


def _get_whole(node: dict[str, Any], key: str) -> Any:
    """Return what an object holds at a key, all of it decoded."""
    value = node[key]
    if type(value) is msgspec.Raw:
        value = unpack(node, key)
    unpack_members(value)
    return value


def unpack_members(node: Any) -> None:
    """Decode what nobody has read yet in an object, and in its metadata."""
    if type(node) is not dict:
        return
    for key, value in node.items():
        if type(value) is msgspec.Raw:
            unpack_members(unpack(node, key))
        elif key == "metadata":
            unpack_members(value)


def wrong_type(path: str, value: object, *expected: type) -> ReviewError:
    """Return the error for an object that is not of its kind's shape."""
    return ReviewError(
        expectation(value, *expected),
        place=f"object {path}" if path else "object",
        hint="the object does not have the shape of its kind",
    )


def expectation(value: object, *expected: type) -> str:
    """Say what was expected and what was found, in JSON's words."""
    wanted = [_NAMES[t] for t in expected if t is not int or float not in expected]
    return f"expected {' or '.join(wanted)}, found {_NAMES[type(value)]}"


_NAMES: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
