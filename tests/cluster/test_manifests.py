"""What `admit manifests` prints and `admit review` says, beside the real API server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import ask, invoke, write
from tests.serving import manifests, served
from tests.test_tasks_documents import SCALARS

if TYPE_CHECKING:
    from admit.testing import ControlPlane

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

TORTURE = """
from admit import (
    AdmissionRequest, App, ClusterRole, Deny, Deployment, Namespace, Node, Pod,
    Resource, Service, Warn,
)

app = App("torture", domain="example.com", timeout_seconds=7)

@app.validate(resources=["*.*/*"], exempt_namespaces=["y", "1e3", "a-b"])
def everything(any: Resource) -> None: ...

@app.validate(resources=["nodes/status", "leases.coordination.k8s.io/*"])
def insisted(any: Resource) -> None: ...

@app.validate(resources=["*"], labels="app in (b,a),!gone,tier!=x", path="/labels")
def labelled(any: Resource) -> None: ...

@app.validate(operations=["CONNECT"], resources=["pods/exec", "pods/attach"],
              path="/connect")
def connect(any: Resource) -> None: ...

@app.validate(path="/many", namespaces=["b", "a"])
def pods(pod: Pod) -> None: ...

@app.validate(path="/many", namespaces=["kube-system"], operations=["DELETE"])
def services(service: Service | Deployment) -> None: ...

@app.validate(failure_policy="Ignore", timeout_seconds=30)
def roles(role: ClusterRole | Namespace | Node) -> None: ...

@app.validate(when="object.metadata.name != 'it''s'.replace('x', 'y')")
def asked(pod: Pod) -> None: ...

@app.mutate(resources=["pods/*", "*/scale"])
def status(any: Resource) -> None: ...

@app.mutate(failure_policy="Ignore", when="request.userInfo.username == 'ada'")
def other(pod: Pod) -> None: ...
""".replace("'it''s'", "'a b'")


def diff(cluster: ControlPlane, text: str) -> str:
    """Apply what was printed, and return what kubectl diff says of it then."""
    assert (
        cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=text).returncode
        == 0
    )
    applied = cluster.kubectl("apply", "-f", "-", input=text)
    try:
        assert applied.returncode == 0, applied.stderr
        assert "Warning" not in applied.stderr
        compared = cluster.kubectl("diff", "-f", "-", input=text)
        return compared.stdout + compared.stderr
    finally:
        cluster.kubectl("delete", "-f", "-", input=text)


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in EXAMPLES.glob("*/policies.py"))
)
@pytest.mark.parametrize("format", ["yaml", "json"])
def test_an_example_shows_no_difference_once_applied(
    cluster: ControlPlane, name: str, format: str
) -> None:
    source = EXAMPLES / name / "policies.py"
    # Nobody listens there; what is applied is gone before anybody asks.
    options = ("--service", "nowhere/webhook:8443", "-o", format)
    assert diff(cluster, invoke("manifests", source, *options).stdout) == ""


def test_every_shape_of_rules_is_accepted_and_shows_no_difference(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = write(tmp_path / "torture.py", TORTURE)
    result = invoke("manifests", source, "--service", "nowhere/webhook")
    assert result.exit_code == 0, result.output
    text = result.stdout.replace("failurePolicy: Fail", "failurePolicy: Ignore")
    assert diff(cluster, text) == ""


def test_kubectl_reads_bare_words_as_review_does(cluster: ControlPlane) -> None:
    told = {}
    for word in SCALARS:
        text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nx: {word}\n"
        arguments = ("--dry-run=client", "--validate=false", "-o", "json", "-f", "-")
        printed = cluster.kubectl("create", *arguments, input=text).stdout
        told[word] = json.loads(printed)["x"]
    assert told == SCALARS


PROBE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "probe", "namespace": "default"},
}

WILD = """
from admit import App, Deny, Resource

app = App("wild", domain="example.com")

@app.validate(resources=["*.*/*"], operations=["CREATE", "UPDATE"])
def everything(any: Resource) -> None:
    raise Deny(f"no {any.kind}")

