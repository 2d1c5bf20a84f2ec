"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from admit.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Between two looks: short, since a look costs about a millisecond.
POLL_SECONDS = 0.05


def wait_until(predicate: Callable[[], T], *, what: str, seconds: float = 30.0) -> T:
    """Call a predicate until it returns something true; return that.

    A `ClusterError` raised by the predicate means "not yet".

    Args:
        predicate: looks once.
        what: what is waited for, as it should read after "waited for".
        seconds: how long at most.

    Raises:
        ClusterError: the time has passed; says what the predicate said last.
    """
    end = time.monotonic() + seconds
    last = ""
    while True:
        try:
            if value := predicate():
                return value
            last = ""
        except ClusterError as error:
            last = f"; last answer: {error}"
        if time.monotonic() >= end:
            raise ClusterError(f"waited {seconds:g} s for {what}{last}")
        time.sleep(POLL_SECONDS)
