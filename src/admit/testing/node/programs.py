"""How each program of a node is called, and the files it reads.

Pure: folders and names in, command lines and file contents out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from admit.testing.node.network import NODE_ADDRESS, POD_NETWORK

if TYPE_CHECKING:
    from pathlib import Path

# What a node needs beside the control plane's programs; `make node-assets` builds them.
SHIM = "containerd-shim-runc-v2"
PROGRAMS = (
    "containerd",
    SHIM,
    "ctr",
    "kubelet",
    "kube-proxy",
    "kube-scheduler",
)

NODE_NAME = "admit-node"

# The kubelet looks at mounted ConfigMaps and Secrets this often (its default is a
# minute): nobody wants to wait for a minute to see a policy arrive.
SYNC_FREQUENCY = "5s"

# A container that keeps failing is tried again after this long at most (its default is
# five minutes): after a restart pods come up in any order.
LONGEST_BACK_OFF = "5s"

# What an image must be called that holds pods' namespaces open.
PAUSE_IMAGE = "docker.io/library/pause:admit"

CONTAINERD = """\
version = 3
root = {root}
state = {state}
disabled_plugins = [
  "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = {socket}

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = {pause}

[plugins."io.containerd.cri.v1.runtime"]
# The node may itself be in a container, which may not lower oom_score_adj.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = {shim}

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [{cni_plugins}]
conf_dir = {cni}
"""


def containerd_configuration(folder: Path, *, shim: Path, cni_plugins: Path) -> str:
    """Return containerd's configuration (version 3); its state is below a folder."""
    values = {
        "root": folder / "images",
        "state": containerd_state(folder),
        "socket": containerd_socket(folder),
        "cni": folder / "cni",
        "shim": shim,
        "cni_plugins": cni_plugins,
        "pause": PAUSE_IMAGE,
    }
    # A JSON string is a TOML string.
    return CONTAINERD.format_map({n: json.dumps(str(v)) for n, v in values.items()})


def containerd_socket(folder: Path) -> Path:
    """Return the address of containerd."""
    return folder / "containerd.sock"


def containerd_state(folder: Path) -> Path:
    """Return where containerd keeps what a machine forgets without power."""
    return folder / "state"


def kubelet_configuration(folder: Path, *, cgroup: str) -> str:
    """Return a KubeletConfiguration; pods' control groups are below the one named."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            # Nobody else is in this network namespace.
            "authentication": {
                "anonymous": {"enabled": True},
                "webhook": {"enabled": False},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{containerd_socket(folder)}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            # The disk here is memory; whether it is full is the machine's affair.
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "podLogsDir": str(folder / "logs"),
            "volumePluginDir": str(folder / "volume-plugins"),
            # No name server: pods here talk to addresses.
            "resolvConf": "",
            "syncFrequency": SYNC_FREQUENCY,
            "crashLoopBackOff": {"maxContainerRestartPeriod": LONGEST_BACK_OFF},
        }
    )


def kubelet_flags(folder: Path, kubeconfig: Path) -> tuple[str, ...]:
    """Return kubelet's flags."""
    return (
        f"--config={folder}/kubelet.yaml",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={folder}/kubelet",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
    )


def proxy_flags(kubeconfig: Path) -> tuple[str, ...]:
    """Return kube-proxy's flags."""
    return (
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE_NAME}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={POD_NETWORK}",
        # A namespace may not change the kernel's table of connections.
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
    )


def scheduler_flags(kubeconfig: Path) -> tuple[str, ...]:
    """Return kube-scheduler's flags."""
    return (
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        # Serves nothing; its work says whether it is well.
        "--secure-port=0",
    )


# What kube-apiserver is told on top of `admit.testing.ControlPlane`'s flags.
API_SERVER_FLAGS = (
    "--bind-address=0.0.0.0",
    f"--advertise-address={NODE_ADDRESS}",
    # The Service `kubernetes` leads to it.
    "--endpoint-reconciler-type=lease",
    # Webhooks are called at the addresses of their pods.
    "--enable-aggregator-routing=true",
    # This option adds to what is there.
    "--authorization-mode=Node",
    # `kubectl logs` and `exec`: nothing resolves the node's name.
    "--kubelet-preferred-address-types=InternalIP",
)
