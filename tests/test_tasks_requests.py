from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks.documents import Document, read_documents
from admit._tasks.load import load_policies
from admit._tasks.requests import Wish, draft_request
from admit._tasks.resources import Kinds, guess_plural
from admit.errors import ConfigError, ReviewError
from tests.commands import POD, write
from tests.reviews import review_body

if TYPE_CHECKING:
    from pathlib import Path

    from admit._tasks.requests import Draft

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  names: {kind: CronTab, plural: crontabz}
  scope: Cluster
  versions: [{name: v1}]
"""


def documents(*texts: str) -> tuple[Document, ...]:
    text = "\n---\n".join(texts)
    return read_documents(["-"], stdin=io.BytesIO(text.encode()))


def draft(
    text: str,
    wish: Wish | None = None,
    *,
    old: dict[str, Any] | None = None,
    kinds: Kinds | None = None,
) -> Draft:
    (document,) = documents(text)
    return draft_request(
        document, wish or Wish(), kinds or Kinds((), ()), uid="uid-1", old=old
    )


def object_of(text: str) -> dict[str, Any]:
    return documents(text)[0].content


def minimal(kind: str, api_version: str = "v1", name: str = "x") -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}}}\n"


def test_a_pod_becomes_the_request_that_the_api_server_sends() -> None:
    request = draft(POD).request
    assert (request.kind.group, request.kind.version, request.kind.kind) == (
        "",
        "v1",
        "Pod",
    )
    assert (request.resource.resource, request.resource.version) == ("pods", "v1")
    assert request.request_kind == request.kind
    assert request.request_resource == request.resource
    assert (request.name, request.namespace) == ("web", "default")
    assert request.operation == "CREATE"
    assert request.user_info.username == "kubernetes-admin"
    assert request.user_info.groups == [
        "kubeadm:cluster-admins",
        "system:authenticated",
    ]
    assert request.object is not None
    assert request.object["metadata"] == {"name": "web", "namespace": "default"}
    assert request.old_object is None
    assert request.options == {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "CreateOptions",
        "fieldManager": "kubectl-create",
        "fieldValidation": "Strict",
    }
    assert request.dry_run is False


@pytest.mark.parametrize(
    ("text", "resource", "subresource", "namespace"),
    [
        (minimal("Node"), "nodes", "", ""),
        (minimal("Namespace"), "namespaces", "", "x"),
        (minimal("Endpoints"), "endpoints", "", "default"),
        (minimal("Deployment", "apps/v1"), "deployments.apps", "", "default"),
        (minimal("Eviction", "policy/v1"), "pods", "eviction", "default"),
        (minimal("PodExecOptions"), "pods", "exec", "default"),
        (minimal("NodeProxyOptions"), "nodes", "proxy", ""),
    ],
)
def test_the_resource_of_a_kind_is_known(
    text: str, resource: str, subresource: str, namespace: str
) -> None:
    made = draft(text)
    group = f".{made.request.resource.group}".rstrip(".")
    assert f"{made.request.resource.resource}{group}" == resource
    assert made.request.sub_resource == subresource
    assert made.request.namespace == namespace
    assert made.notes == ()


def test_a_kind_that_nobody_knows_is_guessed_with_a_note() -> None:
    made = draft(minimal("Policy", "example.com/v1"))
    assert made.request.resource.resource == "policies"
    assert made.request.namespace == "default"
    assert "taken as policies, in a namespace" in made.notes[0]


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("CronTab", "crontabs"),
        ("Ingress", "ingresses"),
        ("Policy", "policies"),
        ("MyEndpoints", "myendpoints"),
    ],
)
def test_plurals_are_guessed_as_kubernetes_does(kind: str, plural: str) -> None:
    assert guess_plural(kind) == plural


def test_a_crd_among_the_files_tells_its_kinds() -> None:
    crontab = minimal("CronTab", "stable.example.com/v1")
    kinds = Kinds((), documents(CRD, crontab))
    request = draft(crontab, kinds=kinds).request
    assert (request.resource.resource, request.namespace) == ("crontabz", "")


def test_a_crd_that_is_none_teaches_nothing() -> None:
    kinds = Kinds((), documents(CRD.replace("scope: Cluster", "scope: [1]")))
    assert kinds.find("stable.example.com/v1", "CronTab") is None


def test_an_apps_own_kinds_are_known(tmp_path: Path) -> None:
    file = write(
        tmp_path / "policies.py",
        """
        from admit import App, Resource

        app = App("tabs")

        class CronTab(
            Resource, group="example.com", version="v1", plural="tabz", namespaced=False
        ):
            pass

        @app.validate
        def check(tab: CronTab) -> None: ...
        """,
    )
    kinds = Kinds(load_policies(str(file)).apps, ())
    request = draft(minimal("CronTab", "example.com/v1"), kinds=kinds).request
    assert (request.resource.resource, request.namespace) == ("tabz", "")


def test_generated_names_leave_the_name_empty() -> None:
    request = draft("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n").request
    assert request.name == ""


def test_an_update_has_the_stored_object_and_its_identity() -> None:
    old = object_of(POD)
    old["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    request = draft(POD, Wish(operation="UPDATE"), old=old).request
    assert request.old_object is not None
    assert request.old_object["metadata"]["namespace"] == "default"
    assert request.object is not None
    assert request.object["metadata"]["uid"] == "u"
    assert request.object["metadata"]["resourceVersion"] == "7"
    assert (request.options or {})["kind"] == "UpdateOptions"


def test_a_delete_has_only_the_object_that_goes() -> None:
    request = draft(POD, Wish(operation="DELETE")).request
    assert request.object is None
    assert request.old_object is not None
    assert request.old_object["metadata"]["name"] == "web"
    assert (request.options or {})["kind"] == "DeleteOptions"


def test_a_connect_has_no_metadata_and_no_options() -> None:
    text = minimal("PodExecOptions", name="web") + "command: [ls]\n"
    request = draft(text, Wish(operation="CONNECT")).request
    assert request.object == {
        "apiVersion": "v1",
        "kind": "PodExecOptions",
        "command": ["ls"],
    }
    assert (request.name, request.sub_resource) == ("web", "exec")
    assert request.options is None


def test_dry_run_is_in_the_request_and_its_options() -> None:
    request = draft(POD, Wish(dry_run=True)).request
    assert request.dry_run is True
    assert (request.options or {})["dryRun"] == ["All"]


@pytest.mark.parametrize(
    ("wish", "resource", "group", "sub"),
    [
        (Wish(subresource="status"), "pods", "", "status"),
        (Wish(subresource="deployments.apps/scale"), "deployments", "apps", "scale"),
        (Wish(subresource="pods/binding"), "pods", "", "binding"),
        (Wish(subresource="deployments/scale"), "deployments", "apps", "scale"),
    ],
)
def test_a_subresource_is_asked_for_by_name(
    wish: Wish, resource: str, group: str, sub: str
) -> None:
    request = draft(POD, wish).request
    assert request.resource.resource == resource
    assert request.resource.group == group
    assert request.sub_resource == request.request_sub_resource == sub


@pytest.mark.parametrize(
    ("subresource", "version", "namespace"),
    [
        ("nodes/status", "v1", ""),
        ("certificatesigningrequests/approval", "v1", ""),
        ("resourceclaims.resource.k8s.io/status", "v1", "default"),
        ("horizontalpodautoscalers.autoscaling/status", "v2", "default"),
        ("crontabz.stable.example.com/scale", "v1beta2", ""),
    ],
)
def test_the_resource_of_a_subresource_has_the_version_that_serves_it(
    subresource: str, version: str, namespace: str
) -> None:
    crd = documents(CRD.replace("name: v1}", "name: v1beta2}"))
    (document,) = documents(minimal("Scale", "autoscaling/v1"))
    wish = Wish(subresource=subresource)
    request = draft_request(document, wish, Kinds((), crd), uid="u").request
    assert request.resource.version == version
    assert request.namespace == namespace


@pytest.mark.parametrize(
    ("wish", "username", "groups"),
    [
        (Wish(user="ada"), "ada", ["system:authenticated"]),
        (Wish(groups=("a",)), "kubernetes-admin", ["a", "system:authenticated"]),
        (
            Wish(user="system:serviceaccount:ci:bot", groups=("system:authenticated",)),
            "system:serviceaccount:ci:bot",
            [
                "system:authenticated",
                "system:serviceaccounts",
                "system:serviceaccounts:ci",
            ],
        ),
        (Wish(user="system:serviceaccount"), "system:serviceaccount", None),
        (Wish(user="serviceaccount:ci:bot"), "serviceaccount:ci:bot", None),
    ],
)
def test_users_have_the_groups_that_the_api_server_gives_them(
    wish: Wish, username: str, groups: list[str] | None
) -> None:
    info = wish.user_info()
    assert info.username == username
    assert info.groups == (groups or ["system:authenticated"])


@pytest.mark.parametrize(
    ("text", "wish", "says"),
    [
        (POD, Wish(operation="UPDATE"), "needs the object as it is stored"),
        (POD, Wish(subresource="No!"), "is no subresource"),
        (POD, Wish(subresource="podz/status"), "the resource podz is not known"),
        (POD, Wish(subresource="pods.x.io/status"), "pods.x.io is not known"),
        (minimal("Scale", "autoscaling/v1"), Wish(), "does not say what it scales"),
        (POD + "\n", Wish(namespace="b"), ""),
        (
            POD.replace("name: web\nspec", "name: web\n  namespace: a\nspec"),
            Wish(namespace="b"),
            'the namespace from the provided object "a" does not match',
        ),
        ("apiVersion: v1\nkind: Pod\n", Wish(), "metadata.name is missing"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}\n",
            Wish(operation="DELETE"),
            "metadata.name is missing",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: 3\n", Wish(), "metadata is no object"),
        (minimal("Pod", name="[1]"), Wish(), "metadata.name is no text"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: [b]}\n",
            Wish(),
            "metadata.namespace is no text",
        ),
    ],
)
def test_a_wish_that_makes_no_sense_of_an_object_is_refused(
    text: str, wish: Wish, says: str
) -> None:
    if not says:
        assert draft(text, wish).request.namespace == "b"
        return
    with pytest.raises(ConfigError, match=says):
        draft(text, wish)


def test_an_admission_review_is_taken_as_it_is() -> None:
    body = review_body(object_of(POD), version="v1beta1", operation="UPDATE")
    made = draft(body.decode(), Wish(operation="DELETE"))
    assert made.review.api_version == "admission.k8s.io/v1beta1"
    assert made.request.operation == "UPDATE"


@pytest.mark.parametrize("members", [{"uid": ""}, {"object": []}, {"oldObject": 3}])
def test_an_admission_review_that_is_none_has_a_path(members: dict[str, Any]) -> None:
    review = json.loads(review_body(None))
    review["request"] |= members
    with pytest.raises(ReviewError) as caught:
        draft(json.dumps(review))
    assert caught.value.place == f"$.request.{next(iter(members))}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            minimal("Ingress", "extensions/v1beta1"),
            "Kubernetes serves Ingress as networking.k8s.io/v1 now, or put its CRD",
        ),
        (
            minimal("PodDisruptionBudget", "policy/v1beta1"),
            "in a namespace; Kubernetes serves PodDisruptionBudget as policy/v1 now",
        ),
        (minimal("CronJob", "batch/v1beta1"), "serves CronJob as batch/v1 now"),
        (minimal("Deployment", "apps/v1beta1"), "serves Deployment as apps/v1 now"),
        (
            minimal("Event", "events.k8s.io/v1beta1"),
            "serves Event as events.k8s.io/v1 now",
        ),
        (
            minimal("ClusterRole", "rbac.authorization.k8s.io/v1beta1"),
            "taken as clusterroles, cluster-wide; Kubernetes serves ClusterRole as rbac",
        ),
        (
            minimal("PodSecurityPolicy", "policy/v1beta1"),
            "Kubernetes has none any more, but Pod Security admission, or put",
        ),
        (
            minimal("Service", "serving.knative.dev/v1"),
            "taken as services, in a namespace; put its CRD among the files",
        ),
        (minimal("Deploymnt", "apps/v1"), "did you mean apps/v1 Deployment? Or put"),
        (minimal("Zzz", "z.io/v1"), "in a namespace; put its CRD among the files"),
    ],
)
def test_an_unknown_kind_is_told_with_the_one_that_may_be_meant(
    text: str, says: str
) -> None:
    (note,) = draft(text).notes
    assert says in note
