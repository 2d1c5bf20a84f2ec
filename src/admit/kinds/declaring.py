"""Is the declaration of a kind sound, down to its last annotation?

Annotations are read when a field is first used. For a kind of one's own that would be
in the middle of a review, so whoever takes one in asks here first.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from admit.errors import PolicyError
from admit.view.fields import Nested
from admit.view.struct import Struct, own_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.view.fields import Reader

__all__ = ("check_kind",)

GENERATED = "admit.kinds."


def check_kind(cls: type[Struct]) -> None:
    """Read every annotation of a kind of one's own and of the structs in it.

    Kinds that are generated pass unread: a test reads them all.

    Raises:
        PolicyError: an annotation is nothing that JSON can be; names class and field,
            file and line. The policy author's fault.
    """
    seen: set[type[Struct]] = set()
    waiting = [cls]
    while waiting:
        struct = waiting.pop()
        if struct in seen or struct.__module__.startswith(GENERATED):
            continue
        seen.add(struct)
        waiting += [base for base in struct.__bases__ if issubclass(base, Struct)]
        for name, field in own_fields(struct).items():
            try:
                waiting += _structs_of(field.reader())
            except PolicyError as error:
                raise PolicyError(
                    f"{struct.__name__}.{name}: {error.message}",
                    place=_place_of(struct, name) or error.place,
                    hint=error.hint,
                ) from error


def _structs_of(reader: Reader | None) -> Iterator[type[Struct]]:
    while isinstance(reader, Nested):
        if issubclass(reader.cls, Struct):
            yield reader.cls
        reader = reader.element


def _place_of(cls: type, field: str) -> str | None:
    """Return file and line of a field, looked up in the source: only for an error."""
    file: str | None = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None:
        return None
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return file
    lines = [
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
        for inner in node.body
        if isinstance(inner, ast.AnnAssign)
        and isinstance(inner.target, ast.Name)
        and inner.target.id == field
    ]
    return f"{file}:{lines[0]}" if lines else file
