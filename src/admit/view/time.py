"""Time: what Kubernetes writes as text and a person wants to compare."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final, Self, overload

__all__ = ("Time",)

_FORM: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


class Time(str):
    """A moment as RFC 3339 text: ``2026-01-31T12:00:00Z``, with or without a fraction.

    It compares with `datetime` (aware), with text and with another; the difference of
    two is a `timedelta`. Equal means the same moment. A moment computed from one with
    a fraction has a fraction too: the API server's MicroTime does not go without.

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
            return self._moved(-other)
        return self.datetime - _parse(other)

    def __rsub__(self, other: dt.datetime | str) -> dt.timedelta:
        return _parse(other) - self.datetime

    def __add__(self, other: dt.timedelta) -> Time:  # type: ignore[override]
        return self._moved(other)

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

    def __ne__(self, other: object) -> bool:  # str has one of its own
        return not self == other

    # One moment has many texts: one that is looked up in a set of texts would be missed
    # in silence.
    __hash__ = None  # type: ignore[assignment]

    def _moved(self, by: dt.timedelta) -> Time:
        moment = self.datetime + by
        exact = moment.microsecond or "." in str.__str__(self)
        text = moment.isoformat(timespec="microseconds" if exact else "seconds")
        return Time(text.replace("+00:00", "Z"))


def _parse(value: dt.datetime | str) -> dt.datetime:
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone is no moment")
        return value.astimezone(dt.UTC)
    text = str.__str__(value)
    try:
        if _FORM.fullmatch(text):
            return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text[:64]!r} is no RFC 3339 time, such as 2026-01-31T12:00:00Z")
