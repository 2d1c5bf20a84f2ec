from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from admit._tasks.chart import write_chart
from admit._tasks.deployment import ReleaseOptions, generate_release
from admit._tasks.kustomize import write_kustomize
from admit._tasks.templating import Template, find_members
from admit._tasks.values import VALUES
from admit.deployment import DeploymentOptions
from tests.commands import POLICIES, invoke, write


def order(folder: Path, **given: Any) -> ReleaseOptions:
    source = write(folder / "policies.py", POLICIES)
    return ReleaseOptions(source=str(source), deployment=DeploymentOptions(**given))


def values(folder: Path, **given: Any) -> dict[str, Any]:
    write_chart(order(folder, **given), folder / "chart")
    found: dict[str, Any] = yaml.safe_load((folder / "chart/values.yaml").read_text())
    return found


def test_a_base_lists_every_object_in_the_order_of_applying(tmp_path: Path) -> None:
    release = generate_release(order(tmp_path))
    files = write_kustomize(release, tmp_path / "base")
    kustomization = yaml.safe_load((tmp_path / "base/kustomization.yaml").read_text())
    named = [tmp_path / "base" / name for name in kustomization["resources"]]
    assert [tmp_path / "base/kustomization.yaml", *named] == [*files]
    read = [yaml.safe_load(file.read_text()) for file in named]
    assert read == [*release.objects, *release.configurations]
    assert kustomization["sortOptions"] == {"order": "fifo"}


def test_files_of_another_time_do_not_stay(tmp_path: Path) -> None:
    base = tmp_path / "base"
    write_kustomize(generate_release(order(tmp_path, max_replicas=3)), base)
    own = write(base / "mine.yaml", "# mine\n")
    assert (base / "horizontalpodautoscaler.yaml").exists()
    write_kustomize(generate_release(order(tmp_path)), base)
    assert not (base / "horizontalpodautoscaler.yaml").exists()
    assert own.exists()
    chart = tmp_path / "chart"
    write_chart(order(tmp_path), chart)
    text = "{{- /* Written by admit, which writes it anew: change it from outside. */}}"
    old = write(chart / "templates/old.yaml", text)
    write_chart(order(tmp_path), chart)
    assert not old.exists()


def test_a_chart_has_the_values_of_its_options(tmp_path: Path) -> None:
    found = values(
        tmp_path,
        replicas=3,
        max_replicas=6,
        image="registry.example.com:5000/admit:1.0",
        modes={"require_app_label": "warn"},
        priority_class="",
        network_policy=False,
        api_servers=("10.0.0.0/8",),
        monitoring=True,
        monitoring_labels={"release": "a"},
    )
    assert list(found) == list(VALUES)
    assert found["replicas"] == 3
    assert found["autoscaling"]["enabled"] is True
    assert found["autoscaling"]["maxReplicas"] == 6
    assert found["image"] == {
        "repository": "registry.example.com:5000/admit",
        "tag": "1.0",
        "pullPolicy": "IfNotPresent",
    }
    assert found["modes"] == {"require_app_label": "warn"}
    assert found["priorityClassName"] == ""
    assert found["networkPolicy"] == {"enabled": False, "apiServers": ["10.0.0.0/8"]}
    assert found["monitoring"] == {"enabled": True, "labels": {"release": "a"}}


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("admit", "admit", ""),
        ("localhost:5000/admit", "localhost:5000/admit", ""),
        ("a/b:1", "a/b", "1"),
        ("a/b:1@sha256:0123", "a/b:1@sha256:0123", ""),
    ],
)
def test_a_tag_is_a_value_of_its_own_unless_there_is_a_digest(
    tmp_path: Path, image: str, repository: str, tag: str
) -> None:
    found = values(tmp_path, image=image)["image"]
    assert (found["repository"], found["tag"]) == (repository, tag)


def test_the_schema_knows_every_value_and_no_other(tmp_path: Path) -> None:
    found = values(tmp_path)
    schema = json.loads((tmp_path / "chart/values.schema.json").read_text())
    assert schema["additionalProperties"] is False
    assert {*schema["properties"]} == {*found, "global"}
    for name, rule in schema["properties"].items():
        if "properties" in rule:
            assert {*rule["properties"]} == {*found[name]}


