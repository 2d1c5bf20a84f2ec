"""What a control plane does when its programs misbehave; the programs are scripts.

That it works with real ones is in tests/cluster/test_control_plane.py.
"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography import x509

from admit.errors import ClusterError, ConfigError
from admit.testing import ControlPlane
from admit.testing.control_plane import PORT_ATTEMPTS
from admit.testing.credentials import Authority, encode_kubeconfig
from admit.testing.programs import api_server_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    Assets = Callable[..., Path]

RUNS = 'echo "$0 runs"; exec sleep 60'
PORT_TAKEN = (
    "echo 'listen tcp 127.0.0.1:1: bind: address already in use';"
    'echo run >> "$(dirname "$0")/runs"; exit 1'
)


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    """Makes a folder of programs that are shell scripts; they note their arguments."""

    def write(**programs: str) -> Path:
        default = {"etcd": RUNS, "kube_apiserver": RUNS, "kubectl": RUNS}
        for name, script in (default | programs).items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(f'#!/bin/sh\necho "$@" > "$0.arguments"\n{script}\n')
            path.chmod(0o755)
        return tmp_path

    return write


def data_folder(assets: Path) -> Path:
    found = re.search(
        r"--data-dir=(\S+)/etcd ", (assets / "etcd.arguments").read_text()
    )
    assert found
    return Path(found[1])


@pytest.mark.parametrize("name", ["etcd", "kube_apiserver"])
def test_a_program_that_ends_is_an_error_with_the_end_of_its_log(
    assets: Assets, name: str
) -> None:
    folder = assets(**{name: "sleep 0.2; seq 99; echo unknown flag: --bogus; exit 3"})
    program = name.replace("_", "-")
    expected = rf"^{program} ended with exit code 3; the end of its log:\n86\n[\d\n]*"
    with pytest.raises(ClusterError, match=expected + r"99\nunknown flag: --bogus$"):
        ControlPlane(assets=folder).start()
    assert not data_folder(folder).exists()


def test_a_start_that_takes_too_long_is_an_error_with_all_logs(assets: Assets) -> None:
    cluster = ControlPlane(assets=assets(), start_timeout_seconds=0.5)
    with pytest.raises(ClusterError, match=r"waited 0\.\d+ s for .*ready") as caught:
        cluster.start()
    message = caught.value.message
    assert "last answer: GET /readyz: no answer" in message
    assert re.search(r"etcd:\n.*/etcd runs\nkube-apiserver:\n.*apiserver runs", message)
    assert not data_folder(assets()).exists()


def test_a_lost_port_is_another_port_some_times(assets: Assets) -> None:
    folder = assets(kube_apiserver=PORT_TAKEN)
    with pytest.raises(ClusterError, match="address already in use"):
        ControlPlane(assets=folder).start()
    assert (folder / "runs").read_text().splitlines() == ["run"] * PORT_ATTEMPTS


@pytest.mark.parametrize(
    "use",
    [
        lambda c: c.url,
        lambda c: c.client,
        lambda c: c.kubeconfig,
        lambda c: c.ca_file,
        lambda c: c.logs,
        lambda c: c.kubectl("get", "pods"),
        lambda c: c.add_user("alice"),
    ],
)
def test_one_that_is_not_running_says_so(assets: Assets, use: Any) -> None:
    with pytest.raises(ConfigError, match=r"not running .*with ControlPlane"):
        use(ControlPlane(assets=assets()))


def test_stopping_what_was_not_started_does_nothing(assets: Assets) -> None:
    ControlPlane(assets=assets()).stop()


def test_without_an_audit_level_there_is_no_audit_log(assets: Assets) -> None:
    with pytest.raises(ConfigError, match="audit_level"):
        ControlPlane(assets=assets()).audit_events()


def test_service_account_admission_needs_someone_who_makes_accounts(
    tmp_path: Path,
) -> None:
    off = "--disable-admission-plugins=ServiceAccount"
    without = api_server_flags(tmp_path, 1, service_accounts=False, audit_level=None)
    assert off in without
    with_them = api_server_flags(tmp_path, 1, service_accounts=True, audit_level=None)
    assert off not in with_them


def test_a_client_certificate_says_user_and_groups() -> None:
    certificate, _ = Authority().issue_client("alice", ["dev", "ops"])
    subject = x509.load_pem_x509_certificate(certificate).subject
    assert subject.rfc4514_string() == "CN=alice,O=ops,O=dev"


def test_a_kubeconfig_holds_everything_it_needs() -> None:
    text = encode_kubeconfig(
        url="https://127.0.0.1:6443",
        authority=b"CA",
        user="alice",
        certificate=b"certificate",
        key=b"key",
    )
    document = yaml.safe_load(text)
    assert document["current-context"] == document["contexts"][0]["name"]
    assert document["contexts"][0]["context"]["user"] == document["users"][0]["name"]
    cluster = document["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:6443"
    assert b64decode(cluster["certificate-authority-data"]) == b"CA"
    user = document["users"][0]["user"]
    assert b64decode(user["client-certificate-data"]) == b"certificate"
    assert b64decode(user["client-key-data"]) == b"key"
