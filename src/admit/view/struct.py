"""Struct: a JSON object with named fields."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from admit.view.fields import ANY, Nested, Reader, Scalar, read_annotation
from admit.view.node import View, fill, plain
from admit.view.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ("Struct", "own_fields")


class _Field:
    """A declared field. What its annotation means is found when it is first used."""

    __slots__ = ("_annotation", "_names", "_owner", "_reader", "json_name")

    def __init__(self, annotation: Any, json_name: str, names: dict[str, Any]) -> None:
        self._annotation = annotation
        self._names = names
        self._reader: Reader | None = None
        self._owner: tuple[type, str] = (object, "")
        self.json_name = json_name

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = (owner, name)

    def reader(self) -> Reader:
        """Return how the field's JSON is read, and read it faster from now on."""
        if self._reader is None:
            owner, name = self._owner
            self._reader = read_annotation(self._annotation, owner, name, self._names)
            fast = {Scalar: _ScalarField, Nested: _NestedField}.get(type(self._reader))
            if fast is not None:
                type.__setattr__(owner, name, fast(self))
        return self._reader

    def __get__(self, view: Struct | None, owner: type) -> Any:
        if view is None:
            return self
        node = view._peek()
        value = None if node is None else node.get(self.json_name)
        return self.reader().read(value, view, self.json_name)

    def __set__(self, view: Struct, value: Any) -> None:
        path = f"{view._path()}/{self.json_name}"
        new = plain(value, path)
        self.reader().read(new, view, self.json_name)  # refuses another type
        if new is None:
            self.__delete__(view)
        else:
            view._own()[self.json_name] = new

    def __delete__(self, view: Struct) -> None:
        node = view._peek()
        if node is not None and self.json_name in node:
            del view._own()[self.json_name]


class _ScalarField(_Field):
    """A field known to hold a scalar."""

    __slots__ = ("_make", "_types")

    def __init__(self, field: _Field) -> None:
        reader = field.reader()
        if not isinstance(reader, Scalar):
            raise AssertionError("chosen by the reader's type")  # noqa: TRY004
        self._reader, self.json_name = reader, field.json_name
        self._types, self._make = reader.types, reader.make

    def __get__(self, view: Struct | None, owner: type) -> Any:
        if view is None:
            return self
        node = view._node
        if node is None:
            node = view._peek()
            if node is None:
                return None
        value = node.get(self.json_name)
        if type(value) in self._types and self._make is None:
            return value
        return self._reader.read(value, view, self.json_name)  # type: ignore[union-attr]


class _NestedField(_Field):
    """A field known to hold a struct, list or map."""

    __slots__ = ()

    def __init__(self, field: _Field) -> None:
        self._reader, self.json_name = field.reader(), field.json_name

    def __get__(self, view: Struct | None, owner: type) -> Any:
        if view is None:
            return self
        node = view._node
        if node is None:
            node = view._peek()
        value = None if node is None else node.get(self.json_name)
        return self._reader.read(value, view, self.json_name)  # type: ignore[union-attr]


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
                namespace[field] = _Field(annotation, _to_json_name(field), names)
        return super().__new__(mcs, name, bases, namespace, **options)


class Struct(View, metaclass=_StructType):
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
        TypeError: what is assigned is not JSON.
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

    _json: ClassVar[type] = dict

    def __init__(self, document: Mapping[str, Any] | None = None) -> None:
        """View a plain dict, for itself: ``Pod({"metadata": {"name": "web"}})``."""
        copy = plain(dict(document or {}), "")
        fill(self, copy, (Record(copy), None, None))

    if not TYPE_CHECKING:  # a type checker refuses a misspelt field by itself

        def __getattr__(self, name: str) -> Any:
            raise _no_such_field(type(self), name)

        def __setattr__(self, name: str, value: Any) -> None:
            field = getattr(type(self), name, None)
            if not isinstance(field, _Field):
                raise _no_such_field(type(self), name)
            field.__set__(self, value)

        def __delattr__(self, name: str) -> None:
            field = getattr(type(self), name, None)
            if not isinstance(field, _Field):
                raise _no_such_field(type(self), name)
            field.__delete__(self)

    def __getitem__(self, key: str) -> Any:
        node = self._peek()
        if node is None or key not in node:
            raise KeyError(key)
        return self._reader_of(key).read(node[key], self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        new = plain(value, f"{self._path()}/{key}")
        self._reader_of(key).read(new, self, key)
        self._own()[key] = new

    def __delitem__(self, key: str) -> None:
        node = self._peek()
        if node is None or key not in node:
            raise KeyError(key)
        del self._own()[key]

    def __contains__(self, key: object) -> bool:
        return key in (self._peek() or ())

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._peek() or ()))

    def __dir__(self) -> list[str]:
        return _field_names(type(self))

    def _reader_of(self, key: str) -> Reader:
        field = getattr(type(self), key, None)
        if isinstance(field, _Field) and field.json_name == key:
            return field.reader()
        return ANY


def own_fields(cls: type) -> dict[str, _Field]:
    """Return the fields that a class itself declares."""
    return {name: f for name, f in vars(cls).items() if isinstance(f, _Field)}


def _field_names(cls: type) -> list[str]:
    return sorted({name for parent in cls.__mro__ for name in own_fields(parent)})


class _FieldError(AttributeError):
    """There is no such field. Safe to show: it names the kind, not the object."""

    admit_safe = True


def _no_such_field(cls: type, name: str) -> AttributeError:
    near = difflib.get_close_matches(name, _field_names(cls), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return _FieldError(f"{cls.__name__} has no field {name!r}{hint}")
