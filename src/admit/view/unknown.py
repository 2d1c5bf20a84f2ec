"""Members of a document that its kind does not have: most are misspelt."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from admit.view.fields import Nested
from admit.view.struct import Struct, own_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.view.fields import Reader

__all__ = ("UnknownField", "find_unknown_fields")


class UnknownField(NamedTuple):
    """A member that the API server does not know.

    Args:
        path: as the API server writes it: ``spec.containers[0].imagee``.
        near: the most similar field that is there, or None.
    """

    path: str
    near: str | None


def find_unknown_fields(cls: type[Struct], document: Any) -> Iterator[UnknownField]:
    """Yield what of a document its kind does not declare, in the document's order.

    Shapes: any JSON; where its type is not the declared one nothing is found.
    """
    yield from _walk(Nested(cls), document, "")


def _walk(reader: Reader | None, value: Any, path: str) -> Iterator[UnknownField]:
    if not isinstance(reader, Nested):
        return
    is_fit = type(value) is reader.cls._json
    if not is_fit:
        return
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _walk(reader.element, element, f"{path}[{index}]")
    elif not issubclass(reader.cls, Struct):
        for key, element in value.items():
            yield from _walk(reader.element, element, f"{path}[{key}]")
    else:
        yield from _walk_struct(reader.cls, value, path)


def _walk_struct(
    cls: type[Struct], value: dict[str, Any], path: str
) -> Iterator[UnknownField]:
    names = [
        field.json_name
        for parent in cls.__mro__
        for field in own_fields(parent).values()
    ]
    for key, member in value.items():
        where = f"{path}.{key}" if path else key
        field = cls._find_field(key)
        if field is not None:
            yield from _walk(field.reader(), member, where)
        elif names:  # without any it may hold anything
            near = difflib.get_close_matches(key, names, n=1)
            yield UnknownField(where, near[0] if near else None)
