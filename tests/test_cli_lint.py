from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from admit.doctor import CATALOGUE
from tests.commands import invoke, write
from tests.doctor.configurations import VALID, change

GOOD = VALID

BAD = """
# A comment.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: policies
webhooks:
- name: validate.policies.example.com
  clientConfig:
    service: {name: webhook, namespace: policies}
  rules:
  - apiGroups: [""]
    apiVersions: ["v1"]
    operations: ["CREATE", "UPDATE"]
    resources: ["pods", "pods/ephemeralcontainers", "pods/resize"]
  sideEffects: None
  admissionReviewVersions: ["v1"]
  timeoutSeconds: 31
"""


def lint(*arguments: object, input: str | None = None) -> tuple[int, dict[str, Any]]:
    result = invoke("lint", *arguments, "-o", "json", input=input)
    assert result.exit_code in {0, 1}, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, report


def places(report: dict[str, Any]) -> set[tuple[str, int]]:
    return {(found["id"], found["line"]) for found in report["findings"]}


def test_findings_are_written_for_people(tmp_path: Path) -> None:
    file = write(tmp_path / "bad.yaml", BAD)
    result = invoke("lint", file)
    assert result.exit_code == 1
    assert result.stdout.startswith(
        f"{file}:17: error: webhooks[0].timeoutSeconds: Invalid value: 31: the timeout "
        "value must be between 1 and 30 seconds [rejected]\n"
        "    validate.policies.example.com, webhooks[0].timeoutSeconds\n"
        "    hint: write what the text asks for\n"
    )
    assert result.stdout.endswith(
        "\n2 errors, 1 warning, 1 info in 1 configuration with 1 webhook.\n"
    )


def test_a_good_configuration_says_so(tmp_path: Path) -> None:
    bundle = {"webhooks.0.clientConfig.url": "https://hooks.example.com"}
    good = change(bundle)
    del good["webhooks"][0]["clientConfig"]["service"]
    file = write(tmp_path / "good.json", json.dumps(good))
    result = invoke("lint", file)
    assert result.exit_code == 0
    assert result.stdout == "Nothing found in 1 configuration with 1 webhook.\n"


MEMBERS = {
    *("id", "severity", "configuration", "webhook", "file", "line", "path", "reason"),
    *("hint", "link"),
}


def test_the_json_is_the_documented_one(tmp_path: Path) -> None:
    code, report = lint(write(tmp_path / "bad.yaml", BAD))
    assert code == 1
    assert set(report) == {"findings", "configurations", "webhooks", "counts"}
    assert report["counts"] == {"error": 2, "warning": 1, "info": 1}
    page = (Path(__file__).parent.parent / "docs/reference/cli-json.md").read_text()
    for found in report["findings"]:
        assert set(found) == MEMBERS
    for member in (*MEMBERS, *report):
        assert f"`{member}`" in page
    assert report["findings"][0]["configuration"] == (
        "ValidatingWebhookConfiguration/policies"
    )


def test_each_finding_has_its_line(tmp_path: Path) -> None:
    _, report = lint(write(tmp_path / "bad.yaml", BAD))
    assert places(report) == {
        ("rejected", 17),
        ("blocks-itself", 11),
        ("blocks-kube-system", 11),
        ("ca-missing", 8),
    }


LIST = {"apiVersion": "v1", "kind": "List"}
SECRET = {"apiVersion": "v1", "kind": "Secret"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        json.dumps(GOOD, indent=1),
        "---\n---\n# x\n" + yaml.safe_dump(GOOD),
        json.dumps({**LIST, "items": [GOOD]}),
        yaml.safe_dump({**LIST, "items": [SECRET, GOOD]}),
        yaml.safe_dump({**LIST, "items": [SECRET, {**LIST, "items": [GOOD]}]}),
    ],
)
def test_lines_are_found_in_every_form(tmp_path: Path, text: str) -> None:
    _, report = lint(write(tmp_path / "given.yaml", text))
    (found,) = report["findings"]
    assert "clientConfig" in text.splitlines()[found["line"] - 1]


def test_of_several_json_values_the_line_is_that_of_the_object(tmp_path: Path) -> None:
    # They are no YAML, which alone knows the lines of members.
    text = f"{json.dumps(SECRET, indent=1)}\n{json.dumps(GOOD, indent=1)}"
    _, report = lint(write(tmp_path / "given.json", text))
    (found,) = report["findings"]
    assert found["line"] == 5


def test_what_is_missing_is_told_where_it_should_be(tmp_path: Path) -> None:
    short = change({"webhooks": [{}], "metadata": {"name": "a"}})
    text = yaml.safe_dump(short)
    _, report = lint(write(tmp_path / "given.yaml", text))
    assert {text.splitlines()[f["line"] - 1] for f in report["findings"]} == {"- {}"}


