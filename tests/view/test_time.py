"""Moments, read and written as the API server does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from admit.view import Time

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)

# (text, the moment)
MOMENTS = [
    ("2026-01-31T12:00:00Z", NOON),
    ("2026-01-31T13:00:00+01:00", NOON),
    ("2026-01-31T06:30:00-05:30", NOON),
    ("2026-01-31T12:00:00+00:00", NOON),
    ("2026-01-31T12:00:00.000000Z", NOON),
    ("2026-01-31T12:00:00.5Z", NOON + dt.timedelta(seconds=0.5)),
    ("2026-01-31T12:00:00.123456789Z", NOON + dt.timedelta(microseconds=123456)),
]


@pytest.mark.parametrize(("text", "moment"), MOMENTS)
def test_a_time_is_a_moment(text: str, moment: dt.datetime) -> None:
    time = Time(text)
    assert time.datetime == moment
    assert time.datetime.tzinfo is dt.UTC
    assert time == moment
    assert (time != moment) is False
    assert time == Time(text)
    assert time == text
    assert str(time) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-01-31", "2026-01-31T12:00:00", "20260131T120000Z"),
        *("2026-01-31 12:00:00Z", "2026-01-31t12:00:00z", "2026-W05-6T12:00:00Z"),
        *("2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z"),
        *("2026-01-31T12:00Z", "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00.Z"),
        *("2026-01-31T12:00:00Z\n", "0001-01-01T00:00:00+01:00", "x" * 100_000),
    ],
)
def test_text_that_is_no_moment_is_refused_when_it_is_computed_with(text: str) -> None:
    time = Time(text)
    for compute in (
        lambda: time.datetime,
        lambda: time < NOON,
        lambda: Time("2026-01-31T12:00:00Z") > text,
        lambda: time + dt.timedelta(1),
        lambda: time - NOON,
    ):
        with pytest.raises(ValueError, match="is no RFC 3339 time, such as") as caught:
            compute()
        assert len(str(caught.value)) < 200
    assert time == text
    assert time != NOON


LATER = NOON + dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    "later",
    [LATER, "2026-01-31T12:01:00Z", Time("2026-01-31T13:01:00+01:00")],
    ids=["datetime", "text", "time"],
)
def test_times_compare_with_what_says_a_moment(later: Any) -> None:
    time = Time("2026-01-31T12:00:00Z")
    assert time < later
    assert time <= later
    assert later > time
    assert later >= time
    assert time != later
    assert not time > later
    assert not time >= later
    assert later - time == dt.timedelta(minutes=1)
    assert time - later == -dt.timedelta(minutes=1)


def test_a_time_is_not_equal_to_what_is_none() -> None:
    assert Time("2026-01-31T12:00:00Z") != "noon"
    assert Time("2026-01-31T12:00:00Z") != 3
    assert Time("2026-01-31T12:00:00Z") != NOON.replace(tzinfo=None)


def test_a_datetime_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        _ = Time("2026-01-31T12:00:00Z") < NOON.replace(tzinfo=None)


# (text, seconds added, what it gives)
MOVES = [
    ("2026-01-31T12:00:00Z", 60, "2026-01-31T12:01:00Z"),
    ("2026-01-31T12:00:00Z", -60, "2026-01-31T11:59:00Z"),
    ("2026-01-31T13:00:00+01:00", 60, "2026-01-31T12:01:00Z"),
    ("2026-01-31T12:00:00Z", 0.5, "2026-01-31T12:00:00.500000Z"),
    # A MicroTime without its six digits is refused by the API server.
    ("2026-01-31T12:00:00.000000Z", 60, "2026-01-31T12:01:00.000000Z"),
    ("2026-01-31T12:00:00.5Z", 0.5, "2026-01-31T12:00:01.000000Z"),
]


@pytest.mark.parametrize(("text", "seconds", "expected"), MOVES)
def test_a_moment_moves_by_a_timedelta(
    text: str, seconds: float, expected: str
) -> None:
    moved = Time(text) + dt.timedelta(seconds=seconds)
    assert type(moved) is Time
    assert str(moved) == expected
    assert str(Time(text) - dt.timedelta(seconds=-seconds)) == expected


def test_a_time_is_not_missed_in_a_set_in_silence() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        _ = Time("2026-01-31T12:00:00Z") in {"2026-01-31T13:00:00+01:00", ""}
