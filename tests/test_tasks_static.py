"""Static manifests as files; a real API server reads them in tests/cluster/."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.commands import POLICIES, invoke, write

AT = "https://localhost:8443"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write(tmp_path / "policies.py", POLICIES)


def test_a_directory_for_each_plugin_and_a_file_that_names_them(
    policies: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "admission"
    result = invoke("manifests", policies, "--url", AT, "--static", folder)
    assert result.exit_code == 0, result.output
    files = [Path(line) for line in result.stdout.splitlines()]
    assert [str(file.relative_to(folder)) for file in files] == [
        "mutating/pod-labels.example.com.yaml",
        "validating/pod-labels.example.com.yaml",
        "admission.yaml",
    ]
    for file in files[:2]:
        written = yaml.safe_load(file.read_text())
        assert written["metadata"]["name"] == "pod-labels.example.com.static.k8s.io"
        assert written["webhooks"][0]["clientConfig"]["url"].startswith(f"{AT}/")
    plugins = yaml.safe_load(files[2].read_text())["plugins"]
    assert {p["name"]: p["configuration"]["staticManifestsDir"] for p in plugins} == {
        "MutatingAdmissionWebhook": str(folder / "mutating"),
        "ValidatingAdmissionWebhook": str(folder / "validating"),
    }
    assert not list(folder.rglob("*.new"))


def test_lint_finds_nothing_that_the_api_server_would_not_take(
    policies: Path, tmp_path: Path
) -> None:
    arguments = ("manifests", policies, "--url", AT, "--static", tmp_path / "a")
    assert invoke(*arguments).exit_code == 0
    result = invoke("lint", tmp_path / "a/validating", tmp_path / "a/mutating")
    assert result.exit_code == 0, result.output


def test_what_was_written_is_told_as_json(policies: Path, tmp_path: Path) -> None:
    result = invoke(
        *("manifests", policies, "--url", AT, "--static", tmp_path / "a", "-o", "json")
    )
    files = json.loads(result.stdout)["files"]
    assert files[-1] == str(tmp_path / "a/admission.yaml")


def test_a_static_webhook_has_a_url(policies: Path, tmp_path: Path) -> None:
    result = invoke(
        *("manifests", policies, "--service", "a/b", "--static", tmp_path / "a")
    )
    assert result.exit_code == 2
    assert "a static webhook cannot be behind a Service" in result.stderr
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_written_is_named(
    policies: Path, tmp_path: Path
) -> None:
    taken = write(tmp_path / "taken", "a file")
    result = invoke("manifests", policies, "--url", AT, "--static", taken)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert str(taken) in result.stderr
