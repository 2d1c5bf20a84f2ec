"""Map: a JSON object whose keys are data (labels, annotations, limits)."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from admit.view.fields import ANY, VIEWS, Reader
from admit.view.members import Members

__all__ = ("Map",)

T = TypeVar("T")


class Map(Members, MutableMapping[str, T]):
    """A JSON object that behaves as a Python dict of views or scalars.

    What is put in is copied; what is taken out (`pop`) is no part of the object any
    more.

    Raises:
        TypeError: what is put in is no JSON, or not of the declared type.
    """

    __slots__ = ()
    _json: ClassVar[type] = dict
    _element: ClassVar[Reader] = ANY

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(
            self, view: object, value: Mapping[str, T | Mapping[str, Any]] | None
        ) -> None: ...

    def __setitem__(self, key: str, value: T | Mapping[str, Any]) -> None:
        self._put(key, value, self._element)

    if TYPE_CHECKING:

        def __getitem__(self, key: str) -> T: ...

    else:  # typed by what they stand for

        def get(self, key: str, default: Any = None) -> Any:
            """Return a value, or the default where there is none."""
            node = self._node or self._peek()
            if node is None or key not in node:
                return default
            return self._element.read(node[key], self, key)

        def __getitem__(self, key: str) -> T:
            node = self._node or self._peek()
            if node is None:
                raise KeyError(key)
            return self._element.read(node[key], self, key)

        def setdefault(self, key: str, default: Any = None) -> Any:
            """Return a value; put the default there first where there is none."""
            if key not in self:
                self[key] = default
            return self[key]

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}


VIEWS[dict] = Map
