from __future__ import annotations

from typing import Any

import pytest

from admit.errors import ConfigError
from admit.matching import Target, matches_rule, matches_selector, parse_selector
from admit.webhook import LabelSelector, Requirement, Rule
from tests.reviews import ask, pod


def rule(**changes: Any) -> Rule:
    fields: dict[str, Any] = {
        "api_groups": ("",),
        "api_versions": ("v1",),
        "operations": ("CREATE",),
        "resources": ("pods",),
        "scope": "*",
    }
    return Rule(**fields | changes)


def target(text: str, *, namespaced: bool = True, operation: str = "CREATE") -> Target:
    resource, _, subresource = text.partition("/")
    return Target(operation, "", "v1", resource, subresource, namespaced)


# admission-webhook rules: which pattern covers which resource.
TABLE = {
    "pods": {"pods"},
    "pods/*": {"pods", "pods/status", "pods/exec"},
    "pods/status": {"pods/status"},
    "*": {"pods", "deployments"},
    "*/status": {"pods/status"},
    "*/scale": {"deployments/scale"},
    "*/*": {"pods", "pods/status", "pods/exec", "deployments", "deployments/scale"},
}


@pytest.mark.parametrize("pattern", TABLE)
@pytest.mark.parametrize("resource", sorted(TABLE["*/*"]))
def test_resource_patterns_cover_what_the_api_server_says(
    pattern: str, resource: str
) -> None:
    covered = matches_rule(rule(resources=(pattern,)), target(resource))
    assert covered == (resource in TABLE[pattern])


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"operations": ("*",)}, True),
        ({"operations": ("UPDATE",)}, False),
        ({"api_groups": ("*",)}, True),
        ({"api_groups": ("apps",)}, False),
        ({"api_versions": ("v2",)}, False),
        ({"resources": ("Pods",)}, False),
        ({"scope": "Namespaced"}, True),
        ({"scope": "Cluster"}, False),
    ],
)
def test_all_parts_of_a_rule_must_hold(
    changes: dict[str, Any], *, covered: bool
) -> None:
    assert matches_rule(rule(**changes), target("pods")) == covered


def test_a_namespace_is_cluster_scoped_although_it_names_itself() -> None:
    request = ask(
        pod(),
        resource={"group": "", "version": "v1", "resource": "namespaces"},
        namespace="default",
    )
    assert not Target.of(request).namespaced
    assert Target.of(ask(pod())).namespaced


SELECTORS: list[tuple[str, tuple[Requirement, ...]]] = [
    ("", ()),
    ("app=web", (Requirement(key="app", operator="In", values=("web",)),)),
    ("app==web", (Requirement(key="app", operator="In", values=("web",)),)),
    ("app!=web", (Requirement(key="app", operator="NotIn", values=("web",)),)),
    ("app=", (Requirement(key="app", operator="In", values=("",)),)),
    ("owner", (Requirement(key="owner", operator="Exists"),)),
    ("!owner", (Requirement(key="owner", operator="DoesNotExist"),)),
    (
        "tier in (a, b),env notin (dev)",
        (
            Requirement(key="tier", operator="In", values=("a", "b")),
            Requirement(key="env", operator="NotIn", values=("dev",)),
        ),
    ),
    (
        " example.com/team = web , !x ",
        (
            Requirement(key="example.com/team", operator="In", values=("web",)),
            Requirement(key="x", operator="DoesNotExist"),
        ),
    ),
]


@pytest.mark.parametrize(("text", "terms"), SELECTORS)
def test_selector_text_is_read_as_kubectl_does(
    text: str, terms: tuple[Requirement, ...]
) -> None:
    assert parse_selector(text) == LabelSelector(match_expressions=terms)


@pytest.mark.parametrize(
    "text", ["=a", "a=b c", "a in b", "a in (b", "!", "a,,b", "a=b!"]
)
def test_a_wrong_selector_is_drawn_where_it_stops_making_sense(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_selector(text)
    assert text in caught.value.message
    assert caught.value.message.endswith("^")


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("", {}, True),
        ("a=1", {"a": "1"}, True),
        ("a=1", {"a": "2"}, False),
        ("a=1", {}, False),
        ("a!=1", {}, True),
        ("a!=1", {"a": "1"}, False),
        ("a in (1,2)", {"a": "2"}, True),
        ("a notin (1,2)", {"a": "2"}, False),
        ("a notin (1,2)", {}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a=1,b", {"a": "1"}, False),
    ],
)
def test_selectors_select_as_the_api_server_does(
    text: str, labels: dict[str, str], *, selected: bool
) -> None:
    assert matches_selector(parse_selector(text), labels) == selected


def test_match_labels_count_too() -> None:
    selector = LabelSelector(match_labels={"a": "1"})
    assert matches_selector(selector, {"a": "1"})
    assert not matches_selector(selector, {"a": "2"})
