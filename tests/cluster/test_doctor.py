"""Doctor names the right cause of what is broken on a real API server, first."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from admit.testing import ControlPlane
from tests.commands import invoke

if TYPE_CHECKING:
    from collections.abc import Iterator

API_VERSION = "admissionregistration.k8s.io/v1"
CA, OTHER_CA = trustme.CA(), trustme.CA()

PODS = {
    "operations": ["CREATE"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["pods"],
}
CONFIG_MAPS = PODS | {"resources": ["configmaps"]}

# Spares what a cluster needs, as a good configuration does.
SPARED = {
    "namespaceSelector": {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system", "shop"],
            }
        ]
    }
}


def bundle(authority: trustme.CA = CA) -> str:
    return base64.b64encode(authority.cert_pem.bytes()).decode()


def configuration(client: dict[str, Any], **members: Any) -> dict[str, Any]:
    webhook = {
        "name": "hook.example.com",
        "clientConfig": client,
        "rules": [CONFIG_MAPS],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
        **SPARED,
        **members,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "hook"},
        "webhooks": [webhook],
    }


def service(**members: Any) -> dict[str, Any]:
    whole = {"namespace": "shop", "name": "hook", **members}
    return {"service": whole, "caBundle": bundle()}


Answer = "Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]"


def allow(handler: BaseHTTPRequestHandler, review: dict[str, Any]) -> None:
    response = {"uid": review["request"]["uid"], "allowed": True}
    body = {**review, "request": None, "response": response}
    send(handler, 200, json.dumps(body).encode())


def send(
    handler: BaseHTTPRequestHandler, code: int, body: bytes, **headers: str
) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def hang(_handler: BaseHTTPRequestHandler, _review: dict[str, Any]) -> None:
    time.sleep(2)


def cut(handler: BaseHTTPRequestHandler, _review: dict[str, Any]) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving(
    answer: Any = allow, leaf: trustme.LeafCert | None = None, *, tls: bool = True
) -> Iterator[str]:
    """Serve as a webhook might; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            with contextlib.suppress(OSError):
                answer(self, json.loads(self.rfile.read(length)))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            (leaf or CA.issue_cert("127.0.0.1")).configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(autouse=True)
