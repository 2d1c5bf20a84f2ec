"""One connection: requests to answers, in order.

What lives here: keep-alive, pipelining, slow readers, when a connection closes. What
this file must not know: how requests are read, TLS, reviews.

While one request has to be waited for, the ones behind it wait in a queue and nothing
more is read; what one read brings bounds the queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from admit._exchange import failure
from admit.server.replies import CONTINUE, JSON
from admit.server.requests import NEVER, Reader, Request

if TYPE_CHECKING:
    from admit.server.routes import Answer, Route
    from admit.server.site import Site

__all__ = ("Connection",)

log: Final = logging.getLogger("admit.server")


class Connection(asyncio.BufferedProtocol):
    """A client's connection, from after the handshake to its end."""

    __slots__ = (
        "_peer",
        "_queue",
        "_reader",
        "_site",
        "_task",
        "_transport",
        "_writable",
    )

    def __init__(self, site: Site) -> None:
        self._site = site
        self._reader = Reader(site, self)
        self._queue: deque[Request] = deque()
        self._task: asyncio.Task[Answer] | None = None
        self._transport = cast("asyncio.Transport", None)
        self._writable = True
        self._peer = ""

    @property
    def is_idle(self) -> bool:
        """Whether closing it now interrupts nothing."""
        return (
            self._reader.is_idle
            and not self._reader.is_closed
            and self._task is None
            and not self._queue
            and self._writable
        )

    @property
    def is_busy(self) -> bool:
        """Whether a request is arriving, or its answer not yet with the client."""
        return (
            not (self._reader.is_idle or self._reader.is_closed)
            or self._task is not None
            or bool(self._queue)
            or not self._writable
            or self._transport.get_write_buffer_size() > 0
        )

    @property
    def expires_at(self) -> float:
        """Until when it may stay as it is, in seconds of the loop's clock."""
        return NEVER if self._task is not None else self._reader.expires_at

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            # An IPv4 address, as a socket of both kinds writes it.
            self._peer = f"{peer[0].removeprefix('::ffff:')}:{peer[1]}"
        certificate = transport.get_extra_info("peercert")
        self._reader.refusal = self._site.clients.check_certificate(certificate)
        self._site.connections.add(self)
        self._site.counts.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """End: whoever asked has gone, so nobody waits for an answer."""
        self._site.connections.discard(self)
        self._site.counts.connections -= 1
        self._reader.close()
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client reads slowly: answer nothing until it has taken what there is."""
        self._writable = False
        self._transport.pause_reading()
        self._reader.wait(self._site.options.write_seconds)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable = True
        if self._transport.is_closing():
            return
        self._reader.wait(self._site.options.idle_seconds)
        self._go_on()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        """Lend the buffer that all connections share: it is parsed at once."""
        return self._site.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was read."""
        self._reader.feed(self._site.buffer[:nbytes])

    # What the reader says.

    def go_ahead(self) -> None:
        """Tell the client to send the body it announced.

        Behind other requests it is not told: it sends after a while anyway
        (RFC 9110 section 10.1.1).
        """
        if self._task is None and not self._queue:
            self._site.send(self._transport, CONTINUE)

    def take(self, request: Request) -> None:
        """Answer a request, or queue it behind the ones before."""
        if self._task is None and self._writable and not self._queue:
            self._answer(request)
        else:
            self._queue.append(request)
            self._transport.pause_reading()

    # What the site says.

    def expire(self) -> None:
        """Something took too long: a client that sends, reads, or does nothing."""
        if not self._writable or self._reader.is_closed:
            self.abort()
        elif self._reader.is_idle:
            self._close()
        else:
            self._reader.time_out()

    def close_if_idle(self) -> None:
        """Close unless a request is on its way in or out."""
        if self.is_idle:
            self._close()

    def abort(self) -> None:
        """Close at once."""
        self._reader.close()
        self._transport.abort()

    # Answers.

    def _answer(self, request: Request) -> None:
        route = request.route
        if request.refusal is not None or route is None:
            self._send(request, cast("Answer", request.refusal))
        elif route.suspends:
            self._start(route, request)
        else:
            self._send(request, _drive(route, request))

    def _start(self, route: Route, request: Request) -> None:
        """Let an answer be waited for; a bounded number of them at once."""
        site = self._site
        if site.counts.in_flight >= site.options.in_flight:
            self._send(request, failure("cannot decide", "too many reviews at once"))
            return
        site.counts.in_flight += 1
        coroutine = route.decide(request.body, deadline=request.deadline)
        self._task = task = site.loop.create_task(coroutine)
        task.add_done_callback(lambda done: self._finish(request, done))

    def _finish(self, request: Request, task: asyncio.Task[Answer]) -> None:
        self._site.counts.in_flight -= 1
        self._task = None
        if task.cancelled():
            return  # with the connection
        error = task.exception()
        if self._transport.is_closing():
            return
        answer = task.result() if error is None else _report(error)
        self._send(request, answer)
        self._go_on()

    def _go_on(self) -> None:
        """Answer what was queued, then read on."""
        while self._queue and self._task is None and self._writable:
            self._answer(self._queue.popleft())
        if not self._queue and self._writable and not self._transport.is_closing():
            self._transport.resume_reading()

    def _send(self, request: Request, answer: Answer) -> None:
        site = self._site
        status, body = answer.status, answer.body
        site.counts.responses[status] += 1
        keep = request.keep and not site.draining
        route = request.route
        if route is None or request.refusal is not None:
            self._note(request)
            content_type = JSON
        else:
            content_type = route.content_type
            if route.left is not None:
                route.left.add(request.deadline - site.time())
        if status == 200 and keep and content_type is JSON:
            head = site.heads.ok
        else:
            allow = route.allow if route is not None and status == 405 else b""
            head = site.heads.get(status, content_type, allow=allow, keep=keep)
        shown = b"" if request.is_head else body
        site.send(self._transport, b"%b%d\r\n\r\n%b" % (head, len(body), shown))
        if not keep:
            self._close()

    def _close(self) -> None:
        """Close when what was written has gone out, or has had time to."""
        self._reader.close()
        self._queue.clear()
        self._reader.wait(self._site.options.write_seconds)
        self._site.flush()
        self._transport.close()

    def _note(self, request: Request) -> None:
        refusal = request.refusal
        if refusal is not None:
            self._site.notices.say(
                f"request refused, {refusal.outcome}",
                f"HTTP {refusal.status}",
                peer=self._peer,
                code=refusal.status,
            )


def _drive(route: Route, request: Request) -> Answer:
    """Run a decision that never has to be waited for: no task, no turn of the loop."""
    coroutine = route.decide(request.body, deadline=request.deadline)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("Answer", stop.value)
    except Exception as error:  # noqa: BLE001 - the rim: the next request is served
        return _report(error)
    coroutine.close()
    return _report(RuntimeError("waited although it was declared not to"))


def _report(error: BaseException) -> Answer:
    """Log a fault of admit itself: class and place, since texts may quote objects."""
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    name = type(error).__name__
    log.error(
        "a review failed inside admit: %s",
        name,
        extra={"fields": {"kind": "internal error", "error": name, "place": place}},
    )
    return failure("handler failed", f"{name} inside admit", place=place)
