"""Certificates that replicas make, with a real API server: Secret, rights, Go's verifier."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from admit._cluster import SECRETS, ForbiddenError, connect
from admit.certs.keeper import Keeper
from admit.certs.plan import Phase
from admit.certs.service import Service
from admit.certs.times import Times
from admit.deployment.access import secret_role
from admit.deployment.options import DeploymentOptions

if TYPE_CHECKING:
    from admit.testing import ControlPlane

SECRET = "hook-tls"


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
