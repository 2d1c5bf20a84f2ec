"""Map: a JSON object whose keys are data (labels, annotations, limits)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from admit.view.fields import ANY, Reader
from admit.view.node import View, plain

__all__ = ("Map",)

T = TypeVar("T")


class Map(View, MutableMapping[str, T]):
    """A JSON object that behaves as a Python dict of views or scalars."""

    __slots__ = ("_element",)
    _json: ClassVar[type] = dict
    _element: Reader

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(
            self, view: object, value: Mapping[str, T | Mapping[str, Any]] | None
        ) -> None: ...

    def __getitem__(self, key: str) -> T:
        node = self._peek()
        if node is None or key not in node:
            raise KeyError(key)
        value: T = self._element.read(node[key], self, key)
        return value

    def __setitem__(self, key: str, value: T | Mapping[str, Any]) -> None:
        if not isinstance(key, str):
            raise TypeError(
                f"{self._path()}: a key is a string, not a {type(key).__name__}"
            )
        new = plain({key: value}, self._path())[key]
        if new is None and self._element is not ANY:
            raise TypeError(f"{self._path()}/{key}: null is no value of this map")
        self._element.read(new, self, key)
        self._own()[key] = new

    def __delitem__(self, key: str) -> None:
        node = self._peek()
        if node is None or key not in node:
            raise KeyError(key)
        del self._own()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._peek() or ()))

    def __contains__(self, key: object) -> bool:
        return key in (self._peek() or ())

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}
