"""The first process of a node's namespaces: ``python -m admit.testing.node.inside``.

Started by `admit.testing.node.namespaces`, which says what it is for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from admit.errors import ConfigError
from admit.testing.node import network
from admit.testing.node.namespaces import let_pass

if TYPE_CHECKING:
    from collections.abc import Sequence

# Hidden by an empty file system; short, since the path of a socket has 107 bytes.
EMPTY = Path("/run")
TEMPORARY = EMPTY / "tmp"

# Readable as it is; what is written stays in memory. Programs of the node have paths
# there that no option changes: /var/lib/kubelet/device-plugins, /var/lib/cni.
COVERED = "/var"
COVER = EMPTY / "cover"


def run(command: Sequence[str]) -> int:
    """Set up the namespaces this process is the first of, and run the command."""
    signal.signal(signal.SIGINT, let_pass)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(EMPTY))
    upper, work = COVER / "upper", COVER / "work"
    for folder in (upper, work, TEMPORARY):
        folder.mkdir(parents=True)
    layers = f"lowerdir={COVERED},upperdir={upper},workdir={work}"
    _mount("-t", "overlay", "-o", layers, "overlay", COVERED)
    network.set_up()
    environment = os.environ | {"TMPDIR": str(TEMPORARY)}
    child = subprocess.Popen(command, env=environment)  # noqa: S603
    # Orphans of containers come to process 1; it waits for them too.
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _mount(*arguments: str) -> None:
    done = subprocess.run(  # noqa: S603
        ["mount", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigError(done.stderr.strip(), place=f"mount {' '.join(arguments)}")


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except ConfigError as error:
        sys.exit(f"error: {error}")
