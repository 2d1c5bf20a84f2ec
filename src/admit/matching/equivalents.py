"""Equivalents: which groups and versions are the same resource.

With matchPolicy Equivalent a rule on one of them covers a request to another, and the
API server converts what it sends.

Source: apimachinery pkg/runtime/mapper.go; kubernetes
pkg/kubeapiserver/default_storage_factory_builder.go (resources in several groups);
apiextensions-apiserver pkg/apiserver/customresource_handler.go (custom resources).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from admit.matching.attributes import Attributes

__all__ = ("BUILT_IN", "Equivalents", "Served")

# The same objects under two groups: (group, resource) as which they count. Only events
# are still served under both; the others are for API servers before 1.22.
SHARED: Final = {
    ("events.k8s.io", "events"): ("", "events"),
    ("extensions", "networkpolicies"): ("networking.k8s.io", "networkpolicies"),
    ("extensions", "deployments"): ("apps", "deployments"),
    ("extensions", "daemonsets"): ("apps", "daemonsets"),
    ("extensions", "replicasets"): ("apps", "replicasets"),
    ("extensions", "replicationcontrollers"): ("", "replicationcontrollers"),
    ("extensions", "podsecuritypolicies"): ("policy", "podsecuritypolicies"),
    ("extensions", "ingresses"): ("networking.k8s.io", "ingresses"),
}


class Served(NamedTuple):
    """A resource, or subresource, that an API server serves, and its kind."""

    group: str
    version: str
    resource: str
    subresource: str
    kind_group: str
    kind_version: str
    kind: str

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version


class Equivalents:
    """What an API server serves in more than one group or version.

    Args:
        served: in the API server's own order, which decides where a rule covers
            several. What is served once may be in it or not.
    """

    def __init__(self, served: Iterable[Served] = ()) -> None:
        self._rows: dict[tuple[str, str, str], list[Served]] = {}
        for row in served:
            rows = self._rows.setdefault(_identify(row), [])
            if row not in rows:
                rows.append(row)

    def find(self, attributes: Attributes) -> tuple[Served, ...]:
        """Return the equivalents of a request's resource, without itself."""
        rows = self._rows.get(_identify(attributes), ())
        own = (attributes.group, attributes.version)
        return tuple(row for row in rows if (row.group, row.version) != own)

    def with_custom(self, definitions: Iterable[Mapping[str, Any]]) -> Equivalents:
        """Return the same with the CustomResourceDefinitions, as JSON, added."""
        rows = [row for rows in self._rows.values() for row in rows]
        for definition in definitions:
            rows += _read_definition(definition)
        return Equivalents(rows)

    @classmethod
    def of_discovery(cls, lists: Iterable[Mapping[str, Any]]) -> Equivalents:
        """Read APIResourceLists, as the API server gives them at ``/apis/apps/v1``.

        Discovery leaves out the group and version of a kind where they are those of
        the list. It lists what is served; a version that a custom resource defines
        but does not serve is known from its definition alone (`with_custom`).
        """
        return cls(row for list_ in lists for row in _read_list(list_))


def _identify(row: Served | Attributes) -> tuple[str, str, str]:
    group, resource = row.group, row.resource
    return (*SHARED.get((group, resource), (group, resource)), row.subresource)


def _read_list(list_: Mapping[str, Any]) -> Iterable[Served]:
    group, _, version = str(list_["groupVersion"]).rpartition("/")
    for entry in list_["resources"]:
        resource, _, subresource = entry["name"].partition("/")
        kind_version = entry.get("version") or version
        kind_group = entry.get("group", "") if entry.get("version") else group
        yield Served(
            *(group, version, resource, subresource),
            *(kind_group, kind_version, entry["kind"]),
        )


def _read_definition(definition: Mapping[str, Any]) -> Iterable[Served]:
    """All versions count, whether served or not, in the definition's order."""
    spec = definition["spec"]
    group, names = spec["group"], spec["names"]
    for version in spec["versions"]:
        name, subresources = version["name"], version.get("subresources") or {}
        own = (group, name, names["kind"])
        yield Served(group, name, names["plural"], "", *own)
        if "status" in subresources:
            yield Served(group, name, names["plural"], "status", *own)
        if "scale" in subresources:
            scale = ("autoscaling", "v1", "Scale")
            yield Served(group, name, names["plural"], "scale", *scale)


_HPA: Final = "HorizontalPodAutoscaler"

# What kube-apiserver serves more than once by default.
BUILT_IN: Final = Equivalents(
    Served(group, version, resource, subresource, group, version, kind)
    for group, version, resource, subresource, kind in (
        ("", "v1", "events", "", "Event"),
        ("events.k8s.io", "v1", "events", "", "Event"),
        ("autoscaling", "v2", "horizontalpodautoscalers", "", _HPA),
        ("autoscaling", "v2", "horizontalpodautoscalers", "status", _HPA),
        ("autoscaling", "v1", "horizontalpodautoscalers", "", _HPA),
        ("autoscaling", "v1", "horizontalpodautoscalers", "status", _HPA),
    )
)
