"""Pod security: no privileged containers, images from approved registries only."""

from collections.abc import Iterator

from admit import App, Audit, Deny, Pod
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


def images_of(pod: Pod) -> Iterator[tuple[str, str]]:
    """Every image that is pulled for a pod: a volume may be one too."""
    for where, container in containers_of(pod):
        yield where, container.image or ""
    for volume in pod.spec.volumes:
        if volume.image:
            yield f"volumes {volume.name}", volume.image.reference or ""


def registry_of(image: str) -> str:
    """The registry of an image: docker.io unless its first part is a host."""
    first, slash, _ = image.partition("/")
    is_host = "." in first or ":" in first or first == "localhost"
    return first if slash and is_host else "docker.io"


@app.validate(resources=PODS)
def no_privileged_containers(pod: Pod) -> Iterator[Deny]:
    """No container runs privileged."""
    for where, container in containers_of(pod):
        if container.securityContext.privileged:
            yield Deny(f"{where}: privileged containers are not allowed")


@app.validate
def no_host_namespaces(pod: Pod) -> Iterator[Deny]:
    """No pod shares the node's processes, memory or network."""
    for field in ("hostPID", "hostIPC", "hostNetwork"):
        if getattr(pod.spec, field):
            yield Deny(f"{field} is not allowed")


@app.validate(resources=PODS)
def approved_registries(pod: Pod, audit: Audit) -> Iterator[Deny]:
    """Images come from registries that are scanned; the audit log says from which."""
    images = [(where, image, registry_of(image)) for where, image in images_of(pod)]
    audit("registries", ", ".join(sorted({registry for _, _, registry in images})))
    for where, image, registry in images:
        if registry not in APPROVED:
            yield Deny(
                f"{where}: {image} comes from {registry}, "
                f"approved are {', '.join(APPROVED)}"
            )


# Not yet a rule: it warns until everybody has had time. `--mode run_as_non_root=enforce`
# turns it on without a change of code.
@app.validate(mode="warn")
def run_as_non_root(pod: Pod) -> Iterator[Deny]:
    """Containers do not run as root."""
    pod_says = pod.spec.securityContext.runAsNonRoot
    for container in [*pod.spec.initContainers, *pod.spec.containers]:
        own = container.securityContext.runAsNonRoot
        if not (pod_says if own is None else own):
            yield Deny(f"container {container.name} may run as root: set runAsNonRoot")
