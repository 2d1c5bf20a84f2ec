"""A valid configuration, and a table of what to do to it so that it is not."""

from __future__ import annotations

import copy
from typing import Any

VALID: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "lint-me", "labels": {"app": "lint"}},
    "webhooks": [
        {
            "name": "pods.lint.example.com",
            "clientConfig": {
                "service": {"name": "lint", "namespace": "lint", "path": "/validate"}
            },
            "rules": [
                {
                    "operations": ["CREATE", "UPDATE"],
                    "apiGroups": ["lint.example.com"],
                    "apiVersions": ["v1"],
                    "resources": ["things"],
                }
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }
    ],
}

W = "webhooks.0"
R = f"{W}.rules.0"
C = f"{W}.clientConfig"
S = f"{C}.service"
N = f"{W}.namespaceSelector"
O = f"{W}.objectSelector"  # noqa: E741 - as the others

GONE = object()
"""Takes a member away."""

LONG_NAME = ".".join(["a" * 63] * 4)
LONG_LABEL = "a" * 64


def url(text: str) -> dict[str, Any]:
    return {C: {"url": text}}


def term(**members: Any) -> dict[str, Any]:
    return {f"{N}.matchExpressions": [members]}


def conditions(*pairs: tuple[str, str]) -> dict[str, Any]:
    found = [{"name": name, "expression": text} for name, text in pairs]
    return {f"{W}.matchConditions": found}


def owner(**members: Any) -> dict[str, Any]:
    whole = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"}
    return {"metadata.ownerReferences": [whole | members]}


