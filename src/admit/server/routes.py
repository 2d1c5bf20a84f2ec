"""What answers at which path: reviews by POST, pages by GET."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote_to_bytes

import httptools

from admit._exchange import exchange, read_timeout
from admit.server.replies import JSON, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from admit.review import AdmissionRequest, AdmissionResponse
    from admit.server.counts import Left

__all__ = ("Answer", "Endpoint", "Page", "Route", "Routes", "to_page", "to_route")

# Different URLs that are remembered. The API server sends a handful: a path for each
# webhook, with the timeouts that its users' requests leave. Others may send any.
KNOWN_URLS: Final = 256


class Endpoint(Protocol):
    """A Reviewer that says how it is called; `admit.app.Endpoint` is one."""

    @property
    def webhook_name(self) -> str:
        """Names the webhook in metrics and logs."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """How long the API server waits when it does not say."""
        ...

    @property
    def suspends(self) -> bool:
        """Whether an answer may have to be waited for."""
        ...

    async def __call__(self, request: AdmissionRequest, /) -> AdmissionResponse:
        """Decide."""
        ...


class Answer(Protocol):
    """What goes back; `admit._exchange.Reply` is one."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """Body of the content type of its route."""
        ...


class Page(NamedTuple):
    """Text for a person or a probe."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Route:
    """One path.

    Args:
        decide: called with the body and the deadline, answers.
        methods: HTTP methods that are answered.
        suspends: whether `decide` may have to be waited for, which needs a task.
        timeout_seconds: how long the asker waits when it does not say.
        content_type: of the answer's body.
        left: where to count what was left of the deadline; None for pages.
        lasting: whether it answers while the server cannot decide yet.
    """

    decide: Callable[..., Coroutine[Any, Any, Answer]]
    methods: frozenset[bytes]
    suspends: bool
    timeout_seconds: float
    content_type: bytes
    left: Left | None = None
    lasting: bool = False

    @property
    def allow(self) -> bytes:
        """The methods as the Allow header has them."""
        return b", ".join(sorted(self.methods))


def to_route(endpoint: Endpoint, left: Left) -> Route:
    """Let an endpoint answer reviews."""
    return Route(
        decide=functools.partial(exchange, endpoint),
        methods=frozenset({b"POST"}),
        suspends=endpoint.suspends,
        timeout_seconds=endpoint.timeout_seconds,
        content_type=JSON,
        left=left,
    )


def to_page(
    render: Callable[[], Coroutine[Any, Any, Page]],
    *,
    suspends: bool = False,
    content_type: bytes = TEXT,
) -> Route:
    """Let a function answer probes."""

    async def decide(_body: bytes, *, deadline: float) -> Page:  # noqa: ARG001 - Route's signature
        return await render()

    return Route(
        decide=decide,
        methods=frozenset({b"GET", b"HEAD"}),
        suspends=suspends,
        timeout_seconds=10.0,
        content_type=content_type,
        lasting=True,
    )


class Routes:
    """All paths of one port. Exact: the API server removes a trailing slash itself."""

    __slots__ = ("_known", "_routes")

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = dict(routes)
        self._known: dict[bytes, tuple[Route, float]] = {}

    def __len__(self) -> int:
        return len(self._routes)

    def find(self, url: bytes) -> tuple[Route, float] | None:
        """Return the route of a request target, and the seconds there are to decide.

        Raises:
            httptools.HttpParserInvalidURLError: it is no URL.
        """
        found = self._known.get(url)
        if found is not None:
            return found
        parsed = httptools.parse_url(url)
        path = unquote_to_bytes(parsed.path or b"/").decode("utf-8", "replace")
        route = self._routes.get(path)
        if route is None:
            return None
        seconds = read_timeout(_find_timeout(parsed.query), route.timeout_seconds)
        found = (route, seconds)
        if len(self._known) < KNOWN_URLS:
            self._known[url] = found
        return found


def _find_timeout(query: bytes | None) -> str | None:
    if not query:
        return None
    try:
        fields = parse_qs(query.decode("latin-1"), max_num_fields=16)
    except ValueError:
        return None
    return fields.get("timeout", [None])[0]
