"""Struct: a JSON object with named fields."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from admit.view.fields import ANY, Nested, Reader, Scalar, read_annotation
from admit.view.members import Members
from admit.view.node import Blank, View
from admit.view.plain import copy_value, take
from admit.view.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.view.plain import Copy

__all__ = ("Struct", "own_fields")


class Field(property):
    """A declared field. What its annotation means is found when it is first used.

    A property, so that Python itself calls the getter: most of what policies do is
    reading fields.
    """

    def __init__(self, annotation: Any, json_name: str, names: dict[str, Any]) -> None:
        super().__init__(self._get_first)
        self.json_name = json_name
        self._annotation = annotation
        self._names = names
        self._reader: Reader | None = None
        self._owner: tuple[type, str] = (object, "")

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = (owner, name)

    def reader(self) -> Reader:
        """Return how the field's JSON is read, and read it faster from now on."""
        if self._reader is None:
            owner, name = self._owner
            self._reader = read_annotation(self._annotation, owner, name, self._names)
            super().__init__(_make_getter(self._reader, self.json_name))
        return self._reader

    def put(self, view: Struct, value: Any) -> None:
        """Put a copy of a value; None and a view of nothing take the field out."""
        if value is None or (isinstance(value, View) and value._peek() is None):
            view._drop(self.json_name)
        else:
            view._put(self.json_name, value, self._reader or self.reader())

    def _get_first(self, view: Struct) -> Any:
        self.reader()
        return self.__get__(view)


def _make_getter(reader: Reader, name: str) -> Callable[[Struct], Any]:
    if isinstance(reader, Nested):
        return _make_nested_getter(reader, name)
    if isinstance(reader, Scalar) and reader.make is None:
        return _make_scalar_getter(reader, name)

    def get(view: Struct) -> Any:
        node = view._node or view._peek()
        return reader.read(None if node is None else node.get(name), view, name)

    return get


def _make_scalar_getter(reader: Scalar, name: str) -> Callable[[Struct], Any]:
    fitting = reader.types

    def get(view: Struct) -> Any:
        node = view._node or view._peek()
        if node is None:
            return None
        value = node.get(name)
        return value if type(value) in fitting else reader.read(value, view, name)

    return get


def _make_nested_getter(reader: Nested, name: str) -> Callable[[Struct], Any]:
    cls, json_type = reader.cls, reader.cls._json

    def get(view: Struct) -> Any:
        node = view._node or view._peek()
        value = None if node is None else node.get(name)
        if type(value) is not json_type and value is not None:
            return reader.read(value, view, name)  # refuses it
        child: Any = Blank()  # what `at` does, written out
        child._node = value
        child._parent = view
        child._key = name
        child.__class__ = cls
        return child

    return get


def _to_json_name(name: str) -> str:
    """Return Kubernetes' spelling of a field.

    ``from_`` is ``from``, ``ref_`` is ``$ref``, ``x_kubernetes_foo`` has hyphens.
    """
    if name.startswith("x_kubernetes_"):
        return name.replace("_", "-")
    if name in {"ref_", "schema_"}:
        return f"${name[:-1]}"
    return name.removesuffix("_")


class _StructType(type):
    """Turns annotations into fields when the class is made."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **options: Any,
    ) -> Any:
        annotations = namespace.get("__annotations__", {})
        namespace.setdefault("__slots__", ())
        names: dict[str, Any] = {}
        if "<locals>" in namespace.get("__qualname__", ""):
            names = sys._getframe(1).f_locals
        for field, annotation in annotations.items():
            if not field.startswith("_") and "ClassVar" not in str(annotation):
                namespace[field] = Field(annotation, _to_json_name(field), names)
        return super().__new__(mcs, name, bases, namespace, **options)


class Struct(Members, metaclass=_StructType):
    """A JSON object whose fields are declared as annotations.

        class CronTabSpec(Struct):
            cronSpec: str | None
            replicas: int | None
            tags: List[str]

    Shapes: an absent struct, list or map reads as an empty, falsy one, an absent scalar
    as None; writing into what is absent makes its parents. Assigning None removes a
    field. ``struct["anyKey"]`` reaches what the class does not declare.

    Raises:
        AttributeError: there is no such field; names the class and the nearest field.
        ReviewError: the JSON there is not of the declared type (caller's fault).
        TypeError: what is assigned is no JSON, or not of the declared type.
        ValueError: what is assigned has a number or text that JSON cannot hold.
    """

    if TYPE_CHECKING:
        # A struct's annotation reads as itself and takes plain JSON as well, as a
        # descriptor would; the real descriptors are made from the annotations.
        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(
            self, view: object, value: Self | Mapping[str, Any] | None
        ) -> None: ...

    else:  # a type checker refuses a misspelt field by itself

        def __getattr__(self, name: str) -> Any:
            raise _FieldError(type(self), name)

        def __setattr__(self, name: str, value: Any) -> None:
            field = getattr(type(self), name, None)
            if not isinstance(field, Field):
                raise _FieldError(type(self), name)
            field.put(self, value)

        def __delattr__(self, name: str) -> None:
            field = getattr(type(self), name, None)
            if not isinstance(field, Field):
                raise _FieldError(type(self), name)
            self._drop(field.json_name)

    _json: ClassVar[type] = dict

    def __init__(self, document: Mapping[str, Any] | Struct | None = None) -> None:
        """View a plain dict, for itself: ``Pod({"metadata": {"name": "web"}})``."""
        copy = take({} if document is None else document, copy_value)
        if not isinstance(copy, dict):
            raise TypeError(f"{type(self).__name__} is made of an object")
        for name, value in (("_node", copy), ("_parent", None), ("_key", Record(copy))):
            object.__setattr__(self, name, value)

    def __setitem__(self, key: str, value: Any) -> None:
        field = self._find_field(key)
        if field is None:
            self._put(key, value, ANY)
        else:
            field.put(self, value)

    def __bool__(self) -> bool:
        """Tell whether it is there; ``emptyDir: {}`` is."""
        return self._peek() is not None

    def __dir__(self) -> list[str]:
        return _field_names(type(self))

    @classmethod
    def _find_field(cls, key: str) -> Field | None:
        """Return the field with this name in JSON."""
        if not isinstance(key, str):
            return None
        for name in (key, f"{key}_", key.replace("-", "_"), f"{key[1:]}_"):
            field = getattr(cls, name, None)
            if isinstance(field, Field) and field.json_name == key:
                return field
        return None

    @classmethod
    def _reader_of(cls, key: str) -> Reader:
        field = cls._find_field(key)
        return ANY if field is None else field.reader()

    @classmethod
    def _find_copy(cls, key: str) -> Copy:
        copy = cls._reader_of(key).copy
        return lambda value, trail: None if value is None else copy(value, trail)


def own_fields(cls: type) -> dict[str, Field]:
    """Return the fields that a class itself declares."""
    return {name: f for name, f in vars(cls).items() if isinstance(f, Field)}


def _field_names(cls: type) -> list[str]:
    return sorted({name for parent in cls.__mro__ for name in own_fields(parent)})


class _FieldError(AttributeError):
    """There is no such field. Safe to show: it names the kind, not the object."""

    admit_safe = True

    def __init__(self, cls: type, missing: str) -> None:
        super().__init__()
        self._cls, self._missing = cls, missing

    def __str__(self) -> str:
        near = difflib.get_close_matches(self._missing, _field_names(self._cls), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{self._cls.__name__} has no field {self._missing!r}{hint}"
