"""Each finding of the catalogue has what causes it here; healthy set-ups cause none."""

from __future__ import annotations

import copy
import datetime as dt
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509

from admit._tasks.documents import read_documents
from admit.doctor import CATALOGUE, KINDS, Configuration, Context, Finding, lint
from admit.matching import BUILT_IN
from tests.doctor.configurations import VALID, change

HEALTHY = Path(__file__).parent.parent / "data/webhooks/healthy"

W = "webhooks.0"
R = f"{W}.rules.0"
C = f"{W}.clientConfig"

CA = trustme.CA()
OTHER_CA = trustme.CA()
LEAF = CA.issue_cert("lint.lint.svc").cert_chain_pems[0].bytes()
WRONG_NAME = CA.issue_cert("lint.other.svc").cert_chain_pems[0].bytes()


def bundle(*pems: bytes) -> str:
    return b64encode(b"".join(pems)).decode()


BUNDLE = bundle(CA.cert_pem.bytes())


def find(*contents: dict[str, Any], **known: Any) -> tuple[Finding, ...]:
    configurations = [Configuration.read(c, n) for n, c in enumerate(contents)]
    return lint(configurations, Context(**known))


def severities(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {finding.id: finding.severity for finding in findings}


def rule(*resources: str, **members: Any) -> dict[str, Any]:
    whole = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": [*resources],
    }
    return whole | members


EVERYTHING = rule("*", apiGroups=["*"], apiVersions=["*"])
PODS = rule("pods")
ELSEWHERE = {
    "matchExpressions": [
        {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": ["lint", "kube-system", "kube-node-lease"],
        }
    ]
}
EXEMPT = {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}

