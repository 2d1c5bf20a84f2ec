"""Certificates that replicas make, with a real API server: Secret, rights, Go's verifier."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit._cluster import SECRETS, ForbiddenError, connect
from admit.certs.keeper import Keeper
from admit.certs.plan import Phase
from admit.certs.service import Service
from admit.certs.times import Times
from admit.deployment.access import secret_role
from admit.deployment.options import DeploymentOptions
from admit.errors import ClusterError
from tests.cluster.driving import EXAMPLES, pod, refusal
from tests.serving import ADMIT, STOP_SECONDS, Served, manifests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane

SECRET = "hook-tls"
POLICIES = EXAMPLES / "tutorial" / "policies.py"


@contextlib.contextmanager
def serving(
    cluster: ControlPlane, folder: Path, *options: str, policies: Path = POLICIES
) -> Iterator[Served]:
    """Run `admit serve --certs self` on a free port."""
    command = [
        *(*ADMIT, "serve", str(policies), "--certs", "self", *options),
        *("--host", "127.0.0.1", "--port", "0", "--health-port", "none"),
        *("--endpoint-delay", "0", "-o", "json"),
    ]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    log = folder / "server.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
    try:
        said = b""
        for line in process.stdout or ():
            said += line
            if line.startswith(b"}"):
                break
        else:
            raise AssertionError(f"the server did not start: {log.read_text()}")
        url = f"https://127.0.0.1:{json.loads(said)['port']}"
        yield Served(url, folder / "ca.pem", log, process)
    finally:
        process.terminate()
        process.communicate(timeout=STOP_SECONDS)


@pytest.fixture
def kubeconfig(cluster: ControlPlane) -> str:
    return str(cluster.kubeconfig)


def test_replicas_share_one_authority_and_see_each_others_changes(
    kubeconfig: str, namespace: str
) -> None:
    service = Service(namespace, "hook")

    async def main() -> None:
        changed = asyncio.Event()
        async with connect(kubeconfig) as api:
            keepers = [
                Keeper(api, service, SECRET, times=Times(), changed=changed.set)
                for _ in range(5)
            ]
            await asyncio.gather(*(keeper.look() for keeper in keepers))
            assert len({keeper.bundle for keeper in keepers}) == 1
            assert keepers[0].phase is Phase.STEADY
            offset = await keepers[0]._ask_time(keepers[0]._now())
            assert offset is not None  # the API server tells its time
            first = keepers[0].bundle
            tasks = [asyncio.create_task(keeper.run()) for keeper in keepers]
            await asyncio.sleep(1)
            await api.delete(SECRETS, SECRET, namespace)
            while not all(keeper.bundle.endswith(first) for keeper in keepers) or (
                len({keeper.bundle for keeper in keepers}) != 1
                or keepers[0].bundle == first
            ):
                changed.clear()
                await changed.wait()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    asyncio.run(main())


def test_the_generated_role_suffices_and_a_missing_right_is_named(
    cluster: ControlPlane, namespace: str
) -> None:
    options = DeploymentOptions(name="hook", namespace=namespace)
    user = cluster.add_user("pod-of-hook")
    service = Service(namespace, "hook")

    async def look() -> Keeper:
        async with connect(str(user.kubeconfig)) as api:
            keeper = Keeper(api, service, options.secret_name, times=Times())
            await keeper.look()
            return keeper

    with pytest.raises(
        ForbiddenError, match=r"cannot get resource .secrets"
    ) as refused:
        asyncio.run(look())
    assert refused.value.place == f"Secret {namespace}/hook-tls"
    assert "resourceNames: [hook-tls]" in (refused.value.hint or "")

    role, binding = secret_role(options)
    subject = {
        "kind": "User",
        "name": user.name,
        "apiGroup": "rbac.authorization.k8s.io",
    }
    for made in (role, {**binding, "subjects": [subject]}):
        cluster.client.create(made)
    keeper = asyncio.run(look())
    assert keeper.phase is Phase.STEADY


def through_service(
    configurations: list[dict[str, Any]], namespace: str, port: int
) -> list[dict[str, Any]]:
    """Let the API server call the Service instead of an address."""
    for configuration in configurations:
        for webhook in configuration["webhooks"]:
            client = webhook["clientConfig"]
            path = client.pop("url").partition(f":{port}")[2]
            client["service"] = {
                "namespace": namespace,
                "name": "hook",
                "path": path,
                "port": port,
            }
    return configurations


def wait_for_secret(cluster: ControlPlane, namespace: str) -> bytes:
    """The authority, once it is there."""
    about = {"name": SECRET, "namespace": namespace}
    while True:
        with contextlib.suppress(ClusterError):
            found = cluster.client.get(
                {"apiVersion": "v1", "kind": "Secret", "metadata": about}
            )
            break
        time.sleep(0.1)
    return base64.b64decode(found["data"]["ca.crt"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_api_server_trusts_a_leaf_of_the_constrained_authority(
    cluster: ControlPlane, namespace: str, tmp_path: Path, workers: str
) -> None:
    """Go verifies the name constraints, and the name of the Service."""
    cluster.client.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "hook", "namespace": namespace},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
    )
    options = ("--service", f"{namespace}/hook", "--workers", workers)
    with serving(cluster, tmp_path, *options) as server:
        server.ca_file.write_bytes(wait_for_secret(cluster, namespace))
        port = int(server.url.rpartition(":")[2])
        configurations = through_service(manifests(POLICIES, server), namespace, port)
        probe = pod("probe", namespace)
        with cluster.registered(*configurations, probe=probe):
            assert "must have an app label" in refusal(cluster, probe)
            labelled = pod("ok", namespace, metadata={"labels": {"app": "x"}})
            cluster.client.create(labelled)
        log = server.log.read_text()
    assert "PRIVATE" not in log
