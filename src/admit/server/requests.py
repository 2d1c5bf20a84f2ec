"""Bytes to requests: what a client sent, within bounds, in order.

What lives here: when a request is whole, when it is refused before that, and how long
it may take. What this file must not know: transports, answers, TLS.

A refused request whose body is short is read to its end, so that the connection
survives; otherwise reading ends there.

Source: RFC 9112; llhttp, which is strict by default, finds where a message ends.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import httptools

from admit._exchange import failure

if TYPE_CHECKING:
    from admit._exchange import Reply
    from admit.server.routes import Route
    from admit.server.site import Site

__all__ = ("NEVER", "Reader", "Request")

# Lengths of the header names that are looked at: expect, upgrade, authorization,
# content-length, transfer-encoding. Comparing a length is cheaper than lowering a name.
WATCHED_LENGTHS: Final = frozenset({6, 7, 13, 14, 17})

# Bytes of the body of a refused request that are read and thrown away; beyond, closing
# the connection is cheaper for both sides.
DISCARD_BYTES: Final = 64 * 1024

NEVER: Final = float("inf")

# The age at which a connection is closed, as shares of `connection_seconds`.
AGE_SPREAD: Final = (0.8, 1.2)

IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2


class Request(NamedTuple):
    """A whole request, or the refusal of one.

    Args:
        route: what is asked; None if nothing is.
        refusal: the answer, if it is settled already.
        body: all of it.
        deadline: until when to answer, in seconds of the loop's clock.
        is_head: asked by HEAD, so that the answer has no body.
        keep: whether the connection may stay open.
    """

    route: Route | None
    refusal: Reply | None
    body: bytes
    deadline: float
    is_head: bool
    keep: bool


class Taker(Protocol):
    """Who is told what was read."""

    def take(self, request: Request) -> None:
        """Answer a request, or queue it behind the ones before."""

    def go_ahead(self) -> None:
        """Tell the client to send the body it announced."""


class Reader:
    """What one connection has sent so far.

    Attributes:
        refusal: why this client may ask nothing; None if it may.
        expires_at: until when the request may stay unfinished, or the connection idle,
            in seconds of the loop's clock.
    """

    __slots__ = (
        "_authorization",
        "_barren",
        "_body",
        "_chunked",
        "_deadline",
        "_expects",
        "_head_bytes",
        "_last",
        "_length",
        "_method",
        "_now",
        "_parser",
        "_refusal",
        "_reserved",
        "_retires_at",
        "_route",
        "_site",
        "_stage",
        "_taker",
        "_url",
        "expires_at",
        "refusal",
    )

    def __init__(self, site: Site, taker: Taker) -> None:
        self._site = site
        self._taker = taker
        self._now = site.time()
        age = site.options.connection_seconds
        if age is None:
            self._retires_at = NEVER
        else:  # not all at once, where many were opened at once
            self._retires_at = self._now + age * random.uniform(*AGE_SPREAD)  # noqa: S311 - no secret
        self.expires_at = self._now + site.options.idle_seconds
        self.refusal: Reply | None = None
        self._reserved = 0  # bytes of the site's budget that this body holds
        self._start()
        self._parser: Any = httptools.HttpRequestParser(self)

    def _start(self) -> None:
        self._stage = IDLE
        self._url = b""
        self._head_bytes = 0
        self._barren = 0  # bytes since the last byte of a body
        self._length = -1
        self._chunked = False
        self._expects = False
        self._authorization = b""
        self._last = False
        self._route: Route | None = None
        self._refusal: Reply | None = None
        self._body: bytes | bytearray = b""
        self._deadline = 0.0
        self._method = b""

    @property
    def is_idle(self) -> bool:
        """Whether the client is between two requests."""
        return self._stage == IDLE

    @property
    def is_closed(self) -> bool:
        """Whether what still arrives is thrown away."""
        return self._parser is None

    def close(self) -> None:
        """Read nothing more. The parser holds this object: let it go."""
        self._parser = None
        self._release()

    def wait(self, seconds: float) -> None:
        """Give the client as long as this to do something."""
        self.expires_at = self._site.time() + seconds

    def feed(self, data: memoryview | bytes) -> None:
        """Parse what was read; requests are taken on the way."""
        parser = self._parser
        if parser is None:
            return
        options = self._site.options
        self._now = now = self._site.time()
        if self._stage == IDLE:
            self._stage = HEAD
            self.expires_at = now + options.header_seconds
        self._barren += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # HTTP/1.1 goes on, but only for the one answer
        except httptools.HttpParserError:
            self._refuse(failure("bad request", "this is not HTTP/1.1"))
            return
        if self._stage == IDLE:
            self.expires_at = now + options.idle_seconds
        elif self._barren > options.header_bytes and (
            self._stage == HEAD or self._chunked
        ):
            self._refuse(_too_large_head(options.header_bytes))

    def time_out(self) -> None:
        """Refuse the request that has not arrived in time."""
        part = "headers" if self._stage == HEAD else "body"
        self._refuse(failure("slow request", f"the {part} did not arrive in time"))

    # What the parser says. httptools looks these names up.

    def on_url(self, url: bytes) -> None:
        """Note the request target, or a part of it."""
        if self._stage == IDLE:  # pipelined behind another
            self._stage = HEAD
            self.expires_at = self._now + self._site.options.header_seconds
        self._url = self._url + url if self._url else url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header that decides how the message is read."""
        length = len(name)
        self._head_bytes += length + len(value)
        if length in WATCHED_LENGTHS and self._stage == HEAD:
            match name.lower():
                case b"content-length":
                    self._length = int(value)
                case b"transfer-encoding":
                    self._chunked = True
                case b"expect":
                    self._expects = value.lower() == b"100-continue"
                case b"upgrade":
                    self._last = True
                case b"authorization":
                    self._authorization = value

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted."""
        if self._parser is None:
            return
        self._stage = BODY
        self._barren = 0
        self._method = self._parser.get_method()
        self.expires_at = self._now + self._site.options.body_seconds
        stranger = self._check_client()
        if stranger is not None:
            self._refuse(stranger)
            return
        self._refusal = refusal = self._check_head()
        if refusal is None:
            if self._expects:
                self._taker.go_ahead()
        elif (
            self._expects
            or self._chunked
            or self._length > DISCARD_BYTES
            or self._method == b"CONNECT"
        ):
            self._refuse(refusal)

    def _check_client(self) -> Reply | None:
        """Refuse who may not ask, before anything else is said."""
        clients = self._site.clients
        if self.refusal is not None or not clients.needs_token:
            return self.refusal
        return clients.check_token(self._authorization)

    def _check_head(self) -> Reply | None:
        site = self._site
        if self._head_bytes > site.options.header_bytes:
            self._last = True
            return _too_large_head(site.options.header_bytes)
        if self._last and self._length > 0 and self._parser.should_upgrade():
            # httptools takes what follows for the other protocol.
            return failure("bad request", "this server speaks HTTP/1.1 alone")
        try:
            found = site.routes.find(self._url)
        except httptools.HttpParserInvalidURLError:
            return failure("bad request", "the request target is no URL")
        if found is None:
            if site.refusal:
                return failure("cannot decide", site.refusal)
            return failure("unknown path", f"no webhook answers at {_show(self._url)}")
        route, seconds = found
        self._route = route
        self._deadline = self._now + seconds
        if self._method not in route.methods:
            return failure("other method", f"use {route.allow.decode()} here")
        if site.refusal and not route.lasting:
            return failure("cannot decide", site.refusal)
        if self._length < 0 and not self._chunked and self._method == b"POST":
            return failure("length missing", "there is no Content-Length")
        if self._length > site.options.body_bytes:
            return _too_large(site.options.body_bytes)
        return None

    def on_body(self, data: bytes) -> None:
        """Collect a body; it becomes a buffer only when it spans several reads."""
        self._barren = 0
        if self._refusal is not None or self._parser is None:
            return
        if not self._body:
            self._body = data
            return
        if type(self._body) is bytes:
            self._body = bytearray(self._body)
        self._body += data
        site = self._site
        if len(self._body) > site.options.body_bytes:
            self._refuse(_too_large(site.options.body_bytes))
            return
        site.buffered_bytes += len(self._body) - self._reserved
        self._reserved = len(self._body)
        if site.buffered_bytes > site.options.buffered_bytes:
            self._refuse(failure("cannot decide", "too many bodies arrive at once"))

    def on_message_complete(self) -> None:
        """Hand the request over and expect the next."""
        parser = self._parser
        if parser is None:
            return
        if self._reserved:
            self._release()
        body = self._body
        keep = (
            parser.should_keep_alive()
            and not self._last
            and self._now < self._retires_at
        )
        request = Request(
            self._route,
            self._refusal,
            body if type(body) is bytes else bytes(body),
            self._deadline,
            self._method == b"HEAD",
            keep,
        )
        self._start()
        if not keep:
            self.close()
        self._taker.take(request)

    def _refuse(self, refusal: Reply) -> None:
        """Refuse before the request has ended, and read nothing more."""
        request = Request(
            self._route,
            refusal,
            b"",
            self._deadline,
            self._method == b"HEAD",
            keep=False,
        )
        self.close()
        self._taker.take(request)

    def _release(self) -> None:
        self._site.buffered_bytes -= self._reserved
        self._reserved = 0


def _too_large_head(limit: int) -> Reply:
    return failure("headers too large", f"path and headers exceed {limit} bytes")


def _too_large(limit: int) -> Reply:
    return failure("too large", f"the body exceeds {limit} bytes")


def _show(url: bytes) -> str:
    path = url.partition(b"?")[0]
    return repr(path[:100].decode("utf-8", "replace"))
