"""What runs policies in a cluster, as plain objects: pure, options in, dicts out.

What lives here: every object but the webhook configurations. What these files must not
know: a cluster, a terminal, how policies are loaded. Every default that the API server
would fill in is written out, so that a second apply, or a GitOps tool, finds nothing to
change.
"""

from __future__ import annotations

from admit.deployment.command import serve_arguments
from admit.deployment.objects import to_objects
from admit.deployment.options import (
    DEFAULT_IMAGE,
    PRIORITY_CLASS,
    SYSTEM,
    Certs,
    DeploymentOptions,
    default_namespace,
)
from admit.deployment.source import CONFIG_MAP_LIMIT_BYTES, Source, read_source

__all__ = (
    "CONFIG_MAP_LIMIT_BYTES",
    "DEFAULT_IMAGE",
    "PRIORITY_CLASS",
    "SYSTEM",
    "Certs",
    "DeploymentOptions",
    "Source",
    "default_namespace",
    "read_source",
    "serve_arguments",
    "to_objects",
)
