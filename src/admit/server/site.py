"""What all connections of one port share: routes, bounds, numbers, and the sweep.

The time-outs of all connections are one timer: each connection says until when it may
stay as it is, and the sweep looks at them about once a second.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from admit.server.clients import Clients
from admit.server.notices import Notices
from admit.server.replies import Heads
from admit.server.routes import Routes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from admit.server.counts import Counts
    from admit.server.options import ServeOptions
    from admit.server.protocol import Connection
    from admit.server.routes import Route

__all__ = ("Site",)

log: Final = logging.getLogger("admit.server")

# Bytes that one read takes at most. A TLS record has 16 KiB; a typical review fits in
# one read. All connections share the buffer: what is in it is parsed before the next
# read.
READ_BYTES: Final = 64 * 1024

# Seconds between two sweeps at most; time-outs are late by as much.
SWEEP_SECONDS: Final = 1.0


class Site:
    """One port's routes and connections.

    Attributes:
        clients: who may ask; by default everybody.
        refusal: why nothing can be decided yet, in words; empty when it can.
        draining: every reply says that the connection closes.
        opening: handshakes that are being made.
        buffered_bytes: bytes of bodies that are still arriving.
    """

    def __init__(
        self,
        options: ServeOptions,
        counts: Counts,
        loop: asyncio.AbstractEventLoop,
        *,
        clients: Clients | None = None,
    ) -> None:
        self.options = options
        self.counts = counts
        self.loop = loop
        self.time = loop.time
        self.clients = clients or Clients((), "", counts)
        self.routes = Routes({})
        self.refusal = "policies are not loaded yet"
        self.draining = False
        self.heads = Heads()
        self.notices = Notices(log, loop.time)
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.connections: set[Connection] = set()
        self.opening: set[asyncio.Task[None]] = set()
        self.buffered_bytes = 0
        self._outbox: list[tuple[asyncio.Transport, bytes]] = []
        self._sweeper: asyncio.TimerHandle | None = None

    def set_routes(self, routes: Mapping[str, Route]) -> None:
        """Serve these paths from the next request on."""
        self.routes = Routes(routes)

    def start(self) -> None:
        """Begin to sweep."""
        self._sweep_later()

    def stop(self) -> None:
        """Close what is open, at once."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for task in tuple(self.opening):
            task.cancel()
        for connection in tuple(self.connections):
            connection.abort()

    def send(self, transport: asyncio.Transport, data: bytes) -> None:
        """Write at the end of this turn of the loop, with what else is written then.

        All reviews that have arrived are decided before the first answer leaves. Each
        write wakes its reader, which then takes the processor's time from the next
        decision: under load this halves what the kernel costs. Without load the turn
        ends at once.
        """
        if not self._outbox:
            self.loop.call_soon(self.flush)
        self._outbox.append((transport, data))

    def flush(self) -> None:
        """Write what waits."""
        outbox = self._outbox
        if outbox:
            self._outbox = []
            for transport, data in outbox:
                if not transport.is_closing():
                    transport.write(data)

    def close_idle(self) -> None:
        """Close the connections on which nothing happens."""
        for connection in tuple(self.connections):
            connection.close_if_idle()

    @property
    def is_open(self) -> bool:
        """Whether there is anybody who may ask something."""
        return bool(self.connections or self.opening)

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way in, being decided, or on its way out."""
        return any(connection.is_busy for connection in self.connections)

    def evict(self) -> bool:
        """Make room: close the connection that has been idle for longest."""
        idle = [c for c in self.connections if c.is_idle]
        if not idle:
            return False
        min(idle, key=lambda c: c.expires_at).abort()
        return True

    def _sweep_later(self) -> None:
        options = self.options
        shortest = min(
            options.header_seconds,
            options.body_seconds,
            options.idle_seconds,
            options.write_seconds,
        )
        self._sweeper = self.loop.call_later(
            min(SWEEP_SECONDS, shortest / 2), self._sweep
        )

    def _sweep(self) -> None:
        self._sweep_later()
        self.heads.refresh()
        now = self.time()
        for connection in [c for c in self.connections if c.expires_at <= now]:
            connection.expire()
