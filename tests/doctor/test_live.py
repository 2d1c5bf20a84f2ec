"""What a cluster's answers, numbers and logs say, without a cluster."""

from __future__ import annotations

import datetime as dt
import io
import math
from typing import Any

import pytest

from admit.break_glass import Note, open_up
from admit.doctor import Configuration, Context
from admit.doctor.live.causes import CAUSES, classify
from admit.doctor.live.diagnose import diagnose
from admit.doctor.live.logs import read_log
from admit.doctor.live.numbers import Numbers, read_numbers
from admit.doctor.live.snapshot import Backend, Call, LiveFinding, Snapshot
from tests.doctor.test_cold_start import configuration, only

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

# The API server's own words (admission-semantics of kubernetes 1.37).
REASONS = {
    'Post "https://x.y.svc:443/a?timeout=10s": context deadline exceeded': (
        "call-timeout"
    ),
    'Post "https://x": dial tcp 127.0.0.1:1: connect: connection refused': (
        "call-refused"
    ),
    'Post "https://x": EOF': "connection-cut",
    "read tcp 1.2.3.4:5->6.7.8.9:443: connection reset by peer": "connection-cut",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority": (
        "tls-unknown-authority"
    ),
    "x509: certificate is valid for other.ns.svc, not svc.ns.svc": "tls-wrong-name",
    "x509: certificate relies on legacy Common Name field, use SANs instead": (
        "tls-wrong-name"
    ),
    "x509: certificate has expired or is not yet valid: current time": "tls-expired",
    "http: server gave HTTP response to HTTPS client": "tls-not-spoken",
    "remote error: tls: certificate required": "client-refused",
    'service "hook" not found': "service-missing",
    'no service port 443 found for service "hook"': "service-port-missing",
    'no endpoints available for service "hook"': "no-endpoints",
    'cannot route to service with ClusterIP "None"': "service-not-routable",
    "dial tcp: lookup nowhere: no such host": "name-unknown",
    "dial tcp 10.0.0.1:443: i/o timeout": "unreachable",
    "the server could not find the requested resource": "wrong-path",
    'an error on the server ("boom") has prevented the request from succeeding': (
        "http-error"
    ),
    "received invalid webhook response: expected response.uid": "garbage-answer",
    "could not get REST client: unable to load root certificates: x": "ca-unusable",
    "Webhook SideEffects is nil": "side-effects-unset",
    "expression 'object.x == 1' resulted in error: no such key: x": "condition-error",
    "something new": "call-failed",
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_has_a_cause(reason: str) -> None:
    assert classify(f"failed to call webhook: {reason}").id == REASONS[reason]


def test_every_remedy_can_be_filled_in() -> None:
    for cause in CAUSES.values():
        filled = cause.remedy.format(
            name="validating/x", resource="r", object="x", namespace="n", service="s"
        )
        assert "{{" not in filled, cause.id


METRICS = """
# TYPE apiserver_admission_webhook_rejection_count counter
apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="a"} 3
apiserver_admission_webhook_rejection_count{error_type="no_error",name="a"} 5
# TYPE apiserver_admission_webhook_fail_open_count counter
apiserver_admission_webhook_fail_open_count{name="b",type="validating"} 7
# TYPE apiserver_admission_webhook_admission_duration_seconds histogram
apiserver_admission_webhook_admission_duration_seconds_bucket{name="a",le="0.5"} 10
apiserver_admission_webhook_admission_duration_seconds_bucket{name="a",le="2.5"} 99
apiserver_admission_webhook_admission_duration_seconds_bucket{name="a",le="+Inf"} 100
# TYPE apiserver_request_total counter
apiserver_request_total{code="200"} 1
"""


def test_the_api_servers_numbers() -> None:
    numbers = read_numbers(METRICS)
    assert numbers.failed == {"a": 3}
    assert numbers.denied == {"a": 5}
    assert numbers.failed_open == {"b": 7}
    assert numbers.slow_seconds == {"a": 2.5}
    assert read_numbers("") == Numbers({}, {}, {}, {}, {})


def test_what_is_beyond_the_last_bucket_is_infinite() -> None:
    text = METRICS.replace('le="2.5"} 99', 'le="2.5"} 90')
    assert math.isinf(read_numbers(text).slow_seconds["a"])


