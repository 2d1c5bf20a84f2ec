"""Labels, annotations and values that are added where they are missing."""

from admit import AdmissionRequest, App, Deployment, Pod

app = App("defaults", domain="example.com")


@app.mutate
def default_labels(pod: Pod) -> None:
    """Every pod says its environment and what manages it."""
    pod.metadata.labels.setdefault("environment", "production")
    pod.metadata.labels.setdefault("app.kubernetes.io/managed-by", "platform")


@app.mutate(operations=["CREATE"])
def note_who_made_it(deployment: Deployment, request: AdmissionRequest) -> None:
    """A deployment remembers who made it, and whom to call."""
    annotations = deployment.metadata.annotations
    annotations["example.com/created-by"] = request.user_info.username
    annotations.setdefault("example.com/contact", "platform@example.com")


# On CREATE only: what a running pod asks for cannot be changed.
@app.mutate(operations=["CREATE"])
def default_resources(pod: Pod) -> None:
    """Containers that ask for nothing get a little, so that nodes do not fill up."""
    for container in pod.spec.containers:
        requests = container.resources.requests
        requests.setdefault("cpu", "100m")
        requests.setdefault("memory", "128Mi")


@app.mutate(operations=["CREATE"])
def default_security(pod: Pod) -> None:
    """Nobody runs as root, or reads the API server's token, without saying so."""
    if pod.spec.securityContext.runAsNonRoot is None:
        pod.spec.securityContext.runAsNonRoot = True
    if pod.spec.automountServiceAccountToken is None:
        pod.spec.automountServiceAccountToken = False
