"""Sockets that accept: the connection limit, and the TLS handshake.

Connections are accepted here and not by the event loop's own server, so that each
handshake takes the certificate of its moment, half-open ones count against the limit,
and a client that is no TLS client costs one line.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final

from admit.errors import ConfigError
from admit.server.clients import find_refusal
from admit.server.protocol import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from admit.server.site import Site

__all__ = ("Listener", "bind")

log: Final = logging.getLogger("admit.server")

# Connections that the kernel holds until they are accepted.
BACKLOG: Final = 512

# Seconds to wait when no more connections can be had (no room, no file descriptors).
PAUSE_SECONDS: Final = 0.1


def bind(host: str, port: int) -> list[socket.socket]:
    """Take an address, without listening yet: a client is refused until we can decide.

    Args:
        host: name or address; empty for all, of IPv4 and IPv6: a pod may have either.
        port: 0 takes a free one.

    Raises:
        ConfigError: the address is taken, or none of this machine (operator's fault).
    """
    try:
        found = socket.getaddrinfo(
            host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0"),  # noqa: S104 - as the caller wants
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not host and family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.setblocking(False)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"cannot serve there: {error.strerror or error}",
            place=f"{host}:{port}",
            hint="another host or port? 0 takes a free one",
        ) from error
    return [sock]


class Listener:
    """Accepts connections for a site.

    Args:
        site: what connections are served from.
        sockets: bound; closed by `stop`.
        find_context: gives the TLS context for a handshake; None for plain HTTP.
    """

    def __init__(
        self,
        site: Site,
        sockets: Sequence[socket.socket],
        find_context: Callable[[], ssl.SSLContext | None] | None = None,
    ) -> None:
        self._site = site
        self._sockets = tuple(sockets)
        self._find_context = find_context
        self._listening = False

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted."""
        return self._listening

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self._sockets[0].getsockname()[1])

    def start(self) -> None:
        """Accept from now on.

        Raises:
            ConfigError: somebody else listens there already (operator's fault).
        """
        if self._listening:
            return
        try:
            for sock in self._sockets:
                sock.listen(BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"cannot serve there: {error.strerror}", place=f"port {self.port}"
            ) from error
        self._listening = True
        for sock in self._sockets:
            self._site.loop.add_reader(sock, self._accept, sock)

    def stop(self) -> None:
        """Accept no more, but those who are connected already in the kernel's eyes."""
        listening, self._listening = self._listening, False
        for sock in self._sockets:
            if listening:
                self._site.loop.remove_reader(sock)
                while self._accept(sock):
                    pass
            sock.close()

    def _accept(self, sock: socket.socket) -> bool:
        """Accept one connection: where workers share a socket, each gets its turn."""
        site = self._site
        if (
            len(site.connections) + len(site.opening) >= site.options.connections
            and not site.evict()
        ):
            self._pause(sock)
            return False
        try:
            client, address = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            site.notices.say("accept failed", error.strerror or "unknown")
            self._pause(sock)
            return False
        client.setblocking(False)
        task = site.loop.create_task(self._open(client, f"{address[0]}:{address[1]}"))
        site.opening.add(task)
        task.add_done_callback(site.opening.discard)
        return True

    def _pause(self, sock: socket.socket) -> None:
        """Leave newcomers to the kernel for a while."""
        self._site.notices.say(
            "connections are full", f"{len(self._site.connections)} are open"
        )
        self._site.loop.remove_reader(sock)
        self._site.loop.call_later(PAUSE_SECONDS, self._go_on, sock)

    def _go_on(self, sock: socket.socket) -> None:
        if self._listening:
            self._site.loop.add_reader(sock, self._accept, sock)

    async def _open(self, client: socket.socket, peer: str) -> None:
        """Make the handshake and hand over to the protocol."""
        site = self._site
        seconds = site.options.handshake_seconds
        context = self._find_context() if self._find_context else None
        try:
            if self._find_context is None:
                await site.loop.connect_accepted_socket(
                    lambda: Connection(site), client
                )
            elif context is None:
                client.close()
            else:
                await site.loop.connect_accepted_socket(
                    lambda: Connection(site),
                    client,
                    ssl=context,
                    ssl_handshake_timeout=seconds,
                    ssl_shutdown_timeout=site.options.write_seconds,
                )
        except asyncio.CancelledError:
            client.close()
            raise
        except OSError as error:  # also SSLError and TimeoutError
            client.close()
            site.counts.handshake_failures += 1
            refusal = find_refusal(error)
            if refusal:
                site.clients.refuse(refusal)
                site.notices.say(
                    f"client refused, {refusal}", _explain(error), peer=peer
                )
            else:
                site.notices.say("handshake failed", _explain(error), peer=peer)


def _explain(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not TLS").replace("_", " ").lower()
    # The event loops abort a handshake that exceeds its time.
    late = isinstance(error, (TimeoutError, ConnectionAbortedError))
    return "took too long" if late else "connection lost"