LOG = """
W0101 00:00:00.0 1 dispatcher.go:225] Failed calling webhook, failing closed a.b.c: \
failed calling webhook "a.b.c": failed to call webhook: Post "https://x": EOF
W0101 00:00:00.0 1 dispatcher.go:225] "x" err="failed calling webhook \\"a.b.c\\": \
failed to call webhook: Post \\"https://x\\": EOF"
W0101 00:00:00.0 1 dispatcher.go:220] Failed calling webhook, failing open d.e.f: \
failed calling webhook "d.e.f": no answer
I0101 nothing of it
"""

AUDIT = """
{"annotations": {"failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "d"}}
{"responseStatus": {"message": "failed calling webhook \\"a\\": why"}}
{"responseStatus": null, "annotations": null, "x": "failed"}
["failed"]
{"failed
"""


def test_logs_are_counted_by_reason() -> None:
    closed, opened = read_log(io.StringIO(LOG), audit=False)
    assert (closed.webhook, closed.count, closed.ignored) == ("a.b.c", 2, False)
    assert classify(closed.reason).id == "connection-cut"
    assert (opened.webhook, opened.ignored) == ("d.e.f", True)


def test_audit_events_are_read() -> None:
    found = read_log(io.StringIO(AUDIT), audit=True)
    assert {(one.webhook, one.reason, one.ignored) for one in found} == {
        ("d", "failed open", True),
        ("a", "why", False),
    }


def find(content: dict[str, Any], **seen: Any) -> tuple[LiveFinding, ...]:
    snapshot = Snapshot(
        configurations=[Configuration.read(content, 0)], raw=[content], now=NOW, **seen
    )
    return diagnose(snapshot, Context(now=NOW))


SPARED = configuration("shop", "pods", **only("elsewhere"))


def test_what_stands_behind_explains_what_failed() -> None:
    call = Call("shop.example.com", 'no endpoints available for service "x"', "probe")
    service = {"spec": {"ports": [{"port": 443}], "selector": {"app": "x"}}}
    backend = Backend(namespace=True, service=service)
    found = find(SPARED, calls=[call], backends={"shop/webhook": backend})
    causes = [one for one in found if one.id in CAUSES]
    assert [one.id for one in causes] == ["no-endpoints"]
    assert causes[0].evidence == (
        "no address of Service shop/webhook is ready",
        "no pod has the labels app=x",
        f"probe: {call.reason}",
    )
    assert "-n shop get endpointslices" in causes[0].remedy


def test_an_empty_bundle_explains_an_unknown_authority() -> None:
    reason = "x509: certificate signed by unknown authority"
    found = find(SPARED, calls=[Call("shop.example.com", reason, "probe")])
    assert found[0].id == "ca-missing"
    assert found[0].severity == "error"
    assert found[0].evidence[-1] == f"probe: {reason}"
    assert "tls-unknown-authority" not in {one.id for one in found}


def test_one_that_fails_open_is_a_warning() -> None:
    content = configuration("shop", "pods", **only("x"), failurePolicy="Ignore")
    found = find(content, calls=[Call("shop.example.com", "EOF", "probe")])
    severities = {one.id: one.severity for one in found}
    assert severities["call-failed"] == "warning"


def test_a_slow_one_is_near_its_timeout() -> None:
    numbers = Numbers(slow_seconds={"shop.example.com": 6.0})
    found = {one.id: one for one in find(SPARED, numbers=numbers)}
    assert "timeoutSeconds is 10" in found["call-slow"].evidence[0]
    numbers = Numbers(slow_seconds={"shop.example.com": 4.0})
    assert "call-slow" not in {one.id for one in find(SPARED, numbers=numbers)}


@pytest.mark.parametrize(
    ("minutes", "wanted"), [(30, ("open", "info")), (-1, ("open-overdue", "error"))]
)
def test_what_somebody_opened(minutes: int, wanted: tuple[str, str]) -> None:
    until = NOW + dt.timedelta(minutes=minutes)
    note = Note(by="ada", reason="INC-42", since=NOW, until=until)
    opened = open_up(SPARED, "failopen", note)
    found = [one for one in find(opened) if one.id.startswith("open")]
    assert [(one.id, one.severity) for one in found] == [wanted]
    assert found[0].remedy == "admit restore validating/shop"
    assert found[0].evidence[1] == "INC-42"
