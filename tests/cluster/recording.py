"""A webhook that allows everything and remembers who was called with what."""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import trustme

from admit.review import decode_review

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.review import AdmissionRequest


@dataclass
class Recorder:
    """A running webhook; calls by path, in their order."""

    url: str
    ca_bundle: str
    calls: list[tuple[str, AdmissionRequest]] = field(default_factory=list)

    def client_config(self, path: str) -> dict[str, str]:
        return {"url": f"{self.url}{path}", "caBundle": self.ca_bundle}

    def take(self) -> list[tuple[str, AdmissionRequest]]:
        """Return what was called since the last look."""
        taken, self.calls = self.calls, []
        return taken


def allow(body: bytes) -> bytes:
    review: dict[str, Any] = json.loads(body)
    response = {"uid": review["request"]["uid"], "allowed": True}
    del review["request"]
    return json.dumps({**review, "response": response}).encode()


@contextmanager
def recording() -> Iterator[Recorder]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            path = self.path.partition("?")[0]
            recorder.calls.append((path, decode_review(body).request))
            answer = allow(body)
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(answer)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        pem = b64encode(authority.cert_pem.bytes()).decode()
        recorder = Recorder(f"https://127.0.0.1:{server.server_address[1]}", pem)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()
