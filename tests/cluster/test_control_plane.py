from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from admit.errors import ClusterError, ConfigError
from admit.testing import ControlPlane, get_assets, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# The programs as they appear in /proc; the guards are Python.
PROGRAMS = ("kube-controller-manager", "kube-apiserver", "etcd")


def config_map(namespace: str, name: str = "settings", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def programs_of(folder: Path) -> dict[int, str]:
    """The running programs of the control plane whose data is in a folder."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = Path(words[0]).name
        if name in PROGRAMS and str(folder) in "".join(words):
            found[int(path.parent.name)] = name
    return found


def test_the_client_creates_reads_changes_and_deletes(
    cluster: ControlPlane, namespace: str
) -> None:
    client = cluster.client
    made = client.create(config_map(namespace, a="1"))
    assert made["metadata"]["uid"]
    made["data"]["a"] = "2"
    assert client.update(made)["data"] == {"a": "2"}
    assert client.patch(made, {"data": {"b": "3"}})["data"] == {"a": "2", "b": "3"}
    operation = {"op": "remove", "path": "/data/b"}
    assert client.patch(made, [operation])["data"] == {"a": "2"}
    listed = client.list("v1", "ConfigMap", namespace=namespace)
    assert [item["metadata"]["name"] for item in listed] == ["settings"]
    client.delete(made)
    with pytest.raises(ClusterError, match='configmaps "settings" not found') as caught:
        client.get(made)
    assert caught.value.status["code"] == 404


def test_the_client_applies_with_its_field_manager(
    cluster: ControlPlane, namespace: str
) -> None:
    cluster.client.apply(config_map(namespace, a="1"), field_manager="one")
    applied = cluster.client.apply(config_map(namespace, a="2"), field_manager="two")
    assert applied["data"] == {"a": "2"}
    managers = {entry["manager"] for entry in applied["metadata"]["managedFields"]}
    assert managers == {"two"}


def test_a_dry_run_leaves_nothing(cluster: ControlPlane, namespace: str) -> None:
    made = cluster.client.create(config_map(namespace), dry_run=True)
    assert made["metadata"]["uid"]
    with pytest.raises(ClusterError, match="not found"):
        cluster.client.get(made)


def test_a_strategic_merge_patch_merges_lists_by_key(
    cluster: ControlPlane, namespace: str
) -> None:
    port = {"name": "http", "port": 80}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"ports": [port]},
    }
    cluster.client.create(service)
    patch = {"spec": {"ports": [{"name": "https", "port": 443}]}}
    patched = cluster.client.patch(service, patch, strategic=True)
    assert {port["port"] for port in patched["spec"]["ports"]} == {80, 443}


def test_a_custom_resource_is_found_as_soon_as_it_is_served(
    cluster: ControlPlane, namespace: str
) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.control-plane.example.com"},
        "spec": {
            "group": "control-plane.example.com",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    cluster.client.create(definition)
    gadget = {
        "apiVersion": "control-plane.example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "one", "namespace": namespace},
    }
    made = wait_until(
        lambda: cluster.client.create(gadget), what="the custom resource to be served"
    )
    assert made["metadata"]["uid"]
    cluster.client.delete(definition)


def test_warnings_of_the_api_server_come_through(
    cluster: ControlPlane, namespace: str
) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"template": {"spec": {"bogus": 1}}}}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    answer = cluster.client.send("POST", path, body)
    assert answer.code == 422
    assert answer.warnings == ('unknown field "spec.template.spec.bogus"',)


def test_kubectl_works_with_its_own_kubeconfig(
    cluster: ControlPlane, namespace: str
) -> None:
    manifest = yaml.safe_dump(config_map(namespace, a="1"))
    applied = cluster.kubectl("apply", "-f", "-", input=manifest)
    assert applied.stdout == "configmap/settings created\n"
    assert applied.stderr == ""
    assert applied.returncode == 0
    refused = cluster.kubectl("get", "nonsense")
    assert refused.returncode == 1
    assert "the server doesn't have a resource type" in refused.stderr


def test_kubectl_that_does_not_end_is_ended(cluster: ControlPlane) -> None:
    with pytest.raises(ClusterError, match="kubectl get pods --watch: did not end"):
        cluster.kubectl("get", "pods", "--watch", timeout_seconds=0.5)


def test_a_user_may_do_what_rbac_allows(cluster: ControlPlane, namespace: str) -> None:
    alice = cluster.add_user("alice", ["dev"])
    review = alice.client.request(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}
    )
    assert review["status"]["userInfo"]["username"] == "alice"
    assert set(review["status"]["userInfo"]["groups"]) == {
        *("dev", "system:authenticated")
    }
    with pytest.raises(ClusterError, match='User "alice" cannot create resource'):
        alice.client.create(config_map(namespace))
    here = f"--namespace={namespace}"
    binding = ("rolebinding", "dev", "--clusterrole=cluster-admin", "--group=dev")
    assert cluster.kubectl("create", *binding, here).returncode == 0
    wait_until(
        lambda: alice.client.create(config_map(namespace), dry_run=True),
        what="the role binding to be in effect",
    )
    command = ("create", "configmap", "settings", here)
    created = cluster.kubectl(*command, kubeconfig=alice.kubeconfig)
    assert created.stdout == "configmap/settings created\n"


def test_impersonation_is_for_admins(cluster: ControlPlane) -> None:
    bob = cluster.client.impersonate("bob", ["ops"], {"example.com/team": ["a", "b"]})
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    user = bob.request("POST", path, {})["status"]["userInfo"]
    assert user["username"] == "bob"
    assert set(user["groups"]) == {"ops", "system:authenticated"}
    assert user["extra"] == {"example.com/team": ["a", "b"]}


def test_the_version_is_the_pinned_one(cluster: ControlPlane) -> None:
    version = cluster.client.get("/version")["gitVersion"]
    kubectl = json.loads(cluster.kubectl("version", "-o", "json").stdout)
    assert kubectl["serverVersion"]["gitVersion"] == version
    assert kubectl["clientVersion"]["gitVersion"] == version
    assert not version.startswith("v0.")


@contextmanager
def rejecting_port() -> Iterator[int]:
    """A port where connections end at once: a webhook that always fails."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def webhooks(kind: str, namespace: str, port: int, **changes: Any) -> dict[str, Any]:
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    webhook = {
        "name": f"{kind.lower()}.{namespace}.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/"},
        "rules": [rule],
        "namespaceSelector": selector,
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": f"{kind.lower()}-{namespace}"},
        "webhooks": [webhook | changes],
    }


