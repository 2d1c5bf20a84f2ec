"""Run by the image's own interpreter: everything in it loads, and from nowhere else.

Argument: the image's root.
"""

from __future__ import annotations

import importlib
import pathlib
import pkgutil
import sys

import admit


def main(root: str) -> int:
    """Import every extension module and every module of admit."""
    for folder in map(pathlib.Path, sys.path):
        for file in folder.rglob("*.so"):
            path = file.relative_to(folder)
            parts = (*path.parts[:-1], path.name.partition(".")[0])
            if all(part.isidentifier() for part in parts):  # not lib-dynload itself
                load(".".join(parts))
    for module in pkgutil.walk_packages(admit.__path__, "admit."):
        if not module.name.endswith(("__main__", "pytest_plugin")):
            load(module.name)
    mapped = pathlib.Path("/proc/self/maps").read_text().split()
    strays = {name for name in mapped if ".so" in name and not name.startswith(root)}
    if strays:
        print(f"loaded from outside the image: {', '.join(sorted(strays))}")
    return 1 if strays else 0


def load(name: str) -> None:
    """Import a module; say which one it was that failed."""
    try:
        importlib.import_module(name)
    except Exception as error:
        raise ImportError(f"{name}: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
