"""What else is known while configurations are looked at; and what a cluster needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec

from admit.matching import BUILT_IN as BUILT_IN_EQUIVALENTS
from admit.matching import Answer, Attributes, Equivalents, Known, Namespace, answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit.doctor.findings import Entry

__all__ = (
    "CERTIFICATE_REQUEST",
    "EVENT",
    "HOT",
    "LEASES",
    "NODE_REQUESTS",
    "OWN_LABEL",
    "Context",
    "of_pod",
)


# Set on every namespace by the API server itself: nobody can choose it.
OWN_LABEL: Final = "kubernetes.io/metadata.name"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the configurations.

    Args:
        namespaces: labels of the namespaces that are known, by name.
        equivalents: what is served in several versions.
        serving_certificate: PEM of the leaf that the webhook serves, and what came
            with it; empty if it was not given.
        now: UTC; what has expired has done so by then.
    """

    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    equivalents: Equivalents = BUILT_IN_EQUIVALENTS
    serving_certificate: bytes = b""
    now: dt.datetime = field(default_factory=_now)

    def ask(self, entry: Entry, attributes: Attributes) -> Answer:
        """Ask whether an entry sees a request."""
        known = Known(
            find_namespace=self._find_namespace,
            equivalents=self.equivalents,
            static=entry.configuration.static,
        )
        return answer(entry.webhook, attributes, known)

    def depends_on_conditions(self, entry: Entry, attributes: Attributes) -> bool:
        """Tell whether match conditions are all that leaves an answer open."""
        webhook = msgspec.structs.replace(entry.webhook, match_conditions=())
        without = replace(entry, webhook=webhook)
        return self.ask(without, attributes).verdict == "matched"

    def _find_namespace(self, name: str) -> Namespace:
        own = {OWN_LABEL: name}
        if name in self.namespaces:
            return Namespace({**self.namespaces[name], **own})
        return Namespace(own, complete=False)


def of_pod(
    namespace: str, operation: str = "CREATE", *, subresource: str = ""
) -> Attributes:
    """Return a request about a pod whose labels nobody knows."""
    return Attributes(
        operation=operation,
        group="",
        version="v1",
        resource="pods",
        subresource=subresource,
        kind="Pod",
        namespace=namespace,
        labels={},
        labels_known=False,
    )


def _lease(namespace: str) -> Attributes:
    # The kubelet, the scheduler and the controller-manager label theirs with nothing.
    return Attributes(
        operation="UPDATE",
        group="coordination.k8s.io",
        version="v1",
        resource="leases",
        kind_group="coordination.k8s.io",
        kind="Lease",
        namespace=namespace,
        labels={},
        old_labels={},
    )


def _node(operation: str, subresource: str = "") -> Attributes:
    return Attributes(
        operation=operation,
        group="",
        version="v1",
        resource="nodes",
        subresource=subresource,
        kind="Node",
        labels={},
        labels_known=False,
    )


LEASES: Final = (_lease("kube-node-lease"), _lease("kube-system"))
CERTIFICATE_REQUEST: Final = Attributes(
    operation="CREATE",
    group="certificates.k8s.io",
    version="v1",
    resource="certificatesigningrequests",
    kind_group="certificates.k8s.io",
    kind="CertificateSigningRequest",
    labels={},
)
NODE_REQUESTS: Final = (
    _node("CREATE"),
    _node("UPDATE"),
    _node("UPDATE", "status"),
    CERTIFICATE_REQUEST,
)
EVENT: Final = Attributes(
    operation="CREATE",
    group="",
    version="v1",
    resource="events",
    kind="Event",
    namespace="default",
    labels={},
)

# Writes that happen all the time, for which time-outs are added up.
HOT: Final = (
    of_pod("default"),
    *(
        Attributes(
            operation=operation,
            group=group,
            version="v1",
            resource=resource,
            namespace="default",
            labels={},
            labels_known=False,
        )
        for operation in ("CREATE", "UPDATE")
        for group, resource in (
            ("apps", "deployments"),
            ("", "configmaps"),
            ("", "secrets"),
            ("", "services"),
            ("networking.k8s.io", "ingresses"),
        )
    ),
    LEASES[0],
)
