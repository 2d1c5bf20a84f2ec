"""Quantity: what Kubernetes writes as ``500m`` or ``1Gi``, to compute with."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, overload

__all__ = ("Quantity",)

_FORM: Final = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?\d{1,3}))?"
)
_BINARY: Final = {f"{prefix}i": 1024**n for n, prefix in enumerate("KMGTPE", start=1)}
_DECIMAL: Final = {
    suffix: Decimal(10) ** (3 * n)
    for n, suffix in enumerate(
        ("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), start=-3
    )
}
_SCALES: Final = {**{key: Decimal(value) for key, value in _BINARY.items()}, **_DECIMAL}


class Quantity(str):
    """An amount as Kubernetes writes it: ``100m``, ``1.5``, ``2Gi``, ``1e3``.

    It compares with text, numbers and another by value, so ``"1Gi" == "1024Mi"``; sums
    and products are quantities in the form that the API server would write.

    Raises:
        ValueError: the text is no quantity; only when something is computed with it.

    Source: apimachinery pkg/api/resource/quantity.go.
    """

    __slots__ = ()
    # JSON may say 1 for "1": manifests do, and custom resources keep it.
    _numbers: ClassVar = (int, float)

    if TYPE_CHECKING:  # as a field's annotation it takes text and numbers too

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(self, view: object, value: str | float | None) -> None: ...

    @property
    def value(self) -> Decimal:
        """The amount in units (cores, bytes), exactly."""
        return _parse(self)

    def __int__(self) -> int:
        """Return whole units, rounded up as the API server does."""
        return int(self.value.to_integral_value(ROUND_CEILING))

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return self.value != 0

    def __add__(self, other: _Amount) -> Quantity:
        return _format(self.value + _parse(other), like=self)

    __radd__ = __add__

    def __sub__(self, other: _Amount) -> Quantity:
        return _format(self.value - _parse(other), like=self)

    def __rsub__(self, other: _Amount) -> Quantity:
        return _format(_parse(other) - self.value, like=self)

    def __mul__(self, factor: float | Decimal) -> Quantity:  # type: ignore[override]
        return _format(self.value * _parse(factor), like=self)

    __rmul__ = __mul__  # type: ignore[assignment]

    def __truediv__(self, divisor: float | Decimal) -> Quantity:
        return _format(self.value / _parse(divisor), like=self)

    def __lt__(self, other: _Amount) -> bool:
        return self.value < _parse(other)

    def __le__(self, other: _Amount) -> bool:
        return self.value <= _parse(other)

    def __gt__(self, other: _Amount) -> bool:
        return self.value > _parse(other)

    def __ge__(self, other: _Amount) -> bool:
        return self.value >= _parse(other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str | int | float | Decimal):
            return NotImplemented
        try:
            return self.value == _parse(other)
        except ValueError:
            return str.__eq__(self, str(other))

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except ValueError:
            return str.__hash__(self)


_Amount = str | int | float | Decimal


def _parse(amount: _Amount) -> Decimal:
    if isinstance(amount, int | float):
        return Decimal(str(amount))
    if isinstance(amount, Decimal):
        return amount
    found = _FORM.fullmatch(str.__str__(amount)) if len(amount) <= 64 else None
    if found is None:
        raise ValueError(
            f"{str.__str__(amount)[:64]!r} is no quantity, such as 100m, 1.5 or 2Gi"
        )
    scale = _SCALES[found["suffix"] or ""]
    return Decimal(found["number"]).scaleb(int(found["exponent"] or 0)) * scale


def _format(value: Decimal, *, like: Quantity) -> Quantity:
    """Write an amount canonically: binary if it was and fits, else decimal.

    It is rounded up to a nano and has the largest suffix that leaves a whole number.
    """
    if str.__str__(like).endswith("i") and value == value.to_integral_value():
        for suffix in reversed(_BINARY):
            if value and value % _BINARY[suffix] == 0:
                return Quantity(f"{value / _BINARY[suffix]:f}{suffix}")
    nanos = (value * 10**9).to_integral_value(ROUND_CEILING) / 10**9
    for suffix in reversed(_DECIMAL):
        scaled = nanos / _DECIMAL[suffix]
        if scaled == scaled.to_integral_value() and (nanos or not suffix):
            return Quantity(f"{scaled.to_integral_value():f}{suffix}")
    raise AssertionError("a nano is always whole")
