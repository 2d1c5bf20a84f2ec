"""A view: a place in a document, which may not be there yet.

What every view shares: where it is, how it finds its JSON, how it makes what is not
there when something is written. Reading never changes the document.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from admit.errors import ReviewError
from admit.patch import join

if TYPE_CHECKING:
    from admit.view.record import Record

    Place: TypeAlias = tuple[Record, "View | None", str | None]

__all__ = ("View", "fill", "plain", "raw", "wrong_type")

# Containers in one another that a value may have. The API server refuses objects nested
# deeper than its JSON decoder's 10,000; nobody means more than this.
DEPTH_LIMIT: Final = 200


class View:
    """A place in a document: `_place` is (record, parent view, key in it).

    `_node` is the JSON there, None where there is none yet. The key of a list's element
    is None: it moves.
    """

    __slots__ = ("_node", "_place")
    _json: ClassVar[type] = dict
    _node: Any
    _place: Place

    @classmethod
    def _at(cls, node: Any, place: Place) -> Self:
        view = cls.__new__(cls)
        _set_node(view, node)
        _set_place(view, place)
        return view

    def _peek(self) -> Any:
        """Return the JSON here, or None."""
        node = self._node
        if node is None:
            _, parent, key = self._place
            if parent is None:
                return None
            above = parent._peek()
            node = None if above is None else above.get(key)
            if node is not None:
                self._adopt(node)
        return node

    def _own(self) -> Any:
        """Return the JSON here to be edited; make it where there is none."""
        record, parent, key = self._place
        node = self._node
        if node is None or (record.pruned and id(node) in record.pruned):
            if parent is None:
                raise AssertionError("a root always has its document")
            above = parent._own()
            node = above.get(key)
            if node is None:
                node = above[key] = self._json()
                record.create(node)
            self._adopt(node)
        record.touch(self, node)
        return node

    def _adopt(self, node: Any) -> None:
        if type(node) is not self._json:
            raise wrong_type(self._path(), node, self._json)
        _set_node(self, node)

    def _path(self) -> str:
        """Return the pointer to here, for messages."""
        _, parent, key = self._place
        if parent is None:
            return ""
        if key is not None:
            return parent._path() + join((key,))
        siblings = parent._peek() or ()
        index = next(
            (i for i, item in enumerate(siblings) if item is self._node), "removed"
        )
        return parent._path() + join((index,))

    def __bool__(self) -> bool:
        return bool(self._peek())

    def __len__(self) -> int:
        return len(self._peek() or ())

    def __eq__(self, other: object) -> bool:
        mine = self._peek()
        if isinstance(other, View):
            return bool((mine or self._json()) == (other._peek() or other._json()))
        return bool((mine or self._json()) == other)

    __hash__ = None  # type: ignore[assignment] # it can be edited

    def __repr__(self) -> str:
        state = "" if self._peek() is not None else " absent"
        return f"<{type(self).__name__} {self._path() or 'object'}{state}>"


_set_node = View.__dict__["_node"].__set__  # past __setattr__
_set_place = View.__dict__["_place"].__set__


def fill(view: View, node: Any, place: Place) -> None:
    """Put a view made by its constructor at a place."""
    _set_node(view, node)
    _set_place(view, place)


def wrong_type(path: str, value: object, *expected: type) -> ReviewError:
    """Return the error for an object that is not of its kind's shape."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    wanted = " or ".join(
        dict.fromkeys(names.get(type_, "a number") for type_ in expected)
    )
    found = "null" if value is None else names.get(type(value), "a number")
    return ReviewError(
        f"expected {wanted}, found {found}",
        place=f"object {path}" if path else "object",
        hint="the object does not have the shape of its kind",
    )


def raw(value: Any) -> Any:
    """Return the plain JSON under a view, as a copy; other values as they are.

    An absent place gives the empty dict or list that it reads as.
    """
    if isinstance(value, View):
        return plain(value, "")
    return value


def plain(value: Any, path: str, depth: int = 0) -> Any:
    """Return a value as plain JSON of its own, to be put at a path.

    Raises:
        TypeError: it is not JSON; the message names the path.
        ValueError: a number or text that JSON cannot hold, or nested too deeply.
    """
    if value is None or value is True or value is False:
        return value
    if depth > DEPTH_LIMIT:
        raise ValueError(f"{path}: nested deeper than {DEPTH_LIMIT}")
    if isinstance(value, str):
        return _plain_text(value, path)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path}: JSON has no {value}")
        return float(value)
    if isinstance(value, View):
        node = value._peek()
        return plain(value._json() if node is None else node, path, depth)
    if isinstance(value, dict):
        return {
            _plain_key(key, path): plain(child, f"{path}/{key}", depth + 1)
            for key, child in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            plain(child, f"{path}/{index}", depth + 1)
            for index, child in enumerate(value)
        ]
    raise TypeError(f"{path}: a {type(value).__name__} is not JSON")


def _plain_key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path}: a key is a string, not a {type(key).__name__}")
    return _plain_text(key, path)


def _plain_text(text: str, path: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{path}: JSON text cannot hold a lone surrogate"
            ) from None
    return text if type(text) is str else str.__str__(text)
