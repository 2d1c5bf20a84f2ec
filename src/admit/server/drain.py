"""How serving ends: nothing new, what is in flight is answered, the rest closes."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.server.site import Site

__all__ = ("Stop", "catch_signals", "drain")

# Seconds between two looks at what is still in flight.
LOOK_SECONDS: Final = 0.02

# Seconds for clients to take note that their connection closes.
GOODBYE_SECONDS: Final = 0.5

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def drain(site: Site, seconds: float, hurry: asyncio.Event) -> bool:
    """Finish what is in flight; return whether all of it was answered in time.

    Idle connections close now, each other one after its reply. What has not ended
    after ``seconds``, or when ``hurry`` is set, is cut off.
    """
    site.drain()
    give_up_at = site.time() + seconds
    # Polled: nobody tells when the last byte of a reply has gone out.
    while (  # noqa: ASYNC110
        (busy := site.is_busy) and site.time() < give_up_at and not hurry.is_set()
    ):
        await asyncio.sleep(LOOK_SECONDS)
    leave_at = min(site.time() + GOODBYE_SECONDS, give_up_at)
    while site.connections and site.time() < leave_at:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)
    site.stop()
    return not busy


class Stop:
    """What the signals said: the first asks to end, the second to hurry."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()

    def ask(self) -> None:
        """Note a signal."""
        (self.hurry if self.asked.is_set() else self.asked).set()


@contextmanager
def catch_signals(loop: asyncio.AbstractEventLoop) -> Iterator[Stop]:
    """Catch SIGTERM and SIGINT for the length of a block."""
    stop = Stop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