def test_standard_input_has_lines_too() -> None:
    code, report = lint("-", input=BAD)
    assert code == 1
    rejected = next(f for f in report["findings"] if f["id"] == "rejected")
    assert (rejected["file"], rejected["line"]) == ("-", 18)


@pytest.mark.parametrize(
    ("severity", "code"), [("error", 0), ("warning", 1), ("info", 1)]
)
def test_the_exit_code_is_of_the_severity(
    tmp_path: Path, severity: str, code: int
) -> None:
    warned = change({"webhooks.0.rules": []})
    file = write(tmp_path / "warned.json", json.dumps(warned))
    assert lint(file, "--severity", severity)[0] == code


def test_namespaces_in_the_files_are_known(tmp_path: Path) -> None:
    opt_out = BAD.replace("31", "5") + (
        "  namespaceSelector:\n"
        "    matchExpressions:\n"
        "    - {key: skip, operator: DoesNotExist}\n"
    )
    space = "\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: policies}\n"
    _, alone = lint("-", input=opt_out)
    code, known = lint("-", input=opt_out + space)
    severities = [
        [f["severity"] for f in report["findings"] if f["id"] == "blocks-itself"]
        for report in (alone, known)
    ]
    assert severities == [["info"], ["error"]]
    assert code == 1


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "a.example.com"},
}


@pytest.mark.parametrize("spec", [{}, {"spec": None}, {"spec": {"versions": 1}}])
def test_a_broken_definition_is_not_looked_at(spec: dict[str, Any]) -> None:
    both = f"{json.dumps(CRD | spec)}\n{json.dumps(GOOD)}"
    assert lint("-", input=both)[1]["configurations"] == 1


def test_files_without_configurations_are_a_mistake(tmp_path: Path) -> None:
    file = write(tmp_path / "pod.yaml", "apiVersion: v1\nkind: Pod\n")
    result = invoke("lint", file)
    assert result.exit_code == 2
    assert "no webhook configurations in" in result.stderr
    assert "helm template CHART | admit lint -" in result.stderr


def test_a_serving_certificate_is_read(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = tmp_path / "tls.crt"
    authority.issue_cert("other.lint.svc").cert_chain_pems[0].write_to_path(leaf)
    bundle = authority.cert_pem.bytes()
    text = b64encode(bundle).decode()
    given = json.dumps(change({"webhooks.0.clientConfig.caBundle": text}))
    code, report = lint("-", "--serving-cert", leaf, input=given)
    assert code == 1
    (found,) = report["findings"]
    assert found["reason"] == "it is for other.lint.svc, not for lint.lint.svc"
    missing = invoke("lint", "-", "--serving-cert", tmp_path / "none", input=given)
    assert missing.exit_code == 2
    assert "cannot be read" in missing.stderr


def test_all_may_be_static_manifests() -> None:
    code, report = lint("-", "--static", input=json.dumps(GOOD))
    assert code == 1
    ids = [found["id"] for found in report["findings"]]
    assert ids.count("static-manifest") == 2


def test_sarif_has_a_place_and_a_rule_for_each_finding(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    file = write(folder / "bad.yaml", BAD)
    result = invoke("lint", folder, "-o", "sarif")
    assert result.exit_code == 1
    log = json.loads(result.stdout)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CATALOGUE)
    assert {rule["defaultConfiguration"]["level"] for rule in rules} == {
        *("error", "warning", "note"),
    }
    first = run["results"][0]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "rejected"
    assert first["level"] == "error"
    (location,) = first["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": str(file).replace(" ", "%20")},
        "region": {"startLine": 17},
    }
    assert location["logicalLocations"] == [
        {
            "fullyQualifiedName": "ValidatingWebhookConfiguration/policies."
            "webhooks[0].timeoutSeconds"
        }
    ]


EVERYTHING = """
from admit import App, Deny, Resource

app = App("everything", domain="example.com")


@app.validate(resources=["*/*"], operations=["CREATE", "UPDATE", "DELETE"])
def nothing_at_all(object: Resource) -> None:
    raise Deny("no")
"""

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*/policies.py"))


@pytest.mark.parametrize("example", [None, *EXAMPLES])
def test_what_admit_generates_cannot_lock_a_cluster(
    tmp_path: Path, example: Path | None
) -> None:
    policies = example or write(tmp_path / "policies.py", EVERYTHING)
    generated = invoke("manifests", policies)
    assert generated.exit_code == 0, generated.output
    code, report = lint("-", input=generated.stdout)
    assert code == 0, report["findings"]


def test_a_name_that_a_terminal_would_obey_is_only_shown() -> None:
    evil = change({"metadata.name": "a\x1b[31m"})
    result = invoke("lint", "-", input=json.dumps(evil))
    assert "\x1b" not in result.stdout