def test_registered_webhooks_are_in_effect_inside_and_gone_after(
    cluster: ControlPlane, namespace: str
) -> None:
    probe = config_map(namespace)
    with rejecting_port() as port:
        validating = webhooks("Validating", namespace, port)
        mutating = webhooks("Mutating", namespace, port, failurePolicy="Ignore")
        with (
            cluster.registered(validating, mutating, probe=probe),
            pytest.raises(ClusterError, match="failed calling webhook"),
        ):
            cluster.client.create(probe)
        cluster.client.create(probe)
        with pytest.raises(ClusterError, match="not found"):
            cluster.client.get(validating)


def test_a_probe_may_be_any_request(cluster: ControlPlane, namespace: str) -> None:
    made = cluster.client.create(config_map(namespace))
    rule = {
        "operations": ["DELETE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
    }

    def probe() -> object:
        return cluster.client.delete(made, dry_run=True)

    with rejecting_port() as port:
        configuration = webhooks("Validating", namespace, port, rules=[rule])
        with (
            cluster.registered(configuration, probe=probe),
            pytest.raises(ClusterError, match="failed calling webhook"),
        ):
            cluster.client.delete(made)


def test_webhooks_that_the_probe_does_not_reach_are_removed_again(
    cluster: ControlPlane, namespace: str
) -> None:
    elsewhere = config_map("nowhere")
    with rejecting_port() as port:
        configuration = webhooks("Validating", namespace, port)
        with (
            pytest.raises(ClusterError, match=r"to be in effect; .*not found"),
            cluster.registered(configuration, probe=elsewhere, seconds=0.5),
        ):
            raise AssertionError("not in effect")
    with pytest.raises(ClusterError, match="not found"):
        cluster.client.get(configuration)


def test_a_configuration_that_is_refused_registers_nothing(
    cluster: ControlPlane, namespace: str
) -> None:
    good = webhooks("Validating", namespace, 1)
    bad = webhooks("Mutating", namespace, 1, sideEffects="Some")
    probe = config_map(namespace)
    with (
        pytest.raises(ClusterError, match="sideEffects"),
        cluster.registered(good, bad, probe=probe),
    ):
        raise AssertionError("not in effect")
    cluster.client.create(probe)


class Unlucky(ControlPlane):
    """The first port it picks is taken before the API server binds it."""

    def _pick_port(self) -> int:
        if not hasattr(self, "taken"):
            self.taken = socket.create_server(("127.0.0.1", 0))
            port: int = self.taken.getsockname()[1]
            return port
        return super()._pick_port()


def test_a_second_one_runs_beside_the_first_whatever_happens(
    cluster: ControlPlane,
) -> None:
    """All that needs an API server of its own, on one: a start costs seconds."""
    other = Unlucky(controller_manager=True, audit_level="Request")
    # From async code; the thread that started it has ended when the loop is closed.
    asyncio.run(asyncio.to_thread(other.start))
    try:
        taken = other.taken.getsockname()[1]
        other.taken.close()
        assert other.url not in {cluster.url, f"https://127.0.0.1:{taken}"}
        with pytest.raises(ConfigError, match="running already"):
            other.start()
        check_logs(other)
        check_namespaces_are_apart(cluster, other)
        check_service_accounts(other)
        check_audit_log(other)
        check_api_server_alone(other)
        folder = other.ca_file.parent
        assert set(programs_of(folder).values()) == set(PROGRAMS)
    finally:
        other.stop()
    assert programs_of(folder) == {}
    assert not folder.exists()
    cluster.client.get("/readyz")


def check_logs(other: ControlPlane) -> None:
    assert set(other.logs) == set(PROGRAMS)
    for log in other.logs.values():
        assert log.stat().st_size


def check_namespaces_are_apart(cluster: ControlPlane, other: ControlPlane) -> None:
    other.client.create(config_map("default", "only-here"))
    with pytest.raises(ClusterError, match="not found"):
        cluster.client.get(config_map("default", "only-here"))


def check_service_accounts(other: ControlPlane) -> None:
    """With the controller-manager pods get the account that it makes."""
    container = {"name": "web", "image": "example.com/web:1"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [container]},
    }
    made = other.client.create(pod)
    assert made["spec"]["serviceAccountName"] == "default"
    assert made["spec"]["volumes"][0]["projected"]


