"""Rules of several handlers as few rules, in an order that does not change."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.webhook import Rule

__all__ = ("merge_rules",)


def merge_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return fewer rules that cover the same, sorted.

    Rules that differ in one list alone become one; what another pattern or rule covers
    goes, which the API server would refuse in some orders (``*`` before ``pods``).
    """
    merged = {_sort(rule) for rule in rules}
    before: set[Rule] | None = None
    while merged != before:
        before = merged
        for name in ("resources", "operations"):
            merged = _join(merged, name)
        merged = _drop_covered_rules(merged)
    return tuple(sorted(merged, key=msgspec.structs.astuple))


def _sort(rule: Rule) -> Rule:
    """Write a rule in the one way in which all that cover the same are written."""
    lists = ("api_groups", "api_versions", "operations", "resources")
    return msgspec.structs.replace(
        rule, **{name: tuple(sorted(set(getattr(rule, name)))) for name in lists}
    )


def _join(rules: Iterable[Rule], name: str) -> set[Rule]:
    """Make one of rules that differ in the list of this name only."""
    groups: defaultdict[Rule, set[str]] = defaultdict(set)
    for rule in rules:
        bare = msgspec.structs.replace(rule, **{name: ()})
        groups[bare].update(getattr(rule, name))
    return {
        msgspec.structs.replace(bare, **{name: tuple(sorted(values))})
        for bare, values in groups.items()
    }


def _drop_covered_rules(rules: Iterable[Rule]) -> set[Rule]:
    slim = {
        msgspec.structs.replace(rule, resources=_drop_covered(rule.resources))
        for rule in rules
    }
    return {
        rule
        for rule in slim
        if not any(other != rule and _covers(other, rule) for other in slim)
    }


def _drop_covered(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        pattern
        for pattern in patterns
        if not any(
            other != pattern and _covers_pattern(other, pattern) for other in patterns
        )
    )


def _covers_pattern(wide: str, narrow: str) -> bool:
    """``pods/*`` covers ``pods/status``, and ``pods`` too."""
    left, _, right = wide.partition("/")
    resource, _, sub = narrow.partition("/")
    return left in {"*", resource} and right in {"*", sub}


def _covers(wide: Rule, narrow: Rule) -> bool:
    """Tell whether everything that one rule covers the other covers too."""

    def within(mine: tuple[str, ...], others: tuple[str, ...]) -> bool:
        return "*" in mine or set(others) <= set(mine)

    return (
        within(wide.operations, narrow.operations)
        and within(wide.api_groups, narrow.api_groups)
        and within(wide.api_versions, narrow.api_versions)
        and wide.scope in {"*", narrow.scope}
        and all(
            any(_covers_pattern(pattern, other) for pattern in wide.resources)
            for other in narrow.resources
        )
    )
