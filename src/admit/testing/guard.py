"""Runs one program and makes sure that it does not outlive those who need it.

A program of its own, started with the standard library alone:

    python -I -S guard.py GRACE_SECONDS FOLDER COMMAND [ARGUMENT ...]

It starts the command and waits. When its standard input ends, or has a byte for it, it
stops the command: SIGTERM, then SIGKILL after the grace. The process that holds the
other end of that pipe therefore stops the command by closing it, and cannot fail to:
the kernel closes the pipe of a process that crashes or is killed. Then it removes
FOLDER ("" for none). A command that ends by itself leaves the folder as it is; its
exit code is passed on.

Why not PR_SET_PDEATHSIG: it is Linux alone, needs code between fork and exec, and
follows the *thread* that forked, so that a control plane started in a worker thread
would die with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading


def guard(command: list[str], leash: int, *, grace_seconds: float, folder: str) -> int:
    """Run a command until it or the leash (a pipe's end) ends; return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    stopped = threading.Event()

    def stop() -> None:
        # Not a buffered file: its lock would be held at this program's own end.
        os.read(leash, 1)
        stopped.set()
        child.terminate()
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=stop, daemon=True).start()
    code = child.wait()
    if stopped.is_set() and folder:
        shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":  # pragma: no cover - runs where no coverage is imported
    grace, place, *argv = sys.argv[1:]
    sys.exit(guard(argv, 0, grace_seconds=float(grace), folder=place))
