"""The command line: one file a command, which parses, calls its task and renders."""

from __future__ import annotations

from admit.cli.root import main

__all__ = ("main",)
