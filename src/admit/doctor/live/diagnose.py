"""Diagnosis: from a snapshot to findings, the cause before what it causes.

What a call failed with is explained by what stands behind the webhook, where that is
known: then the one finding has both as its evidence.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from admit.break_glass import read_note
from admit.doctor.catalogue import CATALOGUE, SEVERITIES
from admit.doctor.cold_start import find_deadlocks
from admit.doctor.lint import lint
from admit.doctor.live.backends import find_gap, key_of
from admit.doctor.live.causes import CAUSES, Cause, classify
from admit.doctor.live.snapshot import LiveFinding
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from admit.doctor.catalogue import Severity
    from admit.doctor.context import Context
    from admit.doctor.findings import Entry, Finding
    from admit.doctor.live.snapshot import Call, Snapshot

__all__ = ("diagnose",)

# What lint finds in caBundle that explains why a certificate is not trusted.
_OF_BUNDLE: Final = ("ca-missing", "ca-not-pem", "ca-expired")

# The causes that a call's own words only repeat.
_BEHIND: Final = (
    "namespace-gone",
    "service-missing",
    "service-port-missing",
    "no-endpoints",
)

# Whoever renews certificates does so in time: at two thirds of their life at least.
SOON: Final = dt.timedelta(days=3)

# Of timeoutSeconds: slower than that is close to failing.
NEARLY: Final = 0.5


def diagnose(snapshot: Snapshot, context: Context) -> tuple[LiveFinding, ...]:
    """Return what is wrong, the worst first; of one webhook the cause first."""
    found: list[LiveFinding] = []
    linted = _lint(snapshot, context)
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    shaken = [handshake.call for handshake in snapshot.handshakes.values()]
    for call in (*snapshot.calls, *shaken):
        calls[call.webhook].append(call)
    for entry in snapshot.entries:
        ours = [f for f in linted if _is_about(f, entry)]
        causes = [*_find_behind(entry, snapshot), *_find_failed(entry, calls, ours)]
        found += _merge(causes)
        found += _find_numbers(entry, snapshot)
        found += _find_expiry(entry, snapshot)
        found += [f for f in ours if f.id not in {c.id for c in causes}]
    found += [f for f in linted if not f.webhook]
    found += _find_deadlocks(snapshot, context)
    found += _find_notes(snapshot)
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))


def _lint(snapshot: Snapshot, context: Context) -> list[LiveFinding]:
    return [_convert(finding) for finding in lint(snapshot.configurations, context)]


def _convert(finding: Finding) -> LiveFinding:
    check = CATALOGUE[finding.id]
    return LiveFinding(
        finding.id,
        finding.severity,
        finding.name,
        finding.webhook,
        (finding.reason,),
        check.why,
        check.hint,
        check.link,
    )


def _is_about(finding: LiveFinding, entry: Entry) -> bool:
    name = _name(entry)
    return finding.configuration == name and finding.webhook == entry.webhook.name


def _name(entry: Entry) -> str:
    return f"{entry.configuration.kind}/{entry.configuration.name}"


def _find_behind(entry: Entry, snapshot: Snapshot) -> Iterator[LiveFinding]:
    backend = snapshot.backends.get(key_of(entry))
    gap = None if backend is None else find_gap(entry, backend)
    if gap is not None:
        yield _say(entry, CAUSES[gap[0]], gap[1])


def _find_failed(
    entry: Entry, calls: Mapping[str, list[Call]], linted: list[LiveFinding]
) -> Iterator[LiveFinding]:
    """Report failed calls by their cause."""
    by_cause: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls.get(entry.webhook.name, ()):
        if call.reason:
            by_cause[classify(call.reason).id].append(call)
    for cause, tried in by_cause.items():
        evidence = tuple(_describe(call) for call in tried)
        of_bundle = [f for f in linted if f.id in _OF_BUNDLE]
        if cause in {"tls-unknown-authority", "ca-unusable"} and of_bundle:
            worse: Severity = "error" if entry.fails else "warning"
            both = (*of_bundle[0].evidence, *evidence)
            yield replace(of_bundle[0], severity=worse, evidence=both)
        else:
            yield _say(entry, CAUSES[cause], evidence)


def _describe(call: Call) -> str:
    times = f" ({call.count} times)" if call.count > 1 else ""
    open_ = ", ignored" if call.ignored else ""
    return f"{call.source}{open_}: {call.reason}{times}"


def _merge(causes: list[LiveFinding]) -> Iterator[LiveFinding]:
    """Let what stands behind a webhook explain what its calls failed with."""
    behind = [one for one in causes if one.id in _BEHIND]
    if not behind:
        yield from causes
        return
    evidence = [line for one in causes for line in one.evidence]
    yield replace(behind[0], evidence=tuple(dict.fromkeys(evidence)))


def _find_numbers(entry: Entry, snapshot: Snapshot) -> Iterator[LiveFinding]:
    numbers, name = snapshot.numbers, entry.webhook.name
    if numbers is None:
        return
    for cause, counted, text in (
        ("failed-before", numbers.failed, "calls failed"),
        ("failed-open", numbers.failed_open, "calls failed and were ignored"),
        (
            "condition-errors",
            numbers.condition_errors,
            "times a match condition could not be evaluated",
        ),
    ):
        if counted.get(name):
            since = "since the API server started"
            yield _say(entry, CAUSES[cause], (f"{counted[name]} {text} {since}",))
    slow = numbers.slow_seconds.get(name, 0.0)
    if slow > NEARLY * entry.webhook.timeout_seconds:
        limit = entry.webhook.timeout_seconds
        evidence = f"99 of 100 calls take up to {slow:g} s; timeoutSeconds is {limit}"
        yield _say(entry, CAUSES["call-slow"], (evidence,))


def _find_expiry(entry: Entry, snapshot: Snapshot) -> Iterator[LiveFinding]:
    handshake = snapshot.handshakes.get(entry.webhook.name)
    if handshake is None:
        return
    left = handshake.not_after - snapshot.now
    if dt.timedelta(0) < left < SOON:
        evidence = f"it expires at {handshake.not_after:%Y-%m-%d %H:%M:%SZ}"
        yield _say(entry, CAUSES["tls-expires-soon"], (evidence,))


def _find_deadlocks(snapshot: Snapshot, context: Context) -> Iterator[LiveFinding]:
    labels = {
        key: backend.labels
        for key, backend in snapshot.backends.items()
        if backend.labels is not None
    }
    for number, deadlock in enumerate(
        find_deadlocks(snapshot.entries, context, labels)
    ):
        entry = deadlock.chain[0].entry
        found = _say(entry, CAUSES["cold-start-deadlock"], deadlock.describe())
        severity: Severity = "error" if deadlock.sure else "info"
        if deadlock.sure or number == 0:
            yield replace(found, severity=severity)


def _find_notes(snapshot: Snapshot) -> Iterator[LiveFinding]:
    """Report what break glass opened: overdue it is a hole that nobody watches."""
    for configuration in snapshot.raw:
        try:
            note = read_note(configuration)
        except ConfigError as error:
            yield _about(configuration, "note-broken", (error.message,))
            continue
        if note is None:
            continue
        until = f", until {note.until:%Y-%m-%d %H:%M:%SZ}" if note.until else ""
        evidence = (f"{note.by} at {note.since:%Y-%m-%d %H:%M:%SZ}{until}", note.reason)
        overdue = note.is_overdue(snapshot.now)
        yield _about(configuration, "open-overdue" if overdue else "open", evidence)


def _say(entry: Entry, cause: Cause, evidence: Iterable[str]) -> LiveFinding:
    """Report a cause about a webhook; one that fails open is a warning."""
    severity: Severity = cause.severity
    if severity == "error" and not entry.fails:
        severity = "warning"
    service = entry.webhook.client_config.get("service") or {}
    return LiveFinding(
        cause.id,
        severity,
        _name(entry),
        entry.webhook.name,
        tuple(evidence),
        cause.cause,
        _fill(cause.remedy, _name(entry), service),
        cause.link,
    )


def _about(
    configuration: Mapping[str, Any], id: str, evidence: tuple[str, ...]
) -> LiveFinding:
    cause = CAUSES[id]
    name = f"{configuration['kind']}/{configuration['metadata']['name']}"
    remedy = _fill(cause.remedy, name, {})
    return LiveFinding(
        id, cause.severity, name, "", evidence, cause.cause, remedy, cause.link
    )


def _fill(remedy: str, name: str, service: Mapping[str, Any]) -> str:
    kind, _, rest = name.partition("/")
    return remedy.format(
        name=f"{kind.removesuffix('WebhookConfiguration').lower()}/{rest}",
        resource=kind.lower(),
        object=rest,
        namespace=service.get("namespace", "NAMESPACE"),
        service=service.get("name", "SERVICE"),
    )
