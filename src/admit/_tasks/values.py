"""The values of a chart: what may be changed, to what, and how a release has it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit._tasks.dialect import dump_yaml
from admit._tasks.templating import find_members

if TYPE_CHECKING:
    from admit._tasks.deployment import Release
    from admit.deployment import DeploymentOptions

__all__ = ("VALUES", "read_values", "write_schema", "write_values")

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_COUNT: Final = {"type": "integer", "minimum": 1}
_LIST: Final = {"type": "array"}
_ANY: Final = {"type": "object"}


def _members(**members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "additionalProperties": False}


# What may be changed, in the order of values.yaml: JSON Schema, and a person's words.
VALUES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "replicas": (_COUNT, "Pods that review; with autoscaling, at least so many."),
    "autoscaling": (
        _members(
            enabled=_FLAG,
            maxReplicas=_COUNT,
            targetCPUUtilizationPercentage=_COUNT,
        ),
        "More pods when CPU is short.",
    ),
    "image": (
        _members(
            repository={**_TEXT, "minLength": 1},
            tag=_TEXT,
            pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
        ),
        "The image; without a tag, repository is the whole reference.",
    ),
    "imagePullSecrets": (_LIST, "Secrets of the registry: - name: ..."),
    "modes": (
        {
            "type": "object",
            "additionalProperties": {"enum": ["enforce", "warn", "audit"]},
        },
        "Policies' modes that are not those of the code: NAME: enforce, warn or audit.",
    ),
    "failurePolicy": (
        {"enum": ["", "Fail", "Ignore"]},
        "Of every webhook; empty for what the policies say.",
    ),
    "resources": (_ANY, "No CPU limit: throttled, a webhook makes everybody wait."),
    "priorityClassName": (
        _TEXT,
        "Of the pods, if any. A system-... one gets a ResourceQuota, as GKE asks.",
    ),
    "podAnnotations": (_ANY, "Annotations of the pods."),
    "nodeSelector": (_ANY, "Where the pods may run, as in a pod."),
    "tolerations": (_LIST, "Taints that the pods bear, as in a pod."),
    "affinity": (_ANY, "Beside the spreading over nodes and zones that is there."),
    "extraArgs": ({"type": "array", "items": _TEXT}, "More options of admit serve."),
    "networkPolicy": (
        _members(enabled=_FLAG, apiServers={"type": "array", "items": _TEXT}),
        "Close all other ports; take reviews from these ranges only, if there are any.",
    ),
    "monitoring": (
        _members(enabled=_FLAG, labels={**_ANY, "additionalProperties": _TEXT}),
        "For the Prometheus operator, which finds it by labels.",
    ),
    "namespace": (
        _members(create=_FLAG),
        "Write the Namespace too. For helm template: helm install needs one before.",
    ),
}


def read_values(options: DeploymentOptions, everything: Release) -> dict[str, Any]:
    """Return the defaults, by the names of `VALUES`."""
    objects = list(everything.objects)
    (pod,) = find_members(objects, "containers")
    (container,) = pod["containers"]
    (scaled,) = find_members(objects, "maxReplicas")
    (target,) = find_members(scaled, "averageUtilization")
    repository, tag = _split_image(options.image)
    return {
        "replicas": options.replicas,
        "autoscaling": {
            "enabled": bool(options.max_replicas),
            "maxReplicas": scaled["maxReplicas"],
            "targetCPUUtilizationPercentage": target["averageUtilization"],
        },
        "image": {
            "repository": repository,
            "tag": tag,
            "pullPolicy": container["imagePullPolicy"],
        },
        "imagePullSecrets": [],
        "modes": dict(options.modes),
        "failurePolicy": "",
        "resources": container["resources"],
        "priorityClassName": options.priority_class,
        "podAnnotations": {},
        "nodeSelector": {},
        "tolerations": [],
        "affinity": {},
        "extraArgs": [],
        "networkPolicy": {
            "enabled": options.network_policy,
            "apiServers": list(options.api_servers),
        },
        "monitoring": {
            "enabled": options.monitoring,
            "labels": dict(options.monitoring_labels),
        },
        "namespace": {"create": False},
    }


def _split_image(image: str) -> tuple[str, str]:
    """Take the tag off, unless a digest says what is meant."""
    found = re.fullmatch(r"(.+):([^:/@]+)", image)
    return (found[1], found[2]) if found and "@" not in image else (image, "")


def write_values(values: dict[str, Any]) -> str:
    return "".join(
        f"\n# {meaning}\n{dump_yaml([{name: values[name]}])}"
        for name, (_, meaning) in VALUES.items()
    )


def write_schema() -> str:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_members(**{name: rule for name, (rule, _) in VALUES.items()}),
    }
    # Helm adds `global` where the chart is part of another.
    schema["properties"]["global"] = _ANY
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
