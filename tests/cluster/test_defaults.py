"""What the API server has filled in before a mutating webhook is asked."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from admit._tasks.defaulting import TABLE
from admit.testing import wait_until
from tests.cluster.recording import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane

CONTAINER = {
    "name": "c",
    "image": "nginx:1.29",
    "ports": [{"containerPort": 80}],
    "livenessProbe": {"httpGet": {"port": 80}},
    "readinessProbe": {"httpGet": {"port": 80}},
    "startupProbe": {"httpGet": {"port": 80}},
}
POD = {"containers": [CONTAINER], "initContainers": [{"name": "i", "image": "i:1"}]}
JOB_POD = {**POD, "restartPolicy": "Never"}
LABELS = {"app": "x"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
WORKLOAD = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
JOB = {"template": {"spec": JOB_POD}}
CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}
BACKEND = {"service": {"name": "x", "port": {"number": 80}}}

# As little of each kind as makes the API server fill in the rest.
SPECS: dict[tuple[str, str], dict[str, Any]] = {
    ("v1", "Pod"): POD,
    ("apps/v1", "Deployment"): WORKLOAD,
    ("apps/v1", "StatefulSet"): WORKLOAD,
    ("apps/v1", "DaemonSet"): WORKLOAD,
    ("apps/v1", "ReplicaSet"): WORKLOAD,
    ("batch/v1", "Job"): JOB,
    ("batch/v1", "CronJob"): {"schedule": "0 0 * * *", "jobTemplate": {"spec": JOB}},
    ("v1", "Service"): {"ports": [{"port": 80}], "selector": LABELS},
    ("networking.k8s.io/v1", "Ingress"): {"defaultBackend": BACKEND},
    ("v1", "PersistentVolumeClaim"): CLAIM,
}


def find_added(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of what was added; ``*`` stands for any item of a list.

    Not lists and empty maps, which a policy adds to as well, nor 0.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in after.items():
            if name in before:
                yield from find_added(before[name], value, f"{path}/{name}")
            elif value not in ({}, 0) and not isinstance(value, list):
                yield f"{path}/{name}", value
    elif isinstance(before, list) and isinstance(after, list):
        for one, other in zip(before, after, strict=False):
            yield from find_added(one, other, f"{path}/*")


def test_the_table_of_defaults_is_that_of_this_api_server(
    cluster: ControlPlane, namespace: str
) -> None:
    rule = {"operations": ["CREATE"], "apiGroups": ["*"], "apiVersions": ["*"]}
    with recording() as recorder:
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "defaults.example.com"},
            "webhooks": [
                {
                    "name": "defaults.example.com",
                    "clientConfig": recorder.client_config("/x"),
                    "rules": [{**rule, "resources": ["*"]}],
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": namespace}
                    },
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }
        cluster.client.create(configuration)
        try:
            made = {
                f"{api_version} {kind}": dict(
                    sorted(ask(cluster, recorder, namespace, api_version, kind, spec))
                )
                for (api_version, kind), spec in SPECS.items()
            }
        finally:
            cluster.client.delete(configuration)
    if os.environ.get("ADMIT_UPDATE"):
        TABLE.write_text(json.dumps(made, indent=1) + "\n")
    assert json.loads(TABLE.read_text()) == made


def ask(
    cluster: ControlPlane,
    recorder: Recorder,
    namespace: str,
    api_version: str,
    kind: str,
    spec: dict[str, Any],
) -> Iterator[tuple[str, Any]]:
    wanted = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x", "namespace": namespace},
        "spec": spec,
    }

    def is_called() -> Any:
        cluster.client.create(wanted, dry_run=True)
        return recorder.take()

    calls = wait_until(is_called, what=f"the webhook is asked about a {kind}")
    seen = calls[0][1].object
    return find_added(spec, seen["spec"], "/spec")
