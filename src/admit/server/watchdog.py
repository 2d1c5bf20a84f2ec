"""Who holds the event loop? A thread looks, because the loop cannot.

A sync handler runs on the loop, and names itself while it does (`Running`). An async
handler that blocks has no name there; for it the thread asks the loop to answer, while
reviews are waited for, and shows where the loop's thread stands when it does not.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from admit.server.counts import Counts

__all__ = ("Holder", "Watchdog")

log: Final = logging.getLogger("admit.server")

# Stack entries that are logged: enough to reach the policy from the library it called.
STACK_DEPTH: Final = 12


class Holder(Protocol):
    """Says which handler is on the loop now; `admit._handler.Running` is one."""

    handler: Any
    count: int


class Watchdog:
    """Names what holds the loop longer than it should, once for each time.

    Args:
        loop: to watch; its thread is the one that makes this.
        counts: `held` is raised, by policy name.
        seconds: how long something may hold the loop unnamed.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, counts: Counts, seconds: float
    ) -> None:
        self._loop = loop
        self._counts = counts
        self._seconds = seconds
        self._holders: tuple[Holder, ...] = ()
        self._loop_thread = threading.get_ident()
        self._ended = threading.Event()
        self._answered = True
        self._thread = threading.Thread(
            target=self._watch, name="admit-watchdog", daemon=True
        )

    def watch(self, holders: Iterable[Holder]) -> None:
        """Look at these from now on."""
        self._holders = tuple(dict.fromkeys(holders))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; the thread ends by itself."""
        self._ended.set()

    def _watch(self) -> None:
        """Two looks that see the same call, or no answer in between, name it."""
        before: tuple[Holder, int] | None = None
        asked_at = 0.0
        named = False
        while not self._ended.wait(self._seconds):
            now = self._find_call()
            held = now is not None and now == before
            silent = not self._answered and now is None
            if not held and not silent:
                named = False
            elif not named:
                named = True
                self._name(now, time.monotonic() - asked_at)
            before = now
            if self._answered:
                asked_at = time.monotonic()
                self._ask()

    def _find_call(self) -> tuple[Holder, int] | None:
        """Return which handler is running, and the number of its call."""
        for holder in self._holders:
            if holder.handler is not None:
                return holder, holder.count
        return None

    def _ask(self) -> None:
        """Have the loop answer; an idle loop is left asleep."""
        if self._counts.in_flight:
            self._answered = False
            try:
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # the loop has closed
                self._ended.set()

    def _answer(self) -> None:
        self._answered = True

    def _name(self, call: tuple[Holder, int] | None, seconds: float) -> None:
        handler = call[0].handler if call is not None else None
        policy = "" if handler is None else str(handler.name)
        self._counts.held[policy] += 1
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the only way
        stack = traceback.extract_stack(frame, STACK_DEPTH) if frame is not None else []
        log.warning(
            "%s holds the event loop",
            f"policy {policy}" if policy else "something async",
            extra={
                "fields": {
                    "kind": "loop held",
                    "policy": policy,
                    "held_seconds": round(max(seconds, self._seconds), 3),
                    "stack": [f"{f.filename}:{f.lineno} {f.name}" for f in stack],
                }
            },
        )
