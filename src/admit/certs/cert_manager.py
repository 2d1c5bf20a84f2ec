"""The objects that let cert-manager make the certificates instead.

It makes a CA, signs the serving certificate with it, renews both, and writes the CA
into `caBundle`.

Source: cert-manager.io/v1 API reference, and its cainjector's page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.certs.service import Service

__all__ = ("INJECT_CA_FROM", "cert_manager_objects", "injection_annotations")

API_VERSION: Final = "cert-manager.io/v1"

# cainjector writes the CA of this Certificate (namespace/name) into caBundle.
INJECT_CA_FROM: Final = "cert-manager.io/inject-ca-from"

# A year, and 30 days; as Go writes durations, which have no days.
AUTHORITY_DURATION: Final = "8760h0m0s"
LEAF_DURATION: Final = "720h0m0s"

# When two thirds of it are over.
AUTHORITY_RENEW_BEFORE: Final = "2920h0m0s"
LEAF_RENEW_BEFORE: Final = "240h0m0s"


def injection_annotations(service: Service) -> dict[str, str]:
    """Return the annotations of webhook configurations; `caBundle` is then not ours."""
    return {INJECT_CA_FROM: f"{service.namespace}/{service.name}"}


def cert_manager_objects(
    service: Service, secret: str, labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return Issuers and Certificates, in the order in which they need each other.

    Args:
        service: whose names the serving certificate is for; the objects are named
            after it and live beside it.
        secret: the Secret of the serving certificate, for `--cert-file` of its mount.
        labels: of every object.
    """
    name, authority = service.name, f"{service.name}-ca"
    made_by = {"issuerRef": _reference(f"{service.name}-selfsigned")}
    # A renewed CA keeps its key, so that leaves of the old one and of the new one are
    # the same to whoever trusts either: cainjector replaces one by the other at once,
    # while pods get their new leaf up to two minutes later.
    same_key = {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"}
    new_key = {**same_key, "rotationPolicy": "Always"}

    def make(kind: str, own_name: str, spec: dict[str, Any]) -> dict[str, Any]:
        metadata = {
            "name": own_name,
            "namespace": service.namespace,
            "labels": dict(labels),
        }
        return {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }

    return [
        make("Issuer", f"{name}-selfsigned", {"selfSigned": {}}),
        make(
            "Certificate",
            authority,
            {
                "commonName": authority[:64],
                "duration": AUTHORITY_DURATION,
                "isCA": True,
                "privateKey": same_key,
                "renewBefore": AUTHORITY_RENEW_BEFORE,
                "secretName": authority,
                "usages": ["cert sign"],
                **made_by,
            },
        ),
        make("Issuer", authority, {"ca": {"secretName": authority}}),
        make(
            "Certificate",
            name,
            {
                "dnsNames": list(service.names),
                "duration": LEAF_DURATION,
                "issuerRef": _reference(authority),
                "privateKey": new_key,
                "renewBefore": LEAF_RENEW_BEFORE,
                "secretName": secret,
                "usages": ["digital signature", "server auth"],
            },
        ),
    ]


def _reference(issuer: str) -> dict[str, str]:
    return {"group": "cert-manager.io", "kind": "Issuer", "name": issuer}
