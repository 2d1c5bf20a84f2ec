"""Who waits for itself after everything was down, and by which detour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from admit._tasks.documents import read_documents
from admit.doctor import KINDS, Configuration, Context
from admit.doctor.cold_start import find_blocks, find_deadlocks

HEALTHY = Path(__file__).parent.parent / "data/webhooks/healthy"

CONDITION = {"name": "x", "expression": "request.userInfo.username != 'x'"}


def configuration(
    name: str, resource: str, group: str = "", **members: Any
) -> dict[str, Any]:
    """A webhook of a Service in the namespace of its own name."""
    rule = {
        "operations": ["*"],
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": [resource],
    }
    webhook = {
        "name": f"{name}.example.com",
        "clientConfig": {"service": {"namespace": name, "name": "webhook"}},
        "rules": [rule],
        **members,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


def only(*namespaces: str, operator: str = "In") -> dict[str, Any]:
    key = "kubernetes.io/metadata.name"
    expression = {"key": key, "operator": operator, "values": [*namespaces]}
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def chains(
    *contents: dict[str, Any], labels: dict[str, dict[str, str]] | None = None
) -> list[tuple[str, ...]]:
    """Return each deadlock as its webhooks' first names, `?` where it may be none."""
    read = [Configuration.read(c, n) for n, c in enumerate(contents)]
    entries = [entry for one in read for entry in one.entries]
    return [
        tuple(
            link.entry.webhook.name.partition(".")[0] + ("" if found.sure else "?")
            for link in found.chain
        )
        for found in find_deadlocks(entries, Context(), labels)
    ]


def test_one_that_sees_its_own_pods_waits_for_itself() -> None:
    assert chains(configuration("a", "pods")) == [("a",)]


def test_two_that_see_each_others_pods_wait_for_each_other() -> None:
    a = configuration("a", "pods", **only("b"))
    b = configuration("b", "pods", **only("a"))
    assert chains(a, b) == [("a", "b")]
    assert chains(a) == chains(b) == []


def test_three_in_a_ring() -> None:
    ring = [
        configuration(one, "pods", **only(other))
        for one, other in (("a", "b"), ("b", "c"), ("c", "a"))
    ]
    assert [sorted(chain) for chain in chains(*ring)] == [["a", "b", "c"]]


def test_the_shortest_comes_first() -> None:
    a = configuration("a", "pods", **only("b"))
    b = configuration("b", "pods", **only("a"))
    c = configuration("c", "pods", **only("c"))
    assert chains(a, b, c) == [("c",), ("a", "b")]


@pytest.mark.parametrize(
    ("resource", "group"),
    [
        ("nodes", ""),
        ("nodes/status", ""),
        ("leases", "coordination.k8s.io"),
        ("certificatesigningrequests", "certificates.k8s.io"),
        ("*", "*"),
        ("pods/binding", ""),
    ],
)
def test_what_every_pod_waits_for(resource: str, group: str) -> None:
    assert chains(configuration("a", resource, group)) == [("a",)]


def test_the_pods_of_the_network_are_in_kube_system() -> None:
    assert chains(configuration("a", "pods", **only("kube-system"))) == [("a",)]
    spared = only("kube-system", "a", operator="NotIn")
    assert chains(configuration("a", "pods", **spared)) == []


def test_what_fails_open_holds_up_nobody() -> None:
    assert chains(configuration("a", "pods", failurePolicy="Ignore")) == []


def test_what_is_outside_needs_nothing_of_the_cluster() -> None:
    url = {"url": "https://policies.example.com/"}
    assert chains(configuration("a", "pods", clientConfig=url)) == []


def test_labels_decide_where_they_are_known() -> None:
    selector = {"objectSelector": {"matchLabels": {"app": "shop"}}}
    a = configuration("a", "pods", **(only("a") | selector))
    assert chains(a) == [("a?",)]
    assert chains(a, labels={"a/webhook": {"app": "webhook"}}) == []
    assert chains(a, labels={"a/webhook": {"app": "shop"}}) == [("a",)]


def test_conditions_may_spare_it() -> None:
    assert chains(configuration("a", "pods", matchConditions=[CONDITION])) == [("a?",)]


def test_whoever_stands_in_the_way_is_found() -> None:
    contents = (
        configuration("a", "leases", "coordination.k8s.io"),
        configuration("b", "pods", **only("a")),
        configuration("c", "pods", **only("c"), failurePolicy="Ignore"),
        configuration("d", "pods", **only("shop")),
        configuration("e", "secrets", **only("b"), matchConditions=[CONDITION]),
    )
    read = [Configuration.read(c, n) for n, c in enumerate(contents)]
    entries = [entry for one in read for entry in one.entries]
    found = {
        block.entry.webhook.name[0]: (block.sure, block.writes[0].purpose)
        for block in find_blocks(entries, Context())
    }
    assert found == {
        "a": (True, "the node renews its lease"),
        "b": (True, "its pods are created"),
        "e": (False, "its certificate is stored"),
    }


def test_the_chain_is_told_step_by_step() -> None:
    contents = (
        configuration("a", "pods", **only("b")),
        configuration("b", "pods", **only("a")),
    )
    read = [Configuration.read(c, n) for n, c in enumerate(contents)]
    entries = [entry for one in read for entry in one.entries]
    (found,) = find_deadlocks(entries, Context())
    needs = "is down: it needs that its pods are created (CREATE pods in"
    assert found.describe() == (
        f"a.example.com {needs} a), which must ask b.example.com first",
        f"b.example.com {needs} b), which must ask a.example.com first",
        "and a.example.com is down",
    )


@pytest.mark.parametrize(
    "file", sorted(HEALTHY.glob("*.yaml")), ids=lambda file: file.stem
)
def test_healthy_set_ups_start(file: Path) -> None:
    contents = [
        document.content
        for document in read_documents([str(file)])
        if document.content["kind"] in KINDS
    ]
    sure = [chain for chain in chains(*contents) if not chain[0].endswith("?")]
    assert sure == []
