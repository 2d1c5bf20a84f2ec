"""Parameters by annotation: what a handler asks for is what it is given.

A wrong signature is refused when the policy file is imported, with file and line: a
handler that is never asked, or asked about the wrong thing, is a hole in the fence.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from admit.errors import PolicyError
from admit.kinds import Resource, check_kind
from admit.review import AdmissionRequest

__all__ = ("Audit", "Signature", "Warn", "place_of", "read_signature")

Warn: TypeAlias = Callable[[str], None]
"""Tell the user something without refusing: kubectl prints it as a warning."""

Audit: TypeAlias = Callable[[str, str], None]
"""Write a key and a value into the API server's audit log."""

_SHAPE: Final = "write for example: def my_policy(pod: Pod) -> None"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler is given.

    Shapes: `parameters` are (name, source) in order, the source one of ``object``,
    ``old``, ``request``, ``warn``, ``audit``; `kinds` are the annotated classes.
    """

    parameters: tuple[tuple[str, str], ...]
    kinds: tuple[type[Resource], ...]


def place_of(function: Callable[..., Any]) -> str:
    """Return ``file:line`` of a function, for messages."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read what a handler asks for.

    Raises:
        PolicyError: it asks for something that is not there; file and line.
    """
    place = place_of(function)
    try:
        hints = _read_hints(function)
    except Exception as error:
        raise PolicyError(
            f"{function.__name__}: an annotation cannot be read: {error}",
            place=place,
            hint="import the annotated kinds at the top of the file, "
            "outside TYPE_CHECKING",
        ) from error
    parameters: list[tuple[str, str]] = []
    kinds: dict[str, tuple[type[Resource], ...]] = {}
    for parameter in inspect.signature(function).parameters.values():
        source, found = _read_parameter(
            parameter, hints, f"{function.__name__}(", place
        )
        if source in kinds or (source, source) in parameters:
            raise PolicyError(
                f"{function.__name__}: two parameters both ask for the {source}",
                place=place,
                hint="name the object before the change `old`",
            )
        parameters.append((parameter.name, source))
        if found:
            kinds[source] = found
    return Signature(tuple(parameters), kinds.get("object") or kinds.get("old") or ())


def _read_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Evaluate the annotations of the parameters; that of the result says nothing."""
    annotations = inspect.get_annotations(inspect.unwrap(function))
    annotations.pop("return", None)
    holder = types.SimpleNamespace(__annotations__=annotations)
    return typing.get_type_hints(holder, inspect.unwrap(function).__globals__)


def _read_parameter(
    parameter: inspect.Parameter, hints: dict[str, Any], called: str, place: str
) -> tuple[str, tuple[type[Resource], ...]]:
    name = parameter.name
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise PolicyError(
            f"{called}{parameter}): name each parameter", place=place, hint=_SHAPE
        )
    hint = hints.get(name)
    if name in {"warn", "audit"}:
        return name, ()
    if hint is AdmissionRequest:
        return "request", ()
    if hint is None:
        raise PolicyError(
            f"{called}{name}): the parameter has no annotation, so the policy says "
            "not what it is about",
            place=place,
            hint=_SHAPE,
        )
    optional, found = _read_kinds(hint)
    for kind in found:
        check_kind(kind)
    if not found:
        raise PolicyError(
            f"{called}{name}: {_show(hint)}) is no kind, nor AdmissionRequest, "
            "nor one of the names warn and audit",
            place=place,
            hint=_SHAPE,
        )
    if name == "old":
        if not optional:
            raise PolicyError(
                f"{called}old: {_show(hint)}): there is no old object on CREATE",
                place=place,
                hint=f"annotate it `{_show(hint)} | None`",
            )
        return "old", found
    if optional:
        raise PolicyError(
            f"{called}{name}: {_show(hint)}): the object is never None (on DELETE it "
            "is the one that goes)",
            place=place,
            hint="drop `| None`, or name the parameter `old` to get the object before",
        )
    return "object", found


def _read_kinds(hint: Any) -> tuple[bool, tuple[type[Resource], ...]]:
    """Return whether None is allowed, and the kinds of a (union of) annotation."""
    is_union = isinstance(hint, types.UnionType) or (
        typing.get_origin(hint) is typing.Union
    )
    members = typing.get_args(hint) if is_union else (hint,)
    kinds = tuple(member for member in members if member is not types.NoneType)
    if all(isinstance(kind, type) and issubclass(kind, Resource) for kind in kinds):
        return len(kinds) < len(members), kinds
    return False, ()


def _show(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
