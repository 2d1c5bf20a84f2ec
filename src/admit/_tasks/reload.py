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
import logging
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from admit._tasks.load import load_policies
from admit._tasks.sources import Sources
from admit._tasks.webhooks import to_entry
from admit.errors import AdmitError, ConfigError, PolicyError
from admit.webhook import ClientConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit._handler import Mode
    from admit._tasks.load import Policies

__all__ = ("Reloader",)

log: Final = logging.getLogger("admit.policies")

# Seconds between two looks at the files; a change counts after two that agree, so all
# workers and replicas have it within a second of each other.
LOOK_SECONDS: Final = 0.3

# How often files that change while they are loaded are loaded again.
TRIES: Final = 3

# Seconds after which it is said that policies are still being imported.
SLOW_SECONDS: Final = 30.0

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
