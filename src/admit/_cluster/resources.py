"""Resources by their address in the API, and the ones that admit itself asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

__all__ = ("Resource",)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API: ``pods``, ``deployments.apps``.

    Args:
        group: empty for the core.
        plural: as in paths and RBAC rules.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """As an object says it: ``v1``, ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As kubectl takes it: ``pods``, ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of a collection, or of an object."""
        root = "apis" if self.group else "api"
        parts = [root, *self.api_version.split("/")]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [self.plural, *([name] if name else [])]
        return "/" + "/".join(quote(part, safe="") for part in parts)


_REGISTRATION: Final = ("admissionregistration.k8s.io", "v1")

CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
CUSTOM_RESOURCE_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
DEPLOYMENTS: Final = Resource(
    "apps", "v1", "deployments", "Deployment", namespaced=True
)
ENDPOINT_SLICES: Final = Resource(
    "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced=True
)
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event", namespaced=True)
LEASES: Final = Resource(
    "coordination.k8s.io", "v1", "leases", "Lease", namespaced=True
)
MUTATING: Final = Resource(
    *_REGISTRATION,
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PODS: Final = Resource("", "v1", "pods", "Pod", namespaced=True)
SECRETS: Final = Resource("", "v1", "secrets", "Secret", namespaced=True)
SERVICES: Final = Resource("", "v1", "services", "Service", namespaced=True)
VALIDATING: Final = Resource(
    *_REGISTRATION,
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
