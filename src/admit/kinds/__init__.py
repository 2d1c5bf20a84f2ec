"""Kinds as types: those of the API server, and how to declare your own.

One generated file per API group and version; a file is imported when one of its kinds
is. `make kinds` writes them from the OpenAPI documents of the real API server.

`from admit import Event` is the newest stable version of a kind; where groups share a
name, the core's, then that of apps, then of batch, then the first by name. Any other is
imported from its file: ``from admit.kinds.events_v1 import Event``.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from admit.kinds._index import KINDS, RESOURCES
from admit.kinds.declaring import check_kind
from admit.kinds.resource import Resource, ResourceList, ResourceType

__all__ = (
    "Resource",
    "ResourceList",
    "ResourceType",
    "check_kind",
    "find_resource_type",
    "find_resource_types",
    "get_kind",
)


def get_kind(name: str) -> Any:
    """Return the class of a built-in kind, of its preferred version.

    Raises:
        AttributeError: the API server has no such kind by default; names the nearest.
    """
    module = KINDS.get(name)
    if module is None:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise AttributeError(f"Kubernetes has no kind {name!r}{hint}")
    return getattr(importlib.import_module(f"admit.kinds.{module}"), name)


def find_resource_type(api_version: str, kind: str) -> ResourceType | None:
    """Return where a built-in kind is served, or None; imports nothing.

    None too for a Scale: it is sent to many resources, and does not say to which.
    """
    found = RESOURCES.get((api_version, kind))
    if found is None:
        return None
    own = ResourceType(*found)
    return own if own.api_version == api_version else ResourceType(*found, api_version)


def find_resource_types(plural: str) -> tuple[ResourceType, ...]:
    """Return the built-in types of a resource, such as ``pods`` or ``pods/eviction``.

    Of several groups and versions the preferred comes first; imports nothing.
    """
    return tuple(
        ResourceType(*row, "" if api_version == own else api_version)
        for (api_version, _), row in RESOURCES.items()
        if row[3] == plural
        for own in (ResourceType(*row).api_version,)
    )
