"""Kinds of the Prometheus operator and of cert-manager, as far as admit writes them.

Members and patterns are those of their CustomResourceDefinitions (releases 0.84 and
1.18). What is not named here, the API server takes away, so that a member which they do
not know is seen to be missing.
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


ISSUER = members(ca=members("secretName", secretName=text), selfSigned=members())
CERTIFICATE = members(
    *("issuerRef", "secretName"),
    commonName=text,
    dnsNames=items(text),
    duration=text,
    isCA={"type": "boolean"},
    issuerRef=members("name", group=text, kind=text, name=text),
    privateKey=members(
        algorithm={"type": "string", "enum": ["RSA", "ECDSA", "Ed25519"]},
        rotationPolicy={"type": "string", "enum": ["Never", "Always"]},
        size={"type": "integer"},
    ),
    renewBefore=text,
    secretName=text,
    usages=items(
        {"type": "string", "enum": ["cert sign", "digital signature", "server auth"]}
    ),
)


def define(group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
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


DEFINITIONS = [
    define("monitoring.coreos.com", "ServiceMonitor", MONITOR),
    define("monitoring.coreos.com", "PrometheusRule", RULE),
    define("cert-manager.io", "Issuer", ISSUER),
    define("cert-manager.io", "Certificate", CERTIFICATE),
]
