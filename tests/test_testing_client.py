from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from admit.errors import ClusterError
from admit.testing import Client, client
from tests.web import Page, Web, served

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_TYPE = ("Content-Type", "application/json")
CORE = {
    "resources": [
        {"kind": "Pod", "name": "pods", "namespaced": True},
        {"kind": "Pod", "name": "pods/status", "namespaced": True},
        {"kind": "Namespace", "name": "namespaces", "namespaced": False},
    ]
}
GADGETS = {"resources": [{"kind": "Gadget", "name": "gadgets", "namespaced": True}]}


@pytest.fixture
def web() -> Iterator[Web]:
    with served() as web:
        web.pages["GET /api/v1"] = page(CORE)
        web.pages["GET /apis/example.com/v1"] = page(GADGETS)
        yield web


@pytest.fixture
def cluster(web: Web) -> Iterator[Client]:
    client = Client(web.url, ssl.create_default_context())
    yield client
    client.close()


def page(body: Any, *, code: int = 200, warnings: tuple[str, ...] = ()) -> Page:
    headers = [JSON_TYPE, *(("Warning", text) for text in warnings)]
    return Page(json.dumps(body).encode(), code, headers)


POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}
PODS = "/api/v1/namespaces/default/pods"
GADGET = {
    "apiVersion": "example.com/v1",
    "kind": "Gadget",
    "metadata": {"name": "a b", "namespace": "shop"},
}


@pytest.mark.parametrize(
    ("object", "path"),
    [
        (POD, f"{PODS}/web"),
        (GADGET, "/apis/example.com/v1/namespaces/shop/gadgets/a%20b"),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
            "/api/v1/namespaces/shop",
        ),
    ],
)
def test_the_path_of_an_object_comes_from_discovery(
    cluster: Client, object: dict[str, Any], path: str
) -> None:
    assert cluster.path_of(object) == path


def test_a_kind_is_looked_up_once(cluster: Client, web: Web) -> None:
    cluster.path_of(POD)
    cluster.path_of(POD)
    assert len(web.asked) == 1


def test_a_kind_that_is_new_is_looked_up_again(cluster: Client, web: Web) -> None:
    with pytest.raises(ClusterError, match=r"example.com/v1 has no kind Widget"):
        cluster.collection_path("example.com/v1", "Widget")
    widget = {"kind": "Widget", "name": "widgets", "namespaced": True}
    web.pages["GET /apis/example.com/v1"] = page({"resources": [widget]})
    path = cluster.collection_path("example.com/v1", "Widget")
    assert path == "/apis/example.com/v1/widgets"


def test_an_object_without_a_name_has_no_path(cluster: Client) -> None:
    with pytest.raises(ClusterError, match=r"Pod without metadata.name"):
        cluster.path_of({"apiVersion": "v1", "kind": "Pod", "metadata": {}})


@pytest.mark.parametrize(
    ("call", "line", "content_type", "body"),
    [
        (lambda c: c.get(POD), f"GET {PODS}/web", None, None),
        (lambda c: c.get(f"{PODS}/web"), f"GET {PODS}/web", None, None),
        (lambda c: c.create(POD), f"POST {PODS}", "application/json", POD),
        (
            lambda c: c.create(POD, dry_run=True, params={"fieldManager": "me"}),
            f"POST {PODS}?fieldManager=me&dryRun=All",
            "application/json",
            POD,
        ),
        (
            lambda c: c.update(POD, dry_run=True),
            f"PUT {PODS}/web?dryRun=All",
            "application/json",
            POD,
        ),
        (lambda c: c.patch(POD, []), f"PATCH {PODS}/web", client.JSON_PATCH, []),
        (lambda c: c.patch(POD, {}), f"PATCH {PODS}/web", client.MERGE_PATCH, {}),
        (
            lambda c: c.patch(POD, {}, strategic=True),
            f"PATCH {PODS}/web",
            client.STRATEGIC_MERGE_PATCH,
            {},
        ),
        (
            lambda c: c.apply(POD, field_manager="me"),
            f"PATCH {PODS}/web?fieldManager=me&force=true",
            client.APPLY_PATCH,
            POD,
        ),
        (lambda c: c.delete(POD), f"DELETE {PODS}/web", None, None),
    ],
)
def test_each_method_sends_what_kubernetes_expects(
    cluster: Client, web: Web, call: Any, line: str, content_type: str | None, body: Any
) -> None:
    web.pages[line.partition("?")[0]] = page({"kind": "Answer"})
    assert call(cluster) == {"kind": "Answer"}
    asked = web.asked[-1]
    assert asked.line == f"{line} HTTP/1.1"
    assert asked.headers["Content-Type"] == content_type
    assert json.loads(asked.body or b"null") == body


