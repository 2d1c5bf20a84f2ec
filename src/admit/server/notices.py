"""Log lines that strangers can cause: at most one of a kind each second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

__all__ = ("Notices",)

# Seconds between two lines of one kind. Someone who sends nonsense all day must not
# fill a disk.
APART_SECONDS: Final = 1.0

# Kinds that are told apart: they are words of this package, so this is never reached.
KINDS: Final = 64


class Notices:
    """Say things that happen often, seldom, and how often they happened."""

    __slots__ = ("_last", "_log", "_silent", "_time")

    def __init__(self, log: logging.Logger, time: Callable[[], float]) -> None:
        self._log = log
        self._time = time
        self._last: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def say(self, kind: str, text: str, *, peer: str = "", **fields: object) -> None:
        """Log a line, unless one of this kind was logged just now.

        Args:
            kind: closed set; what happened.
            text: what to know about it; nothing of a body.
            peer: whose connection, address and port.
            fields: more for the structured line.
        """
        now = self._time()
        last = self._last.get(kind)
        if (last is not None and now - last < APART_SECONDS) or len(self._last) > KINDS:
            self._silent[kind] = self._silent.get(kind, 0) + 1
            return
        self._last[kind] = now
        silent = self._silent.pop(kind, 0)
        more = {"not_logged": silent} if silent else {}
        self._log.info(
            "%s: %s",
            kind,
            text,
            extra={"fields": {"kind": kind, "peer": peer, **fields, **more}},
        )
