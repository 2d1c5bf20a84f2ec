"""What may not be made in some namespaces."""

from admit import App, ConfigMap, Deny, Pod, Resource, Secret

app = App("namespaces", domain="example.com")


@app.validate(
    namespaces=["default"],
    operations=["CREATE"],
    resources=["pods", "deployments.apps", "statefulsets.apps", "jobs.batch"],
)
def nothing_runs_in_default(object: Resource) -> None:
    """The namespace default is for trying kubectl, not for workloads."""
    raise Deny(
        f"{object.kind} may not be made in the namespace default: "
        "use a namespace of your team"
    )


@app.validate(
    namespaces=["archive"], operations=["CREATE", "UPDATE", "DELETE"], ratchet=False
)
def archive_is_read_only(object: ConfigMap | Secret) -> None:
    """What is archived stays as it is."""
    if object.metadata.name != "kube-root-ca.crt":
        raise Deny("the namespace archive is read-only")


@app.validate(exempt_namespaces=["ingress", "monitoring"])
def host_network_is_reserved(pod: Pod) -> None:
    """Only ingress and monitoring share the node's network."""
    if pod.spec.hostNetwork:
        raise Deny("hostNetwork is reserved for the namespaces ingress and monitoring")