def _clean(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    yield
    for kind in ("validating", "mutating"):
        cluster.kubectl("delete", f"{kind}webhookconfigurations", "--all")


@pytest.fixture
def shop(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """A namespace for the webhook's Service, new for each test."""
    cluster.kubectl("create", "namespace", "shop")
    yield cluster
    cluster.kubectl("delete", "services,pods,endpointslices", "--all", "-n", "shop")
    cluster.client.send("DELETE", "/api/v1/namespaces/shop")
    namespace = cluster.client.get("/api/v1/namespaces/shop")
    # Nothing else finalizes a namespace here.
    cluster.client.send(
        "PUT", "/api/v1/namespaces/shop/finalize", namespace | {"spec": {}}
    )


def examine(*arguments: object) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    result = invoke("doctor", "-o", "json", *arguments)
    assert result.exit_code in {0, 1}, result.output
    report = json.loads(result.stdout)
    return report["findings"], report


def first(
    cluster: ControlPlane, content: dict[str, Any], wanted: str
) -> dict[str, Any]:
    """Register, and look until the API server calls by it; return the first finding."""
    cluster.client.create(content)
    deadline = time.monotonic() + 20
    while True:
        findings, _ = examine()
        if findings and findings[0]["id"] == wanted:
            return findings[0]
        assert time.monotonic() < deadline, json.dumps(findings[:1])
        time.sleep(0.3)


def test_a_healthy_one_has_no_findings(cluster: ControlPlane) -> None:
    with serving() as url:
        content = configuration({"url": url, "caBundle": bundle()})
        content["webhooks"][0]["clientConfig"]["url"] = url
        cluster.client.create(content)
        findings, report = examine()
        # That it is on the API server's own machine is all there is to say.
        assert {finding["id"] for finding in findings} <= {"local-url"}
        (webhook,) = report["webhooks"]
        assert webhook["failurePolicy"] == "Fail"


BAD_ANSWERS: dict[str, tuple[Any, str]] = {
    "hangs": (hang, "call-timeout"),
    "cuts": (cut, "connection-cut"),
    "500": (lambda h, _: send(h, 500, b"{}"), "http-error"),
    "503": (lambda h, _: send(h, 503, b"{}"), "http-error"),
    "429": (lambda h, _: send(h, 429, b"{}"), "http-error"),
    "404": (lambda h, _: send(h, 404, b"{}"), "wrong-path"),
    "405": (lambda h, _: send(h, 405, b"{}"), "wrong-path"),
    "401": (lambda h, _: send(h, 401, b"{}"), "client-refused"),
    "empty": (lambda h, _: send(h, 200, b""), "garbage-answer"),
    "html": (lambda h, _: send(h, 200, b"<html>"), "garbage-answer"),
    "no response": (
        lambda h, r: send(h, 200, json.dumps(r).encode()),
        "garbage-answer",
    ),
    "another uid": (
        lambda h, r: allow(h, {**r, "request": {"uid": "another"}}),
        "garbage-answer",
    ),
    "another kind": (
        lambda h, _: send(h, 200, b'{"kind": "Pod", "apiVersion": "v1"}'),
        "garbage-answer",
    ),
    "redirects": (
        lambda h, _: send(h, 307, b"", location="/again"),
        "wrong-path",
    ),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_what_it_answers(cluster: ControlPlane, name: str) -> None:
    answer, cause = BAD_ANSWERS[name]
    with serving(answer) as url:
        found = first(cluster, configuration({"url": url, "caBundle": bundle()}), cause)
    assert found["webhook"] == "hook.example.com"
    assert found["severity"] == "error"
    assert "hook" in found["remedy"] or "NAMESPACE" in found["remedy"]
    assert found["evidence"]


def _expired() -> trustme.LeafCert:
    import datetime as dt

    then = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return CA.issue_cert("127.0.0.1", not_after=then)


BAD_TRUST: dict[str, tuple[Any, dict[str, Any], str]] = {
    "expired": (_expired, {}, "tls-expired"),
    "another name": (lambda: CA.issue_cert("other.shop.svc"), {}, "tls-wrong-name"),
    "CA replaced": (
        lambda: OTHER_CA.issue_cert("127.0.0.1"),
        {},
        "tls-unknown-authority",
    ),
    "caBundle empty": (
        lambda: CA.issue_cert("127.0.0.1"),
        {"caBundle": ""},
        "tls-unknown-authority",
    ),
    "caBundle no PEM": (
        lambda: CA.issue_cert("127.0.0.1"),
        {"caBundle": base64.b64encode(b"not PEM").decode()},
        "ca-not-pem",
    ),
}


@pytest.mark.parametrize("name", BAD_TRUST)
def test_whom_it_trusts(cluster: ControlPlane, name: str) -> None:
    leaf, client, cause = BAD_TRUST[name]
    with serving(leaf=leaf()) as url:
        whole = {"url": url, "caBundle": bundle(), **client}
        first(cluster, configuration(whole), cause)


def test_plain_http(cluster: ControlPlane) -> None:
    with serving(tls=False) as url:
        whole = {"url": url, "caBundle": bundle()}
        first(cluster, configuration(whole), "tls-not-spoken")


def test_nobody_listens(cluster: ControlPlane) -> None:
    whole = {"url": "https://127.0.0.1:1/", "caBundle": bundle()}
    found = first(cluster, configuration(whole), "call-refused")
    assert "connection refused" in found["evidence"][0]


def test_a_host_that_nobody_knows(cluster: ControlPlane) -> None:
    whole = {"url": "https://nowhere.invalid/", "caBundle": bundle()}
    first(cluster, configuration(whole), "name-unknown")


def test_a_namespace_that_is_gone(cluster: ControlPlane) -> None:
    found = first(cluster, configuration(service(namespace="lost")), "namespace-gone")
    assert found["remedy"] == "admit disable validating/hook --reason 'left behind'"
    assert "there is no namespace lost" in found["evidence"]


def test_a_service_that_is_missing(shop: ControlPlane) -> None:
    first(shop, configuration(service()), "service-missing")


def _make_service(cluster: ControlPlane, port: int = 443) -> None:
    cluster.kubectl(
        *("create", "service", "clusterip", "hook", "-n", "shop", f"--tcp={port}:8443")
    )


def test_a_service_without_the_port(shop: ControlPlane) -> None:
    _make_service(shop, 8443)
    found = first(shop, configuration(service()), "service-port-missing")
    assert "has port 8443, the configuration names 443" in found["evidence"][0]


def test_a_service_without_pods(shop: ControlPlane) -> None:
    _make_service(shop)
    found = first(shop, configuration(service()), "no-endpoints")
    assert "no pod has the labels app=hook" in found["evidence"]


def test_pods_that_crash(shop: ControlPlane) -> None:
    _make_service(shop)
    shop.kubectl(
        *("run", "hook-1", "-n", "shop", "--image=x", "--labels=app=hook"),
        '--overrides={"spec": {"automountServiceAccountToken": false}}',
    )
    status = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "hook-1",
                "image": "x",
                "imageID": "x",
                "ready": False,
                "restartCount": 7,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            }
        ],
    }
    shop.client.patch("/api/v1/namespaces/shop/pods/hook-1/status", {"status": status})
    found = first(shop, configuration(service()), "no-endpoints")
    assert "pod hook-1: CrashLoopBackOff after 7 restarts" in found["evidence"]


