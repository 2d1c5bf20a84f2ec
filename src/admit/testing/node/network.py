"""The network of a node: a bridge with its address, in a namespace of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from admit.errors import ConfigError

# Pods, and with them the node, live in one /24 on one bridge.
POD_NETWORK = "10.244.0.0/24"
FIRST_POD = "10.244.0.10"
NODE_ADDRESS = "10.244.0.1"
BRIDGE = "cbr0"

COMMANDS = (
    "ip link set lo up",
    f"ip link add {BRIDGE} type bridge",
    f"ip address add {NODE_ADDRESS}/24 dev {BRIDGE}",
    f"ip link set {BRIDGE} up",
    # A connection to a Service needs a route before iptables turns it to a pod.
    f"ip route add default dev {BRIDGE}",
)

# 1: pods reach Services, whose packets the node forwards; and packets between two pods
# on the bridge pass iptables, which has to undo what it did to a Service's address.
SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}


def set_up() -> None:
    """Make the bridge in this network namespace.

    Raises:
        ConfigError: the kernel refused; says which command.
    """
    for command in COMMANDS:
        done = subprocess.run(  # noqa: S603
            command.split(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ConfigError(f"{command}: {done.stderr.strip()}", place="network")
    for name, value in SETTINGS.items():
        setting = Path("/proc/sys", name)
        if setting.exists():  # br_netfilter may be absent: then nobody filters there
            setting.write_text(value)


def cni_configuration(data: Path) -> str:
    """Return the chain of CNI plugins that connects a pod; `data` is for addresses."""
    bridge: dict[str, Any] = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        # A pod may reach itself through its Service.
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": POD_NETWORK, "rangeStart": FIRST_POD}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(data),
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    chain = {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, portmap]}
    return json.dumps(chain)
