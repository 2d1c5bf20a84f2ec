"""What is known about reviews afterwards: numbers and lines, nothing of an object."""

from __future__ import annotations

from admit.telemetry.logged import logged
from admit.telemetry.logs import Lines, configure_logs
from admit.telemetry.measured import Measures, measured
from admit.telemetry.metrics import METRICS, Metric, Sample, collect, collect_process
from admit.telemetry.render import Ledger, render, render_alone

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
    "logged",
    "measured",
    "render",
    "render_alone",
)
