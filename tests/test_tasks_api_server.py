"""What `admit manifests --api-server-auth` writes; tests/cluster uses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.commands import POLICIES, invoke, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write(tmp_path / "policies.py", POLICIES)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    texts = [
        (folder / name).read_text()
        for name in ("admission.yaml", "webhooks.kubeconfig")
    ]
    admission, kubeconfig = map(yaml.safe_load, texts)
    return admission, kubeconfig


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ((), "pod-labels.admit-pod-labels.svc"),
        (("--namespace", "guards", "--name", "labels"), "labels.guards.svc"),
        (("--service", "a/b"), "b.a.svc"),
        (("--service", "a/b:8443"), "b.a.svc:8443"),
        (("--url", "https://example.com"), "example.com"),
        (("--url", "https://example.com:443"), "example.com"),
        (("--url", "https://10.0.0.1:8443"), "10.0.0.1:8443"),
        (("--url", "https://[::1]:8443"), "[::1]:8443"),
    ],
)
def test_the_credential_is_for_these_webhooks_alone(
    options: tuple[str, ...], user: str, policies: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "admission"
    result = invoke("manifests", policies, "--api-server-auth", folder, *options)
    assert result.exit_code == 0, result.output
    admission, kubeconfig = read(folder)
    assert kubeconfig["users"] == [
        {
            "name": user,
            "user": {
                "client-certificate": f"{folder}/client.crt",
                "client-key": f"{folder}/client.key",
            },
        }
    ]
    assert [plugin["name"] for plugin in admission["plugins"]] == [
        "MutatingAdmissionWebhook",
        "ValidatingAdmissionWebhook",
    ]
    for plugin in admission["plugins"]:
        named = plugin["configuration"]["kubeConfigFile"]
        assert named == f"{folder}/webhooks.kubeconfig"
    assert f"put {folder}/client.crt and {folder}/client.key there" in result.stderr


def test_a_token_is_a_file_too(policies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "admission"
    result = invoke(
        *("manifests", policies, "--api-server-auth", folder),
        *("--api-server-credential", "token", "-o", "json"),
    )
    _, kubeconfig = read(folder)
    (user,) = kubeconfig["users"]
    assert user["user"] == {"tokenFile": f"{folder}/token"}
    assert json.loads(result.stdout) == {
        "files": [f"{folder}/admission.yaml", f"{folder}/webhooks.kubeconfig"]
    }


def test_it_is_a_command_of_its_own(policies: Path, tmp_path: Path) -> None:
    result = invoke(
        "manifests", policies, "--api-server-auth", tmp_path, "--helm", tmp_path
    )
    assert result.exit_code == 2
    assert "--api-server-auth and --helm are two commands" in result.stderr
