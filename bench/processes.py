"""What Linux says of a process and its children: CPU time, memory; and pinning."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident, and proportional: pages shared by n processes count 1/n."""

    rss_bytes: int
    pss_bytes: int


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    found = [pid]
    for parent in found:
        for children in PROC.glob(f"{parent}/task/*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, of a process and everything below it so far.

    Source: Documentation/scheduler/sched-stats.rst: the first field of a thread's
    schedstat, in nanoseconds, where utime and stime count ticks of 10 ms. A thread
    that ends takes its time with it; none of the servers ends threads while it works.
    """
    return sum(_process_seconds(member) for member in tree(pid))


def _process_seconds(pid: int) -> float:
    try:
        files = list(PROC.glob(f"{pid}/task/*/schedstat"))
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9
    except (FileNotFoundError, IndexError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker_memory(pid: int) -> Memory:
    """The memory of the process of the tree that has worked most."""
    worker = max(tree(pid), key=_process_seconds)
    sizes = {}
    for line in (PROC / str(worker) / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    return Memory(rss_bytes=sizes["Rss"], pss_bytes=sizes["Pss"])


def cores() -> tuple[set[int], set[int]]:
    """The core for clients and the core for servers; the same where there is one."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[-1]}


@contextmanager
def pinned(to: set[int]) -> Iterator[None]:
    """Start processes inside: they inherit the core. Go's GOMAXPROCS follows it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
