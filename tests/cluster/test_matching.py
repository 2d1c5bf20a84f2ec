"""Generated webhooks against real requests: is the webhook called or not.

What each request looks like to webhooks is what a webhook that takes everything is
sent; the matcher is asked about that, and the API server's own calls are compared.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from admit.matching import BUILT_IN, Attributes, Known, Namespace, answer
from admit.testing.waiting import wait_until
from admit.webhook import StoredWebhook, read_webhook
from tests.cluster.generated import (
    DEFINITIONS,
    EVERYTHING,
    EXCLUDED,
    GROUP,
    Request,
    configuration,
    deployment,
    entry_of,
    in_namespace,
    of_the_cluster,
    pod,
    thing,
)
from tests.cluster.recording import recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane
    from admit.testing.client import Client
    from tests.cluster.recording import Recorder

VALIDATING, MUTATING = 110, 40
PAIRS_AT_LEAST = 300

DRY = {"dryRun": "All"}


@pytest.fixture(scope="module")
def custom(cluster: ControlPlane) -> Iterator[None]:
    """The custom resources are defined."""
    client = cluster.client
    for each in DEFINITIONS:
        client.create(each)
        what = each["metadata"]["name"]
        wait_until(functools.partial(is_established, client, each), what=what)
    yield
    for each in DEFINITIONS:
        client.delete(each)


@pytest.fixture
def spaces(cluster: ControlPlane, custom: None) -> Iterator[dict[str, dict[str, str]]]:
    """Namespaces with their labels; objects are in them."""
    client = cluster.client
    made = [
        client.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"generateName": "matching-", "labels": labels},
            }
        )
        for labels in ({"team": "a"}, {"app": "web", "team": "b"})
    ]
    for space in made:
        fill(client, space["metadata"]["name"])
    yield {s["metadata"]["name"]: s["metadata"]["labels"] for s in made}
    for each in made:
        client.delete(each)


def is_established(client: Client, custom: dict[str, Any]) -> bool:
    plural = custom["spec"]["names"]["plural"]
    if client.send("GET", f"/apis/{GROUP}/v2/{plural}").code != 200:
        return False
    conditions = client.get(custom)["status"]["conditions"] or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def fill(client: Client, namespace: str) -> None:
    for each in (
        pod("web", app="web"),
        deployment("web", app="web"),
        thing("v1", "ServiceAccount", "builder"),
        thing(f"{GROUP}/v1", "CronTab", "web"),
    ):
        each["metadata"]["namespace"] = namespace
        client.create(each)


def send(client: Client, request: Request) -> int:
    method, path, content_type, body = request
    path, _, query = path.partition("?")
    params = {} if path.endswith(("/exec", "/proxy")) else dict(DRY)
    params |= dict(part.split("=") for part in query.split("&") if part)
    return client.send(
        method, path, body, params=params, content_type=content_type
    ).code


class Compared:
    """Pairs of webhook and request, and where matcher and API server differ."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.verdicts: Counter[str] = Counter()
        self.equivalents = 0
        self.differences: list[str] = []

    def add(
        self,
        name: str,
        webhook: StoredWebhook,
        seen: list[Attributes],
        *,
        called: bool,
    ) -> None:
        """Compare one webhook for one client's request, which may be sent twice."""
        answers = [answer(webhook, one, self.known) for one in seen]
        expected = any(found.can_be_called for found in answers)
        self.equivalents += any(found.sent_as is not None for found in answers)
        self.verdicts["called" if called else "not called"] += 1
        if expected != called:
            reasons = "; ".join(found.reason for found in answers)
            asked = f"{seen[0].operation} {seen[0].target} in {seen[0].namespace!r}"
            self.differences.append(f"{name}: {asked}: called={called}, but {reasons}")


