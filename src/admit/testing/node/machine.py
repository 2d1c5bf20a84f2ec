"""The node: containerd, kubelet, kube-proxy, scheduler; beside a control plane."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from admit.errors import ClusterError, ConfigError
from admit.testing.assets import find_missing
from admit.testing.control_plane import ControlPlane
from admit.testing.node import cgroups, network, programs
from admit.testing.node.namespaces import CGROUP, CNI_PLUGINS
from admit.testing.process import Process, wait_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Ready takes ten seconds on an idle machine; a busy one may need ten times that.
START_TIMEOUT_SECONDS = 120.0

# An image of 100 MB is unpacked in two.
CTR_TIMEOUT_SECONDS = 120.0

# The namespace of containerd that the kubelet looks in.
CONTAINERD_NAMESPACE = "k8s.io"

# Where containerd's sandboxes have theirs.
NETWORK_NAMESPACES = Path("/run/netns")

# Whom the authorizers know, by the program; the second is a group.
# Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go
USERS = {
    "kubelet": (f"system:node:{programs.NODE_NAME}", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
}


class Node:
    """Run a one-node cluster; stop and remove it at the end.

    It is a `ControlPlane` with its controllers and a node that runs containers: pods,
    Services, probes, logs, rollouts are real. There is no registry (see `load_image`)
    and no name server. The admission plugins are the default ones, ServiceAccount and
    PodSecurity among them.

    It needs the namespaces of `admit.testing.node.namespaces`, one node in each.

    Args:
        pause_image: an OCI archive of `programs.PAUSE_IMAGE`, which holds pods'
            namespaces open.
        assets: folder of the programs; found by `get_assets` if not given.
        api_server_flags: more flags of kube-apiserver; they win over ours.
        start_timeout_seconds: how long all of it may take to become ready.

    Raises:
        ConfigError: programs or namespaces are missing.
    """

    def __init__(
        self,
        *,
        pause_image: Path,
        assets: Path | str | None = None,
        api_server_flags: Sequence[str] = (),
        start_timeout_seconds: float = START_TIMEOUT_SECONDS,
    ) -> None:
        cgroup = os.environ.get(CGROUP)
        if not cgroup:
            raise ConfigError(
                "a node needs namespaces of its own",
                hint="run this under `python -m admit.testing.node`",
            )
        self._cgroup = cgroup
        self._pause_image = pause_image
        self._timeout_seconds = start_timeout_seconds
        self._processes: dict[str, Process] = {}
        self._kubeconfigs: dict[str, Path] = {}
        self._folder: Path | None = None
        self.control_plane = ControlPlane(
            assets=assets,
            flags=(*programs.API_SERVER_FLAGS, *api_server_flags),
            controller_manager=True,
        )
        self._assets = self.control_plane.assets
        if missing := find_missing(self._assets, programs.PROGRAMS):
            raise ConfigError(
                f"{self._assets} does not hold {', '.join(missing)}",
                hint="`make node-assets` in a clone of admit builds them",
            )

    def start(self) -> None:
        """Start everything and wait until the node is ready for pods.

        Raises:
            ClusterError: a program ended or was not ready in time; the message has
                the last lines of its log. Nothing is left running.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="node-"))
        try:
            self._write_files(self._folder)
            # It starts while the API server does.
            self._start_containerd()
            self.control_plane.start()
            for name, (user, group) in USERS.items():
                made = self.control_plane.add_user(user, [group] if group else [])
                self._kubeconfigs[name] = made.kubeconfig
            self._wait_for_containerd()
            self.load_image(self._pause_image)
            self._start_node()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and remove its data; may be called again."""
        if self._folder is None:
            return
        self._cut_power()
        self.control_plane.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def restart(self) -> None:
        """Cut the power of the machine and switch it on again; wait until it is ready.

        Containers and all programs but etcd and the controllers are killed. Objects,
        images and what the kubelet knew are there afterwards; containers are not.

        Raises:
            ClusterError: as `start`.
        """
        self._cut_power()
        self.control_plane.stop_api_server()
        self._start_containerd()
        self.control_plane.start_api_server()
        self._start_node()

    def load_image(self, archive: Path) -> None:
        """Give the node the images of an OCI or docker archive, as `docker load` would.

        Raises:
            ClusterError: containerd does not take it; says why.
        """
        self._ctr("images", "import", str(archive))

    def kill_container(self, container_id: str) -> None:
        """Kill a container's first process, and with it all others, without a warning.

        Args:
            container_id: as in a pod's ``status.containerStatuses[].containerID``.

        Raises:
            ClusterError: there is none.
        """
        _, _, name = container_id.partition("://")
        self._ctr("tasks", "kill", "--signal=SIGKILL", name)

    @property
    def logs(self) -> dict[str, Path]:
        """The log file of each program by its name; removed by `stop`."""
        own = {name: process.log for name, process in self._processes.items()}
        return {**self.control_plane.logs, **own}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _place(self) -> Path:
        if self._folder is None:
            raise ConfigError("the node is not running", hint="use it inside `with`")
        return self._folder

    def _ctr(self, *arguments: str) -> None:
        command = [
            *(str(self._assets / "ctr"), "--namespace", CONTAINERD_NAMESPACE),
            *("--address", str(programs.containerd_socket(self._place)), *arguments),
        ]
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=CTR_TIMEOUT_SECONDS,
        )
        if done.returncode:
            raise ClusterError(done.stderr.strip(), place=f"ctr {' '.join(arguments)}")

    def _write_files(self, folder: Path) -> None:
        cni = folder / "cni"
        cni.mkdir()
        addresses = folder / "addresses"
        (cni / "10-pods.conflist").write_text(network.cni_configuration(addresses))
        containerd = programs.containerd_configuration(
            folder, shim=self._assets / programs.SHIM, cni_plugins=CNI_PLUGINS
        )
        (folder / "containerd.toml").write_text(containerd)
        kubelet = programs.kubelet_configuration(folder, cgroup=self._cgroup)
        (folder / "kubelet.yaml").write_text(kubelet)

    def _start_containerd(self) -> None:
        self._launch("containerd", (f"--config={self._place}/containerd.toml",))

    def _start_node(self) -> None:
        kubeconfigs = self._kubeconfigs
        kubelet = programs.kubelet_flags(self._place, kubeconfigs["kubelet"])
        self._launch("kubelet", kubelet)
        self._launch("kube-proxy", programs.proxy_flags(kubeconfigs["kube-proxy"]))
        scheduler = programs.scheduler_flags(kubeconfigs["kube-scheduler"])
        self._launch("kube-scheduler", scheduler)
        # The kubelet writes whole seconds.
        since = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self._wait_ready(lambda: self._is_ready(since), "the node")

    def _wait_for_containerd(self) -> None:
        socket = programs.containerd_socket(self._place)
        self._wait_ready(socket.exists, "containerd")

    def _wait_ready(self, is_ready: Callable[[], bool], what: str) -> None:
        processes = self._processes.values()
        seconds = self._timeout_seconds
        wait_ready(processes, is_ready, what=what, seconds=seconds)

    def _is_ready(self, since: dt.datetime) -> bool:
        """The kubelet said so after a point in time, and the controllers believe it."""
        client = self.control_plane.client
        node = client.get(f"/api/v1/nodes/{programs.NODE_NAME}")
        return "taints" not in node["spec"] and any(
            dt.datetime.fromisoformat(condition["lastHeartbeatTime"]) >= since
            for condition in node["status"].get("conditions", ())
            if (condition["type"], condition["status"]) == ("Ready", "True")
        )

    def _launch(self, name: str, flags: Sequence[str]) -> None:
        self._processes[name] = Process(
            [str(self._assets / name), *flags], self._place / f"{name}.log"
        )

    def _cut_power(self) -> None:
        """End all that runs on the node, and what a machine forgets without power."""
        for process in self._processes.values():
            process.kill()
        self._processes.clear()
        cgroups.kill(self._cgroup)
        kill_programs(self._assets / programs.SHIM)
        state = programs.containerd_state(self._place)
        unmount_below(self._place, NETWORK_NAMESPACES)
        for forgotten in (state, NETWORK_NAMESPACES):
            shutil.rmtree(forgotten, ignore_errors=True)


def kill_programs(program: Path) -> None:
    """Kill every process of this namespace that runs a program."""
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            if link.readlink() == program:
                os.kill(int(link.parent.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


def unmount_below(*folders: Path) -> None:
    """Unmount whatever is mounted below these folders, the last first."""
    # Source: proc(5), /proc/PID/mountinfo: the fifth field.
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [Path(line.split()[4]) for line in lines]
    for point in reversed(points):
        if any(folder in point.parents for folder in folders):
            subprocess.run(  # noqa: S603
                ["umount", "--lazy", str(point)],  # noqa: S607
                check=True,
            )
