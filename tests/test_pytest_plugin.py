from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ASKS = """
def test_asks(admit_control_plane) -> None:
    raise AssertionError("there are no programs to run")
"""
DOES_NOT_ASK = """
import sys

def test_does_not_ask() -> None:
    assert "admit.testing" not in sys.modules
"""


def run_pytest(
    folder: Path, test: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    path = folder / "test_it.py"
    path.write_text(test)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CI", "KUBEBUILDER_ASSETS", "PYTEST_ADDOPTS"}
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "--rootdir", str(folder), str(path)],
        cwd=folder,
        env=inherited | {"XDG_CACHE_HOME": str(folder / "cache")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_programs_a_test_is_skipped_with_the_reason(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, ASKS)
    assert result.returncode == 0, result.stdout
    assert "no control plane: no etcd, kube-apiserver" in result.stdout
    assert "make assets" in result.stdout


def test_in_a_pipeline_a_missing_program_is_a_failure(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, ASKS, CI="true")
    assert result.returncode == 1, result.stdout
    assert "no control plane, and CI=true: no etcd" in result.stdout


@pytest.mark.parametrize("value", ["", "false"])
def test_only_ci_true_is_a_pipeline(tmp_path: Path, value: str) -> None:
    assert run_pytest(tmp_path, ASKS, CI=value).returncode == 0


def test_a_test_that_does_not_ask_does_not_pay(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, DOES_NOT_ASK)
    assert result.returncode == 0, result.stdout