def test_webhooks_are_called_as_the_matcher_says(
    cluster: ControlPlane,
    spaces: dict[str, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = Known(
        find_namespace=lambda name: Namespace(spaces[name]) if name in spaces else None,
        equivalents=BUILT_IN.with_custom(DEFINITIONS),
    )
    for name, labels in spaces.items():
        spaces[name] = {**labels, "kubernetes.io/metadata.name": name}
    compared, codes = Compared(known), Counter[int]()
    requests: list[tuple[Request, Attributes | None]] = [
        *((request, None) for name in spaces for request in in_namespace(name)),
        *((request, None) for request in of_the_cluster(next(iter(spaces)))),
        *EXCLUDED,
    ]
    with recording() as recorder:
        configurations = [
            configuration("Validating", recorder, VALIDATING),
            configuration("Mutating", recorder, MUTATING),
        ]
        probe = thing("v1", "ConfigMap", "probe")
        with cluster.registered(*configurations, probe=probe):
            for request, written in requests:
                recorder.take()
                codes[send(cluster.client, request)] += 1
                compare(compared, configurations, recorder, request, written)
    pairs = compared.verdicts.total()
    with capsys.disabled():
        print(
            f"\nmatching: {pairs} pairs of {len(requests)} requests: "
            f"{dict(compared.verdicts)}, {compared.equivalents} by an equivalent, "
            f"{len(compared.differences)} differences; answers {dict(codes)}"
        )
        print("".join(f"  {line}\n" for line in compared.differences), end="")
    assert pairs >= PAIRS_AT_LEAST
    assert compared.verdicts["called"] > PAIRS_AT_LEAST
    assert compared.equivalents > 10
    assert not compared.differences


def compare(
    compared: Compared,
    configurations: list[dict[str, Any]],
    recorder: Recorder,
    request: Request,
    written: Attributes | None,
) -> None:
    calls = recorder.take()
    for configured in configurations:
        letter = configured["kind"][0].lower()
        seen = [Attributes.of(r) for path, r in calls if path == f"/{letter}/all"]
        assert bool(seen) == (written is None) or letter == "v", (request, calls)
        if not seen and written is None:
            continue  # refused before validation
        called = {path for path, _ in calls}
        for entry in configured["webhooks"][:-1]:
            path = re.sub(r"https://[^/]+", "", entry["clientConfig"]["url"])
            compared.add(
                entry["name"],
                read_webhook(entry),
                seen or [written] if written else seen,
                called=path in called,
            )


def remove_namespace_alone(client: Client) -> str:
    """Return a namespace that is gone although something is still in it."""
    made = client.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": "gone-"},
        }
    )
    name: str = made["metadata"]["name"]
    for kind in ("ConfigMap", "Secret"):
        client.create(thing("v1", kind, "left", metadata={"namespace": name}))
    client.delete(made)
    path = f"/api/v1/namespaces/{name}"
    client.request("PUT", f"{path}/finalize", thing("v1", "Namespace", name))
    wait_until(lambda: client.send("GET", path).code == 404, what=f"{name} to be gone")
    return name


def deleting(resource: str, kind: str, **changes: Any) -> Attributes:
    whole = {"group": "", "version": "v1", "name": "left", "old_labels": {}}
    return Attributes(
        operation="DELETE", resource=resource, kind=kind, **whole | changes
    )


@pytest.mark.usefixtures("custom")
def test_an_error_of_a_selector_is_the_answer_whatever_the_failure_policy(
    cluster: ControlPlane,
) -> None:
    client = cluster.client
    client.create(thing(f"{GROUP}/v1", "Namespace", "left"))
    gone = remove_namespace_alone(client)
    rules = [
        {
            "apiGroups": ["", GROUP],
            "apiVersions": ["*"],
            "resources": ["configmaps", "namespaces"],
            "operations": ["DELETE"],
        }
    ]
    with recording() as recorder:
        entry = entry_of("/selected", recorder, rules)
        entry |= {
            "namespaceSelector": {"matchLabels": {"team": "a"}},
            "failurePolicy": "Ignore",
        }
        marker = {**EVERYTHING, "resources": ["configmaps"], "operations": ["CREATE"]}
        configured = thing(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "matching-errors",
            webhooks=[entry, entry_of("/marker", recorder, [marker])],
        )
        asked = [
            (
                f"/api/v1/namespaces/{gone}/configmaps/left",
                deleting("configmaps", "ConfigMap", namespace=gone),
                404,
            ),
            (
                f"/api/v1/namespaces/{gone}/secrets/left",
                deleting("secrets", "Secret", namespace=gone),
                200,
            ),
            # Of a collection, for its items cannot be named: see above.
            (
                f"/apis/{GROUP}/v1/namespaces",
                deleting("namespaces", "Namespace", group=GROUP, kind_group=GROUP),
                500,
            ),
        ]
        known = Known(find_namespace=lambda _: None)
        with cluster.registered(configured, probe=thing("v1", "ConfigMap", "probe")):
            recorder.take()
            for path, attributes, code in asked:
                said = client.send("DELETE", path, params=DRY)
                found = answer(read_webhook(entry), attributes, known)
                assert said.code == code == (found.code or 200), said.body
                assert found.code == 0 or found.reason in said.body["message"]
            assert recorder.take() == []