# What the API server refuses (422): paths of the valid configuration, new values.
INVALID: list[dict[str, Any]] = [
    {"metadata.name": value}
    for value in ("A", "a_b", "-a", "a-", "a..b", ".a", "a b", "ü", LONG_NAME, "a/b")
]
INVALID += [
    {"metadata.name": "a.static.k8s.io"},
    {"metadata.name": "A.static.k8s.io"},
    {"metadata.labels": {"a b": "c"}},
    {"metadata.labels": {"a": "b c"}},
    {"metadata.labels": {"a": LONG_LABEL}},
    {"metadata.labels": {"a": "-b", "c/d/e": "f"}},
    {"metadata.annotations": {"a b": ""}},
    {"metadata.annotations": {"/a": ""}},
    {"metadata.annotations": {"a": "x" * (256 * 1024)}},
    {"metadata.finalizers": ["a b"]},
    {"metadata.finalizers": ["a/b/c"]},
    owner(apiVersion=""),
    owner(apiVersion="a/b/c"),
    owner(kind=""),
    owner(name="", uid=""),
]
INVALID += [
    {f"{W}.name": value}
    for value in (
        *("", "a", "a.b", "A.b.c", "a_b.c.d", "a..b", "-a.b.c", "a.b.c.", "a b.c.d"),
        *(LONG_NAME, f"{'a' * 250}.b.c", "ä.b.c", "*.b.c", '"quoted".b.c', "a\tb.c.d"),
    )
]
INVALID += [{f"{W}.name": GONE}, {f"{W}.name": None}]
INVALID += [
    {f"{W}.admissionReviewVersions": value}
    for value in (
        *(GONE, [], None, ["v2"], ["v1", "v1"], ["v1beta1", "v2", "v1beta1"], [""]),
        *(["V1"], ["1"], ["v1", "a_b"], ["v1.1"], [LONG_LABEL], ["v1", LONG_LABEL]),
        *(["v2", "v3", "v2"], [None], ["v1", "-", "<&>"]),
    )
]
INVALID += [
    {f"{R}.operations": value}
    for value in (
        *(GONE, [], ["create"], ["PATCH"], ["*", "CREATE"], ["CREATE", "*"], [""]),
        *(["*", "*"], ["GET", "LIST"], ["<x>"]),
    )
]
INVALID += [
    {f"{R}.apiGroups": value} for value in (GONE, [], ["*", ""], ["a", "*"], ["*", "*"])
]
INVALID += [
    {f"{R}.apiVersions": value}
    for value in (GONE, [], [""], ["*", "v1"], ["v1", "*"], ["*", ""], [None])
]
INVALID += [
    {f"{R}.resources": value}
    for value in (
        *(GONE, [], [""], ["*", "a"], ["*", "a", "b"], ["a/*", "a/x"], ["*/x", "a/x"]),
        *(["*/*", "a"], ["a", "*/*"], ["*/*", "*/*"], ["*", "*/*"], ["a/*", "a/*"]),
        *(["*/x", "*/x"], ["*/*", "a/b"], ["*", "", "a"], ["a/*", "*/*"], ["", ""]),
        *(["a/*", "a/x", "a/y"], ["*/x", "b/x", "c/x"], ["*", "a/b", "c"]),
    )
]
INVALID += [
    {f"{R}.scope": value} for value in ("", "cluster", "namespaced", "All", "<>")
]
INVALID += [
    {f"{W}.{name}": value}
    for name in ("failurePolicy", "matchPolicy", "sideEffects")
    for value in ("", "none", "Maybe", "Some", "Unknown")
]
INVALID += [{f"{W}.sideEffects": GONE}, {f"{W}.sideEffects": None}]
INVALID += [{f"{W}.timeoutSeconds": value} for value in (0, -1, 31, 2_000_000_000)]
INVALID += [
    {C: GONE},
    {C: {}},
    {C: {"caBundle": ""}},
    {C: {"url": "https://a", "service": {"name": "a", "namespace": "b"}}},
]
INVALID += [
    url(text)
    for text in (
        *("", "http://a", "a", "//a", "/a", "https://", "https:///a", "https:a", "*"),
        *("HTTP://a", "ftp://a/b", "https://a#b", "https://a?b=c", "https://a/?", ":a"),
        *("https://u@a", "https://u:p@a", "https://u:p@a/b?c#d", "https://a b", "a:b"),
        *(
            "https://a:b",
            "https://a:8443:1",
            "https://[::1",
            "https://[::1]:b",
            "1:2/3",
        ),
        *("https://a/%zz", "https://a%20b", "https://a\tb", "https://a\\b", "a/b:c"),
        *("https://us er@a", "https://u%zz@a", "https://a#%zz", "https://[a]"),
        *(
            "https://[1.2.3.4]",
            "https://a[b]",
            "https://a|b",
            "https://a^b/c",
            "unix:/a",
        ),
        *("https://u%20x:@a", "https://a/?b", "https://a?", "https://?b", "https://#b"),
        *("https://%41", "https://a:1%", "https://u'!@a", "https://ü@a"),
    )
    if text not in {"https://a/?", "https://a?"}  # a bare ? passes
]
INVALID += [
    {f"{S}.name": ""},
    {f"{S}.name": GONE},
    {f"{S}.namespace": ""},
    {f"{S}.namespace": GONE},
    {S: {}},
    {f"{S}.port": 0},
    {f"{S}.port": 65536},
    {f"{S}.port": -1},
]
INVALID += [
    {f"{S}.path": value}
    for value in (
        *("a", "//", "///", "/a//b", "/A", "/a_b", "/a%20b", "/a?b", "/a/b//", "/-a"),
        *("a/b/", "ü", f"/{'a' * 254}", "/a/B/C", "//a", "/a b", "/.", "a//"),
    )
]
INVALID += [
    term(key="a", operator="In"),
    term(key="a", operator="NotIn", values=[]),
    term(key="a", operator="Exists", values=["b"]),
    term(key="a", operator="DoesNotExist", values=["b", "c d"]),
    term(key="a", operator="in", values=["b"]),
    term(key="a", operator="Gt", values=["1"]),
    term(key="a"),
    term(key="", operator="Exists"),
    term(key="a b", operator="Exists"),
    term(key="/a", operator="Exists"),
    term(key="A_b/c", operator="Exists"),
    term(key="a/", operator="Exists"),
    term(key="a/b/c", operator="Exists"),
    term(key=LONG_LABEL, operator="Exists"),
    term(key=f"{LONG_NAME}/a", operator="Exists"),
    term(key="a", operator="In", values=["b c", "-", LONG_LABEL, "ok"]),
    term(),
    {f"{N}.matchExpressions": [None]},
    {f"{N}.matchLabels": {"a b": "c"}},
    {f"{N}.matchLabels": {"a": "b c"}},
    {f"{O}.matchLabels": {"": ""}},
    {f"{O}.matchLabels": {"a": "é"}},
    {f"{O}.matchExpressions": [{"key": "a", "operator": "<&>"}]},
]
INVALID += [
    conditions(("", "true")),
    conditions(("a", "")),
    conditions(("a", "  \n")),
    conditions(("a b", "true")),
    conditions(("a", "true"), ("a", "false")),
    conditions(("a/b/c", "true")),
    conditions((LONG_LABEL, "true")),
    conditions(("-", "")),
    conditions(*((f"a{number}", "true") for number in range(65))),
    {f"{W}.matchConditions": [None]},
]
INVALID += [
    {"webhooks": [None]},
    {"webhooks": [VALID["webhooks"][0], VALID["webhooks"][0]]},
    {"webhooks": [VALID["webhooks"][0], {}, VALID["webhooks"][0]]},
    {f"{R}.resources": ["a/*", "a/x"], f"{R}.scope": "x", f"{W}.timeoutSeconds": 31},
    {f"{W}.name": "", f"{W}.sideEffects": GONE, C: GONE, f"{W}.rules": [{}]},
    {f"{W}.rules": [None]},
    {f"{W}.rules": [VALID["webhooks"][0]["rules"][0], {}]},
]

