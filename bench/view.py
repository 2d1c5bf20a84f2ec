"""What a policy's own work costs: ten reads and two edits of a 5 KB pod.

In parts of what `json.loads` of that pod costs, in the same run. Decoding is not
counted: it happens whether or not a policy looks. Alone:

    python bench/view.py
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import reviews

from admit import Pod
from admit.view import Record

if TYPE_CHECKING:
    from collections.abc import Callable

# How often; what is compared takes turns.
PODS = 2000

# The view's share of json.loads, at most.
TARGET = 0.5


def read(record: Record) -> None:
    """Read ten fields, the way policies do."""
    pod = record.view(Pod)
    container = pod.spec.containers[0]
    seen = (
        pod.metadata.name,
        pod.metadata.namespace,
        pod.metadata.labels["app"],
        pod.metadata.annotations.get("prometheus.io/port"),
        pod.spec.serviceAccountName,
        pod.spec.securityContext.runAsNonRoot,
        container.image,
        container.imagePullPolicy,
        container.securityContext.privileged,
        container.resources.limits.get("memory"),
    )
    if seen[0] is None:
        raise AssertionError("the pod has a name")


def edit(record: Record) -> None:
    """Record two edits: a label, and a field of a container."""
    pod = record.view(Pod)
    pod.metadata.labels["team"] = "shop"
    pod.spec.containers[0].imagePullPolicy = "Always"


def work(record: Record) -> None:
    """Do both."""
    read(record)
    edit(record)


def work_to_patch(record: Record) -> None:
    """Do both and write the patch."""
    work(record)
    if len(record.operations()) != 2:
        raise AssertionError("two edits are two operations")


def measure() -> dict[str, float]:
    """Return seconds for a pod, and the shares of `json.loads`.

    Shape: ``{"json_loads_seconds", "view_seconds", "view_and_patch_seconds",
    "share", "share_with_patch"}``.
    """
    text = json.dumps(reviews.pod(), separators=(",", ":"))

    taken: dict[str, list[float]] = {"loads": [], "view": [], "patch": []}
    gc.disable()
    gc.freeze()
    for _ in range(PODS):
        # Untimed: garbage in cycles would make every later pod take fresh memory.
        gc.collect()
        # Each pod is used as soon as it is decoded, as in the server.
        taken["loads"].append(_time(json.loads, text))
        taken["view"].append(_time(work, Record(json.loads(text))))
        taken["patch"].append(_time(work_to_patch, Record(json.loads(text))))
    gc.enable()
    loads, view, patch = (statistics.median(taken[name]) for name in taken)
    return {
        "json_loads_seconds": loads,
        "view_seconds": view,
        "view_and_patch_seconds": patch,
        "share": view / loads,
        "share_with_patch": patch / loads,
    }


def _time(function: Callable[[Any], object], argument: Any) -> float:
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def render(found: dict[str, float]) -> str:
    """One line for each."""
    rows = (
        ("json.loads of the pod", "json_loads_seconds", 1.0),
        ("ten reads, two edits", "view_seconds", found["share"]),
        ("and the patch", "view_and_patch_seconds", found["share_with_patch"]),
    )
    return "\n".join(
        f"{name:36}{found[seconds] * 1e6:7.1f} µs {share:8.2f}"
        for name, seconds, share in rows
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    found = measure()
    if parser.parse_args().output == "json":
        json.dump(found, sys.stdout)
    else:
        print(render(found))


if __name__ == "__main__":
    main()
