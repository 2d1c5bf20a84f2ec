"""A client that sends what it is told to, byte by byte if need be."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from tests.reviews import pod, review_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.running import Served


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The message of a Kubernetes Status, checked to be one."""
        status = self.json
        assert status["kind"] == "Status"
        assert status["status"] == "Failure"
        assert status["code"] == self.status
        return str(status["message"])


class Client:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.stream = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, *, head: bool = False) -> Response:
        """Read a response; one to HEAD has no body."""
        line = self.stream.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers = {}
        while (header := self.stream.readline()) not in {b"\r\n", b""}:
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if head else int(headers.get("content-length", 0))
        return Response(int(line.split()[1]), headers, self.stream.read(length))

    def ask(self, body: bytes | None = None, path: str = "/validate") -> Response:
        self.send(request(review_body(pod(app="web")) if body is None else body, path))
        return self.read()

    def is_closed(self) -> bool:
        """Whether the server closes without another byte."""
        try:
            return self.stream.read(1) == b""
        except ConnectionResetError:
            return True


@contextlib.contextmanager
def connected(served: Served) -> Iterator[Client]:
    """Connect by TLS."""
    with (
        socket.create_connection(("127.0.0.1", served.port), 20) as plain,
        served.authority.context().wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=True
        ) as sock,
    ):
        client = Client(sock)
        with client.stream:
            yield client


@contextlib.contextmanager
def connected_plainly(port: int) -> Iterator[Client]:
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        client = Client(sock)
        with client.stream:
            yield client


def request(
    body: bytes, path: str = "/validate", *headers: str, method: str = "POST"
) -> bytes:
    """A request with a body, as the API server sends it."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "User-Agent: kube-apiserver-admission",
        f"Content-Length: {len(body)}",
        "Accept: application/json, */*",
        "Content-Type: application/json",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(body: bytes, size: int, path: str = "/validate", *headers: str) -> bytes:
    """The same, in chunks."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    head = "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n"
    return head + b"".join(parts) + b"0\r\n\r\n"


def look(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page of the health port."""
    with connected_plainly(port) as client:
        client.send(get(path))
        response = client.read()
        return response.status, response.body.decode()


def scrape(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a metrics page, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
