"""The certificate: what is spoken, and how it is replaced under live connections."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from admit.certs.memory import MemoryFile
from admit.errors import CertificateError
from admit.server import Counts
from admit.server.der import find_not_after
from admit.server.tls import Certificate, load_pair
from tests.server.running import Authority, Served, serving, wait_for
from tests.server.wire import connected, connected_plainly, look

if TYPE_CHECKING:
    from collections.abc import Iterator


def shown_name(served: Served) -> str:
    """The common name of the certificate that a new connection is shown."""
    with connected(served) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        shown = client.sock.getpeercert()
        assert shown is not None
        subject: Any = dict(pair[0] for pair in shown["subject"])  # type: ignore[misc] # nested tuples
        return str(subject["commonName"])


def test_only_http_1_1_is_offered(served: Served) -> None:
    context = served.authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        connected_plainly(served.port) as client,
        context.wrap_socket(client.sock, server_hostname="localhost") as sock,
    ):
        assert sock.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_speaks_http_2_alone_is_served_without_alpn(
    served: Served,
) -> None:
    context = served.authority.context()
    context.set_alpn_protocols(["h2"])
    with (
        connected_plainly(served.port) as client,
        context.wrap_socket(client.sock, server_hostname="localhost") as sock,
    ):
        assert sock.selected_alpn_protocol() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(version: ssl.TLSVersion, served: Served) -> None:
    context = served.authority.context()
    context.minimum_version = context.maximum_version = version
    with (
        connected_plainly(served.port) as client,
        context.wrap_socket(client.sock, server_hostname="localhost") as sock,
    ):
        assert sock.version() == version.name.replace("_", ".")


def test_tls_1_1_is_not_spoken(served: Served) -> None:
    context = served.authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with connected_plainly(served.port) as client, pytest.raises(ssl.SSLError):
        context.wrap_socket(client.sock, server_hostname="localhost")


class Mounted:
    """A Secret volume as the kubelet writes it: files behind a link that is swapped."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder = folder
        self._authority = authority
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(Path("..data") / name)
        self.files = (str(folder / "tls.crt"), str(folder / "tls.key"))

    def write(self, name: str) -> None:
        certificate, key = self._authority.issue(name)
        self.put(name, Path(certificate).read_bytes(), Path(key).read_bytes())

    def put(self, name: str, certificate: bytes, key: bytes) -> None:
        version = self._folder / f"..{name}"
        version.mkdir()
        (version / "tls.crt").write_bytes(certificate)
        (version / "tls.key").write_bytes(key)
        link = self._folder / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self._folder / "..data")


@pytest.fixture
def mounted(tmp_path: Path, authority: Authority) -> Iterator[Mounted]:
    yield Mounted(tmp_path, authority)
    shutil.rmtree(tmp_path)


def test_a_certificate_is_swapped_under_load(
    mounted: Mounted, authority: Authority
) -> None:
    mounted.write("first")
    with serving(authority, files=mounted.files) as served, contextlib.ExitStack() as s:
        assert shown_name(served) == "first"
        clients = [s.enter_context(connected(served)) for _ in range(4)]
        stop, asked, wrong = threading.Event(), [0] * 4, list[object]()

        def ask(number: int) -> None:
            try:
                while not stop.is_set():
                    assert clients[number].ask().status == 200
                    asked[number] += 1
            except Exception as error:  # noqa: BLE001 - told to the test
                wrong.append(error)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for name in ("second", "third", "fourth"):
            mounted.write(name)
            wait_for(lambda name=name: shown_name(served) == name)  # type: ignore[misc]
            before = list(asked)
            wait_for(lambda before=before: all(map(int.__gt__, asked, before)))  # type: ignore[misc]
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong
        assert served.log.getvalue().count("certificate replaced") == 3


def test_a_swapped_link_is_seen_at_once(mounted: Mounted, authority: Authority) -> None:
    mounted.write("first")
    with serving(authority, files=mounted.files, reload_seconds=3600.0) as served:
        mounted.write("second")
        wait_for(lambda: shown_name(served) == "second")
        mounted.write("third")
        wait_for(lambda: shown_name(served) == "third")


def test_a_pair_in_memory_is_replaced_under_an_open_connection(
    authority: Authority,
) -> None:
    file = MemoryFile()
    with (
        serving(authority, files=(file.path, file.path)) as served,
        contextlib.ExitStack() as stack,
    ):
        assert not served.server.is_ready
        for number, name in enumerate(("one", "two", "three")):
            certificate, key = map(Path, authority.issue(name))
            file.replace(certificate.read_bytes() + key.read_bytes())
            if not number:
                wait_for(lambda: served.server.is_ready)
                client = stack.enter_context(connected(served))
            wait_for(lambda name=name: shown_name(served) == name)  # type: ignore[misc]
            assert client.ask().status == 200
    file.close()


