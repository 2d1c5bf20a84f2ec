"""The Prometheus operator's kinds, as far as admit writes them.

Members and patterns are those of its CustomResourceDefinitions, release 0.84
(example/prometheus-operator-crd). What is not named here, the API server takes away, so
that a member which the operator does not know is seen to be missing.
"""

from __future__ import annotations

from typing import Any

DURATION = (
    "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?"
    "(([0-9]+)ms)?)$"
)

text = {"type": "string"}
duration = {"type": "string", "pattern": DURATION}
texts = {"type": "object", "additionalProperties": text}


def members(*required: str, **properties: Any) -> dict[str, Any]:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed}


def items(schema: dict[str, Any], *keys: str) -> dict[str, Any]:
    as_map = {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
    }
    return {"type": "array", "items": schema, **(as_map if keys else {})}


MONITOR = members(
    *("endpoints", "selector"),
    endpoints=items(
        members(
            port=text,
            path=text,
            scheme={"type": "string", "enum": ["http", "https"]},
            interval=duration,
        )
    ),
    namespaceSelector=members(any={"type": "boolean"}, matchNames=items(text)),
    selector=members(matchLabels=texts),
)
RULE = members(
    groups=items(
        members(
            "name",
            name={"type": "string", "minLength": 1},
            rules=items(
                members(
                    "expr",
                    alert=text,
                    annotations=texts,
                    expr={
                        "anyOf": [{"type": "integer"}, {"type": "string"}],
                        "x-kubernetes-int-or-string": True,
                    },
                    labels=texts,
                    **{"for": duration},
                )
            ),
        ),
        "name",
    )
)


def define(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    plural, group = f"{kind.lower()}s", "monitoring.coreos.com"
    schema = {"openAPIV3Schema": members("spec", spec=spec)}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


DEFINITIONS = [define("ServiceMonitor", MONITOR), define("PrometheusRule", RULE)]