def test_what_cannot_start_again(shop: ControlPlane) -> None:
    content = configuration(service(), rules=[PODS], namespaceSelector={})
    shop.client.create(content)
    findings, _ = examine("--no-probe")
    found = next(f for f in findings if f["id"] == "cold-start-deadlock")
    assert found["severity"] == "error"
    assert found["evidence"][-1] == "and hook.example.com is down"


def test_two_vendors_that_wait_for_each_other(shop: ControlPlane) -> None:
    one, other = (
        configuration(
            service(namespace=home),
            rules=[PODS],
            name=f"{home}.example.com",
            namespaceSelector={
                "matchLabels": {"kubernetes.io/metadata.name": elsewhere}
            },
        )
        for home, elsewhere in (("shop", "bank"), ("bank", "shop"))
    )
    other["metadata"]["name"] = "bank"
    for content in (one, other):
        shop.client.create(content)
    findings, _ = examine("--no-probe")
    found = next(f for f in findings if f["id"] == "cold-start-deadlock")
    assert len(found["evidence"]) == 3


CONDITION = {"name": "x", "expression": "object.spec.nothing == 1"}


def test_a_condition_that_fails(cluster: ControlPlane) -> None:
    with serving() as url:
        content = configuration(
            {"url": url, "caBundle": bundle()}, matchConditions=[CONDITION]
        )
        cluster.client.create(content)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            findings, _ = examine()
            if "condition-errors" in {finding["id"] for finding in findings}:
                assert findings[0]["id"] == "condition-error"
                return
            time.sleep(0.3)
    pytest.fail(f"{findings}")


def test_what_failed_open(cluster: ControlPlane) -> None:
    whole = {"url": "https://127.0.0.1:1/", "caBundle": bundle()}
    cluster.client.create(configuration(whole, failurePolicy="Ignore"))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        findings, _ = examine()
        found = {finding["id"]: finding for finding in findings}
        if "failed-open" in found:
            assert found["failed-open"]["severity"] == "warning"
            return
        time.sleep(0.3)
    pytest.fail(f"{findings}")


def test_the_api_servers_log(cluster: ControlPlane) -> None:
    whole = {"url": "https://127.0.0.1:1/", "caBundle": bundle()}
    content = configuration(whole)
    content["webhooks"][0]["name"] = "logged.example.com"
    first(cluster, content, "call-refused")
    log = cluster.logs["kube-apiserver"]
    findings, _ = examine("--no-probe", "--api-server-log", log)
    found = next(f for f in findings if f["id"] == "call-refused")
    assert found["evidence"][0].startswith("API server log: failed to call webhook")


def test_who_may_not_look_is_told(cluster: ControlPlane) -> None:
    whole = {"url": "https://127.0.0.1:1/", "caBundle": bundle()}
    cluster.client.create(configuration(whole))
    viewer = cluster.add_user("viewer")
    for verb, name in (("list", "webhooks"),):
        cluster.kubectl(
            *("create", "clusterrole", name, f"--verb={verb}"),
            "--resource=validatingwebhookconfigurations,mutatingwebhookconfigurations",
        )
        cluster.kubectl(
            *("create", "clusterrolebinding", name, f"--clusterrole={name}"),
            "--user=viewer",
        )
    _, report = examine("--kubeconfig", viewer.kubeconfig)
    unseen = "\n".join(report["unseen"])
    assert 'cannot list resource "namespaces"' in unseen
    assert "metrics of the API server: " in unseen
    assert len(report["webhooks"]) == 1
