"""Configurations are kept right on a real API server, and not at any price."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from admit._cluster import VALIDATING, Cluster, connect
from admit.registration import Registrar, registrar
from admit.testing import ControlPlane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

WANTED: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "kept"},
    "webhooks": [
        {
            "name": "validate.example.com",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {
                "service": {
                    "namespace": "shop",
                    "name": "hook",
                    "path": "/",
                    "port": 443,
                }
            },
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "rules": [
                {
                    "apiGroups": ["example.com"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["things"],
                    "scope": "*",
                }
            ],
            "sideEffects": "None",
            "timeoutSeconds": 10,
        }
    ],
}


class Known:
    """Whoever knows the authorities."""

    def __init__(self) -> None:
        self.bundle = b"one"
        self.seen: list[bytes] = []

    async def read_bundle(self) -> bytes:
        return self.bundle

    def observe(self, bundles: Iterable[bytes]) -> None:
        self.seen = list(bundles)


@pytest.fixture(autouse=True)
def _clean(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setattr(registrar, "ABSENT_SECONDS", 0.5)
    yield
    cluster.kubectl("delete", "validatingwebhookconfigurations", "--all")


@contextlib.asynccontextmanager
async def keeping(
    known: Known, version: str = "1"
) -> AsyncIterator[tuple[Cluster, Registrar]]:
    async with connect() as cluster:
        keeper = Registrar(cluster, known)
        keeper.want([WANTED], version)
        task = asyncio.create_task(keeper.run())
        try:
            yield cluster, keeper
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(
    cluster: Cluster, holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            live = await cluster.get(VALIDATING, "kept")
            if live is not None and holds(live):
                return live
            await asyncio.sleep(0.05)


def bundle_of(live: dict[str, Any]) -> bytes:
    (entry,) = live["webhooks"]
    return base64.b64decode(entry["clientConfig"].get("caBundle", ""))


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())


def test_it_is_made_healed_and_made_again() -> None:
    async def work() -> None:
        known = Known()
        async with keeping(known) as (cluster, keeper):
            await until(cluster, lambda live: bundle_of(live) == b"one")
            patch = {"webhooks": None}
            await cluster.patch(VALIDATING, "kept", "", patch)
            await until(cluster, lambda live: bool(live.get("webhooks")))
            # Another authority.
            known.bundle = b"one two"
            keeper.want([WANTED], "1")
            await until(cluster, lambda live: bundle_of(live) == b"one two")
            await cluster.delete(VALIDATING, "kept")
            await until(cluster, lambda live: bundle_of(live) == b"one two")
            await keeper.settle()
            assert keeper.corrections == 4
            assert keeper.problems == {}
        assert known.seen == [b"one two"]

    run(work())


def test_of_what_others_apply_only_the_authority_is_ours(
    cluster: ControlPlane,
) -> None:
    text = json.dumps(WANTED)
    cluster.kubectl("apply", "--server-side", "-f", "-", input=text)

    async def work() -> None:
        async with keeping(Known()) as (door, _):
            await until(door, lambda live: bundle_of(live) == b"one")
            # Applied again, nothing changes and nobody fights.
            cluster.kubectl("apply", "--server-side", "-f", "-", input=text)
            live = await until(door, lambda live: bundle_of(live) == b"one")
            owned = {
                entry["manager"]: json.dumps(entry["fieldsV1"])
                for entry in live["metadata"]["managedFields"]
            }
            assert "caBundle" in owned["admit-server"]
            assert "f:failurePolicy" not in owned["admit-server"]
            assert "caBundle" not in owned["kubectl"]

    run(work())


def test_whoever_fights_is_named_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(registrar, "FIGHT_COUNT", 5)

    async def work() -> None:
        async with keeping(Known()) as (cluster, keeper):
            await until(cluster, lambda live: bundle_of(live) == b"one")
            for _ in range(7):
                live = await until(
                    cluster, lambda one: one["webhooks"][0]["timeoutSeconds"] == 10
                )
                before = keeper.corrections
                live["webhooks"][0]["timeoutSeconds"] = 3
                await cluster.replace(VALIDATING, live)
                await asyncio.sleep(0.5)
                if keeper.corrections == before:
                    break
            found = await cluster.get(VALIDATING, "kept")
            assert found is not None
            assert found["webhooks"][0]["timeoutSeconds"] == 3

    with caplog.at_level(logging.ERROR, "admit.registration"):
        run(work())
    assert "keeps changing it; left alone for 60 s" in caplog.text


def test_what_is_another_releases_is_not_touched(cluster: ControlPlane) -> None:
    theirs = json.loads(json.dumps(WANTED))
    theirs["webhooks"][0]["clientConfig"]["service"]["namespace"] = "bank"
    cluster.client.create(theirs)

    async def work() -> None:
        async with keeping(Known()) as (door, keeper):
            async with asyncio.timeout(20):
                while not keeper.problems:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.05)
            (problem,) = keeper.problems.values()
            assert "it is bank/hook's, not shop/hook's" in problem
            live = await door.get(VALIDATING, "kept")
            assert live is not None
            assert bundle_of(live) == b""

    run(work())
