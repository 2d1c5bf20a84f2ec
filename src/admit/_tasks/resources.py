"""Which resource a kind is: looked up, learnt from files, or guessed."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit.kinds import ResourceType, find_resource_type, find_resource_types, get_kind
from admit.kinds._index import KINDS, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from admit._tasks.documents import Document
    from admit.app import App

__all__ = ("Kinds", "find_served", "guess_plural", "suggest_kind")

# Groups that are Kubernetes' own; a Service of serving.knative.dev is another thing.
_OWN_GROUP: Final = re.compile(r"[a-z]*|[a-z0-9.-]+\.k8s\.io")

# What no version of Kubernetes serves any more, and what does its work now.
# Source: kubernetes.io/docs/reference/using-api/deprecation-guide.
GONE: Final = {
    ("policy", "PodSecurityPolicy"): "Pod Security admission",
    ("extensions", "PodSecurityPolicy"): "Pod Security admission",
}


class Kinds:
    """Which resource a kind is: built in, an app's own, or a CRD's among the files."""

    def __init__(self, apps: Iterable[App], documents: Iterable[Document]) -> None:
        self._known: dict[tuple[str, str], ResourceType] = {}
        for document in documents:
            self._learn(document.content)
        for app in apps:
            for handler in app.handlers:
                for kind in handler.signature.kinds:
                    if kind.__resource__ is not None:
                        self._add(kind.__resource__)

    def find(self, api_version: str, kind: str) -> ResourceType | None:
        """Find the resource of a kind, or None."""
        return find_resource_type(api_version, kind) or self._known.get(
            (api_version, kind)
        )

    def find_by_plural(self, plural: str, group: str | None) -> ResourceType | None:
        """Find a resource by its name; without a group the first that has it."""
        own = (type_ for type_ in self._known.values() if type_.plural == plural)
        for type_ in (*find_resource_types(plural), *own):
            if group is None or type_.group == group:
                return type_
        return None

    def _add(self, type_: ResourceType) -> None:
        self._known[type_.api_version, type_.kind] = type_

    def _learn(self, content: Mapping[str, Any]) -> None:
        if content.get("kind") != "CustomResourceDefinition":
            return
        try:
            crd = msgspec.convert(content.get("spec"), _CRD)
        except msgspec.ValidationError:
            return  # reviewed like any other object, but nothing is learnt from it
        for version in crd.versions:
            self._add(
                ResourceType(
                    group=crd.group,
                    version=version.name,
                    kind=crd.names.kind,
                    plural=crd.names.plural,
                    namespaced=crd.scope != "Cluster",
                )
            )


class _Names(msgspec.Struct):
    kind: str
    plural: str


class _Version(msgspec.Struct):
    name: str


class _CRD(msgspec.Struct):
    group: str
    names: _Names
    scope: str
    versions: list[_Version]


def guess_plural(kind: str) -> str:
    """Return the plural that a kind most likely has.

    Source: apimachinery pkg/api/meta/restmapper.go, UnsafeGuessKindToResource.
    """
    name = kind.lower()
    if name.endswith("endpoints"):
        return name
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def find_served(group: str, kind: str) -> ResourceType | None:
    """Find what serves a kind of Kubernetes now that has left its group or version."""
    if not _OWN_GROUP.fullmatch(group) or kind not in KINDS:
        return None
    for (api_version, name), row in RESOURCES.items():
        if (api_version.rpartition("/")[0], name) == (group, kind):
            return ResourceType(*row)
    elsewhere: ResourceType | None = get_kind(kind).__resource__
    return elsewhere


def suggest_kind(group: str, kind: str) -> str:
    """Return which built-in kind may be meant: retired here, or misspelt."""
    served = find_served(group, kind)
    if served is not None:
        return f"Kubernetes serves {kind} as {served.api_version} now, or "
    if (group, kind) in GONE:
        return f"Kubernetes has none any more, but {GONE[group, kind]}, or "
    (near,) = difflib.get_close_matches(kind, KINDS, n=1) or ("",)
    type_ = get_kind(near).__resource__ if near and near != kind else None
    return f"did you mean {type_.api_version} {near}? Or " if type_ else ""
