"""Notices at once when something in a folder changes; where it cannot, polling must do.

inotify is four calls, so it is called through ctypes: a library for it would bring
threads and a watch of whole trees. It is a hint and never the truth: network file
systems send nothing, and a folder that is itself swapped is no longer watched.

Source: inotify(7).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("watching",)

# sys/inotify.h: a file was written, something was renamed into the folder, deleted from
# it, or made in it.
IN_CLOSE_WRITE: Final = 0x008
IN_MOVED_TO: Final = 0x080
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
MASK: Final = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE

# Bytes of events that one read takes; what they say is not looked at.
READ_BYTES: Final = 64 * 1024


@contextlib.contextmanager
def watching(folders: Iterable[str]) -> Iterator[asyncio.Event]:
    """Have an event that is set when something in one of the folders changes.

    Without inotify, or without such a folder, it is never set.

    Args:
        folders: those directly above the files, not those below.
    """
    touched = asyncio.Event()
    try:
        number = _open(folders)
    except (OSError, AttributeError):
        yield touched
        return

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(number, READ_BYTES)
        touched.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(number, read)
    try:
        yield touched
    finally:
        loop.remove_reader(number)
        os.close(number)


def _open(folders: Iterable[str]) -> int:
    """Return the descriptor that becomes readable.

    Raises:
        OSError: a folder is missing, or the user has too many watches.
        AttributeError: this system has no inotify.
    """
    system = ctypes.CDLL(None, use_errno=True)
    number = int(system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if number < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    for folder in folders:
        if system.inotify_add_watch(number, os.fsencode(folder), MASK) < 0:
            os.close(number)
            raise OSError(ctypes.get_errno(), "inotify_add_watch", folder)
    return number
