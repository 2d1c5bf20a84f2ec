"""Policies whose files change: loaded beside those that decide, tested, and swapped in.

What cannot be used changes nothing: the policies before go on deciding, and log,
readiness page and metric say so. `admit serve` and `admit dev` reload alike.

The self-test does not call policies. What one does with an object that was invented
proves nothing, and what it asks or tells others would be real. Tested is what can be
known without: the files are valid Python and import, every policy is declared rightly,
every name that it uses exists, no two want the same path, and each endpoint can be
registered.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from admit._handler import Running
from admit._tasks.events import Broken, Reloaded
from admit._tasks.load import load_policies
from admit._tasks.sources import Sources
from admit._tasks.webhooks import to_entry
from admit.errors import AdmitError, ConfigError, PolicyError
from admit.telemetry import logged, measured
from admit.webhook import ClientConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from admit._handler import Mode
    from admit._tasks.load import Policies
    from admit.app import Endpoint
    from admit.server import Server
    from admit.telemetry import Lines, Measures

__all__ = ("Follow", "Reloader", "Succession", "bridge")

log: Final = logging.getLogger("admit.policies")

Follow: TypeAlias = "Callable[[Policies], Awaitable[None]]"
"""Told which policies decide now, at first and after each change; returns when the API
server asks for what they match."""

Tell: TypeAlias = "Callable[[Reloaded | Broken], None]"

# Seconds between two looks at the files; a change counts after two that agree, so all
# workers and replicas have it within a second of each other.
LOOK_SECONDS: Final = 0.3

# How often files that change while they are loaded are loaded again.
TRIES: Final = 3

# Seconds after which it is said that policies are still being imported.
SLOW_SECONDS: Final = 30.0

# Seconds after a swap when what was replaced can be thrown away: no review takes longer
# than the API server waits.
FINISHED_SECONDS: Final = 31.0

# Paths of policies that are no more, which are still answered.
KNOWN_PATHS: Final = 256

_Result = TypeVar("_Result")


class Reloader:
    """Loads policies, and loads them again when their files change.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        modes: overrides of policies' modes by policy name.
        look_seconds: time between two looks at the files.
    """

    def __init__(
        self,
        source: str,
        *,
        modes: Mapping[str, Mode] | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._source = source
        self._modes = dict(modes or {})
        self._seconds = look_seconds
        self._sources = Sources(source)

    def load(self) -> Policies:
        """Load what the files say now, and test it. Blocks.

        Raises:
            PolicyError: they cannot be used; file and line (author's fault).
            ConfigError: there is nothing to load, or it keeps changing.
        """
        for _ in range(TRIES):
            self._sources.begin()
            policies = _load(self._source, self._modes)
            if self._sources.watch(policies.files):
                return policies
        raise ConfigError("the files keep changing", place=self._source)

    async def wait(self) -> Policies:
        """Wait until the files change, and return what they say then.

        Raises:
            AdmitError: as `load`.
        """
        while True:
            await asyncio.sleep(self._seconds)
            if await asyncio.to_thread(self._sources.have_changed):
                return await self._load_aside()

    async def _load_aside(self) -> Policies:
        task = asyncio.ensure_future(_run_aside(self.load))
        done, _ = await asyncio.wait({task}, timeout=SLOW_SECONDS)
        if not done:
            log.warning(
                "policies are still being imported",
                extra={"fields": {"kind": "policies", "source": self._source}},
            )
        return await task


def _load(source: str, modes: Mapping[str, Mode]) -> Policies:
    try:
        policies = load_policies(source, modes=modes)
        for endpoint in policies.routes.values():
            to_entry(endpoint, ClientConfig(url=f"https://localhost{endpoint.path}"))
    except AdmitError:
        raise
    except Exception as error:  # the rim around someone's objects
        raise PolicyError(
            f"the policies cannot be used: {type(error).__name__}", place=source
        ) from error
    return policies


async def _run_aside(function: Callable[[], _Result]) -> _Result:
    """Run in a thread that keeps nobody from ending, whatever an import waits for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def settle_future(result: _Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # there is one

    def run() -> None:
        result, failed = None, None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it is raised over there
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(settle_future, result, failed)

    threading.Thread(target=run, name="admit-reload", daemon=True).start()
    return await future


class Succession:
    """What decides now, and what takes its place.

    Args:
        reloader: loads the policies; the first ones at once.
        measures: counts what they decide.
        lines: tells what they decide.
        follow: brings the registration after them; without it somebody else does.
        tell: is told when policies are replaced, or are not.

    Raises:
        PolicyError, ConfigError: there is nothing to begin with.
    """

    def __init__(
        self,
        reloader: Reloader,
        measures: Measures,
        lines: Lines,
        *,
        follow: Follow | None = None,
        tell: Tell = lambda _: None,
    ) -> None:
        self._reloader = reloader
        self._measures = measures
        self._lines = lines
        self._follow = follow
        self._tell = tell
        self._known: dict[str, Known] = {}
        self._following: asyncio.Task[None] | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._server: Server
        self.current = reloader.load()

    @contextlib.asynccontextmanager
    async def at_work(self, server: Server) -> AsyncIterator[None]:
        """Decide for a server, and look for changes until the block ends."""
        self._server = server
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
                path: measured(logged(endpoint, self._lines), self._measures)
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


def _show(policies: Policies) -> str:
    names = ", ".join(app.name for app in policies.apps)
    return f"{names} at version {policies.version}"
