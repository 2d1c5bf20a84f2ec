"""Generated webhooks against real requests: is the webhook called or not.

What each request looks like to webhooks is what a webhook that takes everything is
sent; the matcher is asked about that, and the API server's own calls are compared.
"""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.cluster.recording import recording

from admit.matching import BUILT_IN, Attributes, Known, Namespace, answer
from admit.testing.waiting import wait_until
from admit.webhook import StoredWebhook, read_webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.recording import Recorder

    from admit.testing import ControlPlane
    from admit.testing.client import Client

SEED = 20
VALIDATING, MUTATING = 110, 40
PAIRS_AT_LEAST = 300

GROUP = "matching.example.com"
DRY = {"dryRun": "All"}

Request = tuple[str, str, str, dict[str, Any] | None]
"""Method, path, content type, body."""

JSON = "application/json"
MERGE = "application/merge-patch+json"


def definition(kind: str, plural: str, scope: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "served": True,
        "storage": False,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    versions = [
        {**version, "name": "v1", "storage": True},
        {**version, "name": "v2"},
        {**version, "name": "v3", "served": False, "subresources": {}},
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {"kind": kind, "plural": plural},
            "versions": versions,
        },
    }


# The second is called like the core's namespaces. It can be created and nothing else:
# the API server reads its path as that of a namespace.
DEFINITIONS = [
    definition("CronTab", "crontabs", "Namespaced"),
    definition("Namespace", "namespaces", "Cluster"),
]


def thing(api_version: str, kind: str, name: str, **members: Any) -> dict[str, Any]:
    metadata = {"name": name, **members.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


def labelled(**labels: str) -> dict[str, Any]:
    return {"labels": labels}


def pod(name: str, **labels: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "web", "image": "nginx:1.29"}]}
    return thing("v1", "Pod", name, metadata=labelled(**labels), spec=spec)


def deployment(name: str, **labels: str) -> dict[str, Any]:
    template = {"metadata": labelled(app="x"), "spec": pod("x")["spec"]}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    return thing("apps/v1", "Deployment", name, metadata=labelled(**labels), spec=spec)


def scaler(version: str) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3}
    return thing(f"autoscaling/{version}", "HorizontalPodAutoscaler", "new", spec=spec)


def post(path: str, body: dict[str, Any]) -> Request:
    return ("POST", path, JSON, body)


def merge(path: str, body: dict[str, Any]) -> Request:
    return ("PATCH", path, MERGE, body)


def delete(path: str) -> Request:
    return ("DELETE", path, JSON, None)


def event(namespace: str) -> dict[str, Any]:
    involved = {"kind": "Pod", "namespace": namespace, "name": "x"}
    return thing("v1", "Event", "new", involvedObject=involved)


def new_event(namespace: str) -> dict[str, Any]:
    more = {
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/a",
        "reportingInstance": "a",
        "action": "Tested",
        "reason": "Tested",
        "type": "Normal",
        "regarding": {"kind": "Pod", "namespace": namespace, "name": "x"},
    }
    return thing("events.k8s.io/v1", "Event", "new", **more)


