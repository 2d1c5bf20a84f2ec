"""A function someone wrote: what it matches, what it is given, how it is called."""

from __future__ import annotations

from admit._handler.call import Decision, Running, call, sign
from admit._handler.declare import Handler, declare_handler
from admit._handler.options import Keywords, Mode, Options
from admit._handler.signature import Audit, Warn

__all__ = (
    "Audit",
    "Decision",
    "Handler",
    "Keywords",
    "Mode",
    "Options",
    "Running",
    "Warn",
    "call",
    "declare_handler",
    "sign",
)
