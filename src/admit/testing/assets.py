"""Where the programs of a control plane are on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from admit.errors import ConfigError

# What every envtest archive and every build holds.
REQUIRED = ("etcd", "kube-apiserver", "kubectl")

# What makes the controllers real; envtest archives do not hold it.
CONTROLLER_MANAGER = "kube-controller-manager"

HINT = (
    "type `make assets` in a clone of admit, `admit assets` elsewhere, or let "
    "KUBEBUILDER_ASSETS name a folder that holds them"
)


def assets_cache() -> Path:
    """Return the folder below which each set of programs has a folder of its own.

    Shape: ``${XDG_CACHE_HOME:-~/.cache}/admit/assets``. It need not exist.
    """
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache or Path.home() / ".cache").absolute() / "admit" / "assets"


def find_assets() -> Path | None:
    """Find the folder of programs to use: `KUBEBUILDER_ASSETS`, then the cache.

    In the cache the folder that was built, fetched or asked for last is taken.

    Raises:
        ConfigError: KUBEBUILDER_ASSETS names a folder that is not complete.
    """
    if named := os.environ.get("KUBEBUILDER_ASSETS"):
        return _checked(Path(named), place="KUBEBUILDER_ASSETS")
    cache = assets_cache()
    folders = cache.iterdir() if cache.is_dir() else ()
    complete = [folder for folder in folders if not find_missing(folder, REQUIRED)]
    return max(complete, key=lambda folder: folder.stat().st_mtime, default=None)


def get_assets(folder: Path | str | None = None) -> Path:
    """Return the given folder of programs, or the one that `find_assets` finds.

    Raises:
        ConfigError: there is none, or it is not complete.
    """
    if folder is not None:
        return _checked(Path(folder), place="assets")
    found = find_assets()
    if found is None:
        raise ConfigError(f"no {', '.join(REQUIRED)} below {assets_cache()}", hint=HINT)
    return found


def find_missing(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the named programs that the folder does not hold."""
    return tuple(name for name in names if not os.access(folder / name, os.X_OK))


def _checked(folder: Path, *, place: str) -> Path:
    if missing := find_missing(folder, REQUIRED):
        raise ConfigError(
            f"{folder} does not hold {', '.join(missing)}", place=place, hint=HINT
        )
    return folder.absolute()
