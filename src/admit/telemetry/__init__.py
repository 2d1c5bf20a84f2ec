"""What is known about reviews afterwards: numbers and lines, nothing of an object."""

from __future__ import annotations

from admit.telemetry.logged import logged
from admit.telemetry.logs import Lines, configure_logs
from admit.telemetry.measured import Measures, measured
from admit.telemetry.metrics import METRICS, Metric, Sample, collect
from admit.telemetry.render import Ledger, render

__all__ = (
    "METRICS",
    "Ledger",
    "Lines",
    "Measures",
    "Metric",
    "Sample",
    "collect",
    "configure_logs",
    "logged",
    "measured",
    "render",
)
