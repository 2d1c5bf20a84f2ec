"""A real web server for tests of what fetches: fixed answers, on a free port."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message


@dataclass
class Page:
    """One answer; a ``length`` larger than the body makes it a truncated one."""

    body: bytes = b""
    code: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    length: int | None = None


@dataclass
class Asked:
    """One request as it came."""

    line: str
    headers: Message
    body: bytes


@dataclass
class Web:
    """A running server: its address, its pages by "METHOD path", what was asked."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def served() -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            web.asked.append(Asked(self.requestline, self.headers, body))
            path = self.path.partition("?")[0]
            page = web.pages.get(f"{self.command} {path}", Page(code=404))
            self.send_response(page.code)
            size = len(page.body) if page.length is None else page.length
            for name, value in [*page.headers, ("Content-Length", str(size))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page.body)
            if page.length is not None:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
