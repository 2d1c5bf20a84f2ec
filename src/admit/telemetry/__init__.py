"""What is known about reviews afterwards: numbers and lines, nothing of an object."""

from __future__ import annotations

from admit.telemetry.logs import Lines, configure_logs
from admit.telemetry.measured import Measures
from admit.telemetry.metrics import METRICS, Metric, Sample, collect, collect_process
from admit.telemetry.render import Ledger, render, render_alone
from admit.telemetry.watched import watched

__all__ = (
    "METRICS",
    "Ledger",
    "Lines",
    "Measures",
    "Metric",
    "Sample",
    "collect",
    "collect_process",
    "configure_logs",
    "render",
    "render_alone",
    "watched",
)
