"""Namespaces for a node: what happens in them is gone with them.

Network, mounts and processes are the command's own, and everything that it or the node
writes below /run and /var is in memory; TMPDIR is there. When the command ends, or this
program is killed, the kernel ends every process in them and takes back interfaces,
iptables rules, mounts and memory. Control groups are removed here.

    python -m admit.testing.node COMMAND
    └─ unshare                 dies with the above, and by that kills all below
       └─ inside               process 1: sets up, runs the command, reaps orphans
          └─ COMMAND
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from admit.errors import ConfigError
from admit.testing.node import cgroups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# The name of the node's control group; that it is set says that one is inside.
CGROUP = "ADMIT_NODE_CGROUP"

# Where containernetworking-plugins puts its programs.
CNI_PLUGINS = Path("/usr/lib/cni")

# Program or file, and the Debian package that has it.
NEEDED = {
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "iptables": "iptables",
    "runc": "runc",
    str(CNI_PLUGINS / "bridge"): "containernetworking-plugins",
}


def find_obstacle() -> str | None:
    """Return why no node can run here, and what to do; None if one can."""
    if sys.platform != "linux":
        return "a node needs Linux"
    if os.geteuid() != 0:
        return "a node needs root: it mounts, routes and starts containers"
    packages = {p for name, p in NEEDED.items() if not shutil.which(name)}
    if packages:
        install = (
            f"apt-get install --no-install-recommends {' '.join(sorted(packages))}"
        )
        return f"a node needs programs that are not here; on Debian: {install}"
    return None


def isolate(command: Sequence[str]) -> int:
    """Run a command in namespaces of its own; return its exit code.

    Raises:
        ConfigError: no node can run on this machine; says why.
    """
    if obstacle := find_obstacle():
        raise ConfigError(obstacle)
    # Ctrl-C reaches the command too, which ends in its own way; we wait for that.
    signal.signal(signal.SIGINT, let_pass)
    signal.signal(signal.SIGTERM, _end)
    with cgroups.held() as cgroup:
        process = subprocess.Popen(  # noqa: S603
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"),
                *("--kill-child", sys.executable, "-m", "admit.testing.node.inside"),
                *command,
            ],
            env=os.environ | {CGROUP: cgroup},
        )
        try:
            return process.wait()
        finally:
            process.kill()
            process.wait()


def let_pass(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing, unlike SIG_IGN, which the command would inherit."""


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)