# id, what is changed of the valid configuration, where it is found.
CAUSES: list[tuple[str, dict[str, Any], str]] = [
    ("rejected", {f"{W}.timeoutSeconds": 31}, "webhooks[0].timeoutSeconds"),
    ("rejected", {f"{R}.scope": "x"}, "webhooks[0].rules[0].scope"),
    ("wrong-type", {f"{W}.timeoutSeconds": "5"}, "webhooks[0].timeoutSeconds"),
    (
        "unknown-field",
        {f"{W}.namespaceSelectors": {}},
        "webhooks[0].namespaceSelectors",
    ),
    ("unknown-field", {"spec": {}}, "spec"),
    ("removed-version", {"apiVersion": KINDS[0]}, ""),  # completed below
    ("static-manifest", {"metadata.name": "a.static.k8s.io"}, f"{C}.service"),
    ("blocks-itself", {f"{W}.rules": [PODS]}, R),
    ("blocks-leases", {f"{W}.rules": [EVERYTHING]}, R),
    ("blocks-nodes", {f"{W}.rules": [EVERYTHING]}, R),
    ("blocks-kube-system", {f"{W}.rules": [PODS]}, R),
    ("matches-events", {f"{W}.rules": [EVERYTHING]}, R),
    # An equivalent: nobody named the core's events.
    (
        "matches-events",
        {f"{W}.rules": [rule("events", apiGroups=["events.k8s.io"])]},
        R,
    ),
    ("catch-all-rule", {f"{W}.rules": [EVERYTHING]}, R),
    (
        "ignore-with-long-timeout",
        {f"{W}.failurePolicy": "Ignore", f"{W}.timeoutSeconds": 15},
        f"{W}.timeoutSeconds",
    ),
    (
        "self-grantable-selector",
        {f"{W}.objectSelector": EXEMPT},
        f"{W}.objectSelector.matchExpressions.0",
    ),
    ("missing-subresources", {f"{W}.rules": [PODS]}, R),
    ("exact-match-policy", {f"{W}.matchPolicy": "Exact"}, f"{W}.matchPolicy"),
    ("side-effects-undeclared", {f"{W}.sideEffects": "Some"}, f"{W}.sideEffects"),
    ("never-called", {f"{W}.rules": []}, f"{W}.rules"),
    (
        "excluded-resource",
        {f"{W}.rules": [rule("tokenreviews", apiGroups=["authentication.k8s.io"])]},
        f"{R}.resources.0",
    ),
    (
        "excluded-resource",
        {
            f"{W}.rules": [
                rule(
                    "validatingwebhookconfigurations",
                    apiGroups=["admissionregistration.k8s.io"],
                )
            ]
        },
        f"{R}.resources.0",
    ),
    ("unknown-resource", {f"{W}.rules": [rule("nodes", "pod")]}, f"{R}.resources.1"),
    (
        "unknown-resource",
        {f"{W}.rules": [rule("qwertyuiop", apiGroups=["apps"])]},
        f"{R}.resources.0",
    ),
    ("subresource-wildcard", {f"{W}.rules": [rule("pods/*")]}, f"{R}.resources.0"),
    (
        "order-dependent-resources",
        {f"{W}.rules": [rule("services", "*")]},
        R,
    ),
    (
        "selector-ignored",
        {
            f"{W}.rules": [rule("nodes")],
            f"{W}.namespaceSelector": {"matchLabels": {"team": "a"}},
        },
        f"{W}.namespaceSelector",
    ),
    (
        "selector-excludes-connect",
        {
            f"{W}.rules": [rule("pods/exec", operations=["CONNECT"])],
            f"{W}.objectSelector": EXEMPT,
        },
        f"{R}.operations",
    ),
    (
        "condition-on-namespace",
        {
            f"{W}.matchConditions": [
                {"name": "a", "expression": "namespaceObject.metadata.name != ''"}
            ]
        },
        f"{W}.matchConditions.0.expression",
    ),
    (
        "only-v1beta1",
        {f"{W}.admissionReviewVersions": ["v1beta1"]},
        f"{W}.admissionReviewVersions",
    ),
    ("trailing-slash", {f"{C}.service.path": "/a/"}, f"{C}.service.path"),
    ("ca-missing", {}, C),
    ("ca-missing", {f"{C}.caBundle": "Cg=="}, f"{C}.caBundle"),
    ("ca-not-pem", {f"{C}.caBundle": "Zm9v"}, f"{C}.caBundle"),
    ("ca-not-pem", {f"{C}.caBundle": bundle(BUNDLE.encode())}, f"{C}.caBundle"),
    ("local-url", {C: {"url": "https://127.0.0.1:8443/a"}}, f"{C}.url"),
    ("local-url", {C: {"url": "https://localhost"}}, f"{C}.url"),
]


def to_path(dotted: str) -> tuple[str | int, ...]:
    parts = dotted.replace("[", ".").replace("]", "").split(".") if dotted else []
    return tuple(int(part) if part.isdigit() else part for part in parts)


@pytest.mark.parametrize(("id", "changes", "place"), CAUSES)
def test_each_finding_has_its_cause(
    id: str, changes: dict[str, Any], place: str
) -> None:
    content = change(changes)
    if id == "removed-version":
        content["apiVersion"] = "admissionregistration.k8s.io/v1beta1"
        place = "apiVersion"
    found = [finding for finding in find(content) if finding.id == id]
    assert [finding.path for finding in found] == [to_path(place)]
    assert found[0].severity == CATALOGUE[id].severity or id == "unknown-resource"
    assert found[0].reason
    assert found[0].name.endswith(f"/{content['metadata']['name']}")


ELSEWHERE_TESTED = {
    "timeouts-exceed-request",
    "no-reinvocation",
    "duplicate-webhook-name",
    "duplicate-configuration",
    "ca-expired",
    "ca-expires-soon",
    "certificate-mismatch",
}


def test_every_finding_of_the_catalogue_is_tested() -> None:
    assert {cause[0] for cause in CAUSES} | ELSEWHERE_TESTED == set(CATALOGUE)


def test_the_valid_configuration_has_nothing_but_a_missing_bundle() -> None:
    assert list(severities(find(VALID))) == ["ca-missing"]
    assert find(change({f"{C}.caBundle": BUNDLE})) == ()


