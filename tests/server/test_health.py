"""The health port, and `/health` beside the reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.telemetry import METRICS
from tests.reviews import pod, review_body
from tests.server.running import Authority, endpoints_of, serving, tutorial
from tests.server.wire import connected, connected_plainly, get, look, request, scrape

if TYPE_CHECKING:
    from tests.server.running import Served


def test_a_server_without_policies_says_503_and_why(authority: Authority) -> None:
    with serving(authority, {}) as served:
        status, text = look(served.health_port, "/readyz")
        assert status == 503
        assert text.startswith("not ok\n[-] policies: not loaded yet\n[+] certificate")
        assert look(served.health_port, "/healthz") == (200, "ok\n")
        with connected(served) as client:
            response = client.ask()
            assert response.status == 503
            assert response.headers["retry-after"] == "1"
            assert "not loaded yet" in response.message
        served.set_routes(endpoints_of(tutorial()))
        assert look(served.health_port, "/readyz")[0] == 200
        with connected(served) as client:
            assert client.ask().status == 200


def test_routes_are_swapped_under_a_live_connection(authority: Authority) -> None:
    endpoints = endpoints_of(tutorial())
    with serving(authority, endpoints) as served, connected(served) as client:
        assert client.ask().status == 200
        served.set_routes({"/moved": endpoints["/validate"]})
        assert client.ask().status == 404
        assert client.ask(path="/moved").status == 200


def test_health_is_on_the_review_port_too(served: Served) -> None:
    with connected(served) as client:
        client.send(get("/health"))
        response = client.read()
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain")
        assert response.body.startswith(b"ok\n[+] policies\n")


@pytest.mark.parametrize("path", ["/validate", "/", "/metrics/"])
def test_nothing_else_is_on_the_health_port(path: str, served: Served) -> None:
    with connected_plainly(served.health_port) as client:
        client.send(request(b"{}", path))
        assert client.read().status == 404


def test_there_may_be_no_health_port(authority: Authority) -> None:
    with serving(authority, health_port=None) as served, connected(served) as client:
        assert served.server.health_port is None
        assert client.ask().status == 200


def test_metrics_count_what_happened(authority: Authority) -> None:
    with serving(authority) as served:
        with connected(served) as client:
            client.ask()
            client.ask(review_body(pod()))
            client.ask(review_body(pod()), "/mutate?timeout=5s")
            client.ask(review_body([], operation="UPDATE"))
            client.ask(b"nonsense")
            client.ask(path="/nowhere")
            status, text = look(served.health_port, "/metrics")
        assert status == 200
        found = scrape(text)

    def reviews(webhook: str, verdict: str, operation: str = "CREATE") -> float:
        labels = (
            ("operation", operation),
            ("verdict", verdict),
            ("webhook", f"{webhook}.pod-labels.example.com"),
        )
        return found["admit_reviews_total", labels]

    assert reviews("validate", "allow") == 1
    assert reviews("validate", "deny") == 1
    assert reviews("mutate", "mutate") == 1
    assert reviews("validate", "invalid", "UPDATE") == 1
    assert reviews("validate", "error") == 0
    assert found["admit_http_responses_total", (("code", "200"),)] == 3
    assert found["admit_http_responses_total", (("code", "400"),)] == 2
    assert found["admit_http_responses_total", (("code", "404"),)] == 1
    assert found["admit_connections", ()] == 1
    assert found["admit_certificate_expiry_timestamp_seconds", ()] > 3e10
    held = (("policy", "require_app_label"),)
    assert found["admit_loop_held_total", held] == 0
    assert found["admit_handler_errors_total", held] == 0
    webhook = ("webhook", "mutate.pod-labels.example.com")
    left = "admit_deadline_left_seconds_bucket"
    assert found[left, (("le", "2.0"), webhook)] == 0
    assert found[left, (("le", "5.0"), webhook)] == 1
    assert found["admit_review_duration_seconds_count", (webhook,)] == 1


def test_every_metric_is_in_the_table_and_the_other_way_round(
    served: Served,
) -> None:
    served.measures.versions["pod-labels"] = "1a2b"
    served.counts.authority_expiry = 1.0
    served.counts.rotation = {"steady": 1}
    served.counts.registration_corrections = 0
    _, text = look(served.health_port, "/metrics")
    shown = {
        line.split()[2]: line.split()[3]
        for line in text.splitlines()
        if line.startswith("# TYPE")
    }
    table = {metric.name: metric.kind for metric in METRICS}
    del table["admit_worker_restarts_total"]  # the parent's, where there are workers
    assert shown == table