# For MutatingWebhookConfigurations only.
INVALID_MUTATING: list[dict[str, Any]] = [
    {f"{W}.reinvocationPolicy": value} for value in ("", "Always", "ifNeeded")
]

# Of the wrong type (400): the API server cannot decode them at all.
UNDECODABLE: list[dict[str, Any]] = [
    {"webhooks": "x"},
    {"webhooks": {}},
    {"webhooks": ["x"]},
    {"metadata": "x"},
    {"metadata.name": 5},
    {"metadata.labels": ["a"]},
    {"metadata.labels": {"a": 1}},
    {f"{W}.name": 5},
    {f"{W}.rules": {}},
    {f"{R}.operations": "CREATE"},
    {f"{R}.apiGroups": [1]},
    {f"{R}.scope": ["*"]},
    {f"{W}.timeoutSeconds": "5"},
    {f"{W}.timeoutSeconds": 5.5},
    {f"{W}.timeoutSeconds": 3_000_000_000},
    {f"{W}.timeoutSeconds": True},
    {f"{W}.failurePolicy": True},
    {C: "https://a"},
    {f"{C}.caBundle": "not base64!"},
    {f"{C}.caBundle": "YWJ"},
    {f"{C}.caBundle": 5},
    {f"{S}.port": "443"},
    {f"{S}.port": 2**40},
    {f"{N}.matchLabels": "a=b"},
    {f"{N}.matchExpressions": {"key": "a"}},
    {f"{W}.matchConditions": [{"name": "a", "expression": True}]},
]

# Strange, and accepted.
ACCEPTED: list[dict[str, Any]] = [
    {"webhooks": None},
    {"webhooks": []},
    {f"{W}.rules": []},
    {f"{W}.rules": None},
    {f"{R}.resources": ["a", "*"]},
    {f"{R}.resources": ["a/x", "a/*"]},
    {f"{R}.resources": ["a/x", "*/x"]},
    {f"{R}.resources": ["a", "a"]},
    {f"{R}.resources": ["A b/c/d"]},
    {f"{R}.apiGroups": [""]},
    {f"{R}.apiGroups": ["a", "a"]},
    {f"{W}.admissionReviewVersions": ["v1beta1", "v2"]},
    {f"{C}.caBundle": "Cg=="},
    {f"{C}.caBundle": "YW\nJj"},
    {f"{C}.caBundle": ""},
    {f"{S}.path": ""},
    {f"{S}.path": "/"},
    {f"{S}.path": "/a.b/c/"},
    {f"{S}.path": None},
    {f"{S}.name": "A b"},
    {f"{S}.port": None},
    url("https://a?"),
    url("https://a#"),
    url("HTTPS://a/B_c//d"),
    url("https://[::1]:1/a"),
    url("https://localhost:99999/"),
    url("https://a:"),
    {f"{W}.failurePolicy": None},
    {f"{W}.timeoutSeconds": 1},
    {f"{W}.timeoutSeconds": 30},
    {N: None},
    {f"{N}.matchLabels": {"a": None}},
    term(key="a.b/C_d", operator="Exists", values=None),
    {"metadata.finalizers": ["a.b/c"]},
    {"metadata.namespace": "default"},
    {"metadata.managedFields": [{"manager": "a", "operation": "Update"}]},
    {"metadata.annotations": {"A.b/C": "anything at all"}},
]


def change(changes: dict[str, Any], *, mutating: bool = False) -> dict[str, Any]:
    """The valid configuration with the changes made."""
    changed = copy.deepcopy(VALID)
    if mutating:
        changed["kind"] = "MutatingWebhookConfiguration"
    for path, value in changes.items():
        *parents, last = (int(p) if p.isdigit() else p for p in path.split("."))
        at: Any = changed
        for part in parents:
            at = at[part] if isinstance(part, int) else at.setdefault(part, {})
        if value is GONE:
            del at[last]
        else:
            at[last] = copy.deepcopy(value)
    return changed