@pytest.mark.parametrize("file", sorted(HEALTHY.glob("*.yaml")), ids=lambda f: f.stem)
def test_healthy_set_ups_have_no_errors(file: Path) -> None:
    documents = read_documents([str(file)])
    spaces = {
        d.content["metadata"]["name"]: d.content["metadata"].get("labels", {})
        for d in documents
        if d.content["kind"] == "Namespace"
    }
    ours = [d.content for d in documents if d.content["kind"] in KINDS]
    assert ours
    found = find(*ours, namespaces=spaces)
    assert [f for f in found if f.severity == "error"] == []
    expected = {"gatekeeper": {"catch-all-rule"}}.get(file.stem, set())
    assert {f.id for f in found if f.severity == "warning"} == expected


def test_all_healthy_set_ups_together_have_no_errors() -> None:
    documents = read_documents([str(HEALTHY)])
    ours = [d.content for d in documents if d.content["kind"] in KINDS]
    assert "error" not in severities(find(*ours)).values()


EXCLUDED = {f"{W}.rules": [PODS], f"{W}.namespaceSelector": ELSEWHERE}


def test_an_excluded_namespace_is_seen_by_the_matcher() -> None:
    found = severities(find(change(EXCLUDED)))
    assert not {"blocks-itself", "blocks-kube-system"} & set(found)


def test_a_text_that_names_the_namespace_is_no_proof() -> None:
    included = copy.deepcopy(ELSEWHERE)
    included["matchExpressions"][0]["operator"] = "In"
    found = severities(
        find(change({f"{W}.rules": [PODS], f"{W}.namespaceSelector": included}))
    )
    assert found["blocks-itself"] == "error"


OPT_OUT = {f"{W}.rules": [PODS], f"{W}.namespaceSelector": EXEMPT}


@pytest.mark.parametrize(
    ("labels", "severity"),
    [(None, "info"), ({"skip": "true"}, None), ({}, "error")],
)
def test_what_a_selector_makes_of_the_own_namespace_depends_on_its_labels(
    labels: dict[str, str] | None, severity: str | None
) -> None:
    spaces = {} if labels is None else {"lint": labels}
    found = severities(find(change(OPT_OUT), namespaces=spaces))
    assert found.get("blocks-itself") == severity


def test_a_webhook_elsewhere_is_not_blocked_by_itself() -> None:
    at_url = {C: {"url": "https://hooks.example.com/a"}, f"{W}.rules": [PODS]}
    assert "blocks-itself" not in severities(find(change(at_url)))


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, "error"),
        ({f"{W}.failurePolicy": "Ignore"}, "warning"),
        ({f"{W}.failurePolicy": "Ignore", f"{W}.timeoutSeconds": 3}, None),
        ({f"{W}.namespaceSelector": EXEMPT}, "warning"),
        ({f"{W}.namespaceSelector": ELSEWHERE}, None),
        ({f"{W}.matchConditions": [{"name": "a", "expression": "true"}]}, "info"),
        ({f"{W}.objectSelector": {"matchLabels": {"a": "b"}}}, None),
    ],
)
def test_how_bad_it_is_to_see_leases(
    changes: dict[str, Any], severity: str | None
) -> None:
    found = severities(find(change({f"{W}.rules": [EVERYTHING], **changes})))
    assert found.get("blocks-leases") == severity


def mutators(*seconds: int, **members: Any) -> list[dict[str, Any]]:
    found = []
    for number, timeout in enumerate(seconds):
        content = change({f"{W}.rules": [PODS], **members}, mutating=True)
        content["metadata"]["name"] = f"mutate-{number}"
        content["webhooks"][0]["name"] = f"m{number}.lint.example.com"
        content["webhooks"][0]["timeoutSeconds"] = timeout
        found.append(content)
    return found


