"""Control groups: the one thing of a node that no namespace takes away.

A node has one group in each hierarchy (cgroup v1) or in the one (v2), below which the
kubelet keeps those of its pods. Whoever made it holds a lock on it; the next node
removes those that nobody holds.

Source: https://docs.kernel.org/admin-guide/cgroup-v1/, cgroup-v2.html.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from admit.errors import ConfigError
from admit.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/sys/fs/cgroup")
PREFIX = "admit-node-"

# The controllers the kubelet wants in its groups, where the kernel has them.
# Source: kubernetes, pkg/kubelet/cm/cgroup_manager_linux.go
CONTROLLERS = ("cpu", "cpuset", "hugetlb", "memory", "pids")


@contextmanager
def held() -> Iterator[str]:
    """Have a control group for a node; give its name, and remove it at the end.

    Raises:
        ConfigError: the kernel refused to make it.
    """
    _remove_stale()
    try:
        name = _make()
    except OSError as error:
        raise ConfigError(f"no control group for a node: {error}") from error
    with _lock(_groups(name)[0]):
        try:
            yield name
        finally:
            _remove(name)


def kill(name: str) -> None:
    """Kill every process in a node's control groups, as a power cut would."""
    for group in _groups(name):
        for folder, _, _ in os.walk(group):
            for pid in Path(folder, "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def _make() -> str:
    first, *others = _hierarchies()
    if _is_unified():
        there = (ROOT / "cgroup.controllers").read_text().split()
        enable = " ".join(f"+{name}" for name in CONTROLLERS if name in there)
        (ROOT / "cgroup.subtree_control").write_text(enable)
    name = Path(tempfile.mkdtemp(prefix=PREFIX, dir=first)).name
    for hierarchy in others:
        (hierarchy / name).mkdir()
    for hierarchy in _hierarchies():
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # In cgroup v1 a new group may use no processor until it is told which.
            if (hierarchy / setting).exists():
                (hierarchy / name / setting).write_text(
                    (hierarchy / setting).read_text()
                )
    return name


def _remove(name: str) -> None:
    what = "the control groups of a node to be empty"
    wait_until(lambda: _is_removed(name), what=what)


def _is_removed(name: str) -> bool:
    kill(name)
    # The one with the lock goes last.
    for group in reversed(_groups(name)):
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:  # who was killed is there for a moment
                    raise
                return False
    return True


def _remove_stale() -> None:
    """Remove the control groups of nodes whose holder was killed."""
    for group in _hierarchies()[0].glob(f"{PREFIX}*"):
        with suppress(BlockingIOError, FileNotFoundError), _lock(group):
            _remove(group.name)


@contextmanager
def _lock(group: Path) -> Iterator[None]:
    """Hold a lock, which goes with this process; BlockingIOError: somebody has it."""
    descriptor = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _groups(name: str) -> list[Path]:
    return [hierarchy / name for hierarchy in _hierarchies()]


def _hierarchies() -> list[Path]:
    if _is_unified():
        return [ROOT]
    places = [path for path in ROOT.iterdir() if not path.is_symlink()]
    return sorted(path for path in places if (path / "cgroup.procs").exists())


def _is_unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()
