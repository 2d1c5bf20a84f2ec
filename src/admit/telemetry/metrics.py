"""The table of metrics: code, documentation and tests read this one.

A worker's numbers travel as samples, plain values that can be encoded, added and
rendered elsewhere. Label sets are closed: never a namespace, a user, a name.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from admit.telemetry.measured import Measures

__all__ = (
    "METRICS",
    "Metric",
    "Sample",
    "collect",
    "collect_process",
    "merge",
    "retire",
)


class Metric(NamedTuple):
    """One row of the table.

    Args:
        name: as Prometheus sees it.
        kind: counter, gauge or histogram.
        meaning: the help text.
        labels: names of the labels, in the order of a sample's values.
        buckets: upper ends of a histogram.
        merge: how several workers' numbers become one.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Literal["sum", "min"] = "sum"


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One number; of a histogram a count for each bucket and beyond, then the sum."""

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]


# Most reviews take some hundred microseconds; the API server gives up after 30 s.
DURATION_BUCKETS_SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
LEFT_BUCKETS_SECONDS: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

METRICS: Final = (
    Metric(
        "admit_reviews_total",
        "counter",
        "Reviews by what came of them: allow, mutate, deny; error (a policy failed), "
        "invalid (the object cannot be read), timeout (the deadline passed).",
        ("webhook", "operation", "verdict"),
    ),
    Metric(
        "admit_review_duration_seconds",
        "histogram",
        "Time to decide, without reading the request and writing the answer.",
        ("webhook",),
        DURATION_BUCKETS_SECONDS,
    ),
    Metric(
        "admit_deadline_left_seconds",
        "histogram",
        "What was left of the API server's timeout, less the margin, when the answer "
        "went out; at most 0 is too late.",
        ("webhook",),
        LEFT_BUCKETS_SECONDS,
    ),
    Metric(
        "admit_handler_errors_total",
        "counter",
        "Policies that raised instead of deciding.",
        ("policy",),
    ),
    Metric(
        "admit_policies_info",
        "gauge",
        "Processes that decide by this version of an app's policies.",
        ("app", "version"),
    ),
    Metric(
        "admit_policies_reloads_total",
        "counter",
        "Changed policies by what came of them: loaded, or failed, and the ones before "
        "stayed; each worker counts.",
        ("result",),
    ),
    Metric(
        "admit_policies_stale",
        "gauge",
        "Processes whose policies are not those of the files, which cannot be used.",
    ),
    Metric(
        "admit_http_responses_total",
        "counter",
        "Answers on the review port by HTTP status.",
        ("code",),
    ),
    Metric("admit_connections", "gauge", "Open connections on the review port."),
    Metric(
        "admit_reviews_waiting",
        "gauge",
        "Reviews that are waited for now (async and blocking policies).",
    ),
    Metric(
        "admit_handshake_failures_total",
        "counter",
        "Connections that did not become TLS connections.",
    ),
    Metric(
        "admit_clients_refused_total",
        "counter",
        "Clients that may not ask, by why: no certificate, unknown authority, expired, "
        "other certificate, name; no token, wrong token.",
        ("reason",),
    ),
    Metric(
        "admit_loop_held_total",
        "counter",
        "Times that a policy held the event loop for longer than 50 ms; an empty "
        "policy is something async that blocks.",
        ("policy",),
    ),
    Metric(
        "admit_certificate_expiry_timestamp_seconds",
        "gauge",
        "When the serving certificate expires, in Unix time.",
        merge="min",
    ),
    Metric(
        "admit_certificate_reload_failures_total",
        "counter",
        "Certificates that could not be used; the one before stayed.",
    ),
    Metric(
        "admit_authority_expiry_timestamp_seconds",
        "gauge",
        "When the authority that signs the serving certificate expires, in Unix time; "
        "only with --certs self.",
        merge="min",
    ),
    Metric(
        "admit_authority_rotation",
        "gauge",
        "Workers by where they see the rotation of the authority: steady, introduced "
        "(the next one waits until every caBundle has it), remembered (the old one is "
        "still in the bundle), blocked (see the log); only with --certs self.",
        ("phase",),
    ),
    Metric(
        "admit_registration_corrections_total",
        "counter",
        "Webhook configurations that were written: new, changed by others, or deleted; "
        "only with --register.",
    ),
    Metric(
        "admit_registration_problems",
        "gauge",
        "Webhook configurations that are not as the policies need them, see the log; "
        "only with --register.",
    ),
    Metric(
        "admit_worker_restarts_total",
        "counter",
        "Workers that ended by themselves and were started again.",
    ),
    Metric(
        "process_cpu_seconds_total",
        "counter",
        "User and system CPU time, all workers.",
    ),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory, all workers."),
    Metric("process_open_fds", "gauge", "Open file descriptors, all workers."),
    Metric(
        "process_start_time_seconds",
        "gauge",
        "When the oldest worker started, in Unix time.",
        merge="min",
    ),
)

_ROWS: Final = {metric.name: metric for metric in METRICS}

# HTTP statuses that answers usually have, so that their counters start at zero.
LIKELY_CODES: Final = (200, 400, 404, 413, 500, 503, 504)


# Why a client may not ask, `admit.server.clients.REFUSALS`.
REFUSALS: Final = (
    "no certificate",
    "unknown authority",
    "expired",
    "other certificate",
    "name",
    "no token",
    "wrong token",
)


class _Left(Protocol):
    buckets: list[int]
    total_seconds: float


class ServerCounts(Protocol):
    """What a server counts; `admit.server.Counts` is one."""

    responses: Any
    left: Any
    held: Any
    refused: Any
    connections: int
    in_flight: int
    handshake_failures: int
    certificate_expiry: float
    certificate_failures: int
    authority_expiry: float
    rotation: Any
    registration_corrections: int | None
    registration_problems: int


def collect(measures: Measures, counts: ServerCounts) -> list[Sample]:
    """Return what happened in this process."""
    codes = dict.fromkeys(LIKELY_CODES, 0) | dict(counts.responses)
    held = dict.fromkeys(("", *measures.policies), 0) | dict(counts.held)
    refused = dict.fromkeys(REFUSALS, 0) | dict(counts.refused)
    left: Mapping[str, _Left] = counts.left
    return [
        *measures.collect(),
        *(
            Sample(
                "admit_deadline_left_seconds",
                (webhook,),
                (*one.buckets, one.total_seconds),
            )
            for webhook, one in left.items()
        ),
        *_label("admit_http_responses_total", codes),
        *_label("admit_loop_held_total", held),
        Sample("admit_connections", (), (counts.connections,)),
        Sample("admit_reviews_waiting", (), (counts.in_flight,)),
        Sample("admit_handshake_failures_total", (), (counts.handshake_failures,)),
        *_label("admit_clients_refused_total", refused),
        Sample(
            "admit_certificate_expiry_timestamp_seconds",
            (),
            (counts.certificate_expiry,),
        ),
        Sample(
            "admit_certificate_reload_failures_total",
            (),
            (counts.certificate_failures,),
        ),
        *_collect_authority(counts),
        *_collect_registration(counts),
    ]


def _collect_authority(counts: ServerCounts) -> list[Sample]:
    """Return nothing where there is none: 0 would be an alarm."""
    if not counts.authority_expiry:
        return list(_label("admit_authority_rotation", counts.rotation))
    return [
        Sample(
            "admit_authority_expiry_timestamp_seconds", (), (counts.authority_expiry,)
        ),
        *_label("admit_authority_rotation", counts.rotation),
    ]


def _collect_registration(counts: ServerCounts) -> list[Sample]:
    """Return nothing where somebody else registers."""
    corrections, problems = (
        counts.registration_corrections,
        counts.registration_problems,
    )
    if corrections is None:
        return []
    return [
        Sample("admit_registration_corrections_total", (), (corrections,)),
        Sample("admit_registration_problems", (), (problems,)),
    ]


def _label(name: str, numbers: Mapping[Any, int]) -> Iterable[Sample]:
    return (Sample(name, (str(label),), (n,)) for label, n in sorted(numbers.items()))


_STARTED_AT: Final = time.time()


def collect_process() -> list[Sample]:
    """Return what Prometheus clients tell of their process; Linux has /proc.

    Blocks on files, if not for long.
    """
    times = os.times()
    samples = [
        Sample("process_cpu_seconds_total", (), (times.user + times.system,)),
        Sample("process_start_time_seconds", (), (_STARTED_AT,)),
    ]
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        resident = pages * os.sysconf("SC_PAGESIZE")
        files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
    except OSError:
        return samples
    return [
        *samples,
        Sample("process_resident_memory_bytes", (), (resident,)),
        Sample("process_open_fds", (), (files,)),
    ]


def merge(groups: Iterable[Sequence[Sample]]) -> list[Sample]:
    """Make one process's numbers out of several."""
    merged: dict[tuple[str, tuple[str, ...]], Sample] = {}
    for samples in groups:
        for sample in samples:
            key = sample.name, sample.labels
            other = merged.get(key)
            merged[key] = sample if other is None else _merge_two(other, sample)
    return list(merged.values())


def _merge_two(one: Sample, two: Sample) -> Sample:
    if _ROWS[one.name].merge == "min":
        return one if one.values <= two.values else two
    values = tuple(a + b for a, b in zip(one.values, two.values, strict=True))
    return Sample(one.name, one.labels, values)


def retire(samples: Iterable[Sample]) -> list[Sample]:
    """Return what stays true of a process that has ended: all but its gauges."""
    return [sample for sample in samples if _ROWS[sample.name].kind != "gauge"]
