"""Findings: what is wrong with webhook configurations, in files and live.

`lint` looks at configurations as values; `CATALOGUE` says what it may find.
"""

from __future__ import annotations

from admit.doctor.catalogue import CATALOGUE, SEVERITIES, Check, Severity, is_at_least
from admit.doctor.context import Context
from admit.doctor.findings import (
    API_VERSIONS,
    KINDS,
    Configuration,
    Entry,
    Finding,
)
from admit.doctor.lint import lint

__all__ = (
    "API_VERSIONS",
    "CATALOGUE",
    "KINDS",
    "SEVERITIES",
    "Check",
    "Configuration",
    "Context",
    "Entry",
    "Finding",
    "Severity",
    "is_at_least",
    "lint",
)
