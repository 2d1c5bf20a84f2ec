"""Merged rules cover what the rules covered, whatever the rules."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from admit._tasks.rules import merge_rules
from admit.matching import Target, matches_rules
from admit.webhook import Rule

RESOURCES = ("a", "b", "*", "a/x", "a/*", "*/x", "*/*")
TARGETS = [
    Target(operation, group, "v1", resource, subresource, namespaced)
    for operation, group, resource, subresource, namespaced in itertools.product(
        ("CREATE", "UPDATE"), ("", "g"), ("a", "b", "c"), ("", "x", "y"), (True, False)
    )
]


def lists(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


RULES = st.lists(
    st.builds(
        Rule,
        api_groups=lists("", "g") | st.just(("*",)),
        api_versions=st.just(("v1",)),
        operations=lists("CREATE", "UPDATE"),
        resources=lists(*RESOURCES),
        scope=st.sampled_from(("*", "Cluster", "Namespaced")),
    ),
    max_size=5,
)


@given(RULES)
def test_merged_rules_cover_the_same(rules: list[Rule]) -> None:
    merged = merge_rules(rules)
    for target in TARGETS:
        assert matches_rules(merged, target) == matches_rules(rules, target), target


@given(RULES, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(rules: list[Rule], random: object) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random
    assert merge_rules(shuffled) == merge_rules(rules)


@given(RULES)
def test_merging_again_changes_nothing(rules: list[Rule]) -> None:
    merged = merge_rules(rules)
    assert merge_rules(merged) == merged