@pytest.mark.parametrize(
    ("mutating", "validating", "found"),
    [((10, 10), 14, False), ((10, 10), 15, True), ((30,), 5, True), ((), 30, False)],
)
def test_time_outs_add_up(
    mutating: tuple[int, ...], validating: int, *, found: bool
) -> None:
    other = change({f"{W}.rules": [PODS], f"{W}.timeoutSeconds": validating})
    ids = severities(find(*mutators(*mutating), other))
    assert ("timeouts-exceed-request" in ids) == found


def test_webhooks_that_exclude_each_other_do_not_add_up() -> None:
    first, second = mutators(20, 20)
    first["webhooks"][0]["objectSelector"] = {"matchLabels": {"side": "a"}}
    second["webhooks"][0]["objectSelector"] = {"matchLabels": {"side": "b"}}
    assert "timeouts-exceed-request" not in severities(find(first, second))
    second["webhooks"][0]["objectSelector"] = {"matchLabels": {"other": "b"}}
    assert "timeouts-exceed-request" in severities(find(first, second))


def test_more_labels_than_can_be_tried_count_as_if_all_were_called() -> None:
    contents = mutators(20, 20)
    for number, content in enumerate(contents):
        content["webhooks"][0]["objectSelector"] = {
            "matchLabels": {f"k{number}-{key}": "v" for key in range(8)}
        }
    assert "timeouts-exceed-request" in severities(find(*contents))


def test_a_mutator_of_pods_is_asked_again_or_reported() -> None:
    assert severities(find(*mutators(5)))["no-reinvocation"] == "info"
    again = mutators(5, **{f"{W}.reinvocationPolicy": "IfNeeded"})
    assert "no-reinvocation" not in severities(find(*again))


def test_subresources_that_are_covered_are_not_missed() -> None:
    all_of_pods = rule("pods", "pods/ephemeralcontainers", "pods/resize")
    found = find(change({f"{W}.rules": [all_of_pods]}))
    assert "missing-subresources" not in severities(found)


def test_to_exclude_what_is_not_there_does_no_harm() -> None:
    nodes = {f"{W}.rules": [rule("nodes")], f"{W}.namespaceSelector": ELSEWHERE}
    assert severities(find(change(nodes)))["selector-ignored"] == "info"


def test_a_resize_alone_is_a_small_gap() -> None:
    nearly_all = rule("pods", "pods/ephemeralcontainers")
    found = find(change({f"{W}.rules": [nearly_all]}))
    assert severities(found)["missing-subresources"] == "info"


def test_names_that_are_there_twice() -> None:
    second = change({"metadata.name": "second"})
    ids = severities(find(VALID, second))
    assert ids["duplicate-webhook-name"] == "warning"
    assert "duplicate-configuration" not in ids
    assert "duplicate-configuration" in severities(find(VALID, VALID))
    # A mutating one of the same name is told apart.
    assert "duplicate-webhook-name" not in severities(
        find(VALID, change({"metadata.name": "second"}, mutating=True))
    )


END = x509.load_pem_x509_certificate(CA.cert_pem.bytes()).not_valid_after_utc


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (END - dt.timedelta(days=31), []),
        (END - dt.timedelta(days=29), ["ca-expires-soon"]),
        (END, ["ca-expired"]),
    ],
)
def test_a_bundle_that_expires(now: dt.datetime, expected: list[str]) -> None:
    content = change({f"{C}.caBundle": BUNDLE})
    assert [finding.id for finding in find(content, now=now)] == expected


@pytest.mark.parametrize(
    ("given", "pems", "reason"),
    [
        (LEAF, [CA.cert_pem.bytes()], None),
        (LEAF, [OTHER_CA.cert_pem.bytes(), CA.cert_pem.bytes()], None),
        (LEAF, [LEAF], None),
        (LEAF, [OTHER_CA.cert_pem.bytes()], "no certificate in caBundle has signed it"),
        (WRONG_NAME, [CA.cert_pem.bytes()], "it is for lint.other.svc, not for lint."),
        (b"nothing", [CA.cert_pem.bytes()], "holds no certificate"),
        (CA.cert_pem.bytes(), [CA.cert_pem.bytes()], "it is for no name"),
    ],
)
def test_a_serving_certificate_is_held_against_the_bundle(
    given: bytes, pems: list[bytes], reason: str | None
) -> None:
    content = change({f"{C}.caBundle": bundle(*pems)})
    found = find(content, serving_certificate=given)
    assert [f.id for f in found] == (["certificate-mismatch"] if reason else [])
    assert reason is None or reason in found[0].reason


