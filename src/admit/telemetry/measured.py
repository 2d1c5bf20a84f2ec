"""A Reviewer that counts what it decides."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from admit.errors import HandlerError, ReviewError
from admit.telemetry.metrics import DURATION_BUCKETS_SECONDS, Sample
from admit.telemetry.wrapper import Wrapper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.review import AdmissionRequest, AdmissionResponse

__all__ = ("Measured", "Measures", "measured")

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
        """Return a reviewer that counts: the numbers of one name go on."""
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
            handler.name
            for measured in self._measured.values()
            for handler in getattr(measured, "handlers", ())
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


def measured(reviewer: Any, measures: Measures) -> Measured:
    """Return a reviewer that decides as the given one does, and counts.

    It keeps `webhook_name`, `suspends`, `timeout_seconds` and whatever else it has.
    """
    return measures.get(reviewer)


class Measured(Wrapper):
    """A reviewer and its numbers."""

    __slots__ = ("_errors", "_reviews", "_seconds")

    def __init__(self, reviewer: Any, errors: dict[str, int]) -> None:
        super().__init__(reviewer)
        self._errors = errors
        for handler in getattr(reviewer, "handlers", ()):
            errors.setdefault(handler.name, 0)
        mutating = getattr(reviewer, "mutating", False)
        verdicts = ("mutate", *VERDICTS) if mutating else VERDICTS
        self._reviews = {
            (operation, verdict): 0
            for operation in _find_operations(reviewer)
            for verdict in verdicts
        }
        # A count for each bucket and beyond, then the sum.
        self._seconds: list[float] = [0] * (len(DURATION_BUCKETS_SECONDS) + 1) + [0.0]

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Decide, and count it."""
        start = perf_counter()
        verdict = "error"
        try:
            response: AdmissionResponse = await self._reviewer(request)
            if not response.allowed:
                verdict = "deny"
            else:
                verdict = "mutate" if response.patch else "allow"
        except HandlerError as error:
            if error.policy in self._errors:
                self._errors[error.policy] += 1
            raise
        except ReviewError:
            verdict = "invalid"
            raise
        except asyncio.CancelledError:
            verdict = "timeout"
            raise
        else:
            return response
        finally:
            seconds = perf_counter() - start
            self._seconds[bisect_left(DURATION_BUCKETS_SECONDS, seconds)] += 1
            self._seconds[-1] += seconds
            key = request.operation, verdict
            self._reviews[key] = self._reviews.get(key, 0) + 1

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
