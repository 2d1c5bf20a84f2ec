"""The commands that render what a task of its own tests returns."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest
import yaml

from admit.testing.waiting import wait_until
from tests.commands import POLICIES, invoke, write
from tests.reviews import pod, review_body
from tests.serving import served
from tests.test_tasks_requests import CRD

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "policies.py", POLICIES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_manifests_are_yaml_documents_or_one_json_list(folder: Path) -> None:
    options = ("policies.py", "--url", "https://127.0.0.1:1")
    as_yaml = invoke("manifests", *options)
    assert as_yaml.exit_code == 0
    documents = list(yaml.safe_load_all(as_yaml.stdout))
    assert [d["kind"] for d in documents] == [
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ]
    assert as_yaml.stderr.startswith("note: no --ca-file")
    as_json = invoke("manifests", *options, "-o", "json")
    assert json.loads(as_json.stdout) == {
        "kind": "List",
        "apiVersion": "v1",
        "metadata": {},
        "items": documents,
    }


def test_manifests_are_the_same_each_time(folder: Path) -> None:
    options = ("manifests", "policies.py", "--service", "a/b")
    assert invoke(*options).stdout == invoke(*options).stdout


def test_static_manifests_need_an_address(folder: Path) -> None:
    result = invoke("manifests", "policies.py", "--static", "a")
    assert result.exit_code == 2
    assert "--service NAMESPACE/NAME or --url" in result.stderr


@pytest.mark.parametrize("label", ["release", "=stack"])
def test_a_label_has_a_name_and_a_value(folder: Path, label: str) -> None:
    result = invoke("manifests", "policies.py", "--monitoring-label", label)
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.stderr


def test_words_that_are_no_strings_in_yaml_are_quoted(folder: Path) -> None:
    text = POLICIES.replace('["raw"]', '["y", "on", "1e3", "007"]')
    write(folder / "policies.py", text)
    stdout = invoke("manifests", "policies.py", "--service", "a/b").stdout
    for word in ("y", "on", "1e3", "007"):
        assert f"- '{word}'\n" in stdout


def test_kinds_are_printed_as_classes(folder: Path) -> None:
    result = invoke("kinds", "-", input=CRD)
    assert result.exit_code == 0
    assert "class CronTab(" in result.stdout
    as_json = json.loads(invoke("kinds", "-", "-o", "json", input=CRD).stdout)
    assert as_json == {
        "kinds": [{"apiVersion": "stable.example.com/v1", "class": "CronTab"}],
        "text": result.stdout,
    }
    assert invoke("kinds").exit_code == 2
    assert invoke("kinds", "none.yaml").exit_code == 2


def test_assets_that_are_there_are_not_fetched_again(folder: Path) -> None:
    for name in ("etcd", "kube-apiserver", "kubectl"):
        program = write(folder / f"cache/v1.37.0-envtest-linux-amd64/{name}", "#!/x\n")
        program.chmod(0o755)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    home = folder / f"cache/v1.37.0-envtest-linux-{machine}"
    if machine != "amd64":
        shutil.move(folder / "cache/v1.37.0-envtest-linux-amd64", home)
    options = ("assets", "--kubernetes", "1.37.0", "--cache", "cache")
    result = invoke(*options)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"cache/{home.name}\n"
    assert json.loads(invoke(*options, "-o", "json").stdout) == {
        "version": "v1.37.0",
        "folder": f"cache/{home.name}",
        "programs": ["etcd", "kube-apiserver", "kubectl"],
        "url": None,
        "sizeBytes": 0,
    }


def test_assets_that_cannot_be_had_are_the_operators_fault(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/index.yaml"
        result = invoke("assets", "--index", url, "--cache", "cache")
    assert result.exit_code == 2
    assert "cannot fetch" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "a certificate and its key are needed"),
        (("--cert-file", "a"), "a certificate and its key are needed"),
        (("--certs", "self"), "'' names no Service"),
        (("--certs", "self", "--service", "a"), "'a' names no Service"),
        (("--certs", "self", "--service", "a/b/c"), "names no Service"),
        (("--certs", "self", "--key-file", "k"), "there are no such files"),
        (
            ("--certs", "self", "--service", "a/b", "--leaf-seconds", "1"),
            "a leaf of 1 s is renewed without end",
        ),
        (("--cert-file", "a", "--key-file", "b", "--health-port", "x"), "is no port"),
        (("--cert-file", "a", "--key-file", "b", "--workers", "0"), "not in the range"),
    ],
)
def test_serve_refuses_wrong_use(
    folder: Path, options: tuple[str, ...], says: str
) -> None:
    result = invoke("serve", "policies.py", *options)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_answers_reviews_until_it_is_told_to_end(
    folder: Path, workers: str
) -> None:
    options = ("--workers", workers, "--mode", "require_app_label=warn")
    with served(folder / "policies.py", folder, *options) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        # Workers listen once they can decide.
        transport = httpx2.HTTPTransport(verify=context, retries=6)
        with httpx2.Client(transport=transport, trust_env=False) as client:
            answer = client.post(f"{server.url}/validate", content=review_body(pod()))
        response = answer.json()["response"]
        assert (response["allowed"], len(response["warnings"])) == (True, 1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_says_that_it_waits_for_a_certificate(folder: Path, workers: str) -> None:
    command = [
        *(sys.executable, "-m", "admit", "serve", "policies.py", "--workers", workers),
        *("--cert-file", "late.crt", "--key-file", "late.key", "--port", "0"),
        *("--host", "127.0.0.1", "--health-port", "none"),
    ]
    told = folder / "told"
    with told.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(
            lambda: "note: to try it out: openssl req" in told.read_text(),
            what="the server to say that it waits",
        )
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    text = told.read_text()
    assert "Waiting to serve on https://127.0.0.1:" in text
    assert "nothing is served yet, no certificate: late.crt: No such file" in text
