"""However the bytes of requests are cut, the same requests come out; no bytes raise."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from admit.server import Counts, ServeOptions
from admit.server.counts import Left
from admit.server.requests import Reader, Request
from admit.server.routes import to_route
from admit.server.site import Site
from tests.server.reviewers import Stub
from tests.server.wire import chunked, get, request

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ServeOptions(
    cert_file="", key_file="", header_bytes=1024, body_bytes=2048, buffered_bytes=4096
)

# What a message is made of, and what breaks one.
PARTS = st.sampled_from(
    [
        *(b"POST ", b"GET ", b"/a", b"/nowhere", b"?timeout=1s", b" HTTP/1.1", b"\r\n"),
        *(b"\r\n\r\n", b"Content-Length: ", b"3", b"-1", b"99999999999999999999"),
        *(b"Transfer-Encoding: chunked", b"\r\n3\r\nabc\r\n", b"0\r\n\r\n", b"\n"),
        *(b"Expect: 100-continue", b"Upgrade: h2c", b"Connection: Upgrade", b"\x00"),
        *(b"Connection: close", b"Host: x", b": ", b"a" * 1500, b"\xff", b"CONNECT "),
    ]
)
BODIES = st.binary(max_size=300)


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, tuple[int | None, bytes]]:
    """A whole request, and what must come out: refusal's status, body."""
    body = draw(BODIES)
    match draw(st.sampled_from(("whole", "chunked", "unknown", "method", "no length"))):
        case "whole":
            return request(body, "/a"), (None, body)
        case "chunked":
            return chunked(body, draw(st.integers(1, 50)), "/a"), (None, body)
        case "unknown":
            return request(body, "/nowhere"), (404, b"")
        case "method":
            return get("/a"), (405, b"")
        case _:
            return get("/a", "POST"), (411, b"")


class Taken:
    """Notes what a reader hands over."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def take(self, request: Request) -> None:
        self.requests.append(request)

    def go_ahead(self) -> None:
        """Nobody waits."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    loop = asyncio.new_event_loop()
    site = Site(OPTIONS, Counts(), loop)
    site.refusal = ""
    site.set_routes({"/a": to_route(Stub(), Left())})
    yield site
    loop.close()


def read(site: Site, data: bytes, cuts: list[int]) -> list[Request]:
    taken = Taken()
    reader = Reader(site, taken)
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        reader.feed(memoryview(data)[start:end])
    reader.close()
    assert site.buffered_bytes == 0
    return taken.requests


def outcome(taken: Request) -> tuple[int | None, bytes]:
    refusal = taken.refusal
    return (None if refusal is None else refusal.status), taken.body


@settings(max_examples=400, deadline=None)
@given(data=st.data(), sent=st.lists(messages(), min_size=1, max_size=5))
def test_any_cut_gives_the_same_requests(data: Any, sent: Any, site: Site) -> None:
    wire = b"".join(message for message, _ in sent)
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=30).map(sorted))
    assert [outcome(t) for t in read(site, wire, cuts)] == [want for _, want in sent]


@settings(max_examples=30, deadline=None)
@given(sent=st.lists(messages(), min_size=1, max_size=3))
def test_so_does_every_byte_alone(sent: Any, site: Site) -> None:
    wire = b"".join(message for message, _ in sent)
    taken = read(site, wire, list(range(1, len(wire))))
    assert [outcome(t) for t in taken] == [want for _, want in sent]


@settings(max_examples=1500, deadline=None)
@given(
    parts=st.lists(st.one_of(PARTS, st.binary(max_size=20)), max_size=20),
    cuts=st.lists(st.integers(0, 300), max_size=10),
)
@example(parts=[b"POST /a HTTP/1.1\r\nContent-Length: 9" * 20], cuts=[])
def test_no_bytes_raise_or_stay_counted(
    parts: list[bytes], cuts: list[int], site: Site
) -> None:
    data = b"".join(parts)
    places = sorted(min(cut, len(data)) for cut in cuts)
    for taken in read(site, data, places):
        if taken.refusal is not None:
            assert 400 <= taken.refusal.status < 600
        else:
            assert taken.route is not None
            assert len(taken.body) <= OPTIONS.body_bytes


@settings(max_examples=300, deadline=None)
@given(garbage=st.binary(min_size=1, max_size=200), first=messages())
def test_what_follows_garbage_is_never_a_request(
    garbage: bytes, first: Any, site: Site
) -> None:
    """A refusal that closes is the last thing that a connection hands over."""
    wire = first[0] + garbage + get("/a")
    taken = read(site, wire, [len(first[0])])
    closing = [t for t in taken if not t.keep]
    assert closing == taken[-1:] or not closing
