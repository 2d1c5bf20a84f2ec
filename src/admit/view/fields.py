"""What a field's annotation means: how its JSON is read.

Annotations are text until a field is first used, because a file of a few hundred
classes is imported for the sake of three of them.
"""

from __future__ import annotations

import sys
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from admit.errors import PolicyError
from admit.view.node import Blank, View, at, expectation, unpack, wrong_type
from admit.view.plain import (
    ARRAYS,
    OBJECTS,
    UnfitTypeError,
    copy_array,
    copy_object,
    copy_scalar,
    copy_value,
    open_view,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ("ANY", "VIEWS", "Nested", "Reader", "Scalar", "read_annotation")


class Reader(Protocol):
    """Reads the JSON of a field, an element or a map's value."""

    __slots__ = ()

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return what a person sees; views for containers, None for absent scalars.

        Raises:
            ReviewError: the JSON there is not of the declared type (caller's fault).
        """
        ...

    def copy(self, value: Any, trail: list[str | int]) -> Any:
        """Return a value as plain JSON of its own, fit to be put here.

        Raises:
            UnfitTypeError, UnfitValueError: it does not fit; `trail` is left there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Scalar(Reader):
    """A string, number or boolean; `make` gives strings a class that computes."""

    types: tuple[type, ...]
    make: Callable[[Any], Any] | None = None

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return the value itself, or None."""
        if type(value) in self.types:
            return value if self.make is None else self.make(value)
        if value is None:
            return None
        if type(value) is msgspec.Raw and key is not None:
            return self.read(unpack(parent._node, key), parent, key)
        raise wrong_type(parent._path_to(key, value), value, *self.types)

    def copy(self, value: Any, trail: list[str | int]) -> Any:  # noqa: ARG002 - a leaf
        """Return a scalar of one of these types."""
        if type(value) is str and str in self.types and value.isascii():
            return value  # most of what is put in
        if type(value) not in self.types:
            value = open_view(value)
            if isinstance(value, OBJECTS):
                raise UnfitTypeError(expectation({}, *self.types))
            if isinstance(value, ARRAYS):
                raise UnfitTypeError(expectation([], *self.types))
        scalar = copy_scalar(value)
        if type(scalar) not in self.types:
            raise UnfitTypeError(expectation(scalar, *self.types))
        return scalar


@dataclass(frozen=True, slots=True)
class Nested(Reader):
    """A struct, list or map: `cls` is the view."""

    cls: type[View]

    @property
    def element(self) -> Reader | None:
        """What a list or map holds; None for a struct."""
        element: Reader | None = self.cls._element
        return element

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return a view, which is empty where there is nothing."""
        cls = self.cls
        if type(value) is cls._json:
            view: Any = Blank()  # what `at` does, written out
            view._node = value
            view._parent = parent
            view._key = key
            view.__class__ = cls
            return view
        if type(value) is msgspec.Raw and key is not None:
            value = unpack(parent._node, key)
        if type(value) is not cls._json and (value is not None or key is None):
            raise wrong_type(parent._path_to(key, value), value, cls._json)
        return at(cls, value, parent, key)

    def copy(self, value: Any, trail: list[str | int]) -> Any:
        """Return an object or array whose members fit."""
        value = open_view(value)
        if isinstance(value, OBJECTS):
            if self.cls._json is dict:
                return copy_object(value, trail, self.cls._find_copy)
            value = {}
        elif isinstance(value, ARRAYS):
            if self.cls._json is list:
                return copy_array(value, trail, self.cls._find_copy(""))
            value = []
        raise UnfitTypeError(expectation(copy_value(value, trail), self.cls._json))


class Untyped(Reader):
    """Any JSON: views for objects and arrays, everything else as it is."""

    __slots__ = ()

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return a view of a container, else the value."""
        if type(value) is msgspec.Raw and key is not None:
            value = unpack(parent._node, key)
        cls = VIEWS.get(type(value))
        return value if cls is None else at(cls, value, parent, key)

    def copy(self, value: Any, trail: list[str | int]) -> Any:
        """Return any JSON."""
        return copy_value(value, trail)


ANY: Final = Untyped()

# The view of an object or array of which nothing is known; their files fill it.
VIEWS: Final[dict[type, type[View]]] = {}


def read_annotation(
    text: Any, owner: type, name: str, names: Mapping[str, Any]
) -> Reader:
    """Return the reader of a field's annotation.

    Raises:
        PolicyError: it is nothing that JSON can be; names class and field.
    """
    try:
        return _to_reader(_evaluate(text, owner, names))
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise PolicyError(
            f"the annotation {text!r} is no field of a kind: {error}",
            place=f"{owner.__module__}.{owner.__qualname__}.{name}",
            hint="use str, int, float, bool, Quantity, Time (| None), List[...], "
            "Map[...], a Struct or Any",
        ) from error


def _evaluate(text: Any, owner: type, names: Mapping[str, Any]) -> Any:
    if not isinstance(text, str):
        return text
    module = getattr(sys.modules.get(owner.__module__), "__dict__", {})
    around = {**names, owner.__name__: owner}
    return eval(text, module, around)  # noqa: S307 - the class's own, as typing does it


def _to_reader(hint: Any) -> Reader:
    if hint is Any:
        return ANY
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        hints = tuple(a for a in arguments if a is not types.NoneType)
        return _to_reader(hints[0]) if len(hints) == 1 else _to_scalar(hints)
    cls = VIEWS.get(origin or hint, origin or hint)
    if isinstance(cls, type) and issubclass(cls, View):
        if arguments:
            element = _to_reader(arguments[-1])
            return Nested(_holding(cls, element))  # type: ignore[arg-type] # a class
        return Nested(cls)
    return _to_scalar((hint,))


@cache
def _holding(cls: type[View], element: Reader) -> type[View]:
    """Return a list or map class whose elements are read in one way."""
    members = {"__module__": cls.__module__, "__slots__": (), "_element": element}
    return types.new_class(cls.__name__, (cls,), exec_body=lambda n: n.update(members))


def _to_scalar(hints: tuple[Any, ...]) -> Reader:
    if Any in hints:
        return ANY
    found: list[type] = []
    make = None
    for hint in hints:
        if hint is float:
            found += [float, int]
        elif hint in {str, int, bool}:
            found.append(hint)
        elif typing.get_origin(hint) is typing.Literal:
            found += {type(value) for value in typing.get_args(hint)}
        elif isinstance(hint, type) and issubclass(hint, str):
            found += [str, *getattr(hint, "_numbers", ())]
            make = hint
        else:
            raise TypeError(f"{hint!r} is not JSON")
    return Scalar(tuple(found), make)
