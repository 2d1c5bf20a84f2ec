"""A real Kubernetes API server for tests and for trying things out.

For example:

    with ControlPlane() as cluster:
        cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", ...})
        cluster.kubectl("get", "configmaps")
"""

from __future__ import annotations

from admit.testing.assets import assets_cache, find_assets, get_assets
from admit.testing.client import Answer, Client
from admit.testing.control_plane import ControlPlane
from admit.testing.users import User
from admit.testing.waiting import wait_until

__all__ = (
    "Answer",
    "Client",
    "ControlPlane",
    "User",
    "assets_cache",
    "find_assets",
    "get_assets",
    "wait_until",
)
