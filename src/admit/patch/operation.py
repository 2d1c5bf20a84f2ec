"""Operations and pointers as values, and the bytes they are on the wire.

What this file must not know: documents, views, reviews.

Source: RFC 6901, RFC 6902.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from admit.errors import ReviewError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = (
    "JSON",
    "Operation",
    "Verb",
    "decode",
    "encode",
    "join",
    "same",
    "split",
    "unescape",
)

JSON: TypeAlias = Any
"""A JSON value: dict, list, str, int, float, bool or None."""

Verb: TypeAlias = Literal["add", "remove", "replace", "move", "copy", "test"]


class Operation(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"from_": "from"}
):
    """One step of a patch: ``{"op": "add", "path": "/a/b", "value": 1}``.

    Shapes: `value` is absent (UNSET, not None) where an operation has none; `from_` is
    there with move and copy only.
    """

    op: Verb
    path: str
    value: JSON = msgspec.UNSET
    from_: str | msgspec.UnsetType = msgspec.UNSET


# The API server takes null for a patch of no operations.
_decoder: Final = msgspec.json.Decoder(tuple[Operation, ...] | None)
_encoder: Final = msgspec.json.Encoder()


def join(parts: Iterable[str | int]) -> str:
    """Write a pointer: ``("a/b", 0)`` becomes ``/a~1b/0``. No parts: the root."""
    return "".join(
        "/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts
    )


def split(pointer: str) -> tuple[str, ...]:
    """Read a pointer as RFC 6901 does; the reverse of `join`.

    Raises:
        ValueError: it does not start with a slash.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer: it must start with '/'")
    return tuple(map(unescape, pointer[1:].split("/")))


def unescape(part: str) -> str:
    """Read one part of a pointer: ``a~1b`` is ``a/b``."""
    return part.replace("~1", "/").replace("~0", "~")


def decode(data: bytes) -> tuple[Operation, ...]:
    """Read a patch.

    Raises:
        ReviewError: the bytes are not a list of operations; ``place`` is the path.
    """
    try:
        return _decoder.decode(data) or ()
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise ReviewError(reason, place=f"patch{path.rstrip('`')}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReviewError(f"not a JSON Patch: {error}", place="patch") from None


def encode(operations: Sequence[Operation]) -> bytes:
    """Write a patch as compact JSON."""
    return _encoder.encode(operations)


def same(one: JSON, other: JSON) -> bool:
    """Tell whether two JSON values are the same; ``1``, ``1.0``, ``True`` differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
