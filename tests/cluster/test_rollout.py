"""Replicas are replaced, and policies change, under a real API server's requests."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from admit.errors import ClusterError
from admit.testing import ControlPlane
from tests.cluster.driving import EXAMPLES, pod
from tests.cluster.test_certs import serving
from tests.configmap import mount
from tests.forwarding import Service
from tests.serving import manifests, served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

CLIENTS = 2
DELAY_SECONDS = 1.0
PROPAGATION_SECONDS = 0.7

POLICIES = (EXAMPLES / "tutorial" / "policies.py").read_text()
CHANGED = POLICIES.replace("production", "changed")


class Creating:
    """Clients that create pods all the time, each of which the webhooks complete."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self._cluster = cluster
        self._pod = pod("web", namespace, metadata={"labels": {"app": "web"}})
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.environments: list[str] = []
        self._threads = [threading.Thread(target=self._create) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for_more(self, count: int) -> None:
        enough = len(self.environments) + count
        while len(self.environments) < enough and not self.failures:
            time.sleep(0.01)

    def _create(self) -> None:
        while not self._stop.is_set():
            try:
                made = self._cluster.client.create(self._pod, dry_run=True)
            except ClusterError as error:
                self.failures.append(str(error))
            else:
                self.environments.append(made["metadata"]["labels"]["environment"])


def test_no_request_is_lost_in_a_rollout(
    cluster: ControlPlane, tmp_path: Path, namespace: str
) -> None:
    mount(tmp_path / "policies", {"policies.py": POLICIES})
    options = ("--endpoint-delay", str(DELAY_SECONDS), "--connection-age", "1")
    with ExitStack() as stack:
        replicas: list[Served] = []
        for name in "abcd":
            folder = tmp_path / name
            folder.mkdir()
            replica = stack.enter_context(
                served(tmp_path / "policies", folder, *options)
            )
            replicas.append(replica)
        authorities = tmp_path / "ca.pem"
        authorities.write_bytes(b"".join(r.ca_file.read_bytes() for r in replicas))
        running, waiting = replicas[:2], replicas[2:]
        service = stack.enter_context(Service(*(r.port for r in running)))
        behind = dataclasses.replace(
            replicas[0], url=f"https://127.0.0.1:{service.port}", ca_file=authorities
        )
        configurations = manifests(tmp_path / "policies", behind)
        probe = pod("probe", namespace)
        stack.enter_context(cluster.registered(*configurations, probe=probe))
        creating = stack.enter_context(Creating(cluster, namespace))
        creating.wait_for_more(20)
        for old, new in zip(running, waiting, strict=True):
            old.process.send_signal(signal.SIGTERM)
            time.sleep(PROPAGATION_SECONDS)
            others = {*service.endpoints} - {old.port}
            service.endpoints = (*others, new.port)
            assert old.process.wait(30) == 0
            creating.wait_for_more(20)
        mount(tmp_path / "policies", {"policies.py": "import nothing_like_it"})
        creating.wait_for_more(20)
        mount(tmp_path / "policies", {"policies.py": CHANGED})
        while creating.environments[-1] != "changed" and not creating.failures:
            time.sleep(0.01)
        creating.wait_for_more(20)
    assert creating.failures == []
    assert set(creating.environments) == {"production", "changed"}


def test_the_audit_log_says_which_policies_decided(tmp_path: Path) -> None:
    policies = tmp_path / "policies.py"
    policies.write_text(POLICIES)
    found: dict[str, str] = {}
    with (
        ControlPlane(audit_level="Metadata") as cluster,
        served(policies, tmp_path) as server,
        cluster.registered(*manifests(policies, server), probe=pod("probe", "default")),
    ):
        web = pod("web", "default", metadata={"labels": {"app": "web"}})
        cluster.client.create(web, dry_run=True)
        while len(found) < 2:  # a mutating webhook and a validating one
            for event in cluster.audit_events():
                for key, value in event.get("annotations", {}).items():
                    webhook, _, name = key.partition("/")
                    if name == "policies-version":
                        found[webhook] = value
    (version,) = set(found.values())
    assert version.startswith("pod-labels@")
    assert all(webhook.endswith("pod-labels.example.com") for webhook in found)


def test_events_say_what_became_of_changed_policies(
    cluster: ControlPlane, tmp_path: Path, namespace: str
) -> None:
    policies = tmp_path / "policies.py"
    policies.write_text(POLICIES)
    options = ("--service", f"{namespace}/hook", "--workers", "2")
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"

    def wait_for_event(reason: str) -> dict[str, Any]:
        """The one Event of the pod: its workers tell the same."""
        found: list[dict[str, Any]] = []
        while not found:
            events = cluster.client.get(path)["items"]
            found = [event for event in events if event["reason"] == reason]
        (event,) = found
        assert event["regarding"]["name"] == event["reportingInstance"]
        return event

    with serving(cluster, tmp_path, *options, policies=policies) as server:
        while server.log.read_text().count("certificate loaded") < 2:
            time.sleep(0.05)  # both workers have begun
        policies.write_text("import nothing_like_it")
        broken = wait_for_event("PoliciesNotReplaced")
        assert broken["type"] == "Warning"
        assert f"{policies}:1: the import fails" in broken["note"]
        assert "install nothing_like_it" in broken["note"]
        policies.write_text(CHANGED)
        assert wait_for_event("PoliciesReplaced")["type"] == "Normal"
        assert "the event cannot be written" not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()
