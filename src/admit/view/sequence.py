"""List: a JSON array."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from admit.view.fields import ANY, VIEWS, Reader
from admit.view.node import View
from admit.view.plain import take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ("List",)

T = TypeVar("T")


class List(View, MutableSequence[T]):
    """A JSON array that behaves as a Python list of views or scalars.

    What is put in is copied; what is taken out (`pop`) is no part of the object any
    more. A slice reads as a plain Python list.

    Raises:
        TypeError: what is put in is no JSON, or not of the declared type.
    """

    __slots__ = ()
    _json: ClassVar[type] = list
    _element: ClassVar[Reader] = ANY

    if TYPE_CHECKING:

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(
            self, view: object, value: Sequence[T | Mapping[str, Any]] | None
        ) -> None: ...
        def __iadd__(  # type: ignore[misc] # unlike `+`, it edits
            self, values: Iterable[T | Mapping[str, Any]]
        ) -> Self: ...

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> Any:
        node = self._node or self._peek() or ()
        if isinstance(index, slice):
            return [self._element.read(value, self, None) for value in node[index]]
        try:
            value = node[index]
        except IndexError:
            raise self._no_such_element(index) from None
        return self._element.read(value, self, None)

    def __iter__(self) -> Iterator[T]:
        read = self._element.read
        for value in list(self._peek() or ()):
            yield read(value, self, None)

    def __contains__(self, value: object) -> bool:
        return any(element == value for element in self)

    def __setitem__(self, index: int | slice, value: Any) -> None:
        if isinstance(index, slice):
            new = [self._take(element) for element in value]
            self._edit_array()[index] = new
            return
        before = self._at(index)
        if isinstance(value, View) and value._peek() is before:
            return  # what is there already
        new_element = self._take(value)
        self._edit_array()[index] = new_element

    def __delitem__(self, index: int | slice) -> None:
        if not isinstance(index, slice):
            self._at(index)
            del self._edit_array()[index]
        elif self[index]:
            del self._edit_array()[index]

    def insert(self, index: int, value: T | Mapping[str, Any]) -> None:
        """Put a copy of a value before an index."""
        new = self._take(value)
        self._edit_array().insert(index, new)

    def append(self, value: T | Mapping[str, Any]) -> None:
        """Put a copy of a value at the end."""
        new = self._take(value)
        self._edit_array().append(new)

    def extend(self, values: Iterable[T | Mapping[str, Any]]) -> None:
        """Put copies of values at the end; of itself too."""
        new = [self._take(value) for value in values]
        if new:
            self._edit_array().extend(new)

    def sort(
        self, *, key: Callable[[T], Any] | None = None, reverse: bool = False
    ) -> None:
        """Sort in place, as list.sort; `key` is given what iteration gives."""
        elements: list[Any] = list(self)
        ranks = elements if key is None else [key(element) for element in elements]
        order = sorted(range(len(ranks)), key=ranks.__getitem__, reverse=reverse)
        self._reorder(order)

    def reverse(self) -> None:
        """Reverse in place."""
        self._reorder(range(len(self))[::-1])

    def clear(self) -> None:
        """Take everything out."""
        if self:
            self._edit_array().clear()

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]

    def _reorder(self, order: Sequence[int]) -> None:
        if list(order) != list(range(len(order))):
            node = self._edit_array()
            node[:] = [node[position] for position in order]

    def _take(self, value: Any) -> Any:
        return take(value, self._element.copy, self, "-")

    def _at(self, index: int) -> Any:
        """Return the JSON of an element."""
        try:
            return (self._peek() or ())[index]
        except IndexError:
            raise self._no_such_element(index) from None

    def _no_such_element(self, index: int) -> IndexError:
        return IndexError(f"{self._path()} has {len(self)} elements, not [{index}]")


VIEWS[list] = List
