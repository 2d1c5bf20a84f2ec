"""The numbers of reviewers: how many of which verdict, and how long they took."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from admit.telemetry.metrics import DURATION_BUCKETS_SECONDS, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.review import AdmissionRequest

__all__ = ("Measured", "Measures")

OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
VERDICTS: Final = ("allow", "deny", "error", "invalid", "timeout")


class Measures:
    """The numbers of all reviewers of a process.

    Attributes:
        errors: how often each policy failed.
        policies: the names of the policies, which is all that `errors` may hold.
        versions: of the policies that decide, by app.
        reloads: how often changed files were ``loaded``, and how often that ``failed``.
        stale: 1 while the files cannot be used and the policies before decide.
    """

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        self.versions: dict[str, str] = {}
        self.reloads = {"loaded": 0, "failed": 0}
        self.stale = 0
        self._measured: dict[str, Measured] = {}

    @property
    def policies(self) -> Iterable[str]:
        """The names of the policies that are measured."""
        return self.errors

    def get(self, reviewer: Any) -> Measured:
        """Return the numbers of a reviewer; those of one name go on."""
        measured = Measured(reviewer, self.errors)
        before = self._measured.get(measured.webhook_name)
        if before is not None:
            measured.take_over(before)
        self._measured[measured.webhook_name] = measured
        return measured

    def keep(self, webhooks: Iterable[str]) -> None:
        """Forget all reviewers but these: they hold policies that are no more."""
        names = set(webhooks)
        self._measured = {n: m for n, m in self._measured.items() if n in names}
        kept = {
            policy
            for measured in self._measured.values()
            for policy in measured.policies
        }
        for name in self.errors.keys() - kept:
            del self.errors[name]

    def collect(self) -> list[Sample]:
        """Return the samples of reviews and policies."""
        samples = [
            *(
                Sample("admit_handler_errors_total", (policy,), (count,))
                for policy, count in self.errors.items()
            ),
            *(
                Sample("admit_policies_info", (app, version), (1,))
                for app, version in self.versions.items()
            ),
            *(
                Sample("admit_policies_reloads_total", (result,), (count,))
                for result, count in self.reloads.items()
            ),
            Sample("admit_policies_stale", (), (self.stale,)),
        ]
        for measured in self._measured.values():
            samples += measured.collect()
        return samples


class Measured:
    """The numbers of one reviewer.

    Attributes:
        webhook_name: the reviewer's.
        policies: the names of its policies.
    """

    __slots__ = ("_errors", "_reviews", "_seconds", "policies", "webhook_name")

    def __init__(self, reviewer: Any, errors: dict[str, int]) -> None:
        self.webhook_name: str = reviewer.webhook_name
        self.policies = tuple(h.name for h in getattr(reviewer, "handlers", ()))
        self._errors = errors
        for policy in self.policies:
            errors.setdefault(policy, 0)
        mutating = getattr(reviewer, "mutating", False)
        verdicts = ("mutate", *VERDICTS) if mutating else VERDICTS
        self._reviews = {
            (operation, verdict): 0
            for operation in _find_operations(reviewer)
            for verdict in verdicts
        }
        # A count for each bucket and beyond, then the sum.
        self._seconds: list[float] = [0] * (len(DURATION_BUCKETS_SECONDS) + 1) + [0.0]

    def count(self, request: AdmissionRequest, verdict: str, seconds: float) -> None:
        """Count one review."""
        self._seconds[bisect_left(DURATION_BUCKETS_SECONDS, seconds)] += 1
        self._seconds[-1] += seconds
        key = request.operation, verdict
        self._reviews[key] = self._reviews.get(key, 0) + 1

    def count_failure(self, policy: str) -> None:
        """Count a policy that failed."""
        if policy in self._errors:
            self._errors[policy] += 1

    def take_over(self, other: Measured) -> None:
        """Go on from the numbers of another, which may still have reviews to end."""
        for key in self._reviews:
            other._reviews.setdefault(key, 0)
        self._reviews = other._reviews
        self._seconds = other._seconds

    def collect(self) -> list[Sample]:
        """Return this reviewer's samples."""
        webhook = self.webhook_name
        return [
            Sample("admit_review_duration_seconds", (webhook,), tuple(self._seconds)),
            *(
                Sample("admit_reviews_total", (webhook, *labels), (count,))
                for labels, count in self._reviews.items()
            ),
        ]


def _find_operations(reviewer: Any) -> tuple[str, ...]:
    """Return the operations that the reviewer's rules name: likely label values."""
    rules = getattr(reviewer, "rules", ())
    named = {operation for rule in rules for operation in rule.operations}
    if not named or "*" in named:
        return OPERATIONS
    return tuple(sorted(named))