def in_namespace(name: str) -> list[Request]:
    """What happens in a namespace; the pod `web` and deployment `web` are there."""
    core, apps = f"/api/v1/namespaces/{name}", f"/apis/apps/v1/namespaces/{name}"
    own = f"/apis/{GROUP}"
    web = f"{core}/pods/web"
    eviction = thing("policy/v1", "Eviction", "web", deleteOptions={"dryRun": ["All"]})
    binding = thing("v1", "Binding", "web", target={"kind": "Node", "name": "n"})
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    return [
        post(f"{core}/pods", pod("new")),
        post(f"{core}/pods", pod("new", app="web")),
        post(f"{core}/pods", pod("new", app="db", tier="back")),
        merge(web, {"metadata": {"labels": {"app": None}}}),
        merge(web, {"metadata": {"labels": {"app": "db"}}}),
        merge(web, {"metadata": {"annotations": {"a": "b"}}}),
        merge(f"{web}/status", {"status": {"message": "x"}}),
        delete(web),
        post(f"{web}/eviction", eviction),
        post(f"{web}/binding", binding),
        post(f"{core}/bindings", binding),
        ("POST", f"{web}/exec?command=true&stdout=true", JSON, None),
        ("GET", f"{web}/proxy", JSON, None),
        post(f"{core}/configmaps", thing("v1", "ConfigMap", "new")),
        post(f"{core}/serviceaccounts/builder/token", {**token, "spec": {}}),
        post(f"{core}/events", event(name)),
        post(f"/apis/events.k8s.io/v1/namespaces/{name}/events", new_event(name)),
        post(f"{apps}/deployments", deployment("new", app="web")),
        merge(f"{apps}/deployments/web", {"spec": {"replicas": 2}}),
        merge(f"{apps}/deployments/web/scale", {"spec": {"replicas": 2}}),
        delete(f"{apps}/deployments/web"),
        *(
            post(
                f"/apis/autoscaling/{version}/namespaces/{name}"
                "/horizontalpodautoscalers",
                scaler(version),
            )
            for version in ("v1", "v2")
        ),
        *(
            request
            for version in ("v1", "v2")
            for request in (
                post(
                    f"{own}/{version}/namespaces/{name}/crontabs",
                    thing(f"{GROUP}/{version}", "CronTab", "new"),
                ),
                merge(
                    f"{own}/{version}/namespaces/{name}/crontabs/web/status",
                    {"status": {"a": "b"}},
                ),
                delete(f"{own}/{version}/namespaces/{name}/crontabs/web"),
            )
        ),
    ]


def of_the_cluster(name: str) -> list[Request]:
    space = f"/api/v1/namespaces/{name}"
    own = f"/apis/{GROUP}/v1/namespaces"
    role = thing("rbac.authorization.k8s.io/v1", "ClusterRole", "new", rules=[])
    whole = thing("v1", "Namespace", name, spec={"finalizers": ["kubernetes"]})
    generated = {"apiVersion": "v1", "kind": "Namespace"}
    generated["metadata"] = {"generateName": "new-"}  # type: ignore[assignment]
    return [
        post("/api/v1/namespaces", thing("v1", "Namespace", "new-one")),
        post(
            "/api/v1/namespaces",
            thing("v1", "Namespace", "new-a", metadata=labelled(team="a", app="web")),
        ),
        post("/api/v1/namespaces", generated),
        merge(space, {"metadata": {"labels": {"team": "b"}}}),
        merge(space, {"metadata": {"labels": {"team": None}}}),
        merge(f"{space}/status", {"status": {"phase": "Active"}}),
        ("PUT", f"{space}/finalize", JSON, whole),
        delete(space),
        post("/api/v1/nodes", thing("v1", "Node", "new", metadata=labelled(app="web"))),
        post("/apis/rbac.authorization.k8s.io/v1/clusterroles", role),
        post(
            own, thing(f"{GROUP}/v1", "Namespace", "new", metadata=labelled(team="a"))
        ),
    ]


ACCESS = {"nonResourceAttributes": {"path": "/", "verb": "get"}}
# Never sent, so what they look like is written here.
EXCLUDED: list[tuple[Request, Attributes]] = [
    (
        post(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": ACCESS,
            },
        ),
        Attributes(
            operation="CREATE",
            group="authorization.k8s.io",
            version="v1",
            resource="selfsubjectaccessreviews",
            kind_group="authorization.k8s.io",
            kind="SelfSubjectAccessReview",
            labels={},
        ),
    ),
    (
        post(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            thing(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
                "new",
            ),
        ),
        Attributes(
            operation="CREATE",
            group="admissionregistration.k8s.io",
            version="v1",
            resource="validatingwebhookconfigurations",
            kind_group="admissionregistration.k8s.io",
            kind="ValidatingWebhookConfiguration",
            name="new",
            labels={},
        ),
    ),
]

