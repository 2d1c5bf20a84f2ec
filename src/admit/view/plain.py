"""Plain JSON: what goes into a document, and what a person gets out of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from admit.patch import join
from admit.view.node import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = (
    "ARRAYS",
    "OBJECTS",
    "UnfitTypeError",
    "UnfitValueError",
    "copy_array",
    "copy_object",
    "copy_scalar",
    "copy_value",
    "open_view",
    "raw",
    "take",
)

Copy: TypeAlias = "Callable[[Any, list[str | int]], Any]"

# Containers in one another that a value may have. The API server refuses objects nested
# deeper than its JSON decoder's 10,000; nobody means more than this.
DEPTH_LIMIT: Final = 200

# Characters of a path that an error repeats: its keys may be anybody's.
PLACE_LENGTH: Final = 300

OBJECTS: Final = (dict, Mapping)
ARRAYS: Final = (list, tuple)
_SCALARS: Final = (str, int, float, type(None))  # cheaper asked for than a Mapping


class UnfitTypeError(TypeError):
    """What is put in is no JSON, or not of the declared type.

    Safe to show: it names types and paths, no content.
    """

    admit_safe = True


class UnfitValueError(ValueError):
    """JSON cannot hold the number or text. Safe to show: it does not quote it."""

    admit_safe = True


def raw(value: Any) -> Any:
    """Return the plain JSON under a view, as a copy; other values as they are.

    An absent place gives the empty dict or list that it reads as.
    """
    return msgspec.to_builtins(value._whole()) if isinstance(value, View) else value


def take(value: Any, copy: Copy, view: View | None = None, *way: str) -> Any:
    """Return a value as plain JSON of its own, as it is put into a view.

    Args:
        value: a scalar, mapping, list, tuple or view.
        copy: a reader's, which looks at the type; or `copy_value`, which takes any.
        view: where it is put; None for a document of its own.
        way: the key there, or ``-`` for an element.

    Raises:
        TypeError: it is no JSON, or not of the declared type; names the path.
        ValueError: a number or text that JSON cannot hold, or nested too deeply.
    """
    trail: list[str | int] = [*way]
    try:
        return copy(value, trail)
    except (UnfitTypeError, UnfitValueError) as error:
        place = ("" if view is None else view._path()) + join(trail)
        if len(place) > PLACE_LENGTH:
            place = f"{place[:PLACE_LENGTH]}..."
        raise type(error)(f"{place or 'object'}: {error}") from None


def copy_value(value: Any, trail: list[str | int]) -> Any:
    """Return a value as plain JSON of its own.

    Args:
        value: a scalar, mapping, list, tuple or view.
        trail: the way to what is copied; it is left at what does not fit.

    Raises:
        UnfitTypeError: it is not JSON.
        UnfitValueError: a number or text that JSON cannot hold, or nested too deeply.
    """
    value = open_view(value)
    if isinstance(value, ARRAYS):
        return copy_array(value, trail, copy_value)
    if isinstance(value, _SCALARS) or not isinstance(value, OBJECTS):
        return copy_scalar(value)
    return copy_object(value, trail, lambda _: copy_value)


def copy_scalar(value: Any) -> Any:
    """Return a string, number, boolean or None as JSON's own type."""
    if isinstance(value, str):
        return _copy_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if not isinstance(value, float):
        raise UnfitTypeError(f"a {type(value).__name__} is not JSON")
    if not math.isfinite(value):
        raise UnfitValueError(f"JSON has no {value}")
    return float(value)


def copy_object(
    value: Mapping[Any, Any], trail: list[str | int], find_copy: Callable[[str], Copy]
) -> dict[str, Any]:
    """Return a copy of an object; `find_copy` says for each key how."""
    _check_depth(trail)
    members = {}
    for key, child in value.items():
        if not isinstance(key, str):
            raise UnfitTypeError(f"a key is a string, not a {type(key).__name__}")
        text = _copy_text(key)
        trail.append(text)
        members[text] = find_copy(text)(child, trail)
        trail.pop()
    return members


def copy_array(value: Sequence[Any], trail: list[str | int], copy: Copy) -> list[Any]:
    """Return a copy of an array."""
    _check_depth(trail)
    elements = []
    for index, element in enumerate(value):
        trail.append(index)
        elements.append(copy(element, trail))
        trail.pop()
    return elements


def open_view(value: Any) -> Any:
    """Return the JSON under a view; other values as they are."""
    return value._whole() if isinstance(value, View) else value


def _check_depth(trail: list[str | int]) -> None:
    if len(trail) > DEPTH_LIMIT:
        raise UnfitValueError(f"nested deeper than {DEPTH_LIMIT}")


def _copy_text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UnfitValueError("JSON text cannot hold a lone surrogate") from None
    return text if type(text) is str else str.__str__(text)
