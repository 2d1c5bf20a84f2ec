"""The scripts of tools/, which are outside of the package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).parent.parent / "tools"


def import_script(folder: str, name: str) -> Any:
    """Import one file of a folder of tools/."""
    sys.path.insert(0, str(TOOLS / folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)
