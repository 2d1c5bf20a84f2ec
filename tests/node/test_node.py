"""The node itself: what the other tests here take for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from admit.errors import ClusterError
from admit.testing import wait_until
from tests.node import workloads
from tests.node.images import IMAGE_ARCHIVE, retag

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.clusters import Cluster

SERVES = f"""
import http.server
http.server.test(http.server.SimpleHTTPRequestHandler, port={workloads.PORT})
"""

# Says in its log what the API server answers to the pod's own token.
ASKS = f"""
import http.server, os, ssl, urllib.error, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
host, port = (os.environ["KUBERNETES_SERVICE_" + name] for name in ("HOST", "PORT"))
context = ssl.create_default_context(cafile=place + "ca.crt")
token = open(place + "token").read()
request = urllib.request.Request(
    f"https://{{host}}:{{port}}/api/v1/namespaces/default/pods",
    headers={{"Authorization": "Bearer " + token}},
)
try:
    urllib.request.urlopen(request, context=context)
except urllib.error.HTTPError as error:
    print(error.read().decode())
http.server.test(http.server.SimpleHTTPRequestHandler, port={workloads.PORT})
"""

# Fetches an address and prints the HTTP status.
FETCH = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).status)
"""


def test_the_node_is_ready(cluster: Cluster) -> None:
    (node, *_) = cluster.client.list("v1", "Node")
    conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith(
        "containerd"
    )


def test_restricted_pods_run_and_are_reached_through_their_service(
    cluster: Cluster, namespace: str, image: str
) -> None:
    web = workloads.make_deployment("web", namespace, image=image, code=SERVES)
    cluster.client.create(web)
    service = cluster.client.create(workloads.make_service("web", namespace))
    workloads.wait_available(cluster, web)
    url = f"http://{service['spec']['clusterIP']}/"

    def fetch_from_a_pod() -> str:
        fetched = cluster.kubectl(
            *("exec", f"--namespace={namespace}", "deployment/web", "--"),
            *(workloads.PYTHON, "-c", FETCH, url),
        )
        if fetched.returncode:
            raise ClusterError(fetched.stderr)
        return fetched.stdout.strip()

    def fetch_from_the_node() -> int:
        try:
            return httpx2.get(url, trust_env=False, timeout=5.0).status_code
        except httpx2.HTTPError as error:
            raise ClusterError(str(error)) from error

    assert wait_until(fetch_from_a_pod, what="the Service to answer a pod") == "200"
    if cluster.is_here:
        what = "the Service to answer the node"
        assert wait_until(fetch_from_the_node, what=what) == 200


def test_what_the_standard_forbids_is_refused(
    cluster: Cluster, namespace: str, image: str
) -> None:
    deployment = workloads.make_deployment("web", namespace, image=image, code="")
    spec = deployment["spec"]["template"]["spec"]
    del spec["containers"][0]["securityContext"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": spec,
    }
    with pytest.raises(ClusterError, match='violates PodSecurity "restricted'):
        cluster.client.create(pod)


def test_a_pod_reaches_the_api_server_with_its_token(
    cluster: Cluster, namespace: str, image: str
) -> None:
    asks = workloads.make_deployment(
        "asks", namespace, image=image, code=ASKS, replicas=1
    )
    cluster.client.create(asks)
    workloads.wait_available(cluster, asks)
    log = cluster.kubectl("logs", f"--namespace={namespace}", "deployment/asks").stdout
    assert f"system:serviceaccount:{namespace}:default" in log
    assert "cannot list resource" in log


def test_a_killed_container_is_started_again_beside_the_other(
    cluster: Cluster, namespace: str, image: str
) -> None:
    web = workloads.make_deployment("web", namespace, image=image, code=SERVES)
    cluster.client.create(web)
    workloads.wait_available(cluster, web)
    killed, other = workloads.find_pods(cluster, web)
    cluster.kill_container(killed["status"]["containerStatuses"][0]["containerID"])

    def count_restarts(pod: dict[str, Any]) -> int:
        (state,) = cluster.client.get(pod)["status"]["containerStatuses"]
        return int(state["restartCount"])

    wait_until(lambda: count_restarts(killed) == 1, what="the container's next life")
    workloads.wait_available(cluster, web)
    assert count_restarts(other) == 0


def test_pods_come_back_after_a_power_cut(
    cluster: Cluster, namespace: str, image: str
) -> None:
    web = workloads.make_deployment("web", namespace, image=image, code=SERVES)
    cluster.client.create(web)
    workloads.wait_available(cluster, web)
    before = {pod["metadata"]["uid"] for pod in workloads.find_pods(cluster, web)}
    cluster.restart_node()
    workloads.wait_restarted(cluster, web)
    after = {pod["metadata"]["uid"] for pod in workloads.find_pods(cluster, web)}
    assert after == before


def test_an_image_may_have_another_tag(
    cluster: Cluster, namespace: str, image: str, tmp_path: Path
) -> None:
    cluster.load_image(retag(IMAGE_ARCHIVE, "admit:other", tmp_path))
    web = workloads.make_deployment("web", namespace, image="admit:other", code=SERVES)
    cluster.client.create(web)
    workloads.wait_available(cluster, web)


def test_the_api_server_goes_and_comes_back_with_its_data(
    cluster: Cluster, namespace: str
) -> None:
    cluster.stop_api_server()
    with pytest.raises(ClusterError, match="no answer"):
        cluster.client.get(f"/api/v1/namespaces/{namespace}")
    cluster.start_api_server()
    found = cluster.client.get(f"/api/v1/namespaces/{namespace}")
    assert found["metadata"]["name"] == namespace
