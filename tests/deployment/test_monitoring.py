from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from admit.deployment import DeploymentOptions
from admit.deployment.monitoring import ALERTS, Alert, prometheus_rule, service_monitor
from admit.deployment.network import service
from admit.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = DeploymentOptions(name="guard", namespace="policies")
ROWS = {metric.name: metric for metric in METRICS}
HISTOGRAM = ("_bucket", "_count", "_sum")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alerts_are_about_metrics_that_there_are(alert: Alert) -> None:
    names = re.findall(r"\badmit_\w+", alert.expression)
    assert names or alert.expression.startswith("absent(up{SCOPE}")
    for name in names:
        histogram = name.removesuffix("_bucket")
        kind = ROWS[histogram].kind
        assert (kind == "histogram") is (histogram != name)
        # Every one is the release's own: another's must wake nobody here.
        assert f"{name}{{SCOPE" in alert.expression


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alerts_use_labels_that_there_are(alert: Alert) -> None:
    known = {"namespace", "pod", "le"}
    for name in re.findall(r"\badmit_\w+", alert.expression):
        known |= {*ROWS[name.removesuffix("_bucket")].labels}
    text = alert.expression + alert.summary + alert.description
    used = [*re.findall(r"\$labels\.(\w+)", text), *re.findall(r"(\w+)=~?\"", text)]
    for group in re.findall(r"by \(([\w, ]+)\)", text):
        used += group.split(", ")
    assert set(used) <= known


def test_nothing_is_left_to_fill_in() -> None:
    text = json.dumps(prometheus_rule(OPTIONS))
    assert not re.search("SCOPE", text)
    assert text.count('namespace=\\"policies\\", job=\\"guard\\"') >= len(ALERTS)


def test_names_of_alerts_are_their_own() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


def test_the_monitor_finds_the_service_and_its_port() -> None:
    monitor, found = service_monitor(OPTIONS), service(OPTIONS)
    labels = monitor["spec"]["selector"]["matchLabels"]
    assert labels.items() <= found["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in found["spec"]["ports"]}
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == ["policies"]


def test_both_have_the_labels_by_which_prometheus_finds_them() -> None:
    options = dataclasses.replace(OPTIONS, monitoring_labels={"release": "stack"})
    for manifest in (service_monitor(options), prometheus_rule(options)):
        assert manifest["metadata"]["labels"] == {**options.labels, "release": "stack"}


# Series that make each alert fire: metric, further labels, values at each minute.
FIRING: dict[str, list[tuple[str, str, str]]] = {
    "AdmitIsDown": [],
    "AdmitReviewsFail": [
        ("admit_reviews_total", 'webhook="w", verdict="error"', "0+5x60"),
        ("admit_reviews_total", 'webhook="w", verdict="allow"', "0+100x60"),
    ],
    "AdmitPolicyRaises": [("admit_handler_errors_total", 'policy="p"', "0+1x60")],
    "AdmitIsSlow": [
        ("admit_review_duration_seconds_bucket", 'webhook="w", le="1.0"', "0+1x60"),
        ("admit_review_duration_seconds_bucket", 'webhook="w", le="5.0"', "0+9x60"),
        ("admit_review_duration_seconds_bucket", 'webhook="w", le="+Inf"', "0+9x60"),
    ],
    "AdmitAnswersTooLate": [
        ("admit_deadline_left_seconds_bucket", 'webhook="w", le="0.0"', "0+1x60"),
    ],
    "AdmitHandshakesFail": [("admit_handshake_failures_total", "", "0+60x60")],
    "AdmitCertificateExpires": [
        ("admit_certificate_expiry_timestamp_seconds", "", "7200x60"),
    ],
    "AdmitCertificateIsUnusable": [
        ("admit_certificate_reload_failures_total", "", "0+1x60"),
    ],
    "AdmitRotationIsBlocked": [
        ("admit_authority_rotation", 'phase="blocked"', "1x60"),
    ],
    "AdmitClientsAreRefused": [
        ("admit_clients_refused_total", 'reason="name"', "0+60x60"),
    ],
    "AdmitPoliciesAreStale": [("admit_policies_stale", "", "1x60")],
    "AdmitLoopIsHeld": [("admit_loop_held_total", 'policy="p"', "0+5x60")],
    "AdmitWorkersEnd": [("admit_worker_restarts_total", "", "0+1x60")],
}


def test_every_alert_fires_for_this_release_alone(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool (Debian's package prometheus has it)")
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(prometheus_rule(OPTIONS)["spec"]))
    tests = []
    assert [*FIRING] == [alert.name for alert in ALERTS]
    for name, series in FIRING.items():
        for job, fires in (("guard", True), ("other", name == "AdmitIsDown")):
            scope = f'namespace="policies", job="{job}", pod="a"'
            given = [
                {"series": f"{metric}{{{scope}, {labels}}}", "values": values}
                for metric, labels, values in series
            ]
            tests.append(
                {
                    "name": f"{name} {job}",
                    "interval": "1m",
                    "input_series": given
                    or [{"series": f"up{{{scope}}}", "values": "0x60"}],
                    # As an expression: which labels an alert has is its own business.
                    "promql_expr_test": [
                        {
                            "expr": f'count(ALERTS{{alertname="{name}", '
                            'alertstate="firing"}) or vector(0)',
                            "eval_time": "50m",
                            "exp_samples": [{"labels": "{}", "value": int(fires)}],
                        }
                    ],
                }
            )
    file = tmp_path / "tests.json"
    file.write_text(json.dumps({"rule_files": [str(rules)], "tests": tests}))
    done = subprocess.run(
        [promtool, "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
