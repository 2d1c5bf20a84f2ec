"""Does this webhook see this request? One truth for everyone who asks."""

from __future__ import annotations

from admit.matching.rules import Target, matches_rule, matches_rules
from admit.matching.selectors import matches_selector, parse_selector

__all__ = (
    "Target",
    "matches_rule",
    "matches_rules",
    "matches_selector",
    "parse_selector",
)
