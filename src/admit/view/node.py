"""View and Record: a place in a document, and what was edited in that document.

The document is edited in place. Before a key of an object changes for the first time,
the record keeps what was there; of an array it keeps a shallow copy. The patch is
written from these alone (`writing`); what nobody edited is not looked at.

A view finds its JSON through its parent until there is something, and then holds on to
it: as in Python, a view of what was replaced or taken out is no part of the document
any more. A view of nothing, or of something empty, stands for the place itself. Reading
never changes the document.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import msgspec

from admit.errors import PolicyError, ReviewError
from admit.patch import Operation, join
from admit.review import decode_members, decode_value
from admit.view.writing import ABSENT, Edits, write

__all__ = (
    "Record",
    "View",
    "at",
    "expectation",
    "new_view",
    "set_node",
    "set_place",
    "unpack",
    "unpack_members",
    "wrong_type",
)

Place: TypeAlias = "tuple[View | Record, str | None]"

_View = TypeVar("_View", bound="View")


class Record:
    """A document, the views on it, and the edits made through them.

    Args:
        document: a JSON object; edited in place. Its members, and those of its
            metadata, may be `msgspec.Raw`: they are decoded when they are read.
        editable: where it is False, an edit through a view raises `PolicyError`.
    """

    __slots__ = ("_created", "_document", "_edited", "_edits", "editable", "edits")

    def __init__(self, document: dict[str, Any], *, editable: bool = True) -> None:
        self._document = document
        self.editable = editable
        self.edits = 0
        self._edits = Edits()
        # Each container that was edited, by identity, which it keeps its own; with a
        # view of it, which knows the way there.
        self._edited: dict[int, tuple[View, Any]] = {}
        # Parents made for what is written into them: (container, key, was null, made).
        self._created: list[tuple[dict[str, Any], str, bool, Any]] = []

    @property
    def document(self) -> dict[str, Any]:
        """The document as edited, all of it decoded."""
        if self._created:
            self._drop_empty()
        unpack_members(self._document)
        return self._document

    def view(self, cls: type[_View]) -> _View:
        """Return the document as a kind."""
        return at(cls, self._document, (self, None))

    def operations(self) -> tuple[Operation, ...]:
        """Return the smallest patch that makes these edits, in an order that applies.

        Adds, removes and replaces only, with plain indices: what RFC 6902 and the API
        server agree on. An edit that was undone leaves nothing, nor does a parent that
        was made for it.
        """
        if not self._edited:
            return ()
        if self._created:
            self._drop_empty()
        return write(self._document, self._edits, self._find_ways())

    def keep_key(self, view: View, node: dict[str, Any], key: str) -> None:
        """Keep what an object holds at a key, before that changes."""
        before = self._edits.objects.get(id(node))
        if before is None:
            self._edited[id(node)] = (view, node)
            before = self._edits.objects[id(node)] = {}
        if key not in before:
            if type(node.get(key)) is msgspec.Raw:
                unpack(node, key)
            unpack_members(node.get(key))
            before[key] = node.get(key, ABSENT)

    def keep_array(self, view: View, node: list[Any]) -> None:
        """Keep what an array holds, before that changes."""
        if id(node) not in self._edits.arrays:
            self._edited[id(node)] = (view, node)
            self._edits.arrays[id(node)] = node.copy()

    def create(self, view: View, above: dict[str, Any], key: str, node: Any) -> None:
        """Put in a container for what is to be written into it."""
        was_null = key in above
        self.keep_key(view, above, key)
        above[key] = node
        self._created.append((above, key, was_null, node))

    def _drop_empty(self) -> None:
        """Take out the parents that were made for edits since undone."""
        kept = []
        for entry in reversed(self._created):
            above, key, was_null, node = entry
            if node:
                kept.append(entry)
            elif above.get(key) is node:
                if was_null:
                    above[key] = None
                else:
                    del above[key]
        self._created = kept[::-1]

    def _find_ways(self) -> dict[int, dict[Any, Any]]:
        """Return, by container, what in it leads to an edit: by key or by identity."""
        ways: dict[int, dict[Any, Any]] = {}
        for view, node in self._edited.values():
            below = node
            above, key = view._place
            while not isinstance(above, Record):
                children = ways.setdefault(id(above._node), {})
                step = id(below) if key is None else key
                if children.get(step) is below:
                    break
                children[step] = below
                below = above._node
                above, key = above._place
        return ways


class View:
    """A place in a document: `_place` is (parent view, key in it).

    The key of an array's element is None: it moves. The root's parent is its record.
    `_node` is the JSON there, None where none was found yet.
    """

    __slots__ = ("_node", "_place")
    _json: ClassVar[type] = dict
    # How a list's elements or a map's values are read; a struct has fields instead.
    _element: ClassVar[Any] = None
    _node: Any
    _place: Place

    def _peek(self) -> Any:
        """Return the JSON here, or None."""
        node = self._node
        if node:
            return node
        parent, key = self._place
        if key is None or isinstance(parent, Record):
            return node
        above = parent._peek()
        found = None if above is None else above.get(key)
        if type(found) is msgspec.Raw:
            found = unpack(above, key)
        if found is None or type(found) is self._json:
            node = found
            set_node(self, node)
        return node

    def _own(self) -> tuple[Record, Any]:
        """Return the record, and the JSON here to be edited; made if there is none.

        Raises:
            PolicyError: the document is for looking only (policy author's fault).
        """
        record = self._record()
        if not record.editable:
            raise PolicyError(
                f"{self._path() or 'the object'} cannot be edited here",
                hint="only a handler under @app.mutate edits, and not on DELETE",
            )
        record.edits += 1
        return record, self._make()

    def _make(self) -> Any:
        node = self._peek()
        if node is None:
            parent, key = self._place
            above = parent._make()  # type: ignore[union-attr] # a root is always there
            if above.get(key) is not None:
                raise PolicyError(
                    f"{self._path()} holds something else by now",
                    hint="take it from its parent again",
                )
            node = self._json()
            self._record().create(parent, above, key, node)  # type: ignore[arg-type]
            set_node(self, node)
        return node

    def _record(self) -> Record:
        place: View | Record = self
        while not isinstance(place, Record):
            place = place._place[0]
        return place

    def _path(self) -> str:
        """Return the pointer to here, for messages."""
        parent, key = self._place
        if isinstance(parent, Record):
            return ""
        return parent._path_to(key, self._node)

    def _path_to(self, key: str | None, value: Any) -> str:
        """Return the pointer to a value here: at a key, or an element found again."""
        if key is not None:
            return self._path() + join((key,))
        for index, element in enumerate(self._peek() or ()):
            if element is value:
                return self._path() + join((index,))
        return self._path() + "/removed"

    @classmethod
    def _find_copy(cls, key: str) -> Any:
        """Return how the value of a key is copied when a whole object is put in."""
        raise NotImplementedError

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


new_view: Final = object.__new__
set_node: Final = View.__dict__["_node"].__set__  # past __setattr__
set_place: Final = View.__dict__["_place"].__set__


def at(cls: type[_View], node: Any, place: Place) -> _View:
    """Return a view of a place."""
    view = new_view(cls)
    set_node(view, node)
    set_place(view, place)
    return view


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
    wanted = " or ".join(dict.fromkeys(map(_name, expected)))
    return f"expected {wanted}, found {_name(type(value))}"


def _name(type_: type) -> str:
    return _NAMES.get(type_, "a number")


_NAMES: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    type(None): "null",
}
