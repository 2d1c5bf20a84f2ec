"""`admit serve --certs self`: without a cluster, and where the certificate is kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.serving import ADMIT

EXAMPLES = Path(__file__).parent.parent / "examples"
POLICIES = str(EXAMPLES / "tutorial" / "policies.py")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_cluster_it_says_how_to_name_one(
    tmp_path: Path, workers: str
) -> None:
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "missing")}
    done = subprocess.run(
        [
            *(*ADMIT, "serve", POLICIES, "--certs", "self", "--service", "a/b"),
            *("--port", "0", "--health-port", "none", "--workers", workers),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "missing" in done.stderr
    assert "--kubeconfig FILE, or KUBECONFIG" in done.stderr
    assert "Traceback" not in done.stderr
