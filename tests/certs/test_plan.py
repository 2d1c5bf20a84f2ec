"""What is due, case by case; tests/property/test_certs.py has the years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from admit.certs.plan import (
    RETIRED_LIMIT,
    Authority,
    Due,
    Leaf,
    Retired,
    Seen,
    State,
    Step,
    advance,
    find_contradiction,
    plan,
)
from admit.certs.times import Times

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = Times()
YEAR = timedelta(days=365)


def authority(name: str, *, age: timedelta = timedelta()) -> Authority:
    return Authority(name, NOW - age, NOW - age + YEAR)


def leaf(by: Authority, *, age: timedelta) -> Leaf:
    return Leaf(by, NOW - age, min(NOW - age + TIMES.leaf, by.not_after))


YOUNG, OLD = authority("young"), authority("old", age=timedelta(days=250))
LATE = authority("late", age=timedelta(days=364))
MIDDLE = authority("middle", age=timedelta(days=100))
DEAD = authority("dead", age=timedelta(days=366))
NEXT = authority("next", age=timedelta(hours=2))
SINCE = NOW - timedelta(hours=2)
LONG = NOW - timedelta(hours=1)
FRESH = leaf(YOUNG, age=timedelta(days=1))

CASES = {
    "nothing there": (None, {}, Due(Step.CREATE)),
    "new": (State(YOUNG), {}, Due(sign=True)),
    "served": (State(YOUNG), {"leaf": FRESH}, Due()),
    "leaf of 20 days": (
        State(YOUNG),
        {"leaf": leaf(YOUNG, age=timedelta(days=20))},
        Due(sign=True),
    ),
    "CA past two thirds": (State(OLD), {}, Due(Step.INTRODUCE)),
    "CA expired": (State(DEAD), {}, Due(Step.CREATE)),
    "CA expired, next there": (State(DEAD, NEXT, SINCE), {}, Due(Step.SWITCH)),
    "both expired": (State(DEAD, DEAD, SINCE), {}, Due(Step.CREATE)),
    "next expired": (State(OLD, DEAD, SINCE), {}, Due(Step.INTRODUCE)),
    "next registered for long": (
        State(OLD, NEXT, SINCE),
        {"registered": {"next": LONG}},
        Due(Step.SWITCH),
    ),
    "next registered just now": (
        State(OLD, NEXT, SINCE),
        {"registered": {"next": NOW}},
        Due(sign=True, waiting="API servers are given time to see the next CA"),
    ),
    "retired to forget": (
        State(YOUNG, retired=(Retired(OLD, NOW),)),
        {},
        Due(Step.DROP),
    ),
    "CA lost that was seen": (
        State(YOUNG),
        {"seen": Seen(State(OLD), NOW)},
        Due(Step.ADOPT),
    ),
    "CA seen so long ago that it has no leaf": (
        State(YOUNG),
        {"seen": Seen(State(OLD), NOW - timedelta(days=31)), "leaf": FRESH},
        Due(),
    ),
    "CA that has just expired by this clock": (
        State(Authority("edge", NOW - YEAR, NOW), NEXT, NOW),
        {},
        Due(waiting="the next CA is not known to be in every caBundle"),
    ),
    "leaf at the end of its CA": (
        State(LATE, NEXT, NOW),
        {"leaf": Leaf(LATE, NOW - timedelta(days=20), LATE.not_after)},
        Due(waiting="the next CA is not known to be in every caBundle"),
    ),
    "another CA, and nobody registers": (
        State(YOUNG, retired=(Retired(OLD, NOW + YEAR),)),
        {"leaf": leaf(OLD, age=timedelta(days=21))},
        Due(sign=True),
    ),
    "another CA that is not registered": (
        State(YOUNG, retired=(Retired(OLD, NOW + YEAR),)),
        {"leaf": leaf(OLD, age=timedelta(days=21)), "registered": {}},
        Due(),
    ),
    "another CA that is not registered, at the last moment": (
        State(YOUNG, retired=(Retired(OLD, NOW + YEAR),)),
        {
            "leaf": Leaf(OLD, NOW - timedelta(days=30), NOW + timedelta(minutes=5)),
            "registered": {},
        },
        Due(sign=True),
    ),
}


@pytest.mark.parametrize(("state", "more", "due"), CASES.values(), ids=CASES)
def test_what_is_due(state: State | None, more: dict[str, object], due: Due) -> None:
    assert plan(state, now=NOW, times=TIMES, **more) == due  # type: ignore[arg-type]


def test_a_step_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to change"):
        advance(None, Step.SWITCH, now=NOW, times=TIMES)


def test_no_more_is_remembered_than_anybody_needs() -> None:
    many = tuple(
        Retired(authority(f"{n}"), NOW + timedelta(days=n + 1))
        for n in range(RETIRED_LIMIT)
    )
    state = State(OLD, NEXT, SINCE, many)
    after = advance(state, Step.SWITCH, now=NOW, times=TIMES)
    assert after.retired == (*many[1:], Retired(OLD, NOW + TIMES.remembered))


def test_a_lost_secret_prolongs_nothing_that_was_remembered() -> None:
    """Else who deletes it again and again fills the bundle."""
    until = NOW + timedelta(days=3)
    seen = Seen(State(OLD, retired=(Retired(MIDDLE, until),)), NOW)
    after = advance(None, Step.CREATE, now=NOW, times=TIMES, seen=seen, made=YOUNG)
    old = Retired(OLD, NOW + TIMES.remembered)
    assert after.retired == (Retired(MIDDLE, until), old)


@pytest.mark.parametrize(
    ("off", "says"),
    [
        (timedelta(minutes=-6), "the API server's 2025-12-31T23:54:00Z"),
        (timedelta(minutes=6), "they may differ by 300 s"),
        (timedelta(minutes=5), ""),
    ],
)
def test_a_clock_is_compared_with_the_api_servers(off: timedelta, says: str) -> None:
    found = find_contradiction(None, now=NOW, server_now=NOW + off, times=TIMES)
    assert says in found
    assert bool(says) == bool(found)


@pytest.mark.parametrize(
    "state",
    [
        State(authority("made tomorrow", age=timedelta(days=-1))),
        State(YOUNG, NEXT, NOW + timedelta(days=1)),
    ],
)
def test_a_clock_is_compared_with_the_secret(state: State) -> None:
    found = find_contradiction(state, now=NOW, server_now=None, times=TIMES)
    assert "the Secret was written at 2026-01-02" in found
