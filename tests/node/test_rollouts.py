"""What writes through the policies see while their replicas are replaced: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.testing import wait_until
from tests.commands import write
from tests.node.releases import expect, released
from tests.node.test_deployment import POLICIES, wait_refused
from tests.node.traffic import CLIENTS, Traffic
from tests.node.workloads import find_pods, wait_available, wait_restarted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.clusters import Cluster

pytestmark = [pytest.mark.usefixtures("image"), pytest.mark.timeout(300)]

# The issue's own number.
REQUESTS = 5000

THREE = ("--replicas", "3")


def write_policies(folder: Path, namespace: str) -> Path:
    policies = write(folder / "policies.py", POLICIES)
    policies.write_text(policies.read_text().replace("{namespace}", namespace))
    return policies


def test_no_request_fails_while_every_replica_is_restarted(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    policies = write_policies(tmp_path, namespace)
    with released(cluster, policies, "plain", "rolling", *THREE) as deployment:
        wait_refused(cluster, namespace)
        space = f"--namespace={deployment['metadata']['namespace']}"
        before = {pod["metadata"]["uid"] for pod in find_pods(cluster, deployment)}
        with Traffic(cluster, namespace, {"app": "web"}) as traffic:
            expect(cluster.kubectl("rollout", "restart", "deployment/rolling", space))
            wait_available(cluster, deployment, seconds=120.0)
            wait_until(
                lambda: traffic.sent >= REQUESTS, what="enough requests", seconds=120.0
            )
        after = {pod["metadata"]["uid"] for pod in find_pods(cluster, deployment)}
    assert not before & after
    assert traffic.failures == []


def test_a_killed_replica_fails_what_it_had_in_flight_and_who_dials_it(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Until the kubelet has noticed, API servers call the address of the dead."""
    policies = write_policies(tmp_path, namespace)
    with released(cluster, policies, "plain", "killed", *THREE) as deployment:
        wait_refused(cluster, namespace)
        victim, *_ = find_pods(cluster, deployment)
        (container,) = victim["status"]["containerStatuses"]
        with Traffic(cluster, namespace, {"app": "web"}) as traffic:
            wait_until(lambda: traffic.sent >= 200, what="traffic")
            assert not traffic.failures
            cluster.kill_container(container["containerID"])
            wait_until(lambda: traffic.failures, what="a request to fail")
            wait_restarted(cluster, deployment, pods=[victim])
            failed, sent = len(traffic.failures), traffic.sent
            wait_until(lambda: traffic.sent >= sent + 500, what="traffic", seconds=60.0)
    refused = f"dial tcp {victim['status']['podIP']}:8443: connect: connection refused"
    in_flight = [failure for failure in traffic.failures if refused not in failure]
    assert len(in_flight) <= CLIENTS, in_flight
    assert len(traffic.failures) == failed, traffic.failures[failed:]
