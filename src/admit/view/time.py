"""Time: what Kubernetes writes as text and a person wants to compare."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Self, overload

__all__ = ("Time",)


class Time(str):
    """A moment as RFC 3339 text: ``2026-01-31T12:00:00Z``, with or without a fraction.

    It compares with `datetime` (aware), with text and with another; the difference of
    two is a `timedelta`. Equal means the same moment.

    Raises:
        ValueError: the text is no time; only when something is computed with it.

    Source: apimachinery pkg/apis/meta/v1 Time and MicroTime.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # as a field's annotation it takes text too

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(self, view: object, value: str | None) -> None: ...

    @property
    def datetime(self) -> dt.datetime:
        """The moment, in UTC."""
        return _parse(self)

    @overload
    def __sub__(self, other: dt.timedelta) -> Time: ...
    @overload
    def __sub__(self, other: dt.datetime | str) -> dt.timedelta: ...
    def __sub__(self, other: dt.timedelta | dt.datetime | str) -> Time | dt.timedelta:
        if isinstance(other, dt.timedelta):
            return _format(self.datetime - other)
        return self.datetime - _parse(other)

    def __rsub__(self, other: dt.datetime | str) -> dt.timedelta:
        return _parse(other) - self.datetime

    def __add__(self, other: dt.timedelta) -> Time:  # type: ignore[override]
        return _format(self.datetime + other)

    def __lt__(self, other: dt.datetime | str) -> bool:
        return self.datetime < _parse(other)

    def __le__(self, other: dt.datetime | str) -> bool:
        return self.datetime <= _parse(other)

    def __gt__(self, other: dt.datetime | str) -> bool:
        return self.datetime > _parse(other)

    def __ge__(self, other: dt.datetime | str) -> bool:
        return self.datetime >= _parse(other)

    def __eq__(self, other: object) -> bool:
        try:
            return isinstance(other, dt.datetime | str) and self.datetime == _parse(
                other
            )
        except ValueError:
            return str.__eq__(self, str(other))

    def __hash__(self) -> int:
        try:
            return hash(self.datetime)
        except ValueError:
            return str.__hash__(self)


def _parse(value: dt.datetime | str) -> dt.datetime:
    moment = value
    if isinstance(moment, str):
        text = str.__str__(moment)
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no RFC 3339 time") from None
    if moment.tzinfo is None:
        raise ValueError(f"{value!s} has no time zone; a moment needs one")
    return moment.astimezone(dt.UTC)


def _format(moment: dt.datetime) -> Time:
    return Time(moment.isoformat().replace("+00:00", "Z"))
