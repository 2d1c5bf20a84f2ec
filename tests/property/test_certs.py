"""Years of replicas that rotate certificates: no leaf is untrusted at any moment.

The replicas, the Secret, the configuration and the API servers are simulated; what
each replica does is `plan` and `advance`, as the keeper calls them. Every reading may be
followed by any pause, so that each write and each signature may come from the past.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admit.certs.plan import (
    Authority,
    Leaf,
    Seen,
    State,
    Step,
    advance,
    find_contradiction,
    plan,
)
from admit.certs.times import Times

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = Times()
NOTHING = timedelta()


@dataclass
class Configuration:
    """What is registered; API servers use any value of the last `Times.settle`."""

    bundle: frozenset[Authority] = frozenset()
    version: int = 0
    past: list[tuple[datetime, frozenset[Authority]]] = field(default_factory=list)

    def write(self, bundle: frozenset[Authority], at: datetime) -> None:
        self.past.append((at, self.bundle))
        self.bundle = bundle
        self.version += 1

    def used(self, now: datetime) -> list[frozenset[Authority]]:
        """The values that some API server may still go by."""
        self.past = [(at, one) for at, one in self.past if at > now - TIMES.settle / 2]
        return [self.bundle, *(one for _, one in self.past)]


@dataclass
class Replica:
    clock: timedelta
    awake_at: datetime = START
    leaf: Leaf | None = None
    seen: Seen | None = None
    registered: dict[str, datetime] = field(default_factory=dict)
    was_trusted: bool = False
    registers: bool = True


class World:
    """Runs events in the order of their time."""

    def __init__(self, seed: int, replicas: int, *, sleeps: bool = False) -> None:
        self.random = Random(seed)
        self.sleeps = self.has_slept = sleeps
        self.now = START
        self.state: State | None = None
        self.version = 0
        self.writes: list[Step] = []
        self.configuration = Configuration()
        half = TIMES.skew / 2
        self.server_clock = self.span(-half, half)
        self.replicas = [Replica(self.span(-half, half)) for _ in range(replicas)]
        self._numbers = itertools.count()
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        for replica in self.replicas:
            self.after(NOTHING, replica, self.look)
            self.after(NOTHING, replica, self.register)

    def span(self, least: timedelta, most: timedelta) -> timedelta:
        return least + (most - least) * self.random.random()

    def at(self, moment: datetime, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), do))

    def after(
        self, span: timedelta, replica: Replica, do: Callable[[Replica], None]
    ) -> None:
        """Let a replica do something later; if it sleeps then, when it wakes."""

        def do_awake() -> None:
            if replica.awake_at > self.now:
                self.at(replica.awake_at, do_awake)
            else:
                do(replica)

        self.at(self.now + span, do_awake)

    def run(self, until: datetime) -> None:
        while self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            self.check()
            do()
            self.check()
        self.now = until

    def pause(self) -> timedelta:
        """Between a reading and what follows from it."""
        if self.random.random() < 0.05:
            return self.span(NOTHING, timedelta(hours=3))
        return self.span(NOTHING, timedelta(seconds=20))

    def maybe_sleep(self, replica: Replica) -> None:
        if self.sleeps and self.random.random() < 0.02:
            replica.awake_at = self.now + self.span(NOTHING, timedelta(days=70))

    def rest(self) -> timedelta:
        """Between two looks of a replica: the real one looks every minute."""
        if self.random.random() < 0.2:
            return self.span(NOTHING, TIMES.look)
        return self.span(NOTHING, timedelta(days=2))

    def look(self, replica: Replica) -> None:
        """Read the Secret; what follows comes later, maybe much later."""
        self.maybe_sleep(replica)
        now = self.now + replica.clock
        state, version = self.state, self.version

        def act(replica: Replica) -> None:
            again = self.act(replica, state, version, now)
            span = self.span(NOTHING, timedelta(seconds=2)) if again else self.rest()
            self.after(span, replica, self.look)

        self.after(self.pause(), replica, act)

    def act(
        self, replica: Replica, state: State | None, version: int, now: datetime
    ) -> bool:
        """Do what is due; return whether to look again at once."""
        if replica.seen is not None and replica.seen.at > now:
            return True  # a keeper looks once at a time
        server_now = now - replica.clock + self.server_clock
        if find_contradiction(state, now=now, server_now=server_now, times=TIMES):
            return False
        due = plan(
            state,
            now=now,
            times=TIMES,
            seen=replica.seen,
            leaf=replica.leaf,
            registered=replica.registered,
        )
        if due.step is not None:
            if self.version == version:
                made = self.make(now) if due.step in MAKING else None
                self.state = advance(
                    state, due.step, now=now, times=TIMES, seen=replica.seen, made=made
                )
                self.version += 1
                self.writes.append(due.step)
                replica.seen = Seen(self.state, now)
            return True
        assert state is not None
        replica.seen = Seen(state, now)
        if due.sign:
            ends_at = min(now + TIMES.leaf, state.current.not_after)
            replica.leaf = Leaf(state.current, now - TIMES.skew, ends_at)
        return False

    def make(self, now: datetime) -> Authority:
        return Authority(
            f"{next(self._numbers)}", now - TIMES.skew, now + TIMES.authority
        )

    def register(self, replica: Replica) -> None:
        """Read the configuration, then the Secret, then write: if it is still the same."""
        version, bundle = self.configuration.version, self.configuration.bundle
        now = self.now + replica.clock
        self.maybe_sleep(replica)
        found = {one.digest: replica.registered.get(one.digest, now) for one in bundle}

        def read(replica: Replica) -> None:
            seen_now = self.now + replica.clock
            while self.act(replica, self.state, self.version, seen_now):
                pass
            wanted = frozenset() if self.state is None else frozenset(self.state.bundle)

            def write(replica: Replica) -> None:
                if wanted != bundle and version == self.configuration.version:
                    self.configuration.write(wanted, self.now)
                self.after(self.rest(), replica, self.register)

            self.after(self.pause(), replica, write)

        if replica.registers:
            replica.registered = found
        self.after(self.pause(), replica, read)

    def check(self) -> None:
        """The law: whoever is trusted stays trusted."""
        server_now = self.now + self.server_clock
        used = self.configuration.used(self.now)
        for replica in self.replicas:
            leaf = replica.leaf
            if leaf is None or replica.awake_at > self.now:
                continue
            if leaf.not_after <= server_now:
                assert self.has_slept or not replica.was_trusted
                replica.was_trusted = False
                continue
            known = all(leaf.authority in bundle for bundle in used)
            is_trusted = known and leaf.not_before <= server_now
            assert is_trusted or not replica.was_trusted, (self.now, leaf, used)
            replica.was_trusted = is_trusted


MAKING = (Step.CREATE, Step.INTRODUCE)


SEEDS = st.integers(0, 2**32 - 1)
YEARS = timedelta(days=3 * 365)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 5))
def test_replicas_that_are_awake_are_trusted_for_years(
    seed: int, replicas: int
) -> None:
    world = World(seed, replicas)
    world.run(START + timedelta(days=10))
    assert all(replica.was_trusted for replica in world.replicas)
    world.run(START + YEARS)
    assert all(replica.was_trusted for replica in world.replicas)
    # A CA is renewed after 243 days: four times in three years, in three writes each.
    assert world.writes == [
        Step.CREATE,
        *(4 * [Step.INTRODUCE, Step.SWITCH, Step.DROP]),
    ]


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 5))
def test_replicas_may_sleep_for_months(seed: int, replicas: int) -> None:
    world = World(seed, replicas, sleeps=True)
    world.run(START + YEARS)
    world.sleeps = False
    world.run(world.now + timedelta(days=100))
    assert all(replica.was_trusted for replica in world.replicas)
    assert len(world.writes) <= 3 * 6


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 5), st.sampled_from(["deleted", "replaced"]))
def test_a_secret_that_is_deleted_or_replaced_costs_no_trust(
    seed: int, replicas: int, fate: str
) -> None:
    world = World(seed, replicas)
    for _ in range(20):
        world.run(world.now + world.span(timedelta(days=7), timedelta(days=50)))
        for replica in world.replicas:  # each has looked within a minute
            if world.state is not None:
                replica.seen = Seen(world.state, world.now + replica.clock)
        other = State(world.make(world.now)) if fate == "replaced" else None
        world.state = other
        world.version += 1
    world.run(world.now + timedelta(days=100))
    assert all(replica.was_trusted for replica in world.replicas)
    assert world.state is not None
    assert world.state.retired == ()
    assert len(world.writes) < 20 * 6


@pytest.mark.parametrize("off", [timedelta(days=-730), timedelta(days=730)])
@given(seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_a_clock_that_is_two_years_off_changes_nothing(
    seed: int, off: timedelta
) -> None:
    world = World(seed, 3)
    world.replicas[0].clock += off
    world.run(START + timedelta(days=400))
    assert world.replicas[0].leaf is None
    assert all(replica.was_trusted for replica in world.replicas[1:])
    assert len(world.writes) <= 4


@given(SEEDS)
@settings(max_examples=8, deadline=None)
def test_a_cluster_that_nobody_registers_with_keeps_its_authority_to_the_end(
    seed: int,
) -> None:
    world = World(seed, 2)
    world.run(START + timedelta(days=10))
    for replica in world.replicas:
        replica.registers = False
        replica.registered = {}
    world.run(START + timedelta(days=360))
    assert world.writes == [Step.CREATE, Step.INTRODUCE]
    assert all(replica.was_trusted for replica in world.replicas)
    world.has_slept = True  # what follows is the end that nobody could avert
    world.run(START + timedelta(days=380))
    assert world.writes[2:] == [Step.SWITCH]