def test_no_marker_and_no_name_of_ours_is_left_in_a_chart(tmp_path: Path) -> None:
    write_chart(order(tmp_path), tmp_path / "chart")
    files = [file for file in (tmp_path / "chart").rglob("*") if file.is_file()]
    assert len(files) > 15
    for file in files:
        assert not re.search(r"zz", file.read_text() + file.name), file
    copied = (tmp_path / "chart/policies/policies.py").read_text()
    assert copied == (tmp_path / "policies.py").read_text()


def test_only_a_selector_that_names_the_release_is_written_by_helm(
    tmp_path: Path,
) -> None:
    text = POLICIES.replace("@app.validate", '@app.validate(namespaces=["b", "a"])')
    options = order(tmp_path)
    (tmp_path / "policies.py").write_text(text)
    write_chart(options, tmp_path / "chart")
    folder = tmp_path / "chart/templates"
    validating = (folder / "validatingwebhookconfiguration.yaml").read_text()
    assert "values:\n      - a\n      - b\n" in validating
    mutating = (folder / "mutatingwebhookconfiguration.yaml").read_text()
    assert "values: {{- toYaml (list " in mutating


def test_what_looks_like_an_action_is_text() -> None:
    content = {"a": "{{ .Values.secret }}", "b": "it's {{ x }} of NAME"}
    template = Template(content)
    template.name({"NAME": "{{ .Release.Name }}"})
    assert template.write() == (
        "a: '{{ \"{{\" }} .Values.secret }}'\n"
        "b: 'it''s {{ \"{{\" }} x }} of {{ .Release.Name }}'\n"
    )


def test_a_condition_covers_a_member_with_all_that_is_below() -> None:
    content: dict[str, Any] = {"first": {"a": [{"b": 1}, {"c": 2}], "d": 3}, "e": 4}
    template = Template(content)
    template.optional(content["first"], "a", ".Values.a")
    template.optional(content, "e", ".Values.e")
    assert template.write(".Values.all") == (
        "{{- if .Values.all }}\n"
        "first:\n"
        "  {{- if .Values.a }}\n"
        "  a:\n"
        "  - b: 1\n"
        "  - c: 2\n"
        "  {{- end }}\n"
        "  d: 3\n"
        "{{- if .Values.e }}\n"
        "e: 4\n"
        "{{- end }}\n"
        "{{- end }}\n"
    )


def test_members_are_found_however_deep() -> None:
    content = {"a": [{"x": 1}, {"b": {"x": 2, "c": {"x": 3}}}]}
    assert [found["x"] for found in find_members(content, "x")] == [1, 2, 3]


@pytest.mark.parametrize(
    "options",
    [
        ("--helm", "a", "--kustomize", "b"),
        ("--helm", "a", "--static", "b"),
        ("--helm", "a", "--url", "https://a"),
        ("--kustomize", "a", "--service", "a/b"),
    ],
)
def test_one_thing_is_written_at_a_time(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    source = write(tmp_path / "policies.py", POLICIES)
    result = invoke("manifests", source, *options)
    assert result.exit_code == 2
    assert "--helm" in result.stderr or "--kustomize" in result.stderr


@pytest.mark.parametrize("option", ["--helm", "--kustomize"])
def test_the_files_that_were_written_are_told(tmp_path: Path, option: str) -> None:
    source = write(tmp_path / "policies.py", POLICIES)
    result = invoke("manifests", source, option, tmp_path / "out")
    files = result.stdout.splitlines()
    assert all(Path(file).is_file() for file in files)
    as_json = invoke("manifests", source, option, tmp_path / "out", "-o", "json")
    assert json.loads(as_json.stdout) == {"files": files}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    source = write(tmp_path / "policies.py", POLICIES)
    write(tmp_path / "taken", "")
    result = invoke("manifests", source, "--helm", tmp_path / "taken")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
