"""What a field's annotation means: how its JSON is read.

Annotations are text until a field is first used, because a file of a few hundred
classes is imported for the sake of three of them.
"""

from __future__ import annotations

import sys
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from admit.errors import PolicyError
from admit.view.node import wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.view.node import View

__all__ = ("ANY", "Nested", "Reader", "Scalar", "Untyped", "read_annotation")


class Reader:
    """Reads the JSON of a field, an element or a map's value."""

    __slots__ = ()

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return what a person sees; views for containers, None for absent scalars."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Scalar(Reader):
    """A string, number or boolean; `make` gives strings a class that computes."""

    types: tuple[type, ...]
    make: Callable[[Any], Any] | None = None

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return the value itself, or None."""
        if value is None:
            return None
        if type(value) not in self.types:
            raise wrong_type(_path_of(parent, key), value, *self.types)
        return value if self.make is None else self.make(value)


@dataclass(frozen=True, slots=True)
class Nested(Reader):
    """A struct, list or map: `cls` is the view, `element` what a list or map holds."""

    cls: type[View]
    element: Reader | None = None

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return a view, which is empty where there is nothing."""
        cls = self.cls
        if value is not None and type(value) is not cls._json:
            raise wrong_type(_path_of(parent, key), value, cls._json)
        view = cls._at(value, (parent._place[0], parent, key))
        if self.element is not None:
            view._element = self.element  # type: ignore[attr-defined]
        return view


class Untyped(Reader):
    """Any JSON: views for objects and arrays, everything else as it is."""

    __slots__ = ("list_cls", "map_cls")
    list_cls: type[View]
    map_cls: type[View]

    def read(self, value: Any, parent: View, key: str | None) -> Any:
        """Return a view of a container, else the value."""
        if not isinstance(value, dict | list):
            return value
        cls = self.map_cls if isinstance(value, dict) else self.list_cls
        view = cls._at(value, (parent._place[0], parent, key))
        view._element = self  # type: ignore[attr-defined]
        return view


ANY: Final = Untyped()


def _path_of(parent: View, key: str | None) -> str:
    return parent._path() + (f"/{key}" if key is not None else "/-")


def read_annotation(
    text: Any, owner: type, name: str, names: Mapping[str, Any]
) -> Reader:
    """Return the reader of a field's annotation.

    Raises:
        PolicyError: it is nothing that JSON can be; names class and field.
    """
    place = f"{owner.__module__}.{owner.__qualname__}.{name}"
    try:
        hint = (
            eval(  # noqa: S307 - the class's own annotation, as typing does it
                text,
                getattr(sys.modules.get(owner.__module__), "__dict__", {}),
                {**names, owner.__name__: owner},
            )
            if isinstance(text, str)
            else text
        )
        return _to_reader(hint)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise PolicyError(
            f"the annotation {text!r} is no field of a kind: {error}",
            place=place,
            hint="use str, int, float, bool, Quantity, Time (| None), List[...], "
            "Map[...], a Struct or Any",
        ) from error


def _to_reader(hint: Any) -> Reader:
    if hint is Any:
        return ANY
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _to_scalar(tuple(a for a in arguments if a is not types.NoneType))
    if origin is typing.Literal:
        return Scalar(tuple({type(value) for value in arguments}))
    cls = {list: ANY.list_cls, dict: ANY.map_cls}.get(origin or hint, origin or hint)
    if isinstance(cls, type) and hasattr(cls, "_json"):
        if not hasattr(cls, "_element"):
            return Nested(cls)
        if not arguments:
            return Nested(cls, getattr(cls, "_default_element", None) or ANY)
        return Nested(cls, _to_reader(arguments[-1]))
    return _to_scalar((hint,))


def _to_scalar(hints: tuple[Any, ...]) -> Reader:
    if Any in hints:
        return ANY
    if len(hints) == 1 and hasattr(hints[0], "_json"):
        return _to_reader(hints[0])
    types_: list[type] = []
    make = None
    for hint in hints:
        if hint is float:
            types_ += [float, int]
        elif hint in {str, int, bool}:
            types_.append(hint)
        elif isinstance(hint, type) and issubclass(hint, str):
            types_ += [str, *getattr(hint, "_numbers", ())]
            make = hint
        elif typing.get_origin(hint) is typing.Literal:
            types_ += {type(value) for value in typing.get_args(hint)}
        else:
            raise TypeError(f"{hint!r} is not JSON")
    return Scalar(tuple(types_), make)
