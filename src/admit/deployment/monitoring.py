"""What the Prometheus operator reads: where metrics are, and when to wake people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from admit.deployment.network import HEALTH

if TYPE_CHECKING:
    from admit.deployment.options import DeploymentOptions

__all__ = ("ALERTS", "Alert", "prometheus_rule", "service_monitor")

GROUP: Final = "monitoring.coreos.com/v1"

SCRAPE_INTERVAL: Final = "30s"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Args:
        name: as Prometheus shows it.
        expression: PromQL; ``SCOPE`` stands for the release's label matchers.
        wait: how long it has to hold.
        severity: critical wakes somebody; warning can wait for the morning.
        summary: what is wrong, in one line.
        description: what follows from it, and what to look at.
    """

    name: str
    expression: str
    wait: str
    severity: Literal["critical", "warning"]
    summary: str
    description: str


# A webhook that is slow is felt by everybody; the API server gives up after 10 s.
SLOW_SECONDS: Final = 1
FAILED_SHARE: Final = 0.01

# Certificates of 30 days are renewed when ten are left, those of others mostly earlier:
# one with less than this was not renewed.
EXPIRY_SECONDS: Final = 7 * 24 * 3600

# An authority of a year is rotated when four months are left.
AUTHORITY_EXPIRY_SECONDS: Final = 30 * 24 * 3600

ALERTS: Final = (
    Alert(
        "AdmitIsDown",
        "absent(up{SCOPE} == 1)",
        "2m",
        "critical",
        "No replica can be scraped.",
        "Requests that policies with failurePolicy Fail match are refused, those with "
        "Ignore pass unseen. Look at the pods and their last log lines.",
    ),
    Alert(
        "AdmitReviewsFail",
        'sum by (webhook) (rate(admit_reviews_total{SCOPE, verdict=~"error|timeout"}'
        "[5m])) / sum by (webhook) (rate(admit_reviews_total{SCOPE}[5m])) "
        f"> {FAILED_SHARE}",
        "5m",
        "critical",
        "Reviews end without a decision: {{ $labels.webhook }}.",
        "A policy raises or is too slow, so failurePolicy decides instead of it. The "
        "logs name the policy.",
    ),
    Alert(
        "AdmitPolicyRaises",
        "sum by (policy) (increase(admit_handler_errors_total{SCOPE}[15m])) > 0",
        "1m",
        "warning",
        "A policy raises instead of deciding: {{ $labels.policy }}.",
        "It is a bug in the policy; the logs have the exception.",
    ),
    Alert(
        "AdmitIsSlow",
        "histogram_quantile(0.99, sum by (webhook, le) "
        f"(rate(admit_review_duration_seconds_bucket{{SCOPE}}[5m]))) > {SLOW_SECONDS}",
        "10m",
        "warning",
        "One review in a hundred takes a second or more: {{ $labels.webhook }}.",
        "Everybody who writes what it matches waits for it. Look at CPU, at the number "
        "of replicas, and at what policies wait for.",
    ),
    Alert(
        "AdmitAnswersTooLate",
        "sum by (webhook) "
        '(increase(admit_deadline_left_seconds_bucket{SCOPE, le="0.0"}[15m])) > 0',
        "1m",
        "warning",
        "Answers come after the API server gave up: {{ $labels.webhook }}.",
        "The time-out of the webhook is too short for what it does.",
    ),
    Alert(
        "AdmitHandshakesFail",
        "sum(rate(admit_handshake_failures_total{SCOPE}[5m])) > 0.1",
        "10m",
        "warning",
        "Connections to the review port do not become TLS connections.",
        "The API server may not trust the certificate (caBundle), or somebody else "
        "tries the port.",
    ),
    Alert(
        "AdmitCertificateExpires",
        "min(admit_certificate_expiry_timestamp_seconds{SCOPE}) - time() "
        f"< {EXPIRY_SECONDS}",
        "5m",
        "critical",
        "The serving certificate expires soon and was not renewed.",
        "After that every call fails. Look at who makes the certificate.",
    ),
    Alert(
        "AdmitCertificateIsUnusable",
        "increase(admit_certificate_reload_failures_total{SCOPE}[15m]) > 0",
        "1m",
        "warning",
        "A new certificate cannot be used; the one before stays: {{ $labels.pod }}.",
        "The logs say what is wrong with it.",
    ),
    Alert(
        "AdmitRotationIsBlocked",
        'max(admit_authority_rotation{SCOPE, phase="blocked"}) > 0',
        "30m",
        "warning",
        "The authority of the pods' certificates cannot be looked after.",
        "What is served stays valid for days. /readyz and the logs say what is wrong "
        "with its Secret.",
    ),
    Alert(
        "AdmitClientsAreRefused",
        "sum by (reason) (rate(admit_clients_refused_total{SCOPE}[5m])) > 0.1",
        "10m",
        "warning",
        "Clients that may not ask try again and again: {{ $labels.reason }}.",
        "It may be the API server, whose credential is wrong: then failurePolicy "
        "decides. Or it is somebody else.",
    ),
    Alert(
        "AdmitAuthorityExpires",
        "min(admit_authority_expiry_timestamp_seconds{SCOPE}) - time() "
        f"< {AUTHORITY_EXPIRY_SECONDS}",
        "5m",
        "critical",
        "The certificates' authority expires soon and was not rotated.",
        "The next one is not in every caBundle: see who may write the configurations.",
    ),
    Alert(
        "AdmitPoliciesAreStale",
        "admit_policies_stale{SCOPE} > 0",
        "5m",
        "critical",
        "Changed policies cannot be used; the ones before decide: {{ $labels.pod }}.",
        "A pod that starts now does not become ready. /readyz and the logs say what is "
        "wrong, with file and line.",
    ),
    Alert(
        "AdmitLoopIsHeld",
        "sum by (policy) (increase(admit_loop_held_total{SCOPE}[15m])) > 10",
        "5m",
        "warning",
        "A policy holds all other reviews up: {{ $labels.policy }}.",
        "It computes for long or blocks: blocking=True gives it a thread.",
    ),
    Alert(
        "AdmitWorkersEnd",
        "increase(admit_worker_restarts_total{SCOPE}[1h]) > 0",
        "1m",
        "warning",
        "Workers ended by themselves: {{ $labels.pod }}.",
        "They were started again; their reviews were lost. The logs say why.",
    ),
)


