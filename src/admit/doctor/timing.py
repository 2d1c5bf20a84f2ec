"""Time: what waits for webhooks, and how long at worst."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from admit.doctor.context import HOT, OWN_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from admit.doctor.context import Context
    from admit.doctor.findings import Entry, Finding
    from admit.matching import Attributes

__all__ = ("check_timeout", "check_timeouts_together")

# Seconds. The API server's own limit of a write, whatever the webhooks are allowed.
# Source: apiserver pkg/endpoints/handlers/rest.go, requestTimeoutUpperBound.
REQUEST_SECONDS: Final = 34

# Ways to label a namespace and an object that are tried; a handful of selectors has a
# hundred.
LABELLINGS: Final = 4096

# Seconds. Gardener calls Ignore with 15 s or more faulty.
IGNORED_SECONDS: Final = 15


def check_timeout(entry: Entry, _context: Context) -> Iterator[Finding]:
    """Check one webhook's time-out."""
    seconds = entry.webhook.timeout_seconds
    if not entry.fails and seconds >= IGNORED_SECONDS:
        reason = f"failurePolicy is Ignore, and timeoutSeconds {seconds}"
        yield entry.find("ignore-with-long-timeout", reason, "timeoutSeconds")


def check_timeouts_together(
    entries: Sequence[Entry], context: Context
) -> Iterator[Finding]:
    """Add up what a write can wait: mutating in turn, then validating together."""
    worst, asked = _Wait(REQUEST_SECONDS, ()), None
    for request in HOT:
        called = [e for e in entries if context.ask(e, request).can_be_called]
        found = _add_up(called)
        if found.seconds > worst.seconds:
            found = _find_longest(called, request, context)
        if found.seconds > worst.seconds:
            worst, asked = found, request
    if asked is None:
        return
    slowest = max(worst.entries, key=lambda entry: entry.webhook.timeout_seconds)
    names = ", ".join(entry.webhook.name for entry in worst.entries)
    reason = (
        f"{asked.operation} {asked.target} can wait {worst.seconds} s, of "
        f"{REQUEST_SECONDS}: {names}"
    )
    yield slowest.find("timeouts-exceed-request", reason, "timeoutSeconds")


class _Wait(NamedTuple):
    """How long a request waits at worst, and for whom."""

    seconds: int
    entries: tuple[Entry, ...]


def _add_up(called: Sequence[Entry]) -> _Wait:
    in_turn = sum(e.webhook.timeout_seconds for e in called if e.mutating)
    together = [e.webhook.timeout_seconds for e in called if not e.mutating]
    return _Wait(in_turn + max(together, default=0), tuple(called))


def _find_longest(
    called: Sequence[Entry], request: Attributes, context: Context
) -> _Wait:
    """Look for labels with which the wait is longest.

    Webhooks may exclude each other: of a service mesh's four injectors one is called.
    """
    keys = _collect_labels(called)
    if math.prod(map(len, keys.values())) > LABELLINGS:
        return _add_up(called)
    longest = _Wait(0, ())
    for values in itertools.product(*keys.values()):
        chosen = dict(zip(keys, values, strict=True))
        sides: dict[str, dict[str, str]] = {"namespace": {}, "object": {}}
        for (side, key), value in chosen.items():
            if value is not None:
                sides[side][key] = value
        labelled = replace(request, labels=sides["object"], labels_known=True)
        there = replace(context, namespaces={request.namespace: sides["namespace"]})
        seen = [e for e in called if there.ask(e, labelled).can_be_called]
        longest = max(longest, _add_up(seen), key=lambda wait: wait.seconds)
    return longest


def _collect_labels(called: Sequence[Entry]) -> dict[tuple[str, str], set[str | None]]:
    """Return each label that decides, with the values between which it does."""
    found: dict[tuple[str, str], set[str | None]] = {}
    for entry in called:
        for side, selector in (
            ("namespace", entry.webhook.namespace_selector),
            ("object", entry.webhook.object_selector),
        ):
            for key, value in selector.match_labels.items():
                found.setdefault((side, key), {None, ""}).add(value)
            for term in selector.match_expressions:
                found.setdefault((side, term.key), {None, ""}).update(term.values)
    # The namespace is this one, whatever it is called.
    return {at: values for at, values in found.items() if at[1] != OWN_LABEL}
