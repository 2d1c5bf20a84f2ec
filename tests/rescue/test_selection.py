"""Which configurations an operator means."""

from __future__ import annotations

from typing import Any

import pytest

from admit.errors import ConfigError
from admit.rescue.selection import Selection, Target, select

PODS = Target("", "v1", "pods", kind="Pod")
NODES = Target("", "v1", "nodes", kind="Node", namespaced=False)


def _configuration(
    kind: str, name: str, resource: str = "pods", **metadata: Any
) -> dict[str, Any]:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": [resource],
    }
    webhook = {"name": "a.example.com", "rules": [rule], **metadata.pop("entry", {})}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name, **metadata},
        "webhooks": [webhook],
    }


ALL = [
    _configuration("Mutating", "policies"),
    _configuration("Validating", "policies"),
    _configuration("Validating", "nodes", "nodes"),
    _configuration("Validating", "kyverno-resource-validating-webhook-cfg", "*"),
    _configuration(
        "Validating",
        "only-prod",
        entry={
            "namespaceSelector": {
                "matchLabels": {"kubernetes.io/metadata.name": "prod"}
            }
        },
    ),
]


def _names(**selection: Any) -> list[str]:
    return [
        f"{one['kind'][:3]}/{one['metadata']['name']}"
        for one in select(ALL, Selection(**selection))
    ]


def test_by_name() -> None:
    assert _names(names=("nodes",)) == ["Val/nodes"]


@pytest.mark.parametrize(
    "prefix",
    [
        "mutating",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "mutatingwebhookconfiguration.admissionregistration.k8s.io",
    ],
)
def test_by_kind_and_name(prefix: str) -> None:
    assert _names(names=(f"{prefix}/policies",)) == ["Mut/policies"]


def test_all() -> None:
    assert len(_names(every=True)) == len(ALL)


def test_by_vendor() -> None:
    found = _names(vendor="kyverno")
    assert found == ["Val/kyverno-resource-validating-webhook-cfg"]


def test_by_resource_whatever_the_namespace() -> None:
    assert _names(matching=PODS) == [
        "Mut/policies",
        "Val/policies",
        "Val/kyverno-resource-validating-webhook-cfg",
        "Val/only-prod",
    ]
    assert _names(matching=NODES) == [
        "Val/nodes",
        "Val/kyverno-resource-validating-webhook-cfg",
    ]


def test_two_ways_narrow_the_choice() -> None:
    assert _names(vendor="kyverno", matching=PODS) == [
        "Val/kyverno-resource-validating-webhook-cfg"
    ]
    assert _names(names=("nodes",), matching=PODS) == []


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({}, "which configurations.*nodes, only-prod, policies"),
        ({"names": ("policies",)}, r"two.*validating/policies or mutating/policies"),
        ({"names": ("nods",)}, r"no webhook configuration is called nods \(nodes\?\)"),
        ({"names": ("zzz",)}, "there are: kyverno-"),
        ({"names": ("pod/nodes",)}, "pod is no kind of webhook configuration"),
        ({"vendor": "kiverno"}, "no vendor kiverno.*kyverno, gatekeeper"),
    ],
)
def test_what_cannot_be_meant(selection: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        select(ALL, Selection(**selection))