def check_audit_log(other: ControlPlane) -> None:
    event = next(
        event
        for event in other.audit_events()
        if event["verb"] == "create"
        and event.get("objectRef", {}).get("name") == "only-here"
    )
    assert event["requestObject"]["kind"] == "ConfigMap"
    assert event["user"]["username"] == "admin"


def check_api_server_alone(other: ControlPlane) -> None:
    other.stop_api_server()
    with pytest.raises(ClusterError, match="no answer"):
        other.client.get(config_map("default", "only-here"))
    url = other.url
    other.start_api_server("--disable-admission-plugins=NamespaceLifecycle")
    assert other.url == url
    other.client.get(config_map("default", "only-here"))
    # Without that plugin a namespace need not exist.
    other.client.create(config_map("nowhere", "a"))
    other.stop_api_server()
    other.start_api_server()
    with pytest.raises(ClusterError, match="not found"):
        other.client.create(config_map("nowhere", "b"))


def test_a_wrong_flag_is_an_error_with_the_reason() -> None:
    other = ControlPlane(flags=["--bogus=1"])
    expected = r"kube-apiserver ended .*log:\n(.*\n)*Error: unknown flag: --bogus$"
    with pytest.raises(ClusterError, match=expected):
        other.start()
    with pytest.raises(ConfigError, match="not running"):
        _ = other.url


def test_a_python_that_is_killed_leaves_no_program_and_no_data() -> None:
    code = """
import time
from admit.testing import ControlPlane
with ControlPlane() as cluster:
    print(cluster.ca_file.parent, flush=True)
    time.sleep(60)
"""
    python = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"KUBEBUILDER_ASSETS": str(get_assets())},
    )
    assert python.stdout
    folder = Path(python.stdout.readline().strip())
    python.stdout.close()
    assert sorted(programs_of(folder).values()) == ["etcd", "kube-apiserver"]
    python.terminate()
    python.wait()
    wait_until(lambda: not programs_of(folder), what="the end of the programs")
    wait_until(lambda: not folder.exists(), what="the end of the data")