def test_a_chain_leads_through_an_intermediate_to_the_bundle() -> None:
    between = CA.create_child_ca()
    issued = between.issue_cert("*.lint.svc")
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    content = change({f"{C}.caBundle": BUNDLE})
    assert find(content, serving_certificate=chain) == ()
    alone = issued.cert_chain_pems[0].bytes()
    (found,) = find(content, serving_certificate=alone)
    assert "has signed it" in found.reason


def test_a_certificate_for_a_url_has_its_host() -> None:
    leaf = CA.issue_cert("10.1.2.3").cert_chain_pems[0].bytes()
    at = {C: {"url": "https://10.1.2.3:8443/a", "caBundle": BUNDLE}}
    assert find(change(at), serving_certificate=leaf) == ()
    late = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)
    ids = severities(find(change(at), serving_certificate=leaf, now=late))
    assert set(ids) == {"ca-expired", "certificate-mismatch"}


def test_a_bundle_with_something_broken_in_it_is_read_as_go_reads_it() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n"
    content = change({f"{C}.caBundle": bundle(broken, CA.cert_pem.bytes())})
    assert find(content, serving_certificate=LEAF) == ()


def test_a_url_that_is_none_has_no_host_to_compare() -> None:
    content = change({C: {"url": "https://a:b", "caBundle": BUNDLE}})
    ids = severities(find(content, serving_certificate=LEAF))
    assert set(ids) == {"rejected", "certificate-mismatch"}


STATIC = {
    "metadata.name": "a.static.k8s.io",
    C: {"url": "https://localhost:10443/a"},
}


def test_a_static_manifest_may_be_local_and_see_configurations() -> None:
    configurations = rule("*", apiGroups=["admissionregistration.k8s.io"])
    assert find(change({**STATIC, f"{W}.rules": [configurations]})) == ()


def test_static_manifests_have_rules_of_their_own() -> None:
    def static(content: dict[str, Any]) -> list[str]:
        read = Configuration.read(content, 0, static=True)
        return [f.reason for f in lint([read], Context()) if f.id == "static-manifest"]

    assert static(change(STATIC)) == []
    reasons = static(VALID)
    assert reasons == [
        '"lint-me" must have a name ending with ".static.k8s.io"',
        (
            'webhook "pods.lint.example.com" in "lint-me": clientConfig.service is not '
            "supported for static manifests; use clientConfig.url instead"
        ),
    ]
    old = change(STATIC) | {"apiVersion": "admissionregistration.k8s.io/v1beta1"}
    assert static(old) == ["static manifests are of admissionregistration.k8s.io/v1"]


def test_two_static_manifests_of_one_name() -> None:
    ids = severities(find(change(STATIC), change(STATIC)))
    assert ids["static-manifest"] == "error"


def test_custom_resources_are_what_the_definitions_say() -> None:
    definition = {
        "spec": {
            "group": "coordination.k8s.io.example.com",
            "names": {"kind": "A", "plural": "as"},
            "versions": [{"name": "v1"}],
        }
    }
    known = BUILT_IN.with_custom([definition])
    assert list(severities(find(VALID, equivalents=known))) == ["ca-missing"]


def test_what_cannot_be_decoded_is_judged_no_further() -> None:
    broken = change({f"{W}.rules": [EVERYTHING], f"{W}.timeoutSeconds": "5"})
    assert list(severities(find(broken))) == ["wrong-type"]


def test_the_catalogue_is_complete() -> None:
    for name, check in CATALOGUE.items():
        assert name == check.id == name.lower()
        assert check.why.endswith(".")
        assert check.link.startswith("https://kubernetes.io/docs/")
        assert check.hint
