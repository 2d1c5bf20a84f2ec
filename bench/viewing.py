"""Runs bench/view.py in an interpreter of its own, as a part of the whole run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from builds import HERE, MissingError
from processes import cores, pinned
from results import Target
from view import TARGET, render

__all__ = ("measure_view", "render", "to_target")


def measure_view() -> dict[str, Any]:
    """Return what `bench/view.py -o json` prints.

    Raises:
        MissingError: it failed.
    """
    command = [sys.executable, str(HERE / "view.py"), "-o", "json"]
    with pinned(cores()[1]):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise MissingError(done.stderr.strip())
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def to_target(found: dict[str, Any]) -> Target:
    """Return what the issue asks of the view."""
    return Target("ten reads, two edits, parts of json.loads", found["share"], TARGET)
