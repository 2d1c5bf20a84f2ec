"""What is due, given now: a function of its arguments, and of nothing else.

The Secret is the only thing that replicas share. Each reads it, asks `plan` what is
due, and does that: a `Step` changes the Secret, and only if it is still the one that
was read (resourceVersion); signing changes only the replica. Whoever is first does a
step; the others then read a Secret in which it is no longer due. So there is no leader,
and any replica may sleep at any point.

    current ──2/3 of its life──> next joins the bundle ──in every caBundle──> next signs
                                                          the old one is remembered
                                                          until its last leaf has ended

Two rules keep every leaf trusted at every moment:

- A CA signs only after it is in every caBundle, and has been for `Times.settle`.
- A CA leaves the bundle only when no leaf of it can be valid: `Times.remembered`.

What this file must not know: PEM, keys, the API, the time.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from admit.certs.times import Times

__all__ = (
    "Authority",
    "Due",
    "Leaf",
    "Phase",
    "Retired",
    "Seen",
    "State",
    "Step",
    "advance",
    "find_contradiction",
    "plan",
)

# The share of its life after which a certificate is renewed.
RENEW_NUMERATOR: Final = 2
RENEW_DENOMINATOR: Final = 3

# CAs that are remembered at once. A year of rotations needs one; each Secret that
# somebody puts in place of ours needs one more.
RETIRED_LIMIT: Final = 8


class Authority(NamedTuple):
    """A CA, as far as plans go.

    Args:
        digest: SHA-256 of its certificate's DER, in hexadecimal.
        not_before: of its certificate: a little before it was made.
        not_after: of its certificate.
    """

    digest: str
    not_before: datetime
    not_after: datetime

    @property
    def renew_at(self) -> datetime:
        """When its successor is made."""
        return _renew_at(self.not_before, self.not_after)


class Retired(NamedTuple):
    """A CA that signs no more, and until when a leaf of it may be valid."""

    authority: Authority
    until: datetime


class Leaf(NamedTuple):
    """The serving certificate of one replica, and the CA that signed it."""

    authority: Authority
    not_before: datetime
    not_after: datetime

    @property
    def renew_at(self) -> datetime:
        """When another is signed."""
        return _renew_at(self.not_before, self.not_after)


@dataclass(frozen=True, slots=True)
class State:
    """What the Secret says.

    Args:
        current: signs leaves.
        next: will sign; in the bundle already.
        since: when `next` was put into the Secret; None without one.
        retired: signed, and are still in the bundle.
    """

    current: Authority
    next: Authority | None = None
    since: datetime | None = None
    retired: tuple[Retired, ...] = ()

    @property
    def bundle(self) -> tuple[Authority, ...]:
        """The CAs that every caBundle has to hold."""
        following = () if self.next is None else (self.next,)
        return (self.current, *following, *(one.authority for one in self.retired))


class Seen(NamedTuple):
    """What a replica read from the Secret before, and when by its clock."""

    state: State
    at: datetime


class Step(enum.Enum):
    """A change of the Secret; each is one write."""

    CREATE = "create"  # a first CA, or one after all have expired
    ADOPT = "adopt"  # remember a CA that the Secret has lost while its leaves are used
    INTRODUCE = "introduce"  # make the next CA and put it into the bundle
    SWITCH = "switch"  # let the next CA sign
    DROP = "drop"  # forget CAs whose last leaf has ended


class Phase(enum.Enum):
    """Where a rotation stands."""

    STEADY = "steady"
    INTRODUCED = "introduced"  # the next CA is on its way into every caBundle
    REMEMBERED = "remembered"  # the old CA is still in the bundle
    BLOCKED = "blocked"  # something has to be put right first


class Due(NamedTuple):
    """What one replica does now.

    Args:
        step: the change of the Secret that is due; do that first, then ask again.
        sign: whether to sign a leaf with the current CA.
        waiting: what a step that is due waits for, in words; empty if for nothing.
    """

    step: Step | None = None
    sign: bool = False
    waiting: str = ""


def plan(
    state: State | None,
    *,
    now: datetime,
    times: Times,
    seen: Seen | None = None,
    leaf: Leaf | None = None,
    registered: Mapping[str, datetime] | None = None,
) -> Due:
    """Say what is due.

    Args:
        state: what was just read from the Secret; None if there is none.
        now: by this replica's clock, taken before the Secret was read, and checked
            with `find_contradiction`.
        times: spans.
        seen: what this replica read before; None if it has just started.
        leaf: what it serves.
        registered: CAs that are in every caBundle, by digest, and since when; None if
            nobody here looks at configurations.
    """
    if state is None:
        return Due(step=Step.CREATE)
    if _find_lost(state, seen, now, times):
        return Due(step=Step.ADOPT)
    step, waiting = _find_step(state, now, times, registered or {})
    if step is not None:
        return Due(step=step)
    return Due(sign=_is_due(leaf, state, now, times, registered), waiting=waiting)


def _find_step(
    state: State, now: datetime, times: Times, registered: Mapping[str, datetime]
) -> tuple[Step | None, str]:
    following = state.next
    if following is not None and following.not_after <= now:
        following = None  # it waited for longer than it lives
    # Ended by every clock, not by this one alone: others may still serve its leaves.
    if now >= state.current.not_after + times.skew:
        return (Step.CREATE if following is None else Step.SWITCH), ""
    if any(one.until <= now for one in state.retired):
        return Step.DROP, ""
    if following is None or state.since is None:
        return (Step.INTRODUCE if now >= state.current.renew_at else None), ""
    since = registered.get(following.digest)
    if since is None:
        return None, "the next CA is not known to be in every caBundle"
    if now < max(since + times.settle, state.since + times.overlap):
        return None, "API servers are given time to see the next CA"
    return Step.SWITCH, ""


def _find_lost(
    state: State | None, seen: Seen | None, now: datetime, times: Times
) -> list[Retired]:
    """Return CAs whose leaves may be in use and of which the Secret knows no more.

    Somebody deleted or replaced it. What a rotation forgets is not among them, also
    when the clock of the replica that forgot it is ahead of this one.
    """
    if seen is None:
        return []
    known = () if state is None else state.bundle
    retired = list(seen.state.retired)
    if seen.at + times.leaf + times.skew > now:
        # Others may have signed with it since, until the Secret was changed.
        retired.append(Retired(seen.state.current, now + times.remembered))
    return [
        one
        for one in retired
        if one.authority not in known
        and min(one.until - times.skew, one.authority.not_after) > now
    ]


def _is_due(
    leaf: Leaf | None,
    state: State,
    now: datetime,
    times: Times,
    registered: Mapping[str, datetime] | None,
) -> bool:
    """Whether to sign a leaf now."""
    if now >= state.current.not_after:
        return False
    if leaf is None or leaf.not_after <= now:
        return True
    if now < leaf.renew_at:
        return False
    if leaf.authority == state.current:
        # At the end of a CA's life each leaf is shorter: stop before it is hasty.
        ends_at = min(now + times.leaf, state.current.not_after)
        return ends_at - leaf.not_after >= times.overlap
    # Another CA signs now. A rotation has waited until it was in every caBundle; a
    # Secret that somebody replaced has not.
    if registered is None or leaf.not_after - now <= times.look + times.skew:
        return True
    since = registered.get(state.current.digest)
    return since is not None and now >= since + times.settle


def advance(
    state: State | None,
    step: Step,
    *,
    now: datetime,
    times: Times,
    seen: Seen | None = None,
    made: Authority | None = None,
) -> State:
    """Return what the Secret says after a step.

    Args:
        state: before; None only for CREATE.
        step: what `plan` returned for the same state, time and memory.
        now: as for `plan`.
        times: spans.
        seen: as for `plan`.
        made: the new CA, for CREATE and INTRODUCE.
    """
    until = now + times.remembered
    known = () if state is None else state.retired
    retired = tuple(one for one in known if one.until > now)
    lost = _find_lost(state, seen, now, times)
    if step is Step.CREATE and made is not None:
        return State(made, retired=_shorten(*retired, *lost))
    if state is None:
        raise ValueError(f"{step.value}: there is nothing to change")
    if step is Step.INTRODUCE:
        return replace(state, next=made, since=now, retired=retired)
    if step is Step.SWITCH and state.next is not None:
        if state.current.not_after > now:
            retired = _shorten(*retired, Retired(state.current, until))
        return State(state.next, retired=retired)
    if step is Step.ADOPT:
        retired = _shorten(*retired, *lost)
    return replace(state, retired=retired)


def _shorten(*retired: Retired) -> tuple[Retired, ...]:
    """Return those that end last, if there are too many."""
    return tuple(sorted(retired, key=lambda one: one.until)[-RETIRED_LIMIT:])


def find_contradiction(
    state: State | None,
    *,
    now: datetime,
    server_now: datetime | None,
    times: Times,
) -> str:
    """Return in words why this clock cannot be believed; empty if it can.

    Nothing may be signed or changed by such a clock: it would end a CA that is in use,
    or sign what the API server does not take.

    Args:
        state: what the Secret says; its times were now when they were written.
        now: by this clock.
        server_now: by the API server's, asked for between `now` and the answer; None
            if it would not say.
        times: spans.
    """
    if server_now is not None and abs(server_now - now) > times.skew:
        return (
            f"this clock says {_show(now)}, the API server's {_show(server_now)}; "
            f"they may differ by {_show_span(times.skew)}"
        )
    written = [] if state is None else [one.not_before for one in state.bundle]
    if state is not None and state.since is not None:
        written.append(state.since)
    latest = max(written, default=now)
    if latest > now + times.skew:
        return (
            f"this clock says {_show(now)}, the Secret was written at {_show(latest)}"
        )
    return ""


def _renew_at(not_before: datetime, not_after: datetime) -> datetime:
    life = not_after - not_before
    return not_before + life * RENEW_NUMERATOR / RENEW_DENOMINATOR


def _show(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _show_span(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
