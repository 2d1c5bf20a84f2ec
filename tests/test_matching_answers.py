"""The API server's order of looking, step by step; each answer has its reason.

What the real API server does is in tests/cluster/test_matching.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from admit.errors import ConfigError
from admit.kinds._index import RESOURCES
from admit.matching import (
    BUILT_IN,
    Attributes,
    Equivalents,
    Known,
    Namespace,
    Served,
    answer,
    matches_known,
    parse_selector,
)
from admit.webhook import StoredWebhook, read_webhook
from tests.reviews import ask, pod

NAMESPACES = {"team-a": {"team": "a"}, "bare": {}}


def find_namespace(name: str) -> Namespace | None:
    labels = NAMESPACES.get(name)
    return None if labels is None else Namespace(labels)


KNOWN = Known(find_namespace=find_namespace)


def webhook(**changes: Any) -> StoredWebhook:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["*"],
        "resources": ["*/*"],
    }
    return read_webhook({"name": "a.b.c", "rules": [rule], **changes})


def attributes(resource: str = "pods", **changes: Any) -> Attributes:
    resource, _, subresource = resource.partition("/")
    fields: dict[str, Any] = {
        "operation": "CREATE",
        "group": "",
        "version": "v1",
        "resource": resource,
        "subresource": subresource,
        "kind": "Pod",
        "name": "web",
        "namespace": "team-a",
        "labels": {},
    }
    return Attributes(**fields | changes)


TEAM = {"matchLabels": {"team": "a"}}
NO_TEAM = {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}
NAMESPACE = {"kind": "Namespace", "name": "team-a"}

ANSWERS: list[tuple[dict[str, Any], Attributes, str]] = [
    ({}, attributes(), "matched"),
    ({"rules": []}, attributes(), "not matched"),
    # A namespace's labels are those of the stored one ...
    ({"namespaceSelector": TEAM}, attributes(), "matched"),
    ({"namespaceSelector": TEAM}, attributes(namespace="bare"), "not matched"),
    ({"namespaceSelector": TEAM}, attributes(namespace="gone"), "error"),
    ({"namespaceSelector": {}}, attributes(namespace="gone"), "matched"),
    # ... or, of a Namespace that is written, its own.
    ({"namespaceSelector": TEAM}, attributes("namespaces", **NAMESPACE), "not matched"),
    (
        {"namespaceSelector": TEAM},
        attributes("namespaces", labels={"team": "a"}, **NAMESPACE),
        "matched",
    ),
    (
        {"namespaceSelector": TEAM},
        attributes("namespaces", operation="DELETE", labels=None, **NAMESPACE),
        "matched",
    ),
    (
        {"namespaceSelector": TEAM},
        attributes("namespaces/status", operation="UPDATE", **NAMESPACE),
        "matched",
    ),
    # What has no namespace is never filtered by it.
    ({"namespaceSelector": TEAM}, attributes("nodes", namespace=""), "matched"),
    # Another group's cluster-scoped "namespaces" are looked up by an empty name.
    (
        {"namespaceSelector": TEAM},
        attributes("namespaces", operation="DELETE", namespace="", labels=None),
        "error",
    ),
    # The error of the selector is held back until a rule covers the request.
    (
        {"namespaceSelector": TEAM, "rules": []},
        attributes(namespace="gone"),
        "not matched",
    ),
    ({"objectSelector": TEAM}, attributes(), "not matched"),
    ({"objectSelector": TEAM}, attributes(old_labels={"team": "a"}), "matched"),
    ({"objectSelector": NO_TEAM}, attributes(labels={"team": "a"}), "not matched"),
    (
        {"objectSelector": NO_TEAM},
        attributes(labels={"team": "a"}, old_labels={}),
        "matched",
    ),
    (
        {"objectSelector": NO_TEAM},
        attributes("pods/exec", operation="CONNECT", labels=None),
        "not matched",
    ),
    (
        {"objectSelector": TEAM},
        attributes(labels={}, labels_known=False),
        "may match",
    ),
    (
        {"matchConditions": [{"name": "a", "expression": "false"}]},
        attributes(),
        "may match",
    ),
]


@pytest.mark.parametrize(("changes", "asked", "verdict"), ANSWERS)
def test_the_answer_is_the_api_servers(
    changes: dict[str, Any], asked: Attributes, verdict: str
) -> None:
    found = answer(webhook(**changes), asked, KNOWN)
    assert found.verdict == verdict
    assert found.can_be_called == (verdict in {"matched", "may match"})
    assert found.reason


def test_an_error_carries_the_status_that_the_client_gets() -> None:
    found = answer(webhook(namespaceSelector=TEAM), attributes(namespace="gone"), KNOWN)
    assert (found.code, found.reason) == (404, 'namespaces "gone" not found')


def test_the_stored_namespace_of_no_name_is_the_api_servers_error() -> None:
    asked = attributes("namespaces", operation="DELETE", namespace="", labels=None)
    assert answer(webhook(namespaceSelector=TEAM), asked, KNOWN).code == 500


def test_all_that_is_unsure_is_in_the_reason() -> None:
    found = answer(
        webhook(
            namespaceSelector=TEAM,
            objectSelector=TEAM,
            matchConditions=[
                {"name": "a", "expression": "true"},
                {"name": "b", "expression": "true"},
            ],
        ),
        attributes(labels_known=False),
    )
    assert found.reason == (
        "rules[0] covers CREATE pods, but the namespaceSelector on team-a asks for "
        "labels that are not known and the objectSelector asks for labels that are "
        "not known and match conditions decide"
    )


def rule(group: str, version: str, *resources: str) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": ["*"],
        "resources": [*resources],
    }


EVENT = attributes("events", group="events.k8s.io", kind_group="events.k8s.io")


def test_an_equivalent_is_found_and_named() -> None:
    found = answer(webhook(rules=[rule("", "v1", "events")]), EVENT, KNOWN)
    assert found.rule == 0
    assert found.sent_as == Served("", "v1", "events", "", "", "v1", "Event")
    assert found.reason == "rules[0] covers v1 events, the same as events.events.k8s.io"


def test_exact_takes_no_equivalent() -> None:
    exact = webhook(rules=[rule("", "v1", "events")], matchPolicy="Exact")
    assert answer(exact, EVENT, KNOWN).verdict == "not matched"


def test_an_exact_rule_comes_before_an_equivalent_one() -> None:
    both = webhook(rules=[rule("", "v1", "events"), rule("events.k8s.io", "v1", "*")])
    found = answer(both, EVENT, KNOWN)
    assert (found.rule, found.sent_as) == (1, None)


CRONTABS = {
    "spec": {
        "group": "example.com",
        "names": {"kind": "CronTab", "plural": "crontabs"},
        "versions": [
            {"name": "v1", "served": True, "subresources": {"status": {}}},
            {"name": "v2", "served": True, "subresources": {"scale": {}}},
            {"name": "v3", "served": False},
        ],
    }
}


@pytest.mark.parametrize(
    ("asked", "version"),
    [("crontabs", "v2"), ("crontabs/status", None), ("crontabs/scale", "v2")],
)
def test_versions_of_a_custom_resource_are_the_same(
    asked: str, version: str | None
) -> None:
    known = Known(equivalents=BUILT_IN.with_custom([CRONTABS]))
    sent = attributes(asked, group="example.com", version="v1")
    found = answer(
        webhook(rules=[rule("example.com", "v2", "*/*")]), sent, known
    ).sent_as
    assert (found and found.version) == version


def test_discovery_says_what_is_the_same() -> None:
    lists = [
        {
            "groupVersion": "apps/v1",
            "resources": [
                {"name": "deployments", "kind": "Deployment"},
                {
                    "name": "deployments/scale",
                    "kind": "Scale",
                    "group": "autoscaling",
                    "version": "v1",
                },
            ],
        },
        {
            "groupVersion": "extensions/v1beta1",
            "resources": [{"name": "deployments", "kind": "Deployment"}],
        },
    ]
    equivalents = Equivalents.of_discovery(lists)
    (found,) = equivalents.find(attributes("deployments", group="apps"))
    assert found.api_version == "extensions/v1beta1"
    scale = attributes("deployments/scale", group="apps", version="v9")
    (found,) = equivalents.find(scale)
    assert (found.kind_group, found.kind_version, found.kind) == (
        *("autoscaling", "v1"),
        "Scale",
    )


def test_the_built_in_table_is_that_of_the_generated_kinds() -> None:
    rows: dict[str, set[tuple[str, str]]] = {}
    for group, version, _, plural, _ in RESOURCES.values():
        rows.setdefault(plural, set()).add((group, version))
    several = {plural: found for plural, found in rows.items() if len(found) > 1}
    assert set(several) == {"events", "horizontalpodautoscalers"}
    for plural, found in several.items():
        for group, version in found:
            asked = attributes(plural, group=group, version=version)
            others = {(row.group, row.version) for row in BUILT_IN.find(asked)}
            assert others == found - {(group, version)}


EXCLUDED = attributes(
    "validatingwebhookconfigurations",
    group="admissionregistration.k8s.io",
    kind_group="admissionregistration.k8s.io",
    kind="ValidatingWebhookConfiguration",
    namespace="",
)
TOKEN = attributes("tokenreviews", group="authentication.k8s.io", namespace="")


@pytest.mark.parametrize(
    ("asked", "known", "seen"),
    [
        (EXCLUDED, Known(), False),
        (EXCLUDED, Known(static=True), True),
        (TOKEN, Known(), False),
        (TOKEN, Known(static=True), False),
        (TOKEN, Known(version=(1, 36)), True),
    ],
)
def test_some_requests_reach_no_webhook(
    asked: Attributes, known: Known, *, seen: bool
) -> None:
    everything = webhook(rules=[rule("*", "*", "*/*")])
    assert answer(everything, asked, known).can_be_called == seen


@pytest.mark.parametrize(
    ("text", "labels", "known"),
    [
        ("a=1", {"a": "1"}, True),
        ("a=1", {"a": "2"}, False),
        ("a=1", {}, None),
        ("a=1,b=1", {"a": "2"}, False),
        ("a=1,b=1", {"a": "1"}, None),
        ("!a", {}, None),
        ("!a", {"a": ""}, False),
    ],
)
def test_a_selector_on_labels_known_in_part(
    text: str, labels: dict[str, str], *, known: bool | None
) -> None:
    assert matches_known(parse_selector(text), labels) is known


def test_a_request_is_matched_as_it_was_sent() -> None:
    request = ask(
        pod(app="web"),
        resource={"group": "", "version": "v1", "resource": "events"},
        kind={"group": "", "version": "v1", "kind": "Event"},
        requestResource={
            "group": "events.k8s.io",
            "version": "v1",
            "resource": "events",
        },
        requestKind={"group": "events.k8s.io", "version": "v1", "kind": "Event"},
    )
    found = Attributes.of(request)
    assert (found.group, found.kind_group) == ("events.k8s.io", "events.k8s.io")
    assert found.labels == {"app": "web"}
    assert found.old_labels is None
    assert Attributes.of(ask({"container": "a"})).labels is None
    assert Attributes.of(ask({"metadata": None})).labels == {}


def test_an_entry_is_read_with_the_api_servers_defaults() -> None:
    read = read_webhook({"name": "a.b.c", "rules": None, "future": {"a": 1}})
    assert (read.match_policy, read.failure_policy) == ("Equivalent", "Fail")
    assert read.rules == ()


def test_what_no_api_server_accepts_is_no_webhook() -> None:
    with pytest.raises(ConfigError, match="not a webhook: Expected `array`"):
        read_webhook({"rules": "all"})
