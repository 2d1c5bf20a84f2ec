"""tools/assets/build with a stand-in for Go; the real build takes minutes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from admit.testing import wait_until

BUILD = Path(__file__).parent.parent / "tools" / "assets" / "build"
CLUSTER = ["etcd", "helm", "kube-apiserver", "kube-controller-manager", "kubectl"]
NODE = [
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "etcdutl",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "pause",
]
NAMES = sorted(CLUSTER + NODE)

# Answers `go env`, notes each `go build` with its environment, writes what -o names.
GO = """#!/bin/sh
if [ "$1" = env ]; then echo linux; echo amd64; exit; fi
echo "$@ $GOFLAGS $CGO_ENABLED" >> "$NOTES"
while [ "$NEVER_ENDS" ]; do sleep 0.02; done
for word in "$@"; do
  case "$word" in *"$FAILS_AT") echo "$word:1: no such thing" >&2; exit 1;; esac
  [ "$last" = -o ] && echo built > "$word" && chmod 755 "$word"
  last="$word"
done
"""


class Clone:
    """Runs the script with a cache and a Go of its own."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.notes = folder / "notes"
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.notes.touch()
        go = self.programs / "go"
        go.write_text(GO)
        go.chmod(0o755)

    def start(self, *names: str, **environment: str) -> subprocess.Popen[str]:
        default = {
            "PATH": f"{self.programs}:{os.defpath}",
            "HOME": "/nonexistent",
            "XDG_CACHE_HOME": str(self.cache),
            "NOTES": str(self.notes),
            "FAILS_AT": "nowhere",
        }
        return subprocess.Popen(
            [sys.executable, str(BUILD), *names],
            env=default | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *names: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*names, **environment)
        output, errors = process.communicate(timeout=30)
        return process.returncode, output, errors

    @property
    def built(self) -> list[str]:
        return self.notes.read_text().splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_the_last_line_is_the_folder_with_all_programs(clone: Clone) -> None:
    code, output, errors = clone.run()
    assert code == 0, errors
    folder = Path(output.splitlines()[-1])
    assert folder.parent == clone.cache / "admit" / "assets"
    assert folder.name.startswith("v1.")
    assert folder.name.endswith("-linux-amd64")
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    for name in NAMES:
        assert f"assets: {name}: done in 0 s" in errors


def test_what_is_built_is_not_built_again(clone: Clone) -> None:
    clone.run()
    assert len(clone.built) == len(NAMES)
    code, output, errors = clone.run()
    assert (code, errors) == (0, "")
    assert Path(output.strip()).is_dir()
    assert len(clone.built) == len(NAMES)


def test_a_second_run_builds_only_what_is_missing(clone: Clone) -> None:
    folder = Path(clone.run("kubectl", "etcd")[1].strip())
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kubectl"]
    clone.run()
    assert len(clone.built) == len(NAMES)


def test_a_group_is_built_without_the_other(clone: Clone) -> None:
    folder = Path(clone.run("cluster")[1].strip())
    assert sorted(path.name for path in folder.iterdir()) == CLUSTER
    _, _, errors = clone.run("node", "etcd")
    assert "containerd: building, 4 of 8" in errors
    assert sorted(path.name for path in folder.iterdir()) == NAMES


def test_flags_of_the_environment_are_replaced(clone: Clone) -> None:
    clone.run("etcd", GOFLAGS="-mod=vendor", CGO_ENABLED="1", GOWORK="/elsewhere")
    assert clone.built[0].endswith("./etcd -trimpath 0")


def test_the_version_is_linked_in(clone: Clone) -> None:
    folder = Path(clone.run("kubectl")[1].strip())
    version = folder.name.partition("-")[0]
    link = f"-X k8s.io/component-base/version.gitVersion={version}"
    assert link in clone.built[0]


def test_a_program_of_another_module_says_its_own_version(clone: Clone) -> None:
    clone.run("helm", "containerd")
    helm, containerd = clone.built
    assert "-X helm.sh/helm/v3/internal/version.version=v3." in helm
    assert "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 " in helm
    assert "-tags=no_btrfs" in containerd
    assert "containerd/v2/version.Version=v2." in containerd


def test_two_runs_at_once_build_one_after_the_other(clone: Clone) -> None:
    folder = Path(clone.run("etcd")[1].strip())
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = clone.start("kubectl")
        assert process.stderr
        assert "another build is running" in process.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        assert len(clone.built) == 1
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(clone.built) == 2


def test_a_failed_build_shows_the_compiler_and_keeps_the_finished(clone: Clone) -> None:
    code, output, errors = clone.run(FAILS_AT="cmd/kubectl")
    assert (code, output) == (2, "")
    assert "cmd/kubectl:1: no such thing" in errors
    assert "kubectl: go build ended with code 1" in errors
    (folder,) = (path for path in clone.cache.rglob("v1.*") if path.is_dir())
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kube-apiserver"]


def test_an_ended_build_leaves_nothing_half_done(clone: Clone) -> None:
    process = clone.start("etcd", NEVER_ENDS="yes")
    assert process.stderr
    assert "etcd: building" in process.stderr.readline()
    wait_until(lambda: clone.built, what="go to run")
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert not [path for path in clone.cache.rglob("*etcd*") if path.is_file()]


def test_without_go_the_error_says_what_to_do(clone: Clone) -> None:
    code, output, errors = clone.run(PATH="/nonexistent")
    assert (code, output) == (2, "")
    assert "Go is not installed" in errors
    assert "admit assets" in errors


def test_an_unknown_program_is_refused(clone: Clone) -> None:
    code, _, errors = clone.run("kubectl", "cri-o")
    assert code == 2
    assert "unknown: cri-o (there are etcd, cluster, kube-apiserver," in errors
