"""Kinds as types: those of the API server, and how to declare your own.

One generated file per API group and version; a file is imported when one of its kinds
is. `make kinds` writes them from the OpenAPI documents of the real API server.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from admit.kinds._index import KINDS, RESOURCES
from admit.kinds.resource import Resource, ResourceList, ResourceType

__all__ = (
    "Resource",
    "ResourceList",
    "ResourceType",
    "find_resource_type",
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
    """Return where a built-in kind is served, or None; imports nothing."""
    found = RESOURCES.get((api_version, kind))
    return None if found is None else ResourceType(*found)