def service_monitor(options: DeploymentOptions) -> dict[str, Any]:
    """Return the ServiceMonitor: /metrics of every pod."""
    endpoint = {
        "port": HEALTH,
        "path": "/metrics",
        "scheme": "http",
        "interval": SCRAPE_INTERVAL,
    }
    return {
        "apiVersion": GROUP,
        "kind": "ServiceMonitor",
        "metadata": _metadata(options),
        "spec": {
            "selector": {"matchLabels": options.selector},
            "namespaceSelector": {"matchNames": [options.namespace]},
            "endpoints": [endpoint],
        },
    }


def prometheus_rule(options: DeploymentOptions) -> dict[str, Any]:
    """Return the PrometheusRule: the alerts about this release alone."""
    scope = f'namespace="{options.namespace}", job="{options.name}"'
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression.replace("SCOPE", scope),
            "for": alert.wait,
            "labels": {"severity": alert.severity},
            "annotations": {
                "summary": alert.summary,
                "description": alert.description,
            },
        }
        for alert in ALERTS
    ]
    group = {"name": f"{options.namespace}/{options.name}", "rules": rules}
    return {
        "apiVersion": GROUP,
        "kind": "PrometheusRule",
        "metadata": _metadata(options),
        "spec": {"groups": [group]},
    }


def _metadata(options: DeploymentOptions) -> dict[str, Any]:
    metadata = options.metadata()
    metadata["labels"] |= options.monitoring_labels
    return metadata
