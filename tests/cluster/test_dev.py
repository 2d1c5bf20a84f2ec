"""`admit dev` as a person runs it: another terminal, an editor, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit.testing import get_assets
from tests.commands import POD, POLICIES, write

if TYPE_CHECKING:
    from collections.abc import Iterator

# A control plane takes seconds, on a busy machine many.
READY_SECONDS = 90.0
STOP_SECONDS = 30.0


class Dev:
    """A running `admit dev`: its lines as they come, and kubectl beside it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.kubeconfig = ""
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "admit", "dev", "policies.py", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first line to come that has the pattern."""
        seen = []
        while True:
            try:
                seen.append(self._lines.get(timeout=READY_SECONDS))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} in {seen}") from None
            found = re.search(pattern, seen[-1])
            if found:
                return found

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl and return all that it says."""
        done = subprocess.run(
            [str(get_assets() / "kubectl"), *arguments],
            env=os.environ | {"KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def processes(self) -> set[str]:
        """Every process that names the control plane's folder."""
        data = str(Path(self.kubeconfig).parent.parent)
        found = set()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if data in path.read_bytes().decode(errors="replace"):
                    found.add(path.parent.name)
        return found

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code


@contextlib.contextmanager
def dev(folder: Path, *options: str) -> Iterator[Dev]:
    running = Dev(folder, *options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop(signal.SIGTERM)
        if running.process.stdout is not None:
            running.process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    get_assets()  # tells what is missing before anything is started
    write(tmp_path / "policies.py", POLICIES)
    write(tmp_path / "pod.yaml", POD)
    raw = POD.replace("name: web\nspec", "name: raw\n  namespace: raw\nspec")
    write(tmp_path / "raw.yaml", raw)
    return tmp_path


def test_policies_are_asked_reloaded_kept_and_everything_ends(folder: Path) -> None:
    with dev(folder) as running:
        running.kubeconfig = running.wait_for(r"export KUBECONFIG=(\S+)")[1]
        running.wait_for("Ctrl-C stops")
        assert "created" in running.kubectl("create", "namespace", "raw")

        # Mutated, and denied where nothing mutates.
        assert running.kubectl("apply", "-f", "pod.yaml") == "pod/web created\n"
        label = running.kubectl(
            "get", "pod", "web", "-o", "jsonpath={.metadata.labels}"
        )
        assert json.loads(label) == {"app": "my-app"}
        running.wait_for(r"mutate CREATE pods web in default .*default_app_label")
        running.wait_for(r"allow CREATE pods web in default")
        refused = running.kubectl("apply", "-f", "raw.yaml")
        assert "denied the request: Pod must have an app label" in refused
        running.wait_for(r"deny CREATE pods raw in raw \[require_app_label\]")
        running.wait_for(r"^ +Pod must have an app label \[require_app_label\]")

        # What is saved counts.
        changed = POLICIES.replace("Pod must have an app label", "No label, no pod")
        write(folder / "policies.py", changed)
        running.wait_for("reloaded; policies in use: 2")
        refused = running.kubectl("apply", "-f", "raw.yaml")
        assert "denied the request: No label, no pod" in refused

        # What is broken does not, and what is mended does.
        write(folder / "policies.py", f"{changed}\nx = (\n")
        running.wait_for("not reloaded")
        running.wait_for("error: not valid Python")
        assert "No label, no pod" in running.kubectl("apply", "-f", "raw.yaml")
        moved = changed.replace("@app.validate", '@app.validate(path="/elsewhere")')
        write(folder / "policies.py", moved.replace("No label", "Still no label"))
        running.wait_for("reloaded; policies in use: 2")
        refused = running.kubectl("apply", "-f", "raw.yaml")
        assert 'webhook "elsewhere.pod-labels.example.com" denied' in refused
        assert "Still no label" in refused
        names = running.kubectl("get", "validatingwebhookconfigurations", "-o", "name")
        assert names.split("/")[1:] == ["pod-labels.example.com\n"]

        # What the API server refuses leaves the old policies at work.
        wrong = moved.replace('path="/elsewhere"', 'when="nonsense("')
        write(folder / "policies.py", wrong)
        running.wait_for("not reloaded")
        running.wait_for("error: .*compilation failed")
        assert "Still no label" in running.kubectl("apply", "-f", "raw.yaml")

        assert len(running.processes()) >= 2
        data = Path(running.kubeconfig).parent.parent
        assert running.stop(signal.SIGINT) == 0
        assert running.processes() == set()
        assert not data.exists()


def test_a_program_can_follow_and_sigterm_ends_it_too(folder: Path) -> None:
    wanted = folder / "kubeconfig"
    with dev(folder, "-o", "json", "--kubeconfig", str(wanted)) as running:
        starting = json.loads(running.wait_for('"starting"').string)
        assert starting == {"event": "starting", "assets": str(get_assets())}
        ready: dict[str, Any] = json.loads(running.wait_for('"ready"').string)
        assert ready["kubeconfig"] == str(wanted)
        assert ready["webhooks"] == [
            "mutate.pod-labels.example.com",
            "validate.pod-labels.example.com",
        ]
        assert wanted.stat().st_mode & 0o077 == 0
        running.kubeconfig = str(wanted)
        said = running.kubectl("apply", "-f", "pod.yaml", "--dry-run=server")
        assert said == "pod/web created (server dry run)\n"
        decided = json.loads(running.wait_for('"decided"').string)
        assert decided | {"durationSeconds": 0} == {
            "event": "decided",
            "webhook": "mutate.pod-labels.example.com",
            "operation": "CREATE",
            "resource": "pods",
            "namespace": "default",
            "name": "web",
            "user": "admin",
            "verdict": "mutate",
            "message": "",
            "warnings": [],
            "policies": ["default_app_label"],
            "dryRun": True,
            "durationSeconds": 0,
        }
        write(folder / "policies.py", "x = (\n")
        broken = json.loads(running.wait_for('"broken"').string)
        assert broken["place"] == f"{folder / 'policies.py'}:1"
        assert running.stop(signal.SIGTERM) == 0
    assert not wanted.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_it_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    places = folder / "tmp"
    places.mkdir()
    monkeypatch.setenv("TMPDIR", str(places))
    with dev(folder) as running:
        running.wait_for("Starting a control plane")
        assert running.stop(number) == 130
        running.kubeconfig = str(places / "admit/user/kubeconfig")
        assert list(places.iterdir()) == []


def test_policies_that_do_not_load_start_nothing(folder: Path) -> None:
    write(folder / "policies.py", "x = (\n")
    with dev(folder) as running:
        running.wait_for("error: not valid Python")
        assert running.process.wait(STOP_SECONDS) == 2


def test_a_kubeconfig_that_exists_is_not_overwritten(folder: Path) -> None:
    write(folder / "kubeconfig", "mine\n")
    with dev(folder, "--kubeconfig", "kubeconfig") as running:
        running.wait_for("error: the file exists")
        assert running.process.wait(STOP_SECONDS) == 2
    assert (folder / "kubeconfig").read_text() == "mine\n"