def test_a_broken_pair_changes_nothing_and_is_told(
    mounted: Mounted, authority: Authority
) -> None:
    mounted.write("good")
    other = Path(authority.issue("other")[1]).read_bytes()
    with (
        serving(authority, files=mounted.files) as served,
        connected(served) as client,
    ):
        mounted.put("broken", Path(mounted.files[0]).read_bytes(), other)
        wait_for(lambda: served.counts.certificate_failures == 1)
        status, text = look(served.health_port, "/readyz")
        assert status == 200
        assert "the new one cannot be used" in text
        assert "do not belong together" in text
        assert shown_name(served) == "good"
        assert client.ask().status == 200
        time.sleep(0.2)
        assert served.log.getvalue().count("certificate not replaced") == 1
        mounted.write("better")
        wait_for(lambda: shown_name(served) == "better")
        assert "cannot be used" not in look(served.health_port, "/readyz")[1]


def test_nothing_is_served_until_there_is_a_certificate(
    mounted: Mounted, authority: Authority
) -> None:
    with serving(authority, files=mounted.files) as served:
        status, text = look(served.health_port, "/readyz")
        assert status == 503
        assert "no certificate" in text
        assert mounted.files[0] in text
        with pytest.raises(ConnectionRefusedError), connected(served):
            pass
        mounted.write("late")
        wait_for(lambda: look(served.health_port, "/readyz")[0] == 200)
        with connected(served) as client:
            assert client.ask().status == 200


def test_a_port_that_somebody_took_meanwhile_is_told(
    mounted: Mounted, authority: Authority
) -> None:
    """Bound, but without a certificate not listening, it can still be taken."""
    with serving(authority, files=mounted.files) as waiting:
        with serving(authority, port=waiting.port) as other:
            mounted.write("late")
            wait_for(
                lambda: (
                    "[-] port: " in look(waiting.health_port, "/readyz")[1]
                    and "cannot serve there" in look(waiting.health_port, "/readyz")[1]
                )
            )
            assert look(waiting.health_port, "/readyz")[0] == 503
            with connected(other) as client:
                assert client.ask().status == 200
        wait_for(lambda: look(waiting.health_port, "/readyz")[0] == 200)
        assert other.log.getvalue().count("cannot serve there") == 1
        with connected(waiting) as client:
            assert client.ask().status == 200


def test_the_expiry_is_what_a_library_reads(authority: Authority) -> None:
    for days in (1, 3650, 36500):
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        leaf = trustme.CA().issue_cert("localhost", not_after=ends)
        pem = leaf.cert_chain_pems[0].bytes()
        parsed = x509.load_pem_x509_certificate(pem)
        der = parsed.public_bytes(serialization.Encoding.DER)
        assert find_not_after(der) == parsed.not_valid_after_utc == ends
    counts = Counts()
    files = authority.issue("expiry")
    certificate = Certificate(*files, counts)
    assert certificate.load()
    assert not certificate.load()
    assert datetime.fromtimestamp(counts.certificate_expiry, UTC).year == 3000


def test_an_expired_certificate_says_so(tmp_path: Path) -> None:
    ended = datetime.now(UTC) - timedelta(days=1)
    leaf = trustme.CA().issue_cert("localhost", not_after=ended)
    files = (str(tmp_path / "c"), str(tmp_path / "k"))
    leaf.cert_chain_pems[0].write_to_path(files[0])
    leaf.private_key_pem.write_to_path(files[1])
    certificate = Certificate(*files, Counts())
    assert certificate.load()
    assert certificate.detail.startswith("EXPIRED")


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"0",
        b"0\x80",
        b"0\x03\x02\x01",
        b"1\x00",
        bytes(64),
        b"0\x84\xff\xff\xff\xff",
    ],
)
def test_what_is_no_certificate_has_no_expiry(der: bytes) -> None:
    assert find_not_after(der) is None


def test_a_damaged_certificate_has_no_expiry(authority: Authority) -> None:
    pem = Path(authority.issue("damaged")[0]).read_text().split("-----END")[0]
    der = ssl.PEM_cert_to_DER_cert(pem + "-----END CERTIFICATE-----\n")
    for end in range(0, 250, 5):
        assert find_not_after(der[:end]) is None


BROKEN = {
    "no PEM": (b"MARKER", None, "there is no certificate in the file"),
    "empty": (b"", None, "there is no certificate in the file"),
    "damaged": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        None,
        "the certificate is damaged",
    ),
    "no base64": (
        b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n",
        None,
        "the certificate is damaged",
    ),
    "no key": (None, b"MARKER", "certificate and key cannot be used"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_what_is_wrong(name: str, authority: Authority) -> None:
    certificate, key, message = BROKEN[name]
    files = authority.issue("broken")
    if certificate is not None:
        Path(files[0]).write_bytes(certificate)
    if key is not None:
        Path(files[1]).write_bytes(key)
    with pytest.raises(CertificateError, match=message) as caught:
        load_pair(*files)
    assert caught.value.place == files[0]
    assert "MARKER" not in str(caught.value)


def test_a_key_with_a_password_says_so(authority: Authority) -> None:
    certificate, key = authority.issue("locked")
    loaded = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    locked = loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    Path(key).write_bytes(locked)
    with pytest.raises(CertificateError, match="password"):
        load_pair(certificate, key)


def test_a_missing_file_is_named(authority: Authority, tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing.pem")
    with pytest.raises(CertificateError, match="No such file") as caught:
        load_pair(authority.issue("one")[0], missing)
    assert caught.value.place == missing
