"""Who may talk to the control plane: its authority, certificates, kubeconfigs."""

from __future__ import annotations

import datetime as dt
import ipaddress
from base64 import b64encode
from typing import TYPE_CHECKING

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

# A control plane lives for minutes; a clock may be wrong by hours.
VALID_FROM_DAYS_AGO = 1
VALID_FOR_DAYS = 365

# What clients call the API server: from this machine, and from pods.
SERVER_NAMES: tuple[x509.GeneralName, ...] = (
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("10.96.0.1")),
    x509.DNSName("localhost"),
    x509.DNSName("kubernetes"),
    x509.DNSName("kubernetes.default"),
    x509.DNSName("kubernetes.default.svc"),
    x509.DNSName("kubernetes.default.svc.cluster.local"),
)


class Authority:
    """A certificate authority of one control plane, for both sides of TLS.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
    (common name is the user, organizations are the groups).
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("admit-control-plane", ())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(Encoding.PEM)

    def issue_client(self, user: str, groups: Sequence[str]) -> tuple[bytes, bytes]:
        """Return certificate and key in PEM that make their holder that user."""
        return self._issue(user, groups, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def issue_server(self) -> tuple[bytes, bytes]:
        """Return certificate and key in PEM for the API server."""
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._issue("kube-apiserver", (), usage, SERVER_NAMES)

    def _issue(
        self,
        common_name: str,
        organizations: Sequence[str],
        usage: x509.ObjectIdentifier,
        names: tuple[x509.GeneralName, ...],
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(common_name, organizations)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self._key.public_key()
        )
        builder = (
            self._builder(subject, key.public_key())
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names:
            subject_names = x509.SubjectAlternativeName(names)
            builder = builder.add_extension(subject_names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(Encoding.PEM), encode_key(key)

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=VALID_FROM_DAYS_AGO))
            .not_valid_after(now + dt.timedelta(days=VALID_FOR_DAYS))
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False
            )
        )


def generate_key() -> bytes:
    """Return a new private key in PEM; the API server signs tokens with it."""
    return encode_key(ec.generate_private_key(ec.SECP256R1()))


def encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key in PEM, in the one form the API server reads (SEC 1)."""
    form = PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def encode_kubeconfig(
    *, url: str, authority: bytes, user: str, certificate: bytes, key: bytes
) -> str:
    """Return a kubeconfig with everything inside, so that the file can be moved."""
    cluster = {"server": url, "certificate-authority-data": _base64(authority)}
    credentials = {
        "client-certificate-data": _base64(certificate),
        "client-key-data": _base64(key),
    }
    context = {"cluster": "admit", "user": user, "namespace": "default"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "admit", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "admit", "context": context}],
        "current-context": "admit",
    }
    return yaml.safe_dump(document, sort_keys=False)


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
