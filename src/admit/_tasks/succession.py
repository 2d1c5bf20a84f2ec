"""What decides now, and what takes its place when the policies' files change.

The server goes on through it: a review in flight ends with the policies it began with,
and a path that the API server may still ask at is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from admit._handler import Running
from admit._tasks.events import Broken, Reloaded
from admit.errors import AdmitError, PolicyError
from admit.telemetry import watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from admit._tasks.load import Policies
    from admit._tasks.reload import Reloader
    from admit.app import Endpoint
    from admit.server import Server
    from admit.telemetry import Lines, Measures

__all__ = ("Follow", "Succession", "Tell", "bridge")

log: Final = logging.getLogger("admit.policies")

Follow: TypeAlias = "Callable[[Policies], Awaitable[None]]"
"""Told which policies decide now, at first and after each change; returns when the API
server asks for what they match."""

Tell: TypeAlias = "Callable[[Reloaded | Broken], None]"

# Seconds after a swap when what was replaced can be thrown away: no review takes longer
# than the API server waits.
FINISHED_SECONDS: Final = 31.0

# Paths of policies that are no more, which are still answered.
KNOWN_PATHS: Final = 256


class Succession:
    """What decides now, and what takes its place.

    Args:
        reloader: loads the policies; the first ones at once.
        measures: counts what they decide.
        lines: tells what they decide.
        tell: is told when policies are replaced, or are not; must not block.

    Raises:
        PolicyError, ConfigError: there is nothing to begin with.
    """

    def __init__(
        self,
        reloader: Reloader,
        measures: Measures,
        lines: Lines,
        *,
        tell: Tell | None = None,
    ) -> None:
        self._reloader = reloader
        self._measures = measures
        self._lines = lines
        self._follow: Follow | None = None
        self._tell = tell or _tell_nobody
        self._known: dict[str, Known] = {}
        self._following: asyncio.Task[None] | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._server: Server
        self.current = reloader.load()

    @contextlib.asynccontextmanager
    async def at_work(
        self,
        server: Server,
        *,
        follow: Follow | None = None,
    ) -> AsyncIterator[None]:
        """Decide for a server, and look for changes until the block ends.

        Args:
            server: gets the endpoints.
            follow: brings the registration after the policies; without it somebody
                else does.
        """
        self._server, self._follow = server, follow
        self._lines.attach(asyncio.get_running_loop())
        self._use(self.current)
        settle()
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            for later in (looking, self._following, self._settling):
                if later is not None:
                    later.cancel()

    async def _look(self) -> None:
        while True:
            try:
                self._replace(await self._reloader.wait())
            except AdmitError as error:
                self._keep(error)
            except Exception as error:  # noqa: BLE001 - the rim: the next change counts
                self._keep(PolicyError(f"{type(error).__name__} inside admit"))

    def _replace(self, policies: Policies) -> None:
        before, self.current = self.current, policies
        self._use(policies)
        self._measures.reloads["loaded"] += 1
        count = sum(len(app.handlers) for app in policies.apps)
        log.info(
            "policies replaced",
            extra={
                "fields": {
                    "kind": "policies",
                    "version": policies.version,
                    "before": before.version,
                    "policies": count,
                }
            },
        )
        self._tell(Reloaded(policies=count, version=policies.version))
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(FINISHED_SECONDS, settle)

    def _keep(self, error: AdmitError) -> None:
        self._measures.reloads["failed"] += 1
        self._measures.stale = 1
        self._server.describe_policies(
            f"{_show(self.current)}; the new ones cannot be used: {error}"
        )
        log.error(
            "policies not replaced: %s",
            error.message,
            extra={
                "fields": {
                    "kind": "policies",
                    "version": self.current.version,
                    "place": error.place,
                    "hint": error.hint,
                }
            },
        )
        self._tell(Broken.of(error))

    def _use(self, policies: Policies) -> None:
        """Decide by these from the next request on."""
        new = _to_versioned(policies)
        bridged = bridge(self._known, new)
        left = {
            path: replace(one.endpoint, version=f"{one.app}@{policies.version}")
            for path, one in self._known.items()
        }
        self._note(new)
        self._measures.stale = 0
        self._measures.versions = {app.name: policies.version for app in policies.apps}
        self._serve({**left, **bridged})
        self._server.describe_policies(_show(policies))
        if self._following is not None:
            self._following.cancel()
        if self._follow is not None:
            work = self._register(self._follow, policies, {**left, **new})
            self._following = asyncio.get_running_loop().create_task(work)

    def _serve(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._server.set_routes(
            {
                path: watched(endpoint, self._measures, self._lines)
                for path, endpoint in endpoints.items()
            }
        )
        self._measures.keep(endpoint.webhook_name for endpoint in endpoints.values())

    async def _register(
        self, follow: Follow, policies: Policies, endpoints: Mapping[str, Endpoint]
    ) -> None:
        """Once the API server asks at the new paths, nobody is asked twice."""
        try:
            await follow(policies)
        except AdmitError as error:
            log.error(  # noqa: TRY400 - it has no more to tell
                "the registration does not follow the policies: %s",
                error,
                extra={"fields": {"kind": "policies", "version": policies.version}},
            )
            return
        self._serve(endpoints)

    def _note(self, new: Mapping[str, Endpoint]) -> None:
        for path, endpoint in new.items():
            self._known.pop(path, None)
            self._known[path] = Known(endpoint)
        for path in list(self._known)[:-KNOWN_PATHS]:
            del self._known[path]


class Known:
    """A path that the API server may ask at, and who answered there last.

    It holds nothing of the policies, which may be replaced.

    Attributes:
        app: the name of its app.
        endpoint: allows everything: what no policy wants any more.
        names: of the policies that answered.
    """

    __slots__ = ("app", "endpoint", "names")

    def __init__(self, endpoint: Endpoint) -> None:
        self.app = _app_of(endpoint)
        self.endpoint = replace(
            endpoint, handlers=(), suspends=False, running=Running(), _known={}
        )
        self.names = frozenset(handler.name for handler in endpoint.handlers)


def bridge(
    known: Mapping[str, Known], new: Mapping[str, Endpoint]
) -> dict[str, Endpoint]:
    """Let policies that moved answer at the path where they are known, too.

    A path follows from options (`failure_policy`, `timeout_seconds`, `path`). Until the
    registration has followed, nobody would ask at the new one. Not for `when`, which
    the API server alone evaluates.

    Args:
        known: the paths that the API server may ask at.
        new: the endpoints of the policies by path.
    """
    homes = {
        (one.app, one.endpoint.mutating, name): path
        for path, one in known.items()
        for name in one.names
        if not one.endpoint.when
    }
    bridged = dict(new)
    for path, endpoint in new.items():
        if path in known or endpoint.when:
            continue
        for handler in endpoint.handlers:
            home = homes.get((_app_of(endpoint), endpoint.mutating, handler.name))
            if home is not None:
                host = bridged.get(home, known[home].endpoint)
                bridged[home] = replace(
                    host,
                    handlers=(*host.handlers, handler),
                    suspends=host.suspends or endpoint.suspends,
                    running=endpoint.running,
                    version=endpoint.version,
                    _known={},
                )
    return bridged


def _to_versioned(policies: Policies) -> dict[str, Endpoint]:
    return {
        endpoint.path: replace(
            endpoint, version=f"{mounted.app.name}@{policies.version}"
        )
        for mounted in policies.mounted
        for endpoint in mounted.endpoints
    }


def _app_of(endpoint: Endpoint) -> str:
    return endpoint.version.partition("@")[0]


def settle() -> None:
    """Take what stays out of the garbage collector's sight, and what is gone away.

    Modules hold themselves in circles, so those of the last policies wait for this.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _tell_nobody(_: Reloaded | Broken) -> None:
    """Do nothing: what happens is logged in any case."""


def _show(policies: Policies) -> str:
    names = ", ".join(app.name for app in policies.apps)
    return f"{names} at version {policies.version}"