def test_a_list_is_its_items(cluster: Client, web: Web) -> None:
    web.pages["GET /api/v1/pods"] = page({"items": [POD]})
    assert cluster.list("v1", "Pod", params={"labelSelector": "app=web"}) == [POD]
    assert web.asked[-1].line == "GET /api/v1/pods?labelSelector=app%3Dweb HTTP/1.1"


def test_a_refusal_carries_the_status(cluster: Client, web: Web) -> None:
    status = {"kind": "Status", "code": 403, "message": "pods are forbidden"}
    web.pages[f"POST {PODS}"] = page(status, code=403)
    with pytest.raises(ClusterError, match="pods are forbidden") as caught:
        cluster.create(POD)
    assert caught.value.status == status
    assert caught.value.place == f"POST {PODS}"


def test_a_refusal_that_is_no_status_carries_its_code(
    cluster: Client, web: Web
) -> None:
    web.pages["GET /healthz"] = Page(b"no", 500)
    with pytest.raises(ClusterError, match="HTTP 500: no"):
        cluster.request("GET", "/healthz")


def test_an_answer_has_code_text_and_warnings(cluster: Client, web: Web) -> None:
    warnings = ('299 - "a \\"b\\" \\\\ c", 299 - "second"', '299 kube "third"')
    web.pages["GET /x"] = page({}, code=404, warnings=warnings)
    answer = cluster.send("GET", "/x")
    assert answer.code == 404
    assert answer.warnings == ('a "b" \\ c', "second", "third")
    web.pages["GET /readyz"] = Page(b"ok", 200, [("Content-Type", "text/plain")])
    assert cluster.send("GET", "/readyz").body == "ok"


def test_an_answer_that_claims_to_be_json_and_is_not_is_an_error(
    cluster: Client, web: Web
) -> None:
    web.pages["GET /x"] = Page(b"{", 200, [JSON_TYPE])
    with pytest.raises(ClusterError, match="not JSON"):
        cluster.send("GET", "/x")


def test_a_truncated_answer_is_an_error(cluster: Client, web: Web) -> None:
    web.pages["GET /x"] = Page(b"{", 200, [JSON_TYPE], length=10)
    with pytest.raises(ClusterError, match="no answer"):
        cluster.send("GET", "/x")


def test_an_endless_answer_is_an_error(cluster: Client, web: Web) -> None:
    web.pages["GET /x"] = Page(b" " * (client.MAX_ANSWER_BYTES + 1))
    with pytest.raises(ClusterError, match="larger than"):
        cluster.send("GET", "/x")


def test_nobody_listening_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = Client(f"https://127.0.0.1:{port}", ssl.create_default_context())
    with pytest.raises(ClusterError, match=r"GET /readyz: no answer: .*refused"):
        client.send("GET", "/readyz")
    client.close()


def test_impersonation_is_in_the_headers_of_the_new_client_alone(
    cluster: Client, web: Web
) -> None:
    web.pages["GET /x"] = page({})
    alice = cluster.impersonate("alice", ["dev", "ops"], {"example.com/team": ["a"]})
    alice.get("/x")
    headers = web.asked[-1].headers
    assert headers["Impersonate-User"] == "alice"
    assert headers.get_all("Impersonate-Group") == ["dev", "ops"]
    assert headers["Impersonate-Extra-example.com%2Fteam"] == "a"
    cluster.get("/x")
    assert "Impersonate-User" not in web.asked[-1].headers
