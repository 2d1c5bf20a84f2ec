"""Small mistakes put right, and said so."""

from admit import App, Deployment, Map, Pod, Warn

app = App("corrections", domain="example.com")

# What an image without a tag means here: latest is a different image every week.
TAGS = {"nginx": "1.29", "postgres": "18", "redis": "8"}


def tidy_labels(labels: Map[str]) -> None:
    """Label values without stray spaces and in lower case."""
    for key, value in labels.items():
        labels[key] = value.strip().lower()


@app.mutate(operations=["CREATE"])
def tidy_pod_labels(pod: Pod) -> None:
    """Labels of pods that somebody made by hand.

    A controller finds its pods by their labels: those of its pods stay as they are, or
    it would make new ones for ever.
    """
    if not pod.metadata.ownerReferences:
        tidy_labels(pod.metadata.labels)


@app.mutate(operations=["CREATE"])
def tidy_deployment_labels(deployment: Deployment) -> None:
    """Labels of deployments; selector and template change together."""
    tidy_labels(deployment.metadata.labels)
    tidy_labels(deployment.spec.selector.matchLabels)
    tidy_labels(deployment.spec.template.metadata.labels)


@app.mutate
def tidy_annotations(pod: Pod) -> None:
    """Annotations without spaces at their ends."""
    for key, value in pod.metadata.annotations.items():
        pod.metadata.annotations[key] = value.strip()


@app.mutate(operations=["CREATE"])
def name_the_tag(pod: Pod, warn: Warn) -> None:
    """An image without a tag gets the one we support."""
    for container in [*pod.spec.initContainers, *pod.spec.containers]:
        image = container.image or ""
        name = image.rpartition("/")[2]
        if ":" in name or "@" in name:
            continue
        if name in TAGS:
            container.image = f"{image}:{TAGS[name]}"
            warn(f"container {container.name}: {image} has no tag, using {TAGS[name]}")
        else:
            warn(f"container {container.name}: {image} has no tag; name one")
