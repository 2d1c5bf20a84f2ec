"""kubectl, with a kubeconfig and a home of its own."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from admit.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# kubectl waits for webhooks (30 s each) and for `kubectl wait`.
KUBECTL_TIMEOUT_SECONDS = 120.0


def run_kubectl(
    program: Path,
    arguments: Sequence[str],
    *,
    kubeconfig: Path,
    home: Path,
    input: str | None = None,
    timeout_seconds: float = KUBECTL_TIMEOUT_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run kubectl; return exit code, stdout and stderr as text.

    It caches what a cluster serves below ``home``.

    Raises:
        ClusterError: it did not end in time.
    """
    try:
        return subprocess.run(  # noqa: S603
            [str(program), *arguments],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            env=os.environ | {"HOME": str(home), "KUBECONFIG": str(kubeconfig)},
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            f"did not end within {timeout_seconds:g} s",
            place=" ".join(["kubectl", *arguments]),
        ) from error
