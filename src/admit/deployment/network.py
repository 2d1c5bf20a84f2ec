"""How the API server finds the pods, and who else may talk to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from admit.deployment.options import DeploymentOptions

__all__ = ("HEALTH", "REVIEWS", "network_policy", "service")

# Names of the container's ports.
REVIEWS: Final = "reviews"
HEALTH: Final = "health"

SERVICE_PORT: Final = 443

# Of the Service; that of the pods is theirs to say.
HEALTH_PORT: Final = 8080

DNS_PORT: Final = 53

# Where API servers listen: behind the Service `kubernetes`, and on their own machines.
# A NetworkPolicy sees the address and port to which a Service leads.
API_SERVER_PORTS: Final = (443, 6443)


def service(options: DeploymentOptions) -> dict[str, Any]:
    """Return the Service that the webhook configurations name, and Prometheus."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": options.metadata(),
        "spec": {
            "type": "ClusterIP",
            "selector": options.selector,
            "ports": [_port(REVIEWS, SERVICE_PORT), _port(HEALTH, HEALTH_PORT)],
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
        },
    }


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}


def network_policy(options: DeploymentOptions) -> dict[str, Any]:
    """Return the NetworkPolicy: reviews, health and metrics in; DNS, API server out.

    Reviews come from wherever a control plane is, which no selector can say: often no
    pod, and on a machine that is not in the cluster. So without its addresses the port
    is open to all, and all other ports to none.
    """
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in options.api_servers]
    reviews: dict[str, Any] = {"ports": [_tcp(REVIEWS)]}
    api: dict[str, Any] = {"ports": [_tcp(port) for port in API_SERVER_PORTS]}
    if blocks:
        reviews["from"] = blocks
        api["to"] = blocks
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": options.metadata(),
        "spec": {
            "podSelector": {"matchLabels": options.selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                reviews,
                {"ports": [_tcp(HEALTH)], "from": [{"namespaceSelector": {}}]},
            ],
            "egress": [
                {"ports": [{"port": DNS_PORT, "protocol": "UDP"}, _tcp(DNS_PORT)]},
                api,
            ],
        },
    }


def _tcp(port: str | int) -> dict[str, Any]:
    return {"port": port, "protocol": "TCP"}
