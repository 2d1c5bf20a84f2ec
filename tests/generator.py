"""The generator of the kinds, which is a script outside of the package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "tools" / "kinds"


def import_generator(name: str = "generate") -> Any:
    """Import one of the script's files."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)
