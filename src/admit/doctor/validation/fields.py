"""Errors of fields, written as the API server writes them.

Source: apimachinery pkg/util/validation/field/errors.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from admit.doctor.validation.formats import marshal, quote

__all__ = (
    "FieldError",
    "Path",
    "duplicate",
    "forbidden",
    "invalid",
    "required",
    "show_path",
    "too_long",
    "too_many",
    "unsupported",
)

Path: TypeAlias = tuple[str | int, ...]
"""Where in an object: member names and numbers of items."""


def show_path(path: Path) -> str:
    """Write a path as in the API server's errors: ``webhooks[0].rules[1].scope``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


# What the causes of a Status call each kind.
REASONS: Final = {
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Too many": "FieldValueTooMany",
    "Too long": "FieldValueTooLong",
    "Forbidden": "FieldValueForbidden",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field: ``Invalid value: "x": why``."""

    path: Path
    kind: str
    value: str = ""
    detail: str = ""

    @property
    def message(self) -> str:
        """The text without the field, as in a cause of a Status."""
        return ": ".join(part for part in (self.kind, self.value, self.detail) if part)

    @property
    def reason(self) -> str:
        """The machine-readable kind, as in a cause of a Status."""
        return REASONS[self.kind]

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.message}"


def required(path: Path, detail: str = "") -> FieldError:
    """Say that a field must be there."""
    return FieldError(path, "Required value", "", detail)


def invalid(path: Path, value: object, detail: str) -> FieldError:
    """Say that a value is wrong."""
    return FieldError(path, "Invalid value", _show(value), detail)


def unsupported(path: Path, value: str, supported: tuple[str, ...]) -> FieldError:
    """Say that a value is none of those there are."""
    known = ", ".join(map(quote, sorted(supported)))
    return FieldError(
        path, "Unsupported value", marshal(value), f"supported values: {known}"
    )


def duplicate(path: Path, value: str) -> FieldError:
    """Say that a value was there before."""
    return FieldError(path, "Duplicate value", _show(value))


def too_many(path: Path, count: int, most: int) -> FieldError:
    """Say that a list is too long."""
    return FieldError(path, "Too many", str(count), f"must have at most {most} items")


def too_long(path: Path, most: int) -> FieldError:
    """Say that a value has too many bytes."""
    return FieldError(path, "Too long", "", f"may not be more than {most} bytes")


def forbidden(path: Path, detail: str) -> FieldError:
    """Say that a field may not be there."""
    return FieldError(path, "Forbidden", "", detail)


def _show(value: object) -> str:
    return quote(value) if isinstance(value, str) else marshal(value)
