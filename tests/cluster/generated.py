"""Requests to a real API server, and webhooks of any shape, from a seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from admit.matching import Attributes

if TYPE_CHECKING:
    from tests.cluster.recording import Recorder

SEED = 20

GROUP = "matching.example.com"

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
