"""Secrets in memory, with the API server's answers: what a keeper talks to in tests.

The tests in tests/cluster hold the keeper to a real API server.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from admit._cluster import SECRETS, ConflictError, Event, Resource
from admit.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)


class Secrets:
    """Secrets by name; one namespace is enough.

    Attributes:
        refusal: raised instead of an answer, if any.
        clock: the API server's.
        writes: how many there were.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.found: dict[str, dict[str, Any]] = {}
        self.refusal: ClusterError | None = None
        self.tells_time = True
        self.writes = 0
        self._versions = itertools.count(1)
        self._changed = asyncio.Event()

    async def _answer(self) -> None:
        await asyncio.sleep(0)  # others get their turn, as over a network
        if self.refusal is not None:
            raise self.refusal

    async def get(
        self, resource: Resource, name: str, namespace: str = ""
    ) -> dict[str, Any] | None:
        await self._answer()
        assert (resource, namespace) == (SECRETS, "demo")
        return copy.deepcopy(self.found.get(name))

    async def create(
        self, resource: Resource, content: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        await self._answer()
        assert not dry_run
        if resource != SECRETS:
            if not self.tells_time:
                raise ClusterError("the server could not find the requested resource")
            time = f"{self.clock.now:%Y-%m-%dT%H:%M:%SZ}"
            return {**content, "metadata": {"creationTimestamp": time}}
        name = content["metadata"]["name"]
        if name in self.found:
            raise ConflictError(f'secrets "{name}" already exists')
        return self.write(content)

    async def replace(
        self, resource: Resource, content: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        await self._answer()
        assert resource == SECRETS
        assert not dry_run
        there = self.found.get(content["metadata"]["name"], {"metadata": {}})
        version = content["metadata"].get("resourceVersion")
        if there["metadata"].get("resourceVersion") != version:
            raise ConflictError("the object has been modified")
        return self.write(content)

    async def watch(
        self, resource: Resource, namespace: str = "", *, field_selector: str = ""
    ) -> AsyncIterator[Event]:
        await self._answer()
        assert (resource, namespace) == (SECRETS, "demo")
        _, _, name = field_selector.partition("metadata.name=")
        while True:
            if name in self.found:
                yield Event("MODIFIED", copy.deepcopy(self.found[name]))
            self._changed.clear()
            await self._changed.wait()

    def write(self, content: dict[str, Any]) -> dict[str, Any]:
        """Write as somebody else: whatever the version."""
        metadata = {**content["metadata"], "resourceVersion": str(next(self._versions))}
        written = {**copy.deepcopy(content), "metadata": metadata}
        self.found[metadata["name"]] = written
        self.writes += 1
        self._changed.set()
        return copy.deepcopy(written)