GROUPS = [
    *(["*"], ["*"], [""], [""], ["apps"], ["", "apps"], ["autoscaling"], [GROUP]),
    *(
        ["events.k8s.io"],
        ["", "events.k8s.io", GROUP],
        ["policy", "authorization.k8s.io"],
    ),
]
VERSIONS = [["*"], ["*"], ["v1"], ["v1"], ["v2"], ["v3"], ["v1", "v1beta1"]]
RESOURCES = [
    *(["*"], ["*"], ["*/*"], ["pods"], ["pods/*"], ["pods", "pods/status"]),
    *(["*/status"], ["*/scale"], ["pods/exec", "pods/eviction"], ["namespaces"]),
    *(["namespaces/*"], ["events"], ["horizontalpodautoscalers"], ["crontabs"]),
    *(["crontabs/*"], ["deployments"], ["deployments/scale"], ["nodes", "Pods"]),
    *(["configmaps", "serviceaccounts/token", "bindings"], ["crontabs", "namespaces"]),
]
OPERATIONS = [["*"], ["*"], ["CREATE"], ["CREATE", "UPDATE"], ["DELETE"], ["CONNECT"]]
SELECTORS = [
    *({}, {}, {}, {"matchLabels": {"team": "a"}}, {"matchLabels": {"app": "web"}}),
    *(
        {"matchExpressions": [{"key": key, "operator": operator, **values}]}
        for key in ("team", "app")
        for operator, values in (
            ("In", {"values": ["a", "web", "db"]}),
            ("NotIn", {"values": ["a", "web"]}),
            ("Exists", {}),
            ("DoesNotExist", {}),
        )
    ),
    {
        "matchLabels": {"tier": "back"},
        "matchExpressions": [{"key": "app", "operator": "Exists"}],
    },
    {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system"],
            }
        ]
    },
]


def generate_entry(chance: random.Random, path: str, recorder: Recorder) -> Any:
    rules = [
        {
            "apiGroups": chance.choice(GROUPS),
            "apiVersions": chance.choice(VERSIONS),
            "resources": chance.choice(RESOURCES),
            "operations": chance.choice(OPERATIONS),
            "scope": chance.choice(["*", "*", "Namespaced", "Cluster"]),
        }
        for _ in range(chance.randint(1, 3))
    ]
    entry = entry_of(path, recorder, rules)
    entry["matchPolicy"] = chance.choice(["Equivalent", "Equivalent", "Exact"])
    entry["namespaceSelector"] = chance.choice(SELECTORS)
    entry["objectSelector"] = chance.choice(SELECTORS)
    if chance.random() < 0.3:  # some that are seen by their rules alone
        entry["namespaceSelector"] = entry["objectSelector"] = {}
    return entry


def entry_of(path: str, recorder: Recorder, rules: list[dict[str, Any]]) -> Any:
    return {
        "name": f"{path.strip('/').replace('/', '-')}.matching.example.com",
        "clientConfig": recorder.client_config(path),
        "rules": rules,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }


EVERYTHING = {
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "resources": ["*/*"],
    "operations": ["*"],
}


def configuration(kind: str, recorder: Recorder, count: int) -> dict[str, Any]:
    """Generated entries of a kind; the last sees everything."""
    letter = kind[0].lower()
    chance = random.Random(f"{SEED} {kind}")
    entries = [
        generate_entry(chance, f"/{letter}/{number}", recorder)
        for number in range(count)
    ]
    entries.append(entry_of(f"/{letter}/all", recorder, [EVERYTHING]))
    return thing(
        "admissionregistration.k8s.io/v1",
        f"{kind}WebhookConfiguration",
        f"matching-{letter}",
        webhooks=entries,
    )


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
