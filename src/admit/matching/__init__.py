"""Does this webhook see this request? One truth for everyone who asks."""

from __future__ import annotations

from admit.matching.answers import Answer, Filters, Known, Namespace, answer
from admit.matching.attributes import Attributes, read_labels
from admit.matching.equivalents import BUILT_IN, Equivalents, Served
from admit.matching.exclusions import find_exclusion, is_virtual
from admit.matching.rules import Target, matches_rule, matches_rules
from admit.matching.selectors import (
    is_empty,
    matches_known,
    matches_selector,
    parse_selector,
)

__all__ = (
    "BUILT_IN",
    "Answer",
    "Attributes",
    "Equivalents",
    "Filters",
    "Known",
    "Namespace",
    "Served",
    "Target",
    "answer",
    "find_exclusion",
    "is_empty",
    "is_virtual",
    "matches_known",
    "matches_rule",
    "matches_rules",
    "matches_selector",
    "parse_selector",
    "read_labels",
)
