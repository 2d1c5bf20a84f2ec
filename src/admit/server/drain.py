"""How serving ends: nothing new, what is in flight is answered, the rest closes."""

from __future__ import annotations

import asyncio
import functools
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.server.site import Site

__all__ = ("PATIENCE_SECONDS", "Stop", "catch_signals", "drain")

# Seconds between two looks at what is still in flight.
LOOK_SECONDS: Final = 0.02

# Seconds that idle connections are waited for. An API server that asks often uses the
# connection that it used last; one that was idle for longer is hardly used any more.
PATIENCE_SECONDS: Final = 5.0

# Seconds for clients to take note that their connection closes.
GOODBYE_SECONDS: Final = 0.5

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def drain(
    site: Site, seconds: float, hurry: asyncio.Event, *, patience_seconds: float = 0.0
) -> bool:
    """Finish what is in flight; return whether all of it was answered in time.

    Each connection closes after its next reply, which says so. One that is idle is
    waited for a while, because a request may be on its way: closed under it, the
    request would be lost. What has not ended after ``seconds``, or when ``hurry`` is
    set, is cut off.
    """
    site.draining = True
    start = site.time()
    give_up_at, patient_until = start + seconds, start + patience_seconds
    # Polled: nobody tells when the last byte of a reply has gone out.
    while site.is_open and site.time() < give_up_at and not hurry.is_set():
        if site.time() >= patient_until:
            site.close_idle()
            if not site.is_busy:
                break
        await asyncio.sleep(LOOK_SECONDS)
    leave_at = min(site.time() + GOODBYE_SECONDS, give_up_at)
    while (  # noqa: ASYNC110 - same
        site.is_open and site.time() < leave_at and not hurry.is_set()
    ):
        await asyncio.sleep(LOOK_SECONDS)
    answered = not site.is_busy
    site.stop()
    return answered


class Stop:
    """What the signals said: the first asks to end, the second to hurry.

    Attributes:
        at_once: nobody has to learn first that no request should come here.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self.at_once = False

    def ask(self, *, at_once: bool = False) -> None:
        """Note a signal."""
        if self.asked.is_set():
            self.hurry.set()
        else:
            self.at_once = at_once
            self.asked.set()


@contextmanager
def catch_signals(loop: asyncio.AbstractEventLoop) -> Iterator[Stop]:
    """Catch SIGTERM and SIGINT for the length of a block.

    SIGINT comes from a terminal, where somebody waits; SIGTERM from the kubelet.
    """
    stop = Stop()
    for number in SIGNALS:
        ask = functools.partial(stop.ask, at_once=number == signal.SIGINT)
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
