"""Attributes: what the API server knows of a request when it looks for webhooks.

What lives here: values made from a request, and nothing that decides.

Source: apiserver pkg/admission/interfaces.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.review import AdmissionRequest

__all__ = ("Attributes", "read_labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """A request as webhooks are matched with it: as it was sent, not as converted.

    Args:
        operation: CREATE, UPDATE, DELETE or CONNECT.
        group: of the resource, empty for the core; `version` and `resource` likewise.
        subresource: such as ``status``; empty for none.
        kind: of the object; `kind_group` is its group, which is another than the
            resource's for an Eviction or a Scale.
        name: empty where the API server will generate it.
        namespace: empty for what stands outside of namespaces; a Namespace's own name.
        labels: of the object; None where there is none (DELETE) or it has no metadata
            (what CONNECT sends).
        old_labels: of the object as it is stored, likewise.
        labels_known: the labels above are all there are. Where they are not, what
            depends on them may match.
    """

    operation: str
    group: str
    version: str
    resource: str
    subresource: str = ""
    kind_group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: Mapping[str, Any] | None = None
    old_labels: Mapping[str, Any] | None = None
    labels_known: bool = True

    @property
    def target(self) -> str:
        """What it is about, for people: ``pods/exec`` or ``deployments.apps``."""
        subresource = f"/{self.subresource}" if self.subresource else ""
        group = f".{self.group}" if self.group else ""
        return f"{self.resource}{subresource}{group}"

    @classmethod
    def of(cls, request: AdmissionRequest) -> Attributes:
        """Take the attributes of a request, as it was before any conversion."""
        resource = request.request_resource or request.resource
        kind = request.request_kind or request.kind
        return cls(
            operation=request.operation,
            group=resource.group,
            version=resource.version,
            resource=resource.resource,
            subresource=request.request_sub_resource or request.sub_resource,
            kind_group=kind.group,
            kind=kind.kind,
            name=request.name,
            namespace=request.namespace,
            labels=read_labels(request.object),
            old_labels=read_labels(request.old_object),
        )


def read_labels(document: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return an object's labels; None if it has no metadata to carry any."""
    if document is None or "metadata" not in document:
        return None
    metadata = document["metadata"]
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, dict) else {}
