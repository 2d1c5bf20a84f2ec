"""What stands beside each example is what admit writes and says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/policies.py"))


def admit(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "admit", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_manifests_are_what_admit_prints(example: Path) -> None:
    """`ADMIT_UPDATE=1 make test` writes them again."""
    policies = example.relative_to(ROOT) / "policies.py"
    name = "pod-labels" if example.name == "tutorial" else example.name
    service = f"admit-{name}/{name}"
    printed = admit("manifests", str(policies), "--service", service).stdout
    kept = example / "manifests.yaml"
    if os.environ.get("ADMIT_UPDATE"):
        kept.write_text(printed)
    assert kept.read_text() == printed


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_good_objects_pass_and_bad_ones_do_not(example: Path) -> None:
    policies = str(example / "policies.py")
    objects = sorted(example.glob("*.yaml"))
    objects.remove(example / "manifests.yaml")
    assert objects
    for path in objects:
        done = admit("review", policies, "-f", str(path))
        assert done.returncode == (1 if path.stem == "bad" else 0), done.stderr


def test_the_demo_works_and_says_what_to_try_next() -> None:
    demo = ROOT / "examples" / "tutorial" / "demo.py"
    done = subprocess.run(
        [sys.executable, str(demo)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "denied: Pod must have an app label [require_app_label]" in done.stdout
    assert "+    environment: production" in done.stdout
    assert "What to try next" in done.stdout


def test_the_demo_fails_when_an_answer_is_not_the_tutorials(tmp_path: Path) -> None:
    tutorial = ROOT / "examples" / "tutorial"
    policies = (tutorial / "policies.py").read_text()
    changed = policies.replace("an app label", "another label")
    (tmp_path / "policies.py").write_text(changed)
    demo = shutil.copy(tutorial / "demo.py", tmp_path)
    done = subprocess.run(
        [sys.executable, demo], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "An answer is not what the tutorial says." in done.stdout
