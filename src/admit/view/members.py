"""Members: what a struct and a map share, both being JSON objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit.view.node import View
from admit.view.plain import UnfitTypeError, copy_value, take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.view.fields import Reader

__all__ = ("Members",)


class Members(View):
    """A JSON object whose members are read by key."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        node = self._peek()
        if node is None or key not in node:
            raise KeyError(key)
        return self._reader_of(key).read(node[key], self, key)

    def __delitem__(self, key: str) -> None:
        if not self._drop(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key in (self._peek() or ())

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._peek() or ()))

    def _put(self, key: str, value: Any, reader: Reader) -> None:
        """Put a copy of a value at a key."""
        if isinstance(value, View):
            node = self._peek()
            if node and value._peek() is node.get(key, self):
                return  # what is there already, as after `+=`
        if not isinstance(key, str):
            where, found = self._path() or "object", type(key).__name__
            raise UnfitTypeError(f"{where}: a key is a string, not a {found}")
        new = take(value, reader.copy, self, key)
        key = take(key, copy_value, self)
        self._edit_key(key)[key] = new

    def _drop(self, key: str) -> bool:
        """Take a key out; tell whether it was there."""
        node = self._peek()
        if node is None or key not in node:
            return False
        del self._edit_key(key)[key]
        return True
