"""What a node says where it cannot be; what it does is in tests/node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from admit.errors import ConfigError
from admit.testing.assets import CONTROLLER_MANAGER, REQUIRED
from admit.testing.node import Node, namespaces, programs

PAUSE = Path("pause.tar")


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    for name in (*REQUIRED, CONTROLLER_MANAGER, *programs.PROGRAMS):
        (tmp_path / name).touch(mode=0o755)
    return tmp_path


def test_a_node_asks_for_namespaces_of_its_own(
    assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(namespaces.CGROUP, raising=False)
    with pytest.raises(ConfigError, match=r"needs namespaces.*-m admit\.testing\.node"):
        Node(pause_image=PAUSE, assets=assets)


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_missing_program_is_named(
    assets: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(namespaces.CGROUP, "any")
    Node(pause_image=PAUSE, assets=assets)
    (assets / name).unlink()
    expected = rf"does not hold {name} .*make node-assets"
    with pytest.raises(ConfigError, match=expected):
        Node(pause_image=PAUSE, assets=assets)


def test_a_node_that_was_not_started_says_so(
    assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(namespaces.CGROUP, "any")
    node = Node(pause_image=PAUSE, assets=assets)
    node.stop()
    with pytest.raises(ConfigError, match="the node is not running"):
        node.load_image(PAUSE)


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="a node needs root"):
        namespaces.isolate(["true"])


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="a node needs Linux"):
        namespaces.isolate(["true"])


def test_missing_programs_are_named_as_packages_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "admit.testing.node", "true"],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: a node needs ")
    if sys.platform == "linux" and os.geteuid() == 0:
        assert "on Debian: apt-get install --no-install-recommends " in line
        assert {"iproute2", "iptables", "runc"} <= set(line.split())
