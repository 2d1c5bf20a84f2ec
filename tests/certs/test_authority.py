"""What is signed holds where it should, and nowhere else: with OpenSSL."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from admit.certs.authority import (
    Pair,
    make_authority,
    read_authorities,
    read_authority,
    read_pair,
    sign_leaf,
)
from admit.certs.service import Service
from admit.certs.times import Times
from admit.errors import CertificateError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

HOOK = Service("demo", "hook")
OTHER = Service("demo", "other")
NOW = datetime.now(UTC)
TIMES = Times()


def handshake(folder: Path, authority: bytes, leaf: Pair, name: str) -> None:
    """Let OpenSSL verify a server's certificate."""
    (folder / "leaf.pem").write_bytes(leaf.certificate + leaf.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "leaf.pem")
    client = ssl.create_default_context(cadata=authority.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours:
            client.wrap_socket(ours, server_hostname=name).close()
    finally:
        thread.join()


def test_a_leaf_is_trusted_under_both_names_of_its_service(tmp_path: Path) -> None:
    made, authority = make_authority(HOOK, now=NOW, times=TIMES)
    leaf, pair = sign_leaf(authority, HOOK, now=NOW, times=TIMES)
    for name in ("hook.demo.svc", "hook.demo.svc.cluster.local"):
        handshake(tmp_path, authority.certificate, pair, name)
    assert leaf.authority == made
    assert leaf.not_after - NOW == pytest.approx(TIMES.leaf, abs=timedelta(seconds=1))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(tmp_path, authority.certificate, pair, "other.demo.svc")


def test_a_leaf_for_another_service_is_not_trusted(tmp_path: Path) -> None:
    _, authority = make_authority(HOOK, now=NOW, times=TIMES)
    _, pair = sign_leaf(authority, OTHER, now=NOW, times=TIMES)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        handshake(tmp_path, authority.certificate, pair, "other.demo.svc")


def test_an_authority_is_constrained_to_names_and_to_no_address() -> None:
    _, authority = make_authority(HOOK, now=NOW, times=TIMES)
    certificate = x509.load_pem_x509_certificate(authority.certificate)
    found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    assert [one.value for one in found.value.permitted_subtrees or ()] == [
        "hook.demo.svc",
        "hook.demo.svc.cluster.local",
    ]
    assert [str(one.value) for one in found.value.excluded_subtrees or ()] == [
        "0.0.0.0/0",
        "::/0",
    ]
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)
    assert certificate.not_valid_after_utc - NOW > timedelta(days=364)


def test_a_leaf_ends_with_its_authority() -> None:
    made, authority = make_authority(HOOK, now=NOW, times=TIMES)
    late = NOW + timedelta(days=355)
    leaf, _ = sign_leaf(authority, HOOK, now=late, times=TIMES)
    assert leaf.not_after == made.not_after


def test_what_was_made_is_read() -> None:
    made, authority = make_authority(HOOK, now=NOW, times=TIMES)
    assert read_pair(authority, HOOK, "here") == made
    both = (
        authority.certificate
        + make_authority(OTHER, now=NOW, times=TIMES)[1].certificate
    )
    found = read_authorities(both, "there")
    assert found[0] == (made, authority.certificate)
    assert len(found) == 2
    assert "PRIVATE" not in repr(authority)


def encode(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def unconstrained(*extensions: x509.ExtensionType, critical: bool = True) -> Pair:
    """A self-signed certificate with these extensions alone."""
    _, authority = make_authority(HOOK, now=NOW, times=TIMES)
    key = load_pem_private_key(authority.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    old = x509.load_pem_x509_certificate(authority.certificate)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key, hashes.SHA256())
    return Pair(made.public_bytes(Encoding.PEM), authority.key)


CA = x509.BasicConstraints(ca=True, path_length=0)
NAMES = x509.NameConstraints([x509.DNSName(name) for name in HOOK.names], None)
GOOD = make_authority(HOOK, now=NOW, times=TIMES)[1]
LEAF = sign_leaf(GOOD, HOOK, now=NOW, times=TIMES)[1]
CUT = GOOD.certificate[: len(GOOD.certificate) // 2]

WRONG = {
    "garbage": (Pair(b"\xff\x00", GOOD.key), "no certificate in PEM"),
    "nothing": (Pair(b"", GOOD.key), "0 certificates"),
    "cut short": (Pair(CUT, GOOD.key), "no certificate in PEM"),
    "two": (Pair(GOOD.certificate * 2, GOOD.key), "2 certificates"),
    "many": (Pair(GOOD.certificate * 33, GOOD.key), "33 certificates"),
    "another's key": (
        Pair(GOOD.certificate, make_authority(HOOK, now=NOW, times=TIMES)[1].key),
        "not the certificate's",
    ),
    "no key": (Pair(GOOD.certificate, b"-----BEGIN"), "no private key"),
    "another kind of key": (
        Pair(GOOD.certificate, encode(rsa.generate_private_key(65537, 2048))),
        "not an ECDSA key",
    ),
    "a leaf": (LEAF, "not signed by itself"),
    "no CA": (unconstrained(), "not a CA's"),
    "a CA that says no": (
        unconstrained(x509.BasicConstraints(ca=False, path_length=None), NAMES),
        "not a CA's",
    ),
    "any name": (unconstrained(CA), "no name constraints"),
    "weak constraints": (unconstrained(CA, NAMES, critical=False), "do not hold"),
    "another Service": (
        make_authority(OTHER, now=NOW, times=TIMES)[1],
        "is for other.demo.svc, other.demo.svc.cluster.local, and not for hook.demo.svc",
    ),
}


@pytest.mark.parametrize(("pair", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_sign_is_refused(pair: Pair, says: str) -> None:
    with pytest.raises(CertificateError, match=says) as refused:
        read_pair(pair, HOOK, "secret demo/hook-tls, ca.crt")
    assert refused.value.place == "secret demo/hook-tls, ca.crt"
    assert refused.value.__cause__ is None  # which might show what was read


def test_a_certificate_is_read_without_its_key() -> None:
    assert read_authority(GOOD.certificate, HOOK, "") == read_pair(GOOD, HOOK, "")


def test_spans_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="renewed without end"):
        Times(leaf_seconds=29)
    with pytest.raises(ConfigError, match="ends before its leaves"):
        Times(authority_seconds=3599, leaf_seconds=900)


def test_spans_shrink_with_the_leaf() -> None:
    short = Times(authority_seconds=400, leaf_seconds=60)
    assert short.skew == timedelta(seconds=2)
    assert short.overlap + short.settle + short.remembered < short.authority / 3
