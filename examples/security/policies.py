"""Pod security: no privileged containers, images from approved registries only."""

from collections.abc import Iterator

from admit import App, Deny, Pod, Warn
from admit.kinds.core_v1 import Container, EphemeralContainer

app = App("security", domain="example.com")

APPROVED = ("registry.example.com", "registry.k8s.io")

# kubectl debug adds containers through a subresource of its own: a policy that looks at
# pods only would not see them.
PODS = ["pods", "pods/ephemeralcontainers"]


def containers_of(pod: Pod) -> Iterator[tuple[str, Container | EphemeralContainer]]:
    """Every container of a pod, with the field it is in."""
    for container in pod.spec.initContainers:
        yield f"initContainers {container.name}", container
    for container in pod.spec.containers:
        yield f"containers {container.name}", container
    for debugger in pod.spec.ephemeralContainers:
        yield f"ephemeralContainers {debugger.name}", debugger


def registry_of(image: str) -> str:
    """The registry of an image: docker.io unless its first part is a host."""
    first, slash, _ = image.partition("/")
    is_host = "." in first or ":" in first or first == "localhost"
    return first if slash and is_host else "docker.io"


@app.validate(resources=PODS)
def no_privileged_containers(pod: Pod) -> Iterator[Deny]:
    """No container runs privileged or lets its processes gain privileges."""
    for where, container in containers_of(pod):
        context = container.securityContext
        if context.privileged:
            yield Deny(f"{where}: privileged containers are not allowed")
        if context.allowPrivilegeEscalation:
            yield Deny(f"{where}: allowPrivilegeEscalation is not allowed")
    for field in ("hostPID", "hostIPC", "hostNetwork"):
        if getattr(pod.spec, field):
            yield Deny(f"{field} is not allowed")


@app.validate(resources=PODS)
def approved_registries(pod: Pod) -> Iterator[Deny]:
    """Images come from the registries that are scanned."""
    for where, container in containers_of(pod):
        registry = registry_of(container.image or "")
        if registry not in APPROVED:
            yield Deny(
                f"{where}: {container.image} comes from {registry}, "
                f"approved are {', '.join(APPROVED)}"
            )


@app.validate
def say_who_runs(pod: Pod, warn: Warn) -> None:
    """Advice, not yet a rule: containers should not run as root."""
    pod_says = pod.spec.securityContext.runAsNonRoot
    for container in pod.spec.containers:
        own = container.securityContext.runAsNonRoot
        if not (pod_says if own is None else own):
            warn(f"container {container.name} may run as root: set runAsNonRoot")
