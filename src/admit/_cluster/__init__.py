"""The one door to the Kubernetes API: raw JSON in and out, nothing lost on the way.

What lives here: how to connect as kubectl does, the verbs, and errors that say which
right is missing. Who connects, and the transport, are lightkube's; objects stay the
dictionaries that the API server sent. What this package must not know: webhooks.
"""

from __future__ import annotations

from admit._cluster.cluster import Cluster, Event, Listing
from admit._cluster.connecting import connect
from admit._cluster.refusals import (
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    GoneError,
    UnreachableError,
)
from admit._cluster.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    MUTATING,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    VALIDATING,
    Resource,
)

__all__ = (
    "CONFIG_MAPS",
    "CUSTOM_RESOURCE_DEFINITIONS",
    "DEPLOYMENTS",
    "ENDPOINT_SLICES",
    "EVENTS",
    "LEASES",
    "MUTATING",
    "NAMESPACES",
    "PODS",
    "SECRETS",
    "SERVICES",
    "VALIDATING",
    "Cluster",
    "ConflictError",
    "Event",
    "FieldConflictError",
    "ForbiddenError",
    "GoneError",
    "Listing",
    "Resource",
    "UnreachableError",
    "connect",
)
