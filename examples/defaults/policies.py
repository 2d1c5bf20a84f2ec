"""Labels, annotations and values that are added where they are missing."""

from admit import AdmissionRequest, App, Deployment, Pod
from admit.kinds.core_v1 import Container

app = App("defaults", domain="example.com")

# What a container asks for that says nothing.
REQUESTS = {"cpu": "100m", "memory": "128Mi"}


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


def containers_of(pod: Pod) -> list[Container]:
    """The containers that a pod starts with."""
    return [*pod.spec.initContainers, *pod.spec.containers]


# From here on CREATE only: of a running pod these cannot be changed.
@app.mutate(operations=["CREATE"])
def default_requests(pod: Pod) -> None:
    """Containers that ask for nothing get a little, so that nodes do not fill up."""
    if pod.spec.resources:
        return  # the pod asks as a whole
    for container in containers_of(pod):
        resources = container.resources
        for name, amount in REQUESTS.items():
            # Where there is a limit only, the API server makes it the request too.
            if name not in resources.limits:
                resources.requests.setdefault(name, amount)


@app.mutate(operations=["CREATE"])
def default_security(pod: Pod) -> None:
    """Nobody runs as root, or with every system call, without saying so."""
    if pod.spec.os.name == "windows":
        return  # knows neither
    context = pod.spec.securityContext
    says_root = context.runAsUser == 0 or any(
        container.securityContext.runAsUser == 0 for container in containers_of(pod)
    )
    if context.runAsNonRoot is None and not says_root:
        context.runAsNonRoot = True
    if not context.seccompProfile:
        context.seccompProfile = {"type": "RuntimeDefault"}
