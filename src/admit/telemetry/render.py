"""Samples as Prometheus text. The client library is imported at the first scrape."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit.telemetry.metrics import (
    METRICS,
    Metric,
    Sample,
    collect_process,
    merge,
    retire,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ("Ledger", "render", "render_alone")

_decoder: Final = msgspec.json.Decoder(list[Sample])


class Ledger:
    """The numbers of several workers, and of those that have ended.

    A worker's counters do not vanish with it: Prometheus would take a total that falls
    for a restart of everything, and count the rest twice.
    """

    def __init__(self) -> None:
        self._retired: list[Sample] = []

    def retire(self, last: bytes) -> None:
        """Keep what stays true of a worker that has ended, from its last samples."""
        self._retired = merge([self._retired, retire(_decoder.decode(last))])

    async def render(self, alive: Sequence[bytes], restarts: int) -> bytes:
        """Render the sum of all workers' numbers, in a thread.

        Args:
            alive: encoded samples of each worker that runs.
            restarts: how many workers were started again.
        """
        return await asyncio.to_thread(self._render, alive, restarts)

    def _render(self, alive: Iterable[bytes], restarts: int) -> bytes:
        groups = [_decoder.decode(encoded) for encoded in alive]
        own = [Sample("admit_worker_restarts_total", (), (restarts,))]
        return render(merge([*groups, self._retired, own]))


async def render_alone(samples: Sequence[Sample]) -> bytes:
    """Render the numbers of this process, in a thread.

    Args:
        samples: what happened in it; what it uses is looked up here.
    """
    return await asyncio.to_thread(lambda: render([*samples, *collect_process()]))


def render(samples: Iterable[Sample]) -> bytes:
    """Write samples in the Prometheus text format 0.0.4."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - see the top

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(samples))
    return generate_latest(registry)


class _Collector:
    """What prometheus_client asks for: families of metrics."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_name: dict[str, list[Sample]] = {}
        for sample in samples:
            self._by_name.setdefault(sample.name, []).append(sample)

    def collect(self) -> Iterable[Any]:
        """Return a family for each row of the table that has samples."""
        return [
            _to_family(metric, self._by_name[metric.name])
            for metric in METRICS
            if metric.name in self._by_name
        ]


def _to_family(metric: Metric, samples: Iterable[Sample]) -> Any:
    from prometheus_client import core  # noqa: PLC0415 - see the top

    if metric.kind == "histogram":
        histogram = core.HistogramMetricFamily(
            metric.name, metric.meaning, labels=metric.labels
        )
        for sample in samples:
            buckets = _to_cumulative(metric, sample)
            histogram.add_metric(sample.labels, buckets, sample.values[-1])
        return histogram
    kinds = {"counter": core.CounterMetricFamily, "gauge": core.GaugeMetricFamily}
    family = kinds[metric.kind](metric.name, metric.meaning, labels=metric.labels)
    for sample in samples:
        family.add_metric(sample.labels, sample.values[0])
    return family


def _to_cumulative(metric: Metric, sample: Sample) -> list[tuple[str, float]]:
    """Prometheus counts in each bucket what is in the smaller ones too."""
    buckets, total = [], 0.0
    for end, count in zip((*metric.buckets, "+Inf"), sample.values[:-1], strict=True):
        total += count
        buckets.append((str(end), total))
    return buckets
