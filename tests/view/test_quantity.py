"""Amounts, read and written as the API server does.

The tables were compared with k8s.io/apimachinery pkg/api/resource v0.37.2, as were
60,000 random pairs of amounts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from admit.view import Quantity

# (text, units exactly, canonical text)
AMOUNTS = [
    ("0", "0", "0"),
    ("-0", "0", "0"),
    ("0Gi", "0", "0"),
    ("0e3", "0", "0"),
    ("1", "1", "1"),
    ("+1", "1", "1"),
    ("-1", "-1", "-1"),
    ("007", "7", "7"),
    ("1.", "1", "1"),
    (".5", "0.5", "500m"),
    ("1.50", "1.5", "1500m"),
    ("1n", "0.000000001", "1n"),
    ("1u", "0.000001", "1u"),
    ("1m", "0.001", "1m"),
    ("1k", "1000", "1k"),
    ("1M", "1000000", "1M"),
    ("1G", "1000000000", "1G"),
    ("1T", "1000000000000", "1T"),
    ("1P", "1000000000000000", "1P"),
    ("1E", "1000000000000000000", "1E"),
    ("1Ki", "1024", "1Ki"),
    ("1Mi", "1048576", "1Mi"),
    ("1Gi", "1073741824", "1Gi"),
    ("1Ti", "1099511627776", "1Ti"),
    ("1Pi", "1125899906842624", "1Pi"),
    ("1Ei", "1152921504606846976", "1Ei"),
    ("1000m", "1", "1"),
    ("1500m", "1.5", "1500m"),
    ("0.1", "0.1", "100m"),
    ("12000k", "12000000", "12M"),
    ("12345k", "12345000", "12345k"),
    ("1024Mi", "1073741824", "1Gi"),
    ("1536Mi", "1610612736", "1536Mi"),
    ("1.5Gi", "1610612736", "1536Mi"),
    ("0.5Ki", "512", "512"),  # below 1024 there is no binary suffix
    ("0.1Ki", "102.4", "102400m"),
    ("1025Ki", "1049600", "1025Ki"),
    ("1e3", "1000", "1e3"),
    ("1E3", "1000", "1e3"),
    ("1e+3", "1000", "1e3"),
    ("1e-3", "0.001", "1e-3"),
    ("15e2", "1500", "1500"),
    ("1e4", "10000", "10e3"),
    ("1e0", "1", "1"),
    ("1e21", "1" + "0" * 21, "1e21"),
    ("-1536Mi", "-1610612736", "-1536Mi"),
    # Finer than a nano: away from zero, so that some is never none.
    ("0.1n", "0.000000001", "1n"),
    ("-0.1n", "-0.000000001", "-1n"),
    ("1.1n", "0.000000002", "2n"),
    ("1e-30", "0.000000001", "1e-9"),
    # A larger amount with a binary suffix is taken for the largest 64-bit number.
    ("8Ei", "9223372036854775807", "9223372036854775807"),
    ("-9Ei", "-9223372036854775807", "-9223372036854775807"),
    ("10E", "10000000000000000000", "10E"),
    # Here the API server loses the suffix and writes 1; admit does not.
    ("1000E", "1000000000000000000000", "1000E"),
    ("123456789012345678901234567890", "123456789012345678901234567890", "123456789012345678901234567890"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "units", "canonical"), AMOUNTS)
def test_an_amount_is_read_exactly_and_written_canonically(
    text: str, units: str, canonical: str
) -> None:
    quantity = Quantity(text)
    assert quantity.value == Decimal(units)
    assert str(quantity) == text, "what nobody computes with stays as it is"
    assert str(quantity + 0) == canonical
    assert Quantity(canonical) == quantity


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "1 Gi", " 1", "1\n", "1gi", "1KI", "1K", "1i", "1mi", "1mm", "1Kib"),
        *("1Ki3", "1.5.5", "1e", "1e1.5", "1ee3", "--1", "+", ".", "-.", "Gi", "1e1000"),
        *("0x10", "1_0", "\u0663", "NaN", "inf", "9" * 65),
    ],
)  # fmt: skip
def test_text_that_is_no_amount_is_refused_when_it_is_computed_with(text: str) -> None:
    quantity = Quantity(text)
    for compute in (
        lambda: quantity.value,
        lambda: quantity + 1,
        lambda: Quantity("1") + text,
        lambda: quantity < 1,
        lambda: bool(quantity),
        lambda: int(quantity),
    ):
        with pytest.raises(ValueError, match="is no quantity, such as 100m"):
            compute()
    assert quantity == text
    assert quantity != Quantity("1")


def test_what_an_error_quotes_is_short() -> None:
    with pytest.raises(ValueError) as caught:
        _ = Quantity("x" * 1_000_000).value
    assert len(str(caught.value)) < 200


# (one, other, whether the first is less, equal, greater)
ORDER: list[tuple[Any, Any, int]] = [
    ("1Gi", "1024Mi", 0),
    ("1Gi", "1G", 1),
    ("1000m", "1", 0),
    ("999m", "1", -1),
    ("1Gi", "1025Mi", -1),
    ("1e3", "1k", 0),
    ("0.1", 0.1, 0),
    ("100m", 0.1, 0),
    ("1", 1, 0),
    ("1Gi", 2**30, 0),
    ("1Gi", 2**30 - 1, 1),
    ("1.5", Decimal("1.5"), 0),
    ("-1", 0, -1),
    ("123456789012345678901234567891", "123456789012345678901234567890", 1),
]


@pytest.mark.parametrize(("one", "other", "expected"), ORDER)
def test_amounts_compare_by_value(one: str, other: Any, expected: int) -> None:
    quantity = Quantity(one)
    for right in (other, Quantity(other)):
        assert (quantity > right) - (quantity < right) == expected
        assert (quantity == right) is (expected == 0)
        assert (quantity != right) is (expected != 0)
        assert (quantity >= right) is (expected >= 0)
        assert (quantity <= right) is (expected <= 0)
        assert (right < quantity) is (expected > 0)


def test_an_amount_is_not_equal_to_what_is_none() -> None:
    assert Quantity("1") != "x"
    assert Quantity("1") != None  # noqa: E711 - the comparison is what is tested
    assert Quantity("1") != [1]


# (expression of `q`, which makes a quantity, what it gives)
SUMS = [
    ('q("1Gi") + q("512Mi")', "1536Mi"),
    ('q("1Gi") + "512Mi"', "1536Mi"),
    ('"512Mi" + q("1Gi")', "1536Mi"),
    ('q("100m") + 1', "1100m"),
    ('1 + q("100m")', "1100m"),
    ('1 + q("1Gi")', "1073741825"),
    ('q("0") + "1Gi"', "1Gi"),  # of nothing and something the form of something
    ('q("1Gi") + "1G"', "2073741824"),
    ('q("1G") + "1Gi"', "2073741824"),
    ('q("1G") + "24M"', "1024M"),
    ('q("1e3") + "1k"', "2e3"),
    ('q("1Gi") - "1Gi"', "0"),
    ('q("1") - "250m"', "750m"),
    ('1 - q("250m")', "750m"),
    ('"1Gi" - q("512Mi")', "512Mi"),
    ('q("250m") - 1', "-750m"),
    ('q("250m") * 4', "1"),
    ('2 * q("1Gi")', "2Gi"),
    ('q("1Gi") * 1.5', "1536Mi"),
    ('q("1Gi") * 0.1', "107374182400m"),
    ('q("1") / 3', "333333334n"),
    ('q("1Gi") / 2', "512Mi"),
    ('q("1") * D("0.1")', "100m"),
    ('sum([q("1Gi"), q("1Gi")])', "2Gi"),
    ('q("1Gi") + 0.5', "1073741824500m"),
]


@pytest.mark.parametrize(("expression", "expected"), SUMS)
def test_sums_and_products_are_canonical_quantities(
    expression: str, expected: str
) -> None:
    result = eval(expression, {"q": Quantity, "D": Decimal})
    assert type(result) is Quantity
    assert str(result) == expected


def test_a_quantity_is_also_a_number_and_a_text() -> None:
    assert int(Quantity("1500m")) == 2
    assert int(Quantity("1Gi")) == 2**30
    assert float(Quantity("1500m")) == 1.5
    assert not Quantity("0m")
    assert Quantity("1m")
    assert f"{Quantity('1Gi')}" == "1Gi"
    assert Quantity(5) == 5


@pytest.mark.parametrize("factor", ["2", Quantity("2")])
def test_amounts_are_not_multiplied_with_each_other(factor: Any) -> None:
    with pytest.raises(TypeError, match="by numbers"):
        _ = Quantity("1") * factor
    with pytest.raises(TypeError, match="by numbers"):
        _ = Quantity("1") / factor


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN")])
def test_what_is_no_number_is_no_amount(number: Any) -> None:
    with pytest.raises(ValueError):
        _ = Quantity("1") + number
    assert Quantity("1") != number


def test_division_by_nothing_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        _ = Quantity("1") / 0


def test_a_quantity_is_not_missed_in_a_set_in_silence() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        _ = Quantity("1024Mi") in {"1Gi", "2Gi"}
    assert Quantity("1024Mi") in ("1Gi", "2Gi")
