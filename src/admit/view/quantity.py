"""Quantity: what Kubernetes writes as ``500m`` or ``1Gi``, to compute with."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Literal,
    Self,
    TypeAlias,
    overload,
)

__all__ = ("Quantity",)

_FORM: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)
# Characters that an amount may have; the longest that mean anything have about 30.
_LENGTH_LIMIT: Final = 64

_BINARY: Final = {f"{prefix}i": 1024**n for n, prefix in enumerate("KMGTPE", start=1)}
_DECIMAL: Final = {
    suffix: 3 * n
    for n, suffix in enumerate(
        ("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), start=-3
    )
}
_SUFFIXES: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}

# Amounts are counted in nanos: the API server knows nothing finer.
_UNIT: Final = 10**9
# What the API server takes a larger amount with a binary suffix for.
_BINARY_LIMIT: Final = (2**63 - 1) * _UNIT

_Form: TypeAlias = Literal["decimal", "binary", "exponent"]


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
        """The amount in units (cores, bytes), exactly.

        Finer than a nano it is rounded away from zero, as in the API server.
        """
        nanos = _parse(self)[0]
        whole, part = divmod(abs(nanos), _UNIT)
        text = f"{whole}.{part:09}".rstrip("0").rstrip(".")
        return Decimal(f"-{text}" if nanos < 0 else text)

    def __int__(self) -> int:
        """Return whole units, rounded up as the API server does."""
        return -(-_parse(self)[0] // _UNIT)

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return _parse(self)[0] != 0

    def __add__(self, other: _Amount) -> Quantity:
        return _sum(_parse(self), _parse(other))

    def __radd__(self, other: _Amount) -> Quantity:
        return _sum(_parse(other), _parse(self))

    def __sub__(self, other: _Amount) -> Quantity:
        return _sum(_parse(self), _parse(other), -1)

    def __rsub__(self, other: _Amount) -> Quantity:
        return _sum(_parse(other), _parse(self), -1)

    def __mul__(self, factor: float | Decimal) -> Quantity:  # type: ignore[override]
        nanos, form = _parse(self)
        return _format(_round(nanos * _to_fraction(factor)), form)

    __rmul__ = __mul__  # type: ignore[assignment]

    def __truediv__(self, divisor: float | Decimal) -> Quantity:
        nanos, form = _parse(self)
        return _format(_round(nanos / _to_fraction(divisor)), form)

    def __lt__(self, other: _Amount) -> bool:
        return _parse(self)[0] < _parse(other)[0]

    def __le__(self, other: _Amount) -> bool:
        return _parse(self)[0] <= _parse(other)[0]

    def __gt__(self, other: _Amount) -> bool:
        return _parse(self)[0] > _parse(other)[0]

    def __ge__(self, other: _Amount) -> bool:
        return _parse(self)[0] >= _parse(other)[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (str, int, float, Decimal)):
            return NotImplemented
        try:
            return _parse(self)[0] == _parse(other)[0]
        except ValueError:
            return str.__eq__(self, str(other))

    def __ne__(self, other: object) -> bool:  # str has one of its own
        return not self == other

    # Equal amounts have unlike texts: one that is looked up in a set of texts would be
    # missed in silence.
    __hash__ = None  # type: ignore[assignment]


_Amount: TypeAlias = str | int | float | Decimal


def _parse(amount: _Amount) -> tuple[int, _Form]:
    """Return an amount in nanos, and how it is written."""
    if not isinstance(amount, str):
        return _round(_to_fraction(amount) * _UNIT), "decimal"
    text = str.__str__(amount)
    found = _FORM.fullmatch(text) if len(text) <= _LENGTH_LIMIT else None
    if found is None or not (found["whole"] or found["part"]):
        shown = text[:_LENGTH_LIMIT]
        raise ValueError(f"{shown!r} is no quantity, such as 100m, 1.5 or 2Gi")
    part, suffix = found["part"] or "", found["suffix"] or ""
    number = int(found["sign"] + found["whole"] + part)
    if suffix in _BINARY:
        nanos = _round(Fraction(number * _BINARY[suffix] * _UNIT, 10 ** len(part)))
        return max(-_BINARY_LIMIT, min(nanos, _BINARY_LIMIT)), "binary"
    exponent = int(found["exponent"] or _DECIMAL[suffix])
    nanos = _round(number * Fraction(10) ** (exponent + 9 - len(part)))
    return nanos, "decimal" if found["exponent"] is None else "exponent"


def _to_fraction(number: float | Decimal) -> Fraction:
    if isinstance(number, str):
        raise TypeError("a quantity is multiplied and divided by numbers")
    return Fraction(str(number))  # a float as it is written: 0.1 is a tenth


def _round(nanos: Fraction) -> int:
    """Round away from zero, as the API server does: some is never none."""
    whole = -(-abs(nanos.numerator) // nanos.denominator)
    return whole if nanos > 0 else -whole


def _sum(one: tuple[int, _Form], other: tuple[int, _Form], sign: int = 1) -> Quantity:
    """Add two amounts; the sum is written as the first is, unless that is zero."""
    return _format(one[0] + sign * other[0], one[1] if one[0] else other[1])


def _format(nanos: int, form: _Form) -> Quantity:
    """Write an amount canonically, with the largest suffix that leaves it whole."""
    if form == "binary" and abs(nanos) >= 1024 * _UNIT and nanos % _UNIT == 0:
        units = nanos // _UNIT
        for suffix, size in reversed(_BINARY.items()):
            if units % size == 0:
                return Quantity(f"{units // size}{suffix}")
        return Quantity(str(units))
    exponent = -9
    while nanos and nanos % 1000 == 0 and (exponent < 18 or form == "exponent"):
        nanos, exponent = nanos // 1000, exponent + 3
    if form == "exponent":
        suffix = f"e{exponent}" if exponent and nanos else ""
    else:
        suffix = _SUFFIXES[exponent] if nanos else ""
    return Quantity(f"{nanos}{suffix}")
