"""A real node with containers beside a `admit.testing.ControlPlane`: for admit's tests.

It needs Linux, root, and namespaces that ``python -m admit.testing.node COMMAND`` makes
around a command:

    with Node(pause_image=archive) as node:
        node.load_image(Path("build/admit-1.0.tar"))
        node.control_plane.client.create({"kind": "Deployment", ...})
"""

from __future__ import annotations

from admit.testing.node.machine import Node

__all__ = ("Node",)
