"""List: a JSON array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from admit.view.fields import ANY, Reader
from admit.view.node import View, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("List",)

T = TypeVar("T")


class List(View, MutableSequence[T]):
    """A JSON array that behaves as a Python list of views or scalars.

    What is put in is copied; what is taken out (`pop`) is no part of the object any
    more. A slice reads as a plain Python list.
    """

    __slots__ = ("_element",)
    _json: ClassVar[type] = list
    _element: Reader

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(
            self, view: object, value: Iterable[T | Mapping[str, Any]] | None
        ) -> None: ...

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        node = self._peek() or []
        if isinstance(index, slice):
            return [self._read(value) for value in node[index]]
        return self._read(node[index])

    def __iter__(self) -> Iterator[T]:
        for value in list(self._peek() or ()):
            yield self._read(value)

    def __setitem__(self, index: int | slice, value: Any) -> None:
        if isinstance(index, slice):
            new = [self._plain(item) for item in value]
            self._own()[index] = new
            return
        new_item = self._plain(value)
        self._check_index(index)
        self._own()[index] = new_item

    def __delitem__(self, index: int | slice) -> None:
        if isinstance(index, int):
            self._check_index(index)
        if self._peek():
            del self._own()[index]

    def insert(self, index: int, value: T | Mapping[str, Any]) -> None:
        """Put a copy of a value before an index."""
        new = self._plain(value)
        self._own().insert(index, new)

    def append(self, value: T | Mapping[str, Any]) -> None:
        """Put a copy of a value at the end."""
        new = self._plain(value)
        self._own().append(new)

    def extend(self, values: Iterable[T | Mapping[str, Any]]) -> None:
        """Put copies of values at the end; of itself too."""
        new = [self._plain(value) for value in values]
        if new:
            self._own().extend(new)

    def sort(
        self, *, key: Callable[[T], Any] | None = None, reverse: bool = False
    ) -> None:
        """Sort in place, as list.sort; `key` is given what iteration gives."""
        node = self._peek() or []
        items = [self._read(value) for value in node]
        ranks: list[Any] = list(items) if key is None else [key(i) for i in items]
        order = sorted(range(len(node)), key=ranks.__getitem__, reverse=reverse)
        if order != list(range(len(node))):
            owned = self._own()
            owned[:] = [owned[position] for position in order]

    def reverse(self) -> None:
        """Reverse in place."""
        if len(self) > 1:
            self._own().reverse()

    def clear(self) -> None:
        """Take everything out."""
        if self:
            self._own().clear()

    def __contains__(self, value: object) -> bool:
        return any(item == value for item in self)

    def _check_index(self, index: int) -> None:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self._path()} has {len(self)} elements, not [{index}]")

    def _read(self, value: Any) -> T:
        item: T = self._element.read(value, self, None)
        return item

    def _plain(self, value: Any) -> Any:
        new = plain(value, f"{self._path()}/-")
        if new is not None or self._element is ANY:
            self._element.read(new, self, None)
            return new
        raise TypeError(f"{self._path()}: null is no element of this list")
