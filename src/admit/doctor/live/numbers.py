"""The API server's own numbers about webhooks, read from its metrics.

Source: apiserver pkg/admission/metrics/metrics.go. A name there is the webhook's alone:
two configurations that use it share the numbers.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Numbers", "read_numbers")

_PREFIX: Final = "apiserver_admission_"

# Bytes of a scrape: a large cluster's API server has 30 MB.
LIMIT_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Numbers:
    """Since the API server started, by webhook name.

    Args:
        failed: calls that ended in no decision, by webhook.
        denied: requests that the webhook refused.
        failed_open: calls that failed and were ignored.
        condition_errors: match conditions that could not be evaluated.
        slow_seconds: an upper bound of 99 of 100 calls; infinite beyond the last
            bucket.
    """

    failed: Mapping[str, int] = field(default_factory=dict)
    denied: Mapping[str, int] = field(default_factory=dict)
    failed_open: Mapping[str, int] = field(default_factory=dict)
    condition_errors: Mapping[str, int] = field(default_factory=dict)
    slow_seconds: Mapping[str, float] = field(default_factory=dict)


def read_numbers(text: str) -> Numbers:
    """Read the text of ``/metrics``; what else is in it is passed over."""
    from prometheus_client.parser import (  # noqa: PLC0415 - only the doctor reads
        text_string_to_metric_families,
    )

    failed, denied = Counter[str](), Counter[str]()
    opened, conditions = Counter[str](), Counter[str]()
    buckets: defaultdict[str, dict[float, float]] = defaultdict(dict)
    wanted = (line for line in text.splitlines() if _PREFIX in line)
    for family in text_string_to_metric_families("\n".join(wanted) + "\n"):
        for sample in family.samples:
            name, value = sample.labels.get("name", ""), sample.value
            match sample.name.removeprefix(_PREFIX):
                case "webhook_rejection_count" | "webhook_rejection_count_total":
                    of = sample.labels.get("error_type")
                    (denied if of == "no_error" else failed)[name] += int(value)
                case "webhook_fail_open_count" | "webhook_fail_open_count_total":
                    opened[name] += int(value)
                case "match_condition_evaluation_errors_total":
                    if sample.labels.get("kind") == "webhook":
                        conditions[name] += int(value)
                case "webhook_admission_duration_seconds_bucket":
                    bound = float(sample.labels["le"])
                    at = buckets[name]
                    at[bound] = at.get(bound, 0.0) + value
    slow = {name: _find_slowest(at) for name, at in buckets.items()}
    return Numbers(failed, denied, opened, conditions, slow)


def _find_slowest(buckets: Mapping[float, float]) -> float:
    """Return the bound of the bucket in which the 99th of 100 calls is."""
    total = max(buckets.values(), default=0.0)
    for bound in sorted(buckets):
        if buckets[bound] >= 0.99 * total:
            return bound
    return math.inf
