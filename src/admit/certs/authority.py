"""Make and read certificates: an authority that can sign for one Service, and leaves.

The authority is name-constrained (RFC 5280 section 4.2.1.10): whoever takes its key can
answer the API server in this webhook's place, and nobody else's. A leaf's key never
leaves the process that made it.

Both are ECDSA P-256, which every API server that speaks TLS 1.2 takes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from admit.certs.plan import Authority, Leaf
from admit.errors import CertificateError

if TYPE_CHECKING:
    from datetime import datetime

    from admit.certs.service import Service
    from admit.certs.times import Times

__all__ = (
    "Pair",
    "make_authority",
    "read_authorities",
    "read_authority",
    "read_pair",
    "sign_leaf",
)

# A DNS constraint says nothing about addresses: without these a leaf for one would do.
NO_ADDRESSES: Final = (
    x509.IPAddress(ipaddress.ip_network("0.0.0.0/0")),
    x509.IPAddress(ipaddress.ip_network("::/0")),
)

# Certificates that one PEM text may hold.
CERTIFICATES_LIMIT: Final = 32


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its private key, both in PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Show no key, wherever this is shown."""
        return "Pair(…)"


def make_authority(
    service: Service, *, now: datetime, times: Times
) -> tuple[Authority, Pair]:
    """Make a CA that can sign for the names of a Service alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: verifiers find an issuer by name first.
    name = _name(f"admit CA {now:%Y-%m-%d} {secrets.token_hex(4)}")
    constraints = x509.NameConstraints(_dns_names(service), list(NO_ADDRESSES))
    certificate = (
        _builder(name, name, key.public_key(), key.public_key())
        .not_valid_before(now - times.skew)
        .not_valid_after(now + times.authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
    )
    return _describe(certificate), Pair(_to_pem(certificate), _encode_key(key))


def sign_leaf(
    authority: Pair, service: Service, *, now: datetime, times: Times
) -> tuple[Leaf, Pair]:
    """Make a key, and sign its serving certificate.

    Args:
        authority: as `read_pair` has checked it.
        service: whose names it is for.
        now: taken before the authority was read: the leaf's life counts from there.
        times: spans; a leaf ends with its authority at the latest.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = _load_key(authority.key, "")
    key = ec.generate_private_key(ec.SECP256R1())
    serving = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    names = x509.SubjectAlternativeName(_dns_names(service))
    not_after = min(now + times.leaf, issuer.not_valid_after_utc)
    certificate = (
        _builder(
            _name("admit"), issuer.subject, key.public_key(), issuer_key.public_key()
        )
        .not_valid_before(now - times.skew)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(serving, critical=False)
        .add_extension(names, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    leaf = Leaf(
        _describe(issuer),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    return leaf, Pair(_to_pem(certificate), _encode_key(key))


def read_pair(pair: Pair, service: Service, place: str) -> Authority:
    """Read a CA and its key, and check that they can sign for a Service.

    Args:
        pair: PEM, from outside.
        service: the names that it must be allowed, and only them.
        place: where it is kept, for errors.

    Raises:
        CertificateError: damaged, no such CA, or not its key (operator's fault).
    """
    authority = read_authority(pair.certificate, service, place)
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    if _load_key(pair.key, place).public_key() != certificate.public_key():
        raise CertificateError("the key is not the certificate's", place=place)
    return authority


def read_authority(pem: bytes, service: Service, place: str) -> Authority:
    """Read one CA's certificate, and check that it can sign for a Service alone.

    Raises:
        CertificateError: damaged, or no such CA (operator's fault).
    """
    found = _load(pem, place)
    if len(found) != 1:
        raise CertificateError(
            f"there are {len(found)} certificates instead of one", place=place
        )
    certificate = found[0]
    problem = _find_problem(certificate, service)
    if problem:
        raise CertificateError(problem, place=place)
    return _describe(certificate)


def read_authorities(pem: bytes, place: str) -> list[tuple[Authority, bytes]]:
    """Read the certificates of a bundle; each with its PEM.

    Raises:
        CertificateError: damaged, or more than anybody needs (operator's fault).
    """
    return [(_describe(one), _to_pem(one)) for one in _load(pem, place)]


def _load(pem: bytes, place: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem) if pem.strip() else []
    except ValueError:
        raise CertificateError("this is no certificate in PEM", place=place) from None
    if len(found) > CERTIFICATES_LIMIT:
        raise CertificateError(
            f"there are {len(found)} certificates",
            place=place,
            hint=f"at most {CERTIFICATES_LIMIT}",
        )
    return found


def _load_key(pem: bytes, place: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
    ):  # what it says may show what it has read
        raise CertificateError(
            "the key is no private key in PEM", place=place
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError("the key is not an ECDSA key", place=place)
    return key


def _find_problem(certificate: x509.Certificate, service: Service) -> str:
    """Say why a certificate is no CA for a Service; empty if it is one."""
    try:
        extensions = certificate.extensions
        certificate.verify_directly_issued_by(certificate)
        is_authority = extensions.get_extension_for_class(x509.BasicConstraints)
        constraints = extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound as error:
        if error.oid == x509.NameConstraints.oid:
            return "the CA may sign for any name: it has no name constraints"
        return "the certificate is not a CA's"
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return "the certificate is damaged, or not signed by itself"
    if not is_authority.value.ca:
        return "the certificate is not a CA's"
    if not constraints.critical or not constraints.value.permitted_subtrees:
        return "the CA may sign for any name: its name constraints do not hold"
    permitted = {
        one.value if isinstance(one, x509.DNSName) else ""
        for one in constraints.value.permitted_subtrees
    }
    if permitted != set(service.names):
        shown = ", ".join(sorted(permitted - {""})) or "other kinds of names"
        return f"the CA is for {shown}, and not for {service.names[0]}"
    return ""


def _dns_names(service: Service) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in service.names]


def _describe(certificate: x509.Certificate) -> Authority:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return Authority(
        digest, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    own = x509.SubjectKeyIdentifier.from_public_key(public_key)
    theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .add_extension(own, critical=False)
        .add_extension(theirs, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _to_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _encode_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
