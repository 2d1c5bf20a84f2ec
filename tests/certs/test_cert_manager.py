"""The objects that cert-manager is given."""

from __future__ import annotations

from admit.certs.cert_manager import cert_manager_objects, injection_annotations
from admit.certs.service import Service

HOOK = Service("demo", "hook")


def test_an_authority_signs_the_certificate_and_its_issuers_come_first() -> None:
    objects = cert_manager_objects(HOOK, "hook-tls", {"app": "hook"})
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert names == [
        ("Issuer", "hook-selfsigned"),
        ("Certificate", "hook-ca"),
        ("Issuer", "hook-ca"),
        ("Certificate", "hook"),
    ]
    known = set()
    for one in objects:
        assert one["metadata"]["namespace"] == "demo"
        assert one["metadata"]["labels"] == {"app": "hook"}
        if one["kind"] == "Issuer":
            known.add(one["metadata"]["name"])
        else:
            assert one["spec"]["issuerRef"]["name"] in known


def test_the_serving_certificate_has_the_names_that_are_verified() -> None:
    *_, certificate = cert_manager_objects(HOOK, "hook-tls", {})
    assert certificate["spec"]["dnsNames"] == [
        "hook.demo.svc",
        "hook.demo.svc.cluster.local",
    ]
    assert certificate["spec"]["secretName"] == "hook-tls"


def test_a_renewed_authority_keeps_its_key() -> None:
    _, authority, _, certificate = cert_manager_objects(HOOK, "hook-tls", {})
    assert authority["spec"]["isCA"] is True
    assert authority["spec"]["privateKey"]["rotationPolicy"] == "Never"
    assert certificate["spec"]["privateKey"]["rotationPolicy"] == "Always"


def test_the_annotation_names_the_serving_certificate() -> None:
    objects = cert_manager_objects(HOOK, "hook-tls", {})
    names = {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        for one in objects
        if one["kind"] == "Certificate"
    }
    (value,) = injection_annotations(HOOK).values()
    assert value in names
