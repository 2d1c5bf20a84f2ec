"""Who may ask on the review port: the API server, and nobody else."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from admit.errors import CertificateError, ConfigError
from admit.server import Counts, ServeOptions
from admit.server.clients import REFUSALS, Clients
from admit.server.tls import load_pair
from tests.reviews import pod, review_body
from tests.server.processes import running
from tests.server.reviewers import Stub
from tests.server.running import Authority, Served, serving, wait_for
from tests.server.wire import Client, connected, look, request, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.review import AdmissionRequest

NAME = "kube-apiserver"
ALLOWED = review_body(pod(app="web"))
TOKEN = "a-token-that-is-long-enough"

AUTHORITY, OTHER = trustme.CA(), trustme.CA()


def issue(
    ca: trustme.CA = AUTHORITY, name: str = NAME, *, days: int = 1
) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return ca.issue_cert(
        f"{name}.example.com",
        common_name=name,
        not_before=now - timedelta(days=2),
        not_after=now + timedelta(days=days),
    )


@dataclass
class Seen:
    """A reviewer that counts."""

    count: int = 0

    async def __call__(self, _request: AdmissionRequest) -> None:
        self.count += 1


@contextlib.contextmanager
def connected_with(
    served: Served,
    certificate: trustme.LeafCert | None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[Client]:
    context = served.authority.context()
    context.maximum_version = version
    if certificate is not None:
        certificate.configure_cert(context)
    with (
        socket.create_connection(("127.0.0.1", served.port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        client = Client(sock)
        with client.stream:
            yield client


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    file = tmp_path / "clients.pem"
    AUTHORITY.cert_pem.write_to_path(file)
    return file


def refused(served: Served, reason: str) -> float:
    found = scrape(look(served.health_port, "/metrics")[1])
    for name in REFUSALS:
        key = "admit_clients_refused_total", (("reason", name),)
        assert bool(found[key]) is (name == reason)
    return found["admit_clients_refused_total", (("reason", reason),)]


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]

STRANGERS: dict[str, tuple[Any, str]] = {
    "no certificate": (lambda: None, "did not return a certificate"),
    "unknown authority": (lambda: issue(OTHER), "unable to get local issuer"),
    "expired": (lambda: issue(days=-1), "certificate has expired"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reason", STRANGERS)
def test_a_stranger_is_refused_in_the_handshake(
    reason: str, version: ssl.TLSVersion, ca_file: Path, authority: Authority
) -> None:
    make, said = STRANGERS[reason]
    seen = Seen()
    with serving(
        authority, {"/validate": Stub(seen)}, client_ca_file=str(ca_file)
    ) as served:
        # With TLS 1.3 a client hears of it when it reads.
        with (
            pytest.raises((ssl.SSLError, OSError, AssertionError)),
            connected_with(served, make(), version) as client,
        ):
            client.ask(ALLOWED)
        wait_for(lambda: served.counts.refused[reason] == 1)
        assert refused(served, reason) == 1
        log = served.log.getvalue()
        assert f"client refused, {reason}" in log
        assert said in log
        assert seen.count == 0
        assert not served.counts.responses
        with connected_with(served, issue(), version) as client:
            assert client.ask(ALLOWED).status == 200
        assert seen.count == 1


def test_another_name_is_refused_before_the_body(
    ca_file: Path, authority: Authority
) -> None:
    seen = Seen()
    with serving(
        authority,
        {"/validate": Stub(seen)},
        client_ca_file=str(ca_file),
        client_names=("front-proxy", NAME),
    ) as served:
        with connected_with(served, issue(name="kubelet")) as client:
            head, _, _ = request(ALLOWED).partition(b"\r\n\r\n")
            client.send(head + b"\r\n\r\n")
            response = client.read()
            assert response.status == 403
            assert "none of the names that may ask" in response.message
            assert response.headers["connection"] == "close"
            assert client.is_closed()
        assert refused(served, "name") == 1
        assert seen.count == 0
        with connected_with(served, issue()) as client:
            assert [client.ask(ALLOWED).status for _ in range(2)] == [200, 200]
        # A page of the review port tells a stranger nothing either.
        with connected_with(served, issue(name="kubelet")) as client:
            client.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.read().status == 403


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [
        ((), True),
        (("kube-apiserver",), True),
        (("api.example.com",), True),
        (("spiffe://cluster/api",), True),
        (("10.0.0.1",), True),
        (("kube-apiserver.",), False),
        (("system:masters",), False),
        (("KUBE-APISERVER",), False),
    ],
)
def test_a_name_is_the_common_one_or_an_alternative_one(
    allowed: tuple[str, ...], *, passes: bool
) -> None:
    certificate = {
        "subject": (
            (("organizationName", "system:masters"),),
            (("commonName", "kube-apiserver"),),
        ),
        "subjectAltName": (
            ("DNS", "api.example.com"),
            ("URI", "spiffe://cluster/api"),
            ("IP Address", "10.0.0.1"),
        ),
    }
    clients = Clients(allowed, "", Counts())
    assert (clients.check_certificate(certificate) is None) is passes
    assert (clients.check_certificate(None) is None) is (not allowed)


def test_authorities_are_replaced_under_the_server(
    ca_file: Path, authority: Authority
) -> None:
    with serving(authority, client_ca_file=str(ca_file)) as served:
        with connected_with(served, issue()) as client:
            assert client.ask().status == 200
        ca_file.write_text("garbage")
        wait_for(lambda: "authorities of clients" in served.log.getvalue())
        assert "authorities of clients" in look(served.health_port, "/readyz")[1]
        with connected_with(served, issue()) as client:
            assert client.ask().status == 200
        OTHER.cert_pem.write_to_path(ca_file)
        wait_for(lambda: "certificate replaced" in served.log.getvalue())
        with connected_with(served, issue(OTHER)) as client:
            assert client.ask().status == 200
        with (
            pytest.raises((OSError, AssertionError)),
            connected_with(served, issue()) as client,
        ):
            client.ask()


@pytest.mark.parametrize("text", [None, "", "garbage", "CUT"])
def test_without_authorities_nothing_is_served(
    text: str | None, ca_file: Path, authority: Authority
) -> None:
    if text is None:
        ca_file.unlink()
    else:
        whole = AUTHORITY.cert_pem.bytes().decode()
        ca_file.write_text(whole[:-200] if text == "CUT" else text)
    with pytest.raises(CertificateError) as error:
        load_pair(*authority.issue(), str(ca_file))
    assert error.value.place == str(ca_file)
    with serving(authority, client_ca_file=str(ca_file)) as served:
        status, page = look(served.health_port, "/readyz")
        assert (status, str(ca_file) in page) == (503, True)
        with pytest.raises(OSError), connected(served):
            pass


def test_names_need_authorities() -> None:
    with pytest.raises(ConfigError, match="none are asked for"):
        ServeOptions(cert_file="", key_file="", client_names=("a",))


def shows(served: Served, text: str) -> bool:
    return text in look(served.health_port, "/readyz")[1]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n\nanother-token-that-is-fine\n")
    return file


def ask(client: Client, *headers: str) -> Any:
    client.send(request(ALLOWED, "/validate", *headers))
    return client.read()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (f"Authorization: Bearer {TOKEN}", ""),
        (f"authorization: bearer  {TOKEN} ", ""),
        ("Authorization: Bearer another-token-that-is-fine", ""),
        ("X-Nothing: 1", "no token"),
        ("Authorization: Bearer", "no token"),
        (f"Authorization: Basic {TOKEN}", "no token"),
        (f"Authorization: Bearer {TOKEN}x", "wrong token"),
        ("Authorization: Bearer -", "wrong token"),
    ],
)
def test_a_token_is_asked_for(
    header: str, reason: str, token_file: Path, authority: Authority
) -> None:
    with (
        serving(authority, token_file=str(token_file)) as served,
        connected(served) as client,
    ):
        response = ask(client, header)
        if not reason:
            assert response.status == 200
            assert ask(client, header).status == 200
            # It is asked for each time.
            assert ask(client).status == 401
            return
        assert response.status == 401
        assert response.json["reason"] == "Unauthorized"
        assert client.is_closed()
        assert refused(served, reason) == 1
        assert TOKEN not in served.log.getvalue() + response.body.decode()


def test_tokens_are_replaced_and_broken_ones_are_not_taken(
    token_file: Path, authority: Authority
) -> None:
    new = "Authorization: Bearer brand-new-token-of-today"

    def takes(header: str) -> bool:
        with connected(served) as client:
            return bool(ask(client, header).status == 200)

    with serving(authority, token_file=str(token_file)) as served:
        assert not takes(new)
        for broken, why in (("", "no token"), ("short", "token 1 is none")):
            token_file.write_text(broken)
            wait_for(functools.partial(shows, served, why))
            assert look(served.health_port, "/readyz")[0] == 200
            assert takes(f"Authorization: Bearer {TOKEN}")
        token_file.write_text("brand-new-token-of-today")
        wait_for(lambda: takes(new))
        assert not takes(f"Authorization: Bearer {TOKEN}")
        assert "cannot be used" not in look(served.health_port, "/readyz")[1]
        assert "short" not in served.log.getvalue()


def test_without_tokens_nobody_may_ask(tmp_path: Path, authority: Authority) -> None:
    with serving(authority, token_file=str(tmp_path / "none")) as served:
        status, page = look(served.health_port, "/readyz")
        assert status == 503
        assert "[-] tokens: no tokens" in page
        with connected(served) as client:
            assert ask(client, "Authorization: Bearer x").status == 401


def test_workers_ask_too(authority: Authority, ca_file: Path, tmp_path: Path) -> None:
    with running(
        authority,
        tmp_path,
        workers=2,
        client_ca_file=str(ca_file),
        client_names=(NAME,),
    ) as served:
        for name, status in ((NAME, 200), ("kubelet", 403)):
            context = authority.context()
            issue(name=name).configure_cert(context)
            connection = http.client.HTTPSConnection(
                "localhost", served.port, timeout=20, context=context
            )
            connection.request("POST", "/validate", ALLOWED)
            response = connection.getresponse()
            assert response.status == status
            json.loads(response.read())
            connection.close()
