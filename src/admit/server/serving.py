"""The server of one process: both ports, from the first bind to the last reply."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, Self

from admit.errors import ConfigError
from admit.server.clients import Clients
from admit.server.counts import Counts, Left
from admit.server.drain import PATIENCE_SECONDS, drain
from admit.server.health import Check, HealthPort, to_health_page, to_health_pages
from admit.server.listener import Listener, bind
from admit.server.routes import to_route
from admit.server.site import Site
from admit.server.tls import Certificate
from admit.server.watchdog import Watchdog

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from admit.server.options import ServeOptions
    from admit.server.routes import Endpoint, Route

__all__ = ("HEALTH_PATH", "Server")

log: Final = logging.getLogger("admit.server")

# On the review port, for whoever can reach only that.
HEALTH_PATH: Final = "/health"

# Seconds between two looks for a certificate that is not there yet: shorter than
# reload_seconds, because nothing is served meanwhile.
MISSING_SECONDS: Final = 0.5


class Server:
    """Serves reviews over TLS, and health pages over plain HTTP.

    Bind, `start`, and it serves as soon as it can decide: when routes are set and the
    certificate is read. An async context manager: ``async with Server(options)``.

    Args:
        options: where, and within which bounds.
        counts: raised as things happen; a new one by default.
        render_metrics: makes the body of `/metrics`; without it there is no such page.
        sockets: bound already, instead of those the options name; the health port is
            then somebody else's.
        changed: called when readiness may have changed.
        more_checks: what else has to be right before reviews are decided here, as
            that the registered authority signed the certificate.

    Raises:
        ConfigError: an address cannot be taken (operator's fault).
    """

    def __init__(
        self,
        options: ServeOptions,
        *,
        counts: Counts | None = None,
        render_metrics: Callable[[], Awaitable[bytes]] | None = None,
        sockets: Sequence[socket.socket] | None = None,
        changed: Callable[[], None] | None = None,
        more_checks: Callable[[], Sequence[Check]] = tuple,
    ) -> None:
        self.options = options
        self.counts = Counts() if counts is None else counts
        self._certificate = Certificate(
            options.cert_file,
            options.key_file,
            self.counts,
            client_ca_file=options.client_ca_file,
        )
        self._clients = Clients(options.client_names, options.token_file, self.counts)
        self._render_metrics = render_metrics
        self._changed = changed or (lambda: None)
        self._more_checks = more_checks
        self._serves_health = sockets is None and options.health_port is not None
        self._sockets = sockets
        self._endpoints: Mapping[str, Endpoint] | None = None
        self._policies = ""
        self._stopping = False
        self._trouble = ""
        self._watches: tuple[asyncio.Task[None], ...] = ()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Take the addresses, and serve once it can decide.

        Raises:
            ConfigError: an address cannot be taken (operator's fault).
        """
        options, loop = self.options, asyncio.get_running_loop()
        self._site = Site(options, self.counts, loop, clients=self._clients)
        sockets = self._sockets or bind(options.host, options.port)
        self._listener = Listener(
            self._site, sockets, lambda: self._certificate.context
        )
        try:
            self._health = self._open_health() if self._serves_health else None
        except ConfigError:
            self._listener.stop()
            raise
        self._site.start()
        self._watchdog = Watchdog(loop, self.counts, options.held_seconds)
        self._watchdog.start()
        await asyncio.to_thread(self._certificate.load)
        await asyncio.to_thread(self._clients.load)
        try:
            self._apply()
        except ConfigError:
            await self.stop()
            raise
        self._watches = (
            loop.create_task(self._watch_certificate()),
            loop.create_task(
                self._clients.watch(options.reload_seconds, self._changed)
            ),
        )

    def _open_health(self) -> HealthPort:
        pages = to_health_pages(
            live=list, ready=self.checks, render_metrics=self._render_metrics
        )
        return HealthPort(self.options, pages)

    async def _watch_certificate(self) -> None:
        while not self._listener.is_listening:
            await asyncio.sleep(min(MISSING_SECONDS, self.options.reload_seconds))
            await asyncio.to_thread(self._certificate.load)
            try:
                self._apply()
            except ConfigError as error:
                if str(error) != self._trouble:
                    log.error("%s", error)  # noqa: TRY400 - it has no more to tell
                self._trouble = str(error)
        await self._certificate.watch(self.options.reload_seconds, self._changed)

    def set_routes(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Decide by these endpoints, by path, from the next request on."""
        self._endpoints = endpoints
        routes: dict[str, Route] = {HEALTH_PATH: to_health_page(self.checks)}
        for path, endpoint in endpoints.items():
            left = self.counts.left.setdefault(endpoint.webhook_name, Left())
            routes[path] = to_route(endpoint, left)
        names = {endpoint.webhook_name for endpoint in endpoints.values()}
        for name in self.counts.left.keys() - names:
            del self.counts.left[name]
        self._site.set_routes(routes)
        holders: list[Any] = [
            holder
            for endpoint in endpoints.values()
            if (holder := getattr(endpoint, "running", None)) is not None
        ]
        self._watchdog.watch(holders)
        self._apply()

    def describe_policies(self, text: str) -> None:
        """Say on the readiness page which policies decide, and what is wrong."""
        self._policies = text
        self._changed()

    def _apply(self) -> None:
        """Listen as soon as there is a certificate; decide when there are routes."""
        if self._endpoints is not None:
            self._site.refusal = ""
        if self._certificate.context is not None and not self._stopping:
            self._listener.start()
        self._changed()

    @property
    def port(self) -> int:
        """The review port that was taken."""
        return self._listener.port

    @property
    def health_port(self) -> int | None:
        """The health port that was taken; None without one."""
        return None if self._health is None else self._health.port

    @property
    def is_ready(self) -> bool:
        """Whether reviews are decided here."""
        return all(check.passed for check in self.checks())

    def checks(self) -> list[Check]:
        """Return what has to be right before reviews are decided here."""
        loaded = self._endpoints is not None
        listening = self._listener.is_listening
        return [
            Check("policies", loaded, self._policies if loaded else "not loaded yet"),
            Check(
                "certificate",
                self._certificate.context is not None,
                self._certificate.detail,
            ),
            *(
                [Check("tokens", self._clients.is_ready, self._clients.detail)]
                if self._clients.needs_token
                else []
            ),
            Check("port", listening or self._stopping, self._trouble),
            *self._more_checks(),
            *([Check("shutting down", passed=False)] if self._stopping else []),
        ]

    async def stop(
        self, *, delay_seconds: float = 0.0, hurry: asyncio.Event | None = None
    ) -> bool:
        """Answer what is in flight and end; return whether all of it was answered.

        Unready at once. Without a delay idle connections close at once too.

        Args:
            delay_seconds: how long to serve as before, until no new requests come.
            hurry: when set, what is in flight is cut off.
        """
        self._stopping = True
        self._changed()
        hurry = hurry or asyncio.Event()
        if delay_seconds and self._listener.is_listening:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_seconds):
                    await hurry.wait()
        self._listener.stop()
        answered = await drain(
            self._site,
            self.options.drain_seconds,
            hurry,
            patience_seconds=PATIENCE_SECONDS if delay_seconds else 0.0,
        )
        for watch in self._watches:
            watch.cancel()
        self._watchdog.stop()
        if self._health is not None:
            await self._health.stop()
        return answered
