import pytest
from policies import (
    name_the_tag,
    tidy_annotations,
    tidy_deployment_labels,
    tidy_pod_labels,
)

from admit import Deployment, Pod


def test_labels_lose_spaces_and_capitals() -> None:
    pod = Pod({"metadata": {"labels": {"app": " Web ", "tier": "front"}}})
    tidy_pod_labels(pod)
    assert pod.metadata.labels == {"app": "web", "tier": "front"}


def test_pods_of_a_controller_keep_the_labels_it_finds_them_by() -> None:
    owners = [{"kind": "ReplicaSet", "name": "web"}]
    pod = Pod({"metadata": {"ownerReferences": owners, "labels": {"app": "Web"}}})
    tidy_pod_labels(pod)
    assert pod.metadata.labels == {"app": "Web"}


def test_selector_and_template_of_a_deployment_change_together() -> None:
    deployment = Deployment(
        {
            "spec": {
                "selector": {"matchLabels": {"app": "Web"}},
                "template": {"metadata": {"labels": {"app": "Web"}}},
            }
        }
    )
    tidy_deployment_labels(deployment)
    assert deployment.spec.selector.matchLabels == {"app": "web"}
    assert deployment.spec.template.metadata.labels == {"app": "web"}


def test_annotations_lose_spaces_at_their_ends() -> None:
    pod = Pod({"metadata": {"annotations": {"note": " two words "}}})
    tidy_annotations(pod)
    assert pod.metadata.annotations == {"note": "two words"}


@pytest.mark.parametrize(
    ("image", "corrected"),
    [
        ("nginx", "nginx:1.29"),
        ("registry.example.com:5000/redis", "registry.example.com:5000/redis:8"),
        ("nginx:1.28", "nginx:1.28"),
        ("nginx@sha256:00", "nginx@sha256:00"),
        ("unknown", "unknown"),
    ],
)
def test_an_image_without_a_tag_gets_one(image: str, corrected: str) -> None:
    told: list[str] = []
    pod = Pod({"spec": {"containers": [{"name": "a", "image": image}]}})
    name_the_tag(pod, told.append)
    assert pod.spec.containers[0].image == corrected
    assert bool(told) == (image in {"nginx", "unknown"} or image.endswith("redis"))
