from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from admit._tasks.manifests import (
    ManifestsOptions,
    ManifestsReport,
    generate_manifests,
)
from admit._tasks.rules import merge_rules
from admit.errors import CertificateError, ConfigError, PolicyError
from admit.webhook import Rule
from tests.commands import POLICIES, write

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
from admit import App, ConfigMap, ClusterRole, Deployment, Node, Pod, Resource, Service

app = App("app", domain="example.com")

"""

SYSTEM = ["kube-node-lease", "kube-public", "kube-system"]
NAME = "kubernetes.io/metadata.name"


def generate(folder: Path, policies: str, **options: Any) -> ManifestsReport:
    source = write(folder / "policies.py", policies)
    options = {"url": "https://127.0.0.1:8443"} | options
    return generate_manifests(ManifestsOptions(source=str(source), **options))


def entry(folder: Path, policies: str, **options: Any) -> dict[str, Any]:
    """The one entry of the one configuration."""
    (configuration,) = generate(folder, HEAD + policies, **options).configurations
    (webhook,) = configuration["webhooks"]
    found: dict[str, Any] = webhook
    return found


def conditions(webhook: dict[str, Any]) -> dict[str, str]:
    return {c["name"]: c["expression"] for c in webhook.get("matchConditions", ())}


def test_every_default_is_written_out(tmp_path: Path) -> None:
    report = generate(tmp_path, POLICIES, url="", service="admit-pod-labels/pod-labels")
    mutating, validating = report.configurations
    assert mutating["kind"] == "MutatingWebhookConfiguration"
    assert mutating["webhooks"][0]["reinvocationPolicy"] == "IfNeeded"
    assert validating == {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": "pod-labels.example.com",
            "labels": {"app.kubernetes.io/managed-by": "admit"},
        },
        "webhooks": [
            {
                "name": "validate.pod-labels.example.com",
                "clientConfig": {
                    "service": {
                        "name": "pod-labels",
                        "namespace": "admit-pod-labels",
                        "path": "/validate",
                        "port": 443,
                    }
                },
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods"],
                        "scope": "Namespaced",
                    }
                ],
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {
                    "matchExpressions": [
                        {
                            "key": NAME,
                            "operator": "NotIn",
                            "values": ["admit-pod-labels", *SYSTEM],
                        }
                    ]
                },
                "objectSelector": {},
                "sideEffects": "None",
                "timeoutSeconds": 10,
                "admissionReviewVersions": ["v1", "v1beta1"],
            }
        ],
    }


def test_the_certificates_of_the_ca_file_and_nothing_else_are_copied(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    pem, key = authority.cert_pem.bytes(), authority.private_key_pem.bytes()
    file = tmp_path / "ca.pem"
    file.write_bytes(b"a comment\n" + key + pem)
    webhook = entry(
        tmp_path, "@app.validate\ndef check(pod: Pod): ...\n", ca_file=str(file)
    )
    bundle = base64.b64decode(webhook["clientConfig"]["caBundle"])
    assert bundle.split() == pem.split()
    assert webhook["clientConfig"]["url"] == "https://127.0.0.1:8443/validate"


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"url": "https://a.example.com/base/"}, "only the roots of its own machine"),
        ({"url": "", "service": "a/b"}, "no public authority signs b.a.svc"),
    ],
)
def test_a_missing_ca_is_told(
    tmp_path: Path, options: dict[str, str], note: str
) -> None:
    report = generate(tmp_path, POLICIES, **options)
    assert note in report.notes[0]
    client_config = report.configurations[0]["webhooks"][0]["clientConfig"]
    assert "caBundle" not in client_config
    if options["url"]:
        assert client_config["url"] == "https://a.example.com/base/mutate"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "", "service": ""}, "must be told one address"),
        ({"service": "a/b"}, "must be told one address"),
        ({"url": "http://a"}, "https addresses only"),
        ({"url": "https://"}, "no host"),
        ({"url": "https://a:0"}, "no host or port"),
        ({"url": "https://a:99999"}, "is no URL"),
        ({"url": "https://me@a"}, "neither user"),
        ({"url": "https://a?b=c"}, "neither user"),
        ({"url": "", "service": "b"}, "is not NAMESPACE/NAME"),
        ({"url": "", "service": "a/b:0"}, "is not NAMESPACE/NAME"),
        ({"url": "", "service": "A/b"}, "is not NAMESPACE/NAME"),
        ({"ca_file": "none.pem"}, "cannot be read"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(
    tmp_path: Path, options: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        generate(tmp_path, POLICIES, **options)


def test_a_ca_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "ca.pem", "nothing\n")
    with pytest.raises(CertificateError, match="no certificate"):
        generate(tmp_path, POLICIES, ca_file=str(file))


@pytest.mark.parametrize(
    ("policies", "operator", "values"),
    [
        ("@app.validate\ndef a(pod: Pod): ...\n", "NotIn", SYSTEM),
        (
            (
                '@app.validate(namespaces=["b", "a"])\ndef x(pod: Pod): ...\n'
                '@app.validate(namespaces=["c"])\ndef y(pod: Pod): ...\n'
            ),
            "In",
            ["a", "b", "c"],
        ),
        (
            (
                '@app.validate(exempt_namespaces=["a", "b"])\ndef x(pod: Pod): ...\n'
                '@app.validate(exempt_namespaces=["b", "c"])\ndef y(pod: Pod): ...\n'
            ),
            "NotIn",
            ["b", *SYSTEM],
        ),
        (
            (
                '@app.validate(exempt_namespaces=["a", "b"])\ndef x(pod: Pod): ...\n'
                '@app.validate(namespaces=["a"])\ndef y(pod: Pod): ...\n'
            ),
            "NotIn",
            ["b", *SYSTEM],
        ),
        (
            (
                '@app.validate(namespaces=["a"])\ndef x(pod: Pod): ...\n'
                "@app.validate\ndef y(pod: Pod): ...\n"
            ),
            "NotIn",
            SYSTEM,
        ),
        (
            (
                '@app.validate(namespaces=["a", "b"], exempt_namespaces=["b"])\n'
                "def x(pod: Pod): ...\n"
            ),
            "In",
            ["a"],
        ),
        (
            '@app.validate(namespaces=["kube-system"])\ndef x(pod: Pod): ...\n',
            "In",
            ["kube-system"],
        ),
    ],
)
def test_namespaces_become_a_selector(
    tmp_path: Path, policies: str, operator: str, values: list[str]
) -> None:
    selector = entry(tmp_path, policies)["namespaceSelector"]
    assert selector["matchExpressions"] == [
        {"key": NAME, "operator": operator, "values": values}
    ]


def test_a_system_namespace_that_one_policy_names_is_told_to_the_others(
    tmp_path: Path,
) -> None:
    report = generate(
        tmp_path,
        HEAD + '@app.validate(namespaces=["kube-system"])\ndef x(pod: Pod): ...\n'
        "@app.validate\ndef y(pod: Pod): ...\n",
    )
    webhook = report.configurations[0]["webhooks"][0]
    values = webhook["namespaceSelector"]["matchExpressions"][0]["values"]
    assert values == ["kube-node-lease", "kube-public"]
    assert "a policy names kube-system, so y in the same" in report.notes[-1]


def test_a_selector_without_terms_selects_everything(tmp_path: Path) -> None:
    webhook = entry(
        tmp_path,
        f"@app.validate(namespaces={SYSTEM})\ndef x(pod: Pod): ...\n"
        "@app.validate\ndef y(pod: Pod): ...\n",
    )
    assert webhook["namespaceSelector"] == {}


def test_namespaces_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="leaves none") as caught:
        entry(
            tmp_path,
            '@app.validate(namespaces=["a"], exempt_namespaces=["a"])\n'
            "def x(pod: Pod): ...\n",
        )
    assert "policies.py:" in (caught.value.place or "")


@pytest.mark.parametrize(
    ("second", "selector"),
    [
        (
            "app=web",
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
        ),
        ("app=other", {}),
        ("", {}),
    ],
)
def test_labels_on_which_all_agree_become_a_selector(
    tmp_path: Path, second: str, selector: dict[str, Any]
) -> None:
    webhook = entry(
        tmp_path,
        '@app.validate(labels="app=web")\ndef x(pod: Pod): ...\n'
        f'@app.validate(labels="{second}")\ndef y(pod: Pod): ...\n',
    )
    assert webhook["objectSelector"] == selector


def test_labels_on_connect_are_told_to_be_in_vain(tmp_path: Path) -> None:
    report = generate(
        tmp_path,
        HEAD + '@app.validate(operations=["CONNECT"], resources=["pods/exec"], '
        'labels="a=b")\ndef x(any: Resource): ...\n',
    )
    assert "x is never asked on CONNECT" in report.notes[-1]


def test_when_becomes_a_match_condition(tmp_path: Path) -> None:
    webhook = entry(
        tmp_path,
        "@app.validate(when=\"request.name != 'a'\")\ndef x(pod: Pod): ...\n",
    )
    assert conditions(webhook) == {"when": "request.name != 'a'"}
    assert webhook["name"] == "validate-x.app.example.com"


def test_wildcards_spare_what_a_cluster_needs_to_start(tmp_path: Path) -> None:
    webhook = entry(
        tmp_path, '@app.validate(resources=["*/*"])\ndef x(any: Resource): ...\n'
    )
    assert conditions(webhook) == {
        "not-needed-to-start": (
            '!(request.resource.group in ["admissionregistration.k8s.io", '
            '"authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io", '
            '"coordination.k8s.io", "events.k8s.io"] || request.resource.group == "" '
            '&& request.resource.resource in ["events", "nodes"])'
        ),
        "not-status": (
            '!(has(request.subResource) && request.subResource == "status")'
        ),
        "not-the-api-server": 'request.userInfo.username != "system:apiserver"',
    }


@pytest.mark.parametrize(
    ("resources", "kind", "names"),
    [
        ('["*.apps"]', "Resource", set()),
        ('["*.coordination.k8s.io"]', "Resource", {"not-needed-to-start"}),
        ('["*"]', "Pod", {"not-needed-to-start", "not-the-api-server"}),
        ('["nodes"]', "Node", set()),
        ('["pods/*"]', "Pod", {"not-status"}),
        ('["pods/*", "pods/status"]', "Pod", set()),
        ('["services"]', "Service", {"not-the-api-server"}),
        ('["clusterroles"]', "ClusterRole", {"not-the-api-server"}),
    ],
)
def test_only_what_the_rules_cover_is_spared(
    tmp_path: Path, resources: str, kind: str, names: set[str]
) -> None:
    policy = f"@app.validate(resources={resources})\ndef x(any: {kind}): ...\n"
    assert set(conditions(entry(tmp_path, policy))) == names


def test_what_somebody_names_beside_a_wildcard_is_not_spared(tmp_path: Path) -> None:
    webhook = entry(
        tmp_path,
        '@app.validate(resources=["*.*"])\ndef x(any: Resource): ...\n'
        '@app.validate(resources=["nodes", "leases.coordination.k8s.io/*"])\n'
        "def y(any: Resource): ...\n",
    )
    assert conditions(webhook)["not-needed-to-start"].endswith(
        ' || request.resource.group == "" && request.resource.resource == "nodes" && '
        '!has(request.subResource) || request.resource.group == "coordination.k8s.io" '
        '&& request.resource.resource == "leases"'
    )


def test_several_apps_make_several_configurations_at_their_own_paths(
    tmp_path: Path,
) -> None:
    for name in ("one", "two"):
        write(
            tmp_path / f"folder/{name}.py",
            HEAD.replace('"app"', f'"{name}"')
            + "@app.validate\ndef check(pod: Pod): ...\n",
        )
    report = generate_manifests(
        ManifestsOptions(source=str(tmp_path / "folder"), url="https://a")
    )
    assert [
        (c["metadata"]["name"], c["webhooks"][0]["clientConfig"]["url"])
        for c in report.configurations
    ] == [
        ("one.example.com", "https://a/one/validate"),
        ("two.example.com", "https://a/two/validate"),
    ]


def rule(*resources: str, operations: str = "CREATE", **more: Any) -> Rule:
    return Rule(
        api_groups=more.get("groups", ("",)),
        api_versions=("v1",),
        operations=tuple(operations.split()),
        resources=resources,
        scope=more.get("scope", "*"),
    )


@pytest.mark.parametrize(
    ("rules", "merged"),
    [
        ([rule("pods"), rule("services")], [rule("pods", "services")]),
        (
            [rule("pods"), rule("pods", operations="UPDATE")],
            [rule("pods", operations="CREATE UPDATE")],
        ),
        (
            [
                rule("a"),
                rule("a", operations="UPDATE"),
                rule("b", operations="CREATE UPDATE"),
            ],
            [rule("a", "b", operations="CREATE UPDATE")],
        ),
        ([rule("*"), rule("pods")], [rule("*")]),
        ([rule("*/*"), rule("*"), rule("pods/status")], [rule("*/*")]),
        ([rule("pods/*"), rule("pods"), rule("pods/exec")], [rule("pods/*")]),
        ([rule("*/scale"), rule("a/scale"), rule("a")], [rule("*/scale", "a")]),
        (
            [rule("pods", operations="CREATE UPDATE"), rule("pods")],
            [rule("pods", operations="CREATE UPDATE")],
        ),
        (
            [rule("*/*", groups=("*",)), rule("pods", scope="Namespaced")],
            [rule("*/*", groups=("*",))],
        ),
        (
            [rule("b", groups=("x",)), rule("a")],
            [rule("a"), rule("b", groups=("x",))],
        ),
        (
            [rule("a", scope="Cluster"), rule("a", scope="Namespaced")],
            [rule("a", scope="Cluster"), rule("a", scope="Namespaced")],
        ),
    ],
)
def test_rules_are_merged(rules: list[Rule], merged: list[Rule]) -> None:
    assert list(merge_rules(rules)) == merged
    assert list(merge_rules(reversed(rules))) == merged
