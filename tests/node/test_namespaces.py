"""What runs under `python -m admit.testing.node` is gone with it, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from admit.testing import get_assets
from admit.testing.node import cgroups
from admit.testing.node.namespaces import CGROUP
from tests.node.images import write_pause

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not os.environ.get(CGROUP), reason="KUBECONFIG names the cluster: no node is ours"
)

LAUNCHER = (sys.executable, "-m", "admit.testing.node")

# An orphan that nobody waits for, beside a command that does not end; it says its group.
LINGERS = (
    "setsid sleep 600 & for place in /sys/fs/cgroup /sys/fs/cgroup/*; do "
    'group="$place/$ADMIT_NODE_CGROUP/"; [ -d "$group" ] && mkdir "$group/pod" && '
    'echo $$ > "$group/pod/cgroup.procs"; done; echo "$ADMIT_NODE_CGROUP"; sleep 600'
)


class Launched:
    """A shell script under the launcher; its processes hold the pipe we read."""

    def __init__(self, script: str) -> None:
        self.process = subprocess.Popen(
            [*LAUNCHER, "sh", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        self.cgroup = self.process.stdout.readline().strip()

    def wait_all_gone(self) -> str:
        """Return what was printed; the last process that could print has ended."""
        output, _ = self.process.communicate(timeout=30)
        return output


@pytest.fixture
def launched() -> Iterator[Launched]:
    launched = Launched(LINGERS)
    yield launched
    launched.process.kill()
    launched.wait_all_gone()


def find_groups(name: str) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/{name}"))


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LAUNCHER, *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_terminated_it_ends_everything_and_removes_control_groups(
    launched: Launched,
) -> None:
    assert find_groups(launched.cgroup)
    launched.process.terminate()
    launched.wait_all_gone()
    assert launched.process.returncode == 128 + signal.SIGTERM
    assert not find_groups(launched.cgroup)


def test_killed_it_ends_everything_and_the_next_removes_control_groups(
    launched: Launched,
) -> None:
    launched.process.kill()
    launched.wait_all_gone()
    assert find_groups(launched.cgroup)
    assert run("true").returncode == 0
    assert not find_groups(launched.cgroup)


def test_another_launch_leaves_a_running_one_alone(launched: Launched) -> None:
    assert run("true").returncode == 0
    assert len(find_groups(launched.cgroup)) == len(cgroups._hierarchies())


def test_at_ctrl_c_the_command_ends_in_its_own_way() -> None:
    launched = Launched(
        'trap "echo in order; exit 7" INT; echo; while :; do sleep 0.02; done'
    )
    os.killpg(launched.process.pid, signal.SIGINT)
    assert launched.wait_all_gone() == "in order\n"
    assert launched.process.returncode == 7


def test_the_exit_code_is_the_commands() -> None:
    assert run("sh", "-c", "exit 3").returncode == 3
    assert run("sh", "-c", "kill -9 $$").returncode == 128 + 9


def test_what_is_written_is_gone() -> None:
    places = [Path(folder, "admit-was-here") for folder in ("/run", "/var/lib")]
    done = run("touch", *map(str, places))
    assert done.returncode == 0, done.stderr
    assert not any(place.exists() for place in places)


def test_it_has_a_network_of_its_own() -> None:
    names = run("ls", "/proc/sys/net/ipv4/conf").stdout.split()
    assert sorted(names) == ["all", "cbr0", "default", "lo"]


STARTS = """
import sys
from pathlib import Path
from admit.errors import AdmitError
from admit.testing.node import Node
try:
    Node(pause_image=Path(sys.argv[1])).start()
except AdmitError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("name", ["containerd", "kubelet", "kube-proxy"])
def test_a_program_that_ends_is_named_with_the_end_of_its_log(name: str) -> None:
    # Not below /run, which is another one inside.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        pause = write_pause(Path(folder))
        for program in get_assets().iterdir():
            if program.name != name:
                Path(folder, program.name).symlink_to(program)
        broken = Path(folder, name)
        broken.write_text("#!/bin/sh\necho no disk is left\nexit 3\n")
        broken.chmod(0o755)
        done = run(sys.executable, "-c", STARTS, str(pause), KUBEBUILDER_ASSETS=folder)
    assert done.returncode == 1
    assert f"{name} ended with exit code 3" in done.stderr
    assert "no disk is left" in done.stderr


def test_an_image_that_is_none_is_refused_with_the_reason() -> None:
    done = run(sys.executable, "-c", STARTS, "/nonexistent.tar")
    assert done.returncode == 1
    assert "ctr images import /nonexistent.tar" in done.stderr
