"""Small mistakes put right, and said so."""

from collections.abc import Collection

from admit import App, Deployment, Map, Pod, Warn
from admit.kinds.core_v1 import Container

app = App("corrections", domain="example.com")

# Labels that reports count by. In others the case matters: services and controllers find
# their pods by them.
LOWER_CASE = ("environment", "team")

# Annotations that are ours; of others, spaces at the end may be meant.
OURS = "example.com/"

# What an image without a tag means here: latest is another image every week.
TAGS = {"nginx": "1.29", "redis": "8", "registry.example.com/web": "1.4"}


def tidy(labels: Map[str], *, selected_by: Collection[str] = ()) -> None:
    """Label values without stray spaces, and some of them in lower case."""
    for key, value in labels.items():
        keeps_case = key not in LOWER_CASE or key in selected_by
        labels[key] = value.strip() if keeps_case else value.strip().lower()


@app.mutate
def tidy_pod_labels(pod: Pod) -> None:
    """Labels of pods that somebody made by hand.

    A controller finds its pods by their labels: those of its pods stay as they are, or
    it would make new ones for ever.
    """
    if not pod.metadata.ownerReferences:
        tidy(pod.metadata.labels)


@app.mutate
def tidy_deployment_labels(deployment: Deployment, old: Deployment | None) -> None:
    """Labels of deployments and of their pods.

    What the selector names keeps its case, because a selector cannot be changed. A
    template that did not change stays: a new one would start every pod again.
    """
    tidy(deployment.metadata.labels)
    template = deployment.spec.template
    if old is None or template != old.spec.template:
        selector = deployment.spec.selector
        used = {*selector.matchLabels}
        used |= {term.key or "" for term in selector.matchExpressions}
        tidy(selector.matchLabels, selected_by=used)
        tidy(template.metadata.labels, selected_by=used)


@app.mutate
def tidy_annotations(pod: Pod) -> None:
    """Our annotations without spaces at their ends."""
    for key, value in pod.metadata.annotations.items():
        if key.startswith(OURS):
            pod.metadata.annotations[key] = value.strip()


def containers_of(pod: Pod) -> list[Container]:
    """The containers that a pod starts with."""
    return [*pod.spec.initContainers, *pod.spec.containers]


def has_tag(image: str) -> bool:
    """Whether an image says which: by tag or digest. A registry may have a port."""
    name = image.rpartition("/")[2]
    return ":" in name or "@" in name


@app.mutate
def name_the_tag(pod: Pod, old: Pod | None, warn: Warn) -> None:
    """An image without a tag gets the one we support; what runs already stays."""
    running = {c.name: c.image for c in containers_of(old)} if old else {}
    for container in containers_of(pod):
        image = container.image
        if not image or has_tag(image) or running.get(container.name) == image:
            continue
        tag = TAGS.get(image)
        if tag:
            container.image = f"{image}:{tag}"
            warn(f"container {container.name}: {image} has no tag, using {tag}")
        else:
            warn(f"container {container.name}: {image} has no tag; name one")