@app.validate(resources=["events.events.k8s.io", "nodes/status"])
def named(any: Resource) -> None: ...
"""

SPARED: list[tuple[dict[str, Any], str, bool]] = [
    ({"apiVersion": "v1", "kind": "ConfigMap"}, "admin", False),
    ({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}, "a", False),
    (
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"},
        "system:apiserver",
        True,
    ),
    ({"apiVersion": "v1", "kind": "Node"}, "admin", True),
    ({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}, "admin", True),
    (
        {
            "apiVersion": "v1",
            "kind": "Event",
            "involvedObject": {"namespace": "default"},
        },
        "admin",
        True,
    ),
    (
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "example.com/c",
            "reportingInstance": "i",
            "action": "a",
            "reason": "r",
            "type": "Normal",
        },
        "admin",
        False,
    ),
    (
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}},
        },
        "admin",
        True,
    ),
    (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "kube-system"},
        },
        "admin",
        True,
    ),
]


def test_what_a_cluster_needs_to_start_is_never_sent_and_review_knows(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = write(tmp_path / "policies.py", WILD)
    with served(source, tmp_path) as server:
        configurations = manifests(source, server)

        def probe() -> object:
            return cluster.client.create(PROBE, dry_run=True)

        with cluster.registered(*configurations, probe=probe):
            for document, user, spared in SPARED:
                metadata = {"name": "wild", "namespace": "default"}
                if document["kind"] in {"ClusterRole", "Node"}:
                    del metadata["namespace"]
                if document["kind"] == "SelfSubjectAccessReview":
                    metadata = {}
                metadata |= document.get("metadata", {})
                asked = {**document, "metadata": metadata}
                groups = ("--as-group", "system:masters", "--as", user)
                done = cluster.kubectl(
                    *("create", "--dry-run=server", "-f", "-", *groups),
                    input=json.dumps(asked),
                )
                assert (done.returncode == 0) is spared, done.stderr
                metadata.setdefault("name", "wild")
                (report,) = ask(
                    source, "-f", "-", "--user", user, input=json.dumps(asked)
                )
                assert report["allowed"] is spared
                if not spared:
                    assert report["message"] in done.stderr


TALKATIVE = """
from admit import App, Audit, Deny, Pod, Warn

app = App("talkative", domain="example.com")

@app.mutate
def labels(pod: Pod) -> None:
    pod.metadata.labels.setdefault("app", "my-app")
    if pod.metadata.name == "bug":
        raise KeyError

@app.validate(operations=["CREATE", "UPDATE", "DELETE"])
def check(pod: Pod, warn: Warn) -> None:
    warn("say \\"it\\" twice")
    match pod.metadata.annotations.get("do"):
        case "deny":
            raise Deny("no\\nand why", code=409, reason="Conflict")
        case "bare":
            raise Deny("bare", reason="")

@app.validate(failure_policy="Ignore")
def open(pod: Pod) -> None:
    if pod.metadata.annotations.get("do") == "open":
        raise ValueError
"""

# Exit codes of kubectl and of `admit review`, which ends with 2 if a policy fails: under
# Ignore the object passes, but what the policy would have said is not known.
SAYINGS = [
    ("web", "nothing", "CREATE", 0, 0),
    ("web", "deny", "CREATE", 1, 1),
    ("web", "bare", "CREATE", 1, 1),
    ("web", "open", "CREATE", 0, 2),
    ("bug", "nothing", "CREATE", 1, 2),
    ("stored", "deny", "UPDATE", 1, 1),
    ("stored", "nothing", "UPDATE", 0, 0),
    ("stored", "nothing", "DELETE", 0, 0),
]


def test_review_says_what_kubectl_says(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "policies.py", TALKATIVE)

    def pod(name: str, do: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace, "annotations": {"do": do}}
        spec = {"containers": [{"name": "c", "image": "nginx"}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    cluster.client.create(pod("stored", "nothing"))
    old = write(tmp_path / "old.json", json.dumps(pod("stored", "nothing")))
    with served(source, tmp_path) as server:
        probe = pod("probe", "nothing")
        with cluster.registered(*manifests(source, server), probe=probe):
            for name, do, operation, kubectl, admit in SAYINGS:
                file = write(tmp_path / "pod.json", json.dumps(pod(name, do)))
                verb = {"CREATE": "create", "UPDATE": "replace", "DELETE": "delete"}
                done = cluster.kubectl(
                    verb[operation], "-f", str(file), "--dry-run=server"
                )
                options = ["--old", str(old)] if operation == "UPDATE" else []
                said = invoke(
                    *("review", source, "-f", file, "--operation", operation, *options)
                )
                assert (done.returncode, said.exit_code) == (kubectl, admit)
                lines = [
                    line.replace("(dry run)", "(server dry run)")
                    for line in said.stdout.splitlines()
                    if line[:1] not in {" ", "+", "-", "@"}
                ]
                assert lines == (done.stderr + done.stdout).splitlines()


def test_the_marker_of_dev_is_accepted(cluster: ControlPlane) -> None:
    """Its own test tells sooner than a `dev` that is never ready."""
    from admit._tasks.manifests import Target
    from admit._tasks.registered import Registered

    registered = Registered(cluster.client, Target(url="https://127.0.0.1:1"))
    for marker in registered._write_markers("admit-dev-ready-1"):
        assert cluster.client.apply(marker, dry_run=True)


def test_manifests_pipe_into_kubectl(cluster: ControlPlane, tmp_path: Path) -> None:
    source = write(tmp_path / "policies.py", TALKATIVE)
    command = [sys.executable, "-m", "admit", "manifests", str(source)]
    printed = subprocess.run(
        [*command, "--service", "admit-talkative/talkative"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    said = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=printed)
    assert said.stdout.splitlines() == [
        f"{kind}webhookconfiguration.admissionregistration.k8s.io/"
        "talkative.example.com created (server dry run)"
        for kind in ("mutating", "validating")
    ]
