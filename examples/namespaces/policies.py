"""What may not be made in some namespaces."""

from admit import AdmissionRequest, App, ConfigMap, Deny, Pod, Resource, Secret

app = App("namespaces", domain="example.com")

# What runs, and what makes it run.
WORKLOADS = [
    *("pods", "replicationcontrollers"),
    *("daemonsets.apps", "deployments.apps", "replicasets.apps", "statefulsets.apps"),
    *("cronjobs.batch", "jobs.batch"),
]

# The cluster's own controllers make the pods of what was there before, put the root
# certificate into every namespace, and empty one that is deleted. The API server evaluates
# this, and does not ask about them.
NOT_THE_CLUSTER = (
    '!("system:serviceaccounts:kube-system" in request.userInfo.groups)'
    ' && request.userInfo.username != "system:kube-controller-manager"'
)


@app.validate(
    namespaces=["default"],
    operations=["CREATE"],
    resources=WORKLOADS,
    when=NOT_THE_CLUSTER,
)
def nothing_runs_in_default(object: Resource) -> None:
    """Nothing new runs in the namespace default."""
    raise Deny(
        f"{object.kind} may not be made in the namespace default: "
        "use a namespace of your team"
    )


@app.validate(
    namespaces=["archive"],
    operations=["CREATE", "UPDATE", "DELETE"],
    when=NOT_THE_CLUSTER,
    ratchet=False,
)
def archive_is_read_only(object: ConfigMap | Secret, request: AdmissionRequest) -> None:
    """What is archived stays as it is; only archivists change it."""
    if "archivists" not in request.user_info.groups:
        raise Deny("the namespace archive is read-only")


@app.validate(exempt_namespaces=["ingress", "monitoring"])
def host_network_is_reserved(pod: Pod) -> None:
    """Only ingress and monitoring share the node's network."""
    if pod.spec.hostNetwork:
        raise Deny("hostNetwork is reserved for the namespaces ingress and monitoring")
