"""The pods that review: how many, where, with what rights, and when they are ready."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from admit.deployment.command import (
    CERTIFICATE_FOLDER,
    CLIENTS_FILE,
    CLIENTS_FOLDER,
    serve_arguments,
)
from admit.deployment.network import HEALTH, REVIEWS
from admit.deployment.source import FOLDER
from admit.server import ServeOptions

if TYPE_CHECKING:
    from admit.deployment.options import DeploymentOptions
    from admit.deployment.source import Source

__all__ = (
    "autoscaler",
    "clients_config_map",
    "config_map",
    "deployment",
    "disruption_budget",
    "quota",
)

# The server's own defaults: ports, and how long it takes to end.
SERVER: Final = ServeOptions(cert_file="", key_file="")

# Nobody's in particular: the image's own (distroless images call it nonroot).
USER: Final = 65532

# One process holds 60 MB at rest (35 without certificates of its own), and 65 MB more
# after reviews of 5 MB. An async policy that waits keeps its review, 60 MB of such a
# one: there is room for seven at once.
# No CPU limit: throttled, a webhook makes every write of the cluster wait.
RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "64Mi"},
    "limits": {"memory": "512Mi"},
}

# What may be left of the grace period once everything is answered.
GRACE_MARGIN_SECONDS: Final = 10.0

# The share of the requested CPU at which the autoscaler adds pods.
CPU_PERCENT: Final = 80

# What the name of the policies' ConfigMap ends in.
POLICIES: Final = "-policies"

# Above what anybody runs; the quota only has to be there, see `quota`.
QUOTA_PODS: Final = 100


def clients_config_map(options: DeploymentOptions) -> dict[str, Any]:
    """Return the ConfigMap of the authorities whose clients may ask."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": options.metadata(_clients_name(options)),
        "data": {CLIENTS_FILE: options.client_ca},
    }


def config_map(options: DeploymentOptions, source: Source) -> dict[str, Any]:
    """Return the ConfigMap of the policies: whoever edits it decides."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": options.metadata(_policies_name(options)),
        "data": dict(source.data),
    }


def quota(options: DeploymentOptions) -> dict[str, Any]:
    """Return the ResourceQuota that lets critical pods run outside kube-system.

    Some clusters (GKE) refuse pods of the system's priority classes where no quota
    allows them.
    """
    scope = {
        "scopeName": "PriorityClass",
        "operator": "In",
        "values": [options.priority_class],
    }
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": options.metadata(),
        "spec": {
            "hard": {"pods": str(QUOTA_PODS)},
            "scopeSelector": {"matchExpressions": [scope]},
        },
    }


def disruption_budget(options: DeploymentOptions) -> dict[str, Any]:
    """Return the PodDisruptionBudget: nodes are drained one replica at a time.

    What is broken already does not hold a drain up.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": options.metadata(),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": options.selector},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def autoscaler(options: DeploymentOptions) -> dict[str, Any]:
    """Return the HorizontalPodAutoscaler, by CPU."""
    target = {"type": "Utilization", "averageUtilization": CPU_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": options.metadata(),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": options.name,
            },
            "minReplicas": options.replicas,
            "maxReplicas": options.max_replicas,
            "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": target}}
            ],
        },
    }


def deployment(options: DeploymentOptions, source: Source) -> dict[str, Any]:
    """Return the Deployment; a new pod is ready before an old one goes."""
    # The autoscaler's number must not be put back by whoever applies this again.
    replicas = {} if options.max_replicas else {"replicas": options.replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": options.metadata(),
        "spec": {
            **replicas,
            "selector": {"matchLabels": options.selector},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "template": {
                "metadata": {"labels": options.labels},
                "spec": _pod(options, source),
            },
        },
    }


def _pod(options: DeploymentOptions, source: Source) -> dict[str, Any]:
    volumes, mounts = _volumes(options, source)
    pod: dict[str, Any] = {
        "serviceAccountName": options.name,
        "automountServiceAccountToken": options.registers,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            _spread("kubernetes.io/hostname", options),
            _spread("topology.kubernetes.io/zone", options),
        ],
        "containers": [_container(options, source, mounts)],
        "volumes": volumes,
        "terminationGracePeriodSeconds": grace_seconds(),
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
    }
    if options.priority_class:
        pod["priorityClassName"] = options.priority_class
    if not volumes:
        del pod["volumes"]
    return pod


def grace_seconds() -> int:
    """Return how long a pod may take to end: longer than the server itself takes."""
    seconds = SERVER.endpoint_delay_seconds + SERVER.drain_seconds
    return math.ceil(seconds + GRACE_MARGIN_SECONDS)


def _spread(topology: str, options: DeploymentOptions) -> dict[str, Any]:
    """Return a constraint that prefers: a replica beside another is better than none.

    It counts the pods of one version, or the old ones would push the new ones together.
    """
    return {
        "topologyKey": topology,
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": options.selector},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container(
    options: DeploymentOptions, source: Source, mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    modes = ",".join(f"{name}={mode}" for name, mode in sorted(options.modes.items()))
    container: dict[str, Any] = {
        "name": "admit",
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["admit"],
        "args": serve_arguments(options, source.argument),
        "env": [{"name": "ADMIT_MODES", "value": modes}],
        "ports": [
            {"name": REVIEWS, "containerPort": SERVER.port, "protocol": "TCP"},
            {"name": HEALTH, "containerPort": SERVER.health_port, "protocol": "TCP"},
        ],
        "resources": RESOURCES,
        # Importing the policies takes as long as they like, within two minutes.
        "startupProbe": _probe("/healthz", every=2, failures=60),
        "livenessProbe": _probe("/healthz", every=10, failures=3),
        "readinessProbe": _probe("/readyz", every=5, failures=2),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": mounts,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if not modes:
        del container["env"]
    if not mounts:
        del container["volumeMounts"]
    return container


def _probe(path: str, *, every: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": HEALTH, "scheme": "HTTP"},
        "periodSeconds": every,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _volumes(
    options: DeploymentOptions, source: Source
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the volumes, and where they are mounted."""
    volumes: list[dict[str, Any]] = []
    if source.data:
        files: dict[str, Any] = {
            "name": _policies_name(options),
            "defaultMode": 0o444,
        }
        if source.paths:
            files["items"] = [
                {"key": key, "path": path} for key, path in source.paths.items()
            ]
        volumes.append({"name": "policies", "configMap": files})
    if options.certs != "self":
        secret = {"secretName": options.secret_name, "defaultMode": 0o440}
        volumes.append({"name": "certificate", "secret": secret})
    if options.client_ca:
        clients = {"name": _clients_name(options), "defaultMode": 0o444}
        volumes.append({"name": "clients", "configMap": clients})
    places = {
        "policies": FOLDER,
        "certificate": CERTIFICATE_FOLDER,
        "clients": CLIENTS_FOLDER,
    }
    mounts = [
        {"name": volume["name"], "mountPath": places[volume["name"]], "readOnly": True}
        for volume in volumes
    ]
    return volumes, mounts


def _clients_name(options: DeploymentOptions) -> str:
    return f"{options.name}-clients"


def _policies_name(options: DeploymentOptions) -> str:
    return f"{options.name}{POLICIES}"
