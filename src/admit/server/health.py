"""The pages that kubelet, Prometheus and people look at.

`/healthz` says whether the process works (restart it if not), `/readyz` whether
reviews should come here, and why not; `/metrics` the numbers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from admit.server.counts import Counts
from admit.server.drain import drain
from admit.server.listener import Listener, bind
from admit.server.routes import Page, to_page
from admit.server.site import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from admit.server.options import ServeOptions
    from admit.server.routes import Route

__all__ = ("METRICS_TYPE", "Check", "HealthPort", "to_health_page", "to_health_pages")

# Source: Prometheus text exposition format 0.0.4.
METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

# Seconds that a probe's answer may take to go out when the process ends.
GOODBYE_SECONDS: Final = 1.0


class Check(NamedTuple):
    """One thing that has to be right.

    Args:
        name: what is looked at.
        passed: whether it is right.
        detail: what a person wants to know about it.
    """

    name: str
    passed: bool
    detail: str = ""


def to_health_page(look: Callable[[], Sequence[Check]]) -> Route:
    """Return a page that is 200 when all checks pass, else 503; a line for each."""

    async def render() -> Page:
        checks = look()
        passed = all(check.passed for check in checks)
        lines = [
            f"[{'+' if check.passed else '-'}] {check.name}"
            + (f": {check.detail}" if check.detail else "")
            for check in checks
        ]
        text = "\n".join(["ok" if passed else "not ok", *lines, ""])
        return Page(200 if passed else 503, text.encode("utf-8", "replace"))

    return to_page(render)


def to_health_pages(
    *,
    live: Callable[[], Sequence[Check]],
    ready: Callable[[], Sequence[Check]],
    render_metrics: Callable[[], Awaitable[bytes]] | None,
) -> Mapping[str, Route]:
    """Return the routes of the health port."""
    pages = {"/healthz": to_health_page(live), "/readyz": to_health_page(ready)}
    if render_metrics is not None:
        render = render_metrics

        async def metrics() -> Page:
            return Page(200, await render())

        pages["/metrics"] = to_page(metrics, suspends=True, content_type=METRICS_TYPE)
    return pages


class HealthPort:
    """The second port: plain HTTP, pages only, open from the start.

    Raises:
        ConfigError: the address cannot be taken (operator's fault).
    """

    def __init__(self, options: ServeOptions, pages: Mapping[str, Route]) -> None:
        sockets = bind(options.health_host, options.health_port or 0)
        self._site = Site(options, Counts(), asyncio.get_running_loop())
        self._site.refusal = ""
        self._site.set_routes(pages)
        self._listener = Listener(self._site, sockets)
        self._site.start()
        self._listener.start()

    @property
    def port(self) -> int:
        """The port that was taken."""
        return self._listener.port

    async def stop(self) -> None:
        """Answer what was asked, and close."""
        self._listener.stop()
        await drain(self._site, GOODBYE_SECONDS, asyncio.Event())
