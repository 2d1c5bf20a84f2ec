"""Keeps our configurations right: by watch, again and again, and not at any price.

Every replica does it; they agree because they judge alike. Where another controller
undoes what we write, we stop for a while, longer each time, and say who it is: an
endless fight would load the API server and help nobody.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import logging
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from admit._cluster import MUTATING, VALIDATING, ConflictError
from admit.errors import AdmitError, ClusterError
from admit.registration.judge import Judgement, Writer, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from admit._cluster import Cluster, Resource

__all__ = ("Bundles", "Registrar")

log: Final = logging.getLogger("admit.registration")

# The field manager of what the server writes.
OWNER: Final = "admit-server"

# Seconds between two looks if no watch says that something changed.
LOOK_SECONDS: Final = 60.0

# Seconds after which what was deleted is put back: whoever removes us deletes the
# configurations first, and ends the pods, or their rights, within that time.
ABSENT_SECONDS: Final = 10.0

# Seconds to the next look after one that failed; doubled up to the last.
FIRST_SECONDS: Final = 1.0
LAST_SECONDS: Final = 60.0

# As many corrections within so many seconds are a fight.
FIGHT_COUNT: Final = 5
FIGHT_SECONDS: Final = 120.0
TRUCE_SECONDS: Final = 60.0
LONGEST_TRUCE_SECONDS: Final = 1800.0

_RESOURCES: Final[Mapping[str, Resource]] = {
    "MutatingWebhookConfiguration": MUTATING,
    "ValidatingWebhookConfiguration": VALIDATING,
}


class Bundles(Protocol):
    """Who knows the authorities; `admit.certs.keeper.Keeper` is one."""

    async def read_bundle(self) -> bytes:
        """Return what every caBundle has to hold, of this moment."""

    def observe(self, bundles: Iterable[bytes]) -> None:
        """Take note of what every caBundle holds."""


@dataclass(slots=True)
class _History:
    """What was done about one configuration."""

    corrections: deque[float] = field(default_factory=lambda: deque(maxlen=FIGHT_COUNT))
    truce: float = TRUCE_SECONDS
    resume_at: float = 0.0
    was_there: bool = False
    absent_since: float | None = None
    told: str = ""
    written: tuple[str, str] = ("", "")


class Registrar:
    """Keeps configurations right.

    Args:
        cluster: where they are.
        bundles: whom the API server has to trust.
        changed: called when `problems` changed.

    Attributes:
        problems: by ``Kind/name``, why it is not as it should be.
        corrections: how often something was put right, for metrics.
    """

    def __init__(
        self,
        cluster: Cluster,
        bundles: Bundles,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._cluster = cluster
        self._bundles = bundles
        self._changed = changed
        self._wanted: Sequence[dict[str, Any]] = ()
        self._ours = Writer("", dt.datetime.now(dt.UTC))
        self._histories: dict[str, _History] = {}
        self._wake = asyncio.Event()
        self._looked = asyncio.Condition()
        self._watching: dict[str, asyncio.Task[None]] = {}
        self.problems: dict[str, str] = {}
        self.corrections = 0

    def want(self, configurations: Sequence[dict[str, Any]], version: str) -> None:
        """Keep these from now on; others are nobody's concern any more."""
        self._wanted = configurations
        self._ours = Writer(version, dt.datetime.now(dt.UTC).replace(microsecond=0))
        self._wake.set()

    async def settle(self) -> None:
        """Return once all of it is as it should be, as far as that is known."""
        async with self._looked:
            await self._looked.wait_for(lambda: not self.problems)

    async def run(self) -> None:
        """Keep them right for ever."""
        seconds = FIRST_SECONDS
        try:
            while True:
                self._wake.clear()
                wait = await self._look()
                if self.problems:
                    wait, seconds = min(wait, seconds), min(2 * seconds, LAST_SECONDS)
                else:
                    seconds = FIRST_SECONDS
                self._watch()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
                        await self._wake.wait()
        finally:
            for task in self._watching.values():
                task.cancel()

    async def _look(self) -> float:
        """Look at each once; return how many seconds to wait at most."""
        problems: dict[str, str] = {}
        bundles: list[bytes] = []
        wait = LOOK_SECONDS
        for wanted in self._wanted:
            name = f"{wanted['kind']}/{wanted['metadata']['name']}"
            history = self._histories.setdefault(name, _History())
            try:
                left, live = await self._keep(wanted, history)
                wait = min(wait, left)
                bundles += _bundles_of(live)
            except AdmitError as error:
                problems[name] = str(error)
                bundles.append(b"")
            if name in problems and problems[name] != history.told:
                log.error("%s is not right: %s", name, problems[name])
            history.told = problems.get(name, "")
        if self._wanted:
            self._bundles.observe(bundles)
        async with self._looked:
            self.problems = problems
            self._looked.notify_all()
        self._changed()
        return wait

    async def _keep(
        self, wanted: dict[str, Any], history: _History
    ) -> tuple[float, Mapping[str, Any]]:
        """Put one right; return when to look again, and how it is now.

        Raises:
            AdmitError: it is not right, and why.
        """
        name = wanted["metadata"]["name"]
        resource = _RESOURCES[wanted["kind"]]
        live = await self._cluster.get(resource, name)
        bundle = await self._bundles.read_bundle()
        now = dt.datetime.now(dt.UTC)
        found = judge(wanted, live, bundle, self._ours, now)
        if live is not None:
            history.was_there, history.absent_since = True, None
        if found.action == "nothing":
            return LOOK_SECONDS, live or {}
        left = self._hold_back(found, history)
        if left > 0:
            return left, live or {}
        done = await self._write(resource, found)
        self._note(found, history, live)
        return LOOK_SECONDS, done

    def _hold_back(self, found: Judgement, history: _History) -> float:
        """Return the seconds in which nothing is done yet."""
        now = asyncio.get_running_loop().time()
        if found.action == "create":
            if history.absent_since is None:
                history.absent_since = now
            # What was never there, nobody has deleted.
            pause = ABSENT_SECONDS if history.was_there else 0.0
            return history.absent_since + pause - now
        return history.resume_at - now

    async def _write(self, resource: Resource, found: Judgement) -> dict[str, Any]:
        content = found.content or {}
        try:
            match found.action:
                case "create":
                    return await self._cluster.create(resource, content)
                case "bundle":
                    return await self._cluster.apply(content, owner=OWNER, force=True)
                case _:
                    return await self._cluster.replace(resource, content)
        except ConflictError as error:
            # Another replica, or somebody else, was quicker: look again.
            self._wake.set()
            raise ClusterError("it changes while it is looked at") from error

    def _note(
        self, found: Judgement, history: _History, live: Mapping[str, Any] | None
    ) -> None:
        """Remember a correction; too many in a short time are a fight."""
        content = found.content or {}
        name = f"{content['kind']}/{content['metadata']['name']}"
        log.info("%s: %s", name, found.reason or "caBundle written")
        self.corrections += 1
        # What is new to us nobody has undone: other policies, other authorities.
        clients = [entry["clientConfig"] for entry in content["webhooks"]]
        bundles = {client.get("caBundle", "") for client in clients}
        written = (self._ours.version, "".join(bundles))
        before, history.written = history.written, written
        if found.action not in {"replace", "bundle"} or written != before:
            return
        now = asyncio.get_running_loop().time()
        history.corrections.append(now)
        full = len(history.corrections) == FIGHT_COUNT
        if full and now - history.corrections[0] < FIGHT_SECONDS:
            history.resume_at = now + history.truce
            log.error(
                "%s: %s keeps changing it; left alone for %.0f s. Exclude it there",
                name,
                _find_rival(live),
                history.truce,
            )
            history.truce = min(2 * history.truce, LONGEST_TRUCE_SECONDS)
            history.corrections.clear()

    def _watch(self) -> None:
        """Have a watch for each configuration, and none for others."""
        wanted = {
            f"{one['kind']}/{one['metadata']['name']}": one for one in self._wanted
        }
        for name in self._watching.keys() - wanted.keys():
            self._watching.pop(name).cancel()
        for name, one in wanted.items():
            task = self._watching.get(name)
            if task is None or task.done():
                resource = _RESOURCES[one["kind"]]
                following = self._follow(resource, one["metadata"]["name"])
                self._watching[name] = asyncio.create_task(following)

    async def _follow(self, resource: Resource, name: str) -> None:
        """Wake when it changes; when the watch ends, the next look begins another."""
        selector = f"metadata.name={name}"
        with contextlib.suppress(AdmitError):
            listing = await self._cluster.list(resource, field_selector=selector)
            async for event in self._cluster.watch(
                resource, field_selector=selector, version=listing.version
            ):
                if event.type != "BOOKMARK":
                    self._wake.set()


def _bundles_of(live: Mapping[str, Any]) -> list[bytes]:
    return [
        base64.b64decode(entry["clientConfig"].get("caBundle") or "")
        for entry in live.get("webhooks") or ()
    ]


def _find_rival(live: Mapping[str, Any] | None) -> str:
    """Return the manager that wrote last, who is not us."""
    entries = ((live or {}).get("metadata") or {}).get("managedFields") or ()
    others = [one for one in entries if one.get("manager") != OWNER]
    if not others:
        return "somebody"
    last = max(others, key=lambda one: str(one.get("time", "")))
    return str(last.get("manager", "somebody"))
