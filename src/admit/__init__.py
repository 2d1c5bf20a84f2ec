"""Kubernetes admission webhooks in Python: a policy is a function.

The names below are promised. Each is imported when it is first used: `import admit`
costs next to nothing, and a kind costs the file of its API group, once.
"""

from __future__ import annotations

import importlib
from typing import Any

from admit._version import __version__

_HOMES = {
    "AdmissionRequest": "admit.review",
    "AdmissionResponse": "admit.review",
    "AdmitError": "admit.errors",
    "App": "admit.app",
    "Audit": "admit._handler",
    "CertificateError": "admit.errors",
    "ClusterError": "admit.errors",
    "ConfigError": "admit.errors",
    "Deny": "admit.errors",
    "HandlerError": "admit.errors",
    "List": "admit.view",
    "Map": "admit.view",
    "PatchError": "admit.errors",
    "PolicyError": "admit.errors",
    "Quantity": "admit.view",
    "Resource": "admit.kinds",
    "ReviewError": "admit.errors",
    "Struct": "admit.view",
    "Time": "admit.view",
    "Warn": "admit._handler",
}

__all__ = ("__version__", *_HOMES)  # noqa: PLE0604 - their names are strings


def __getattr__(name: str) -> Any:
    """Import a promised name, or a kind of the API server, when it is first used."""
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name[:1].isupper():
        value = importlib.import_module("admit.kinds").get_kind(name)
    else:
        raise AttributeError(f"module 'admit' has no attribute {name!r}")
    globals()[name] = value
    return value
