from typing import Any

import pytest
from policies import (
    has_tag,
    name_the_tag,
    tidy_annotations,
    tidy_deployment_labels,
    tidy_pod_labels,
)

from admit import Deployment, Pod


def pod(image: str | None, name: str = "a") -> Pod:
    return Pod({"spec": {"containers": [{"name": name, "image": image}]}})


def deployment(selector: dict[str, Any], **labels: str) -> Deployment:
    template = {"metadata": {"labels": labels}}
    return Deployment({"spec": {"selector": selector, "template": template}})


def test_labels_lose_spaces_and_those_of_reports_capitals() -> None:
    labels = {"app": " Web ", "team": " Web", "tier": "front"}
    tidied = Pod({"metadata": {"labels": labels}})
    tidy_pod_labels(tidied)
    assert tidied.metadata.labels == {"app": "Web", "team": "web", "tier": "front"}


def test_pods_of_a_controller_keep_the_labels_it_finds_them_by() -> None:
    owners = [{"kind": "ReplicaSet", "name": "web"}]
    owned = Pod({"metadata": {"ownerReferences": owners, "labels": {"team": "Web"}}})
    tidy_pod_labels(owned)
    assert owned.metadata.labels == {"team": "Web"}


def test_a_pod_without_labels_stays_without() -> None:
    bare = Pod({"metadata": {"name": "a"}})
    tidy_pod_labels(bare)
    tidy_annotations(bare)
    assert bare == {"metadata": {"name": "a"}}


def test_selector_and_template_of_a_deployment_stay_in_step() -> None:
    made = deployment({"matchLabels": {"app": " Web "}}, app=" Web ", team="Web")
    tidy_deployment_labels(made, None)
    assert made.spec.selector.matchLabels == {"app": "Web"}
    assert made.spec.template.metadata.labels == {"app": "Web", "team": "web"}


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"team": "Web"}},
        {"matchExpressions": [{"key": "team", "operator": "In", "values": ["Web"]}]},
    ],
)
def test_what_a_selector_names_keeps_its_case(selector: dict[str, Any]) -> None:
    made = deployment(selector, team="Web")
    tidy_deployment_labels(made, None)
    assert made.spec.template.metadata.labels == {"team": "Web"}


def test_a_template_that_stays_the_same_starts_no_pod_again() -> None:
    before = deployment({"matchLabels": {"app": "web"}}, app="web", team="Web")
    after = deployment({"matchLabels": {"app": "web"}}, app="web", team="Web")
    after.metadata.labels["team"] = " Web"
    tidy_deployment_labels(after, before)
    assert after.metadata.labels == {"team": "web"}
    assert after.spec.template.metadata.labels["team"] == "Web"


def test_our_annotations_lose_spaces_at_their_ends() -> None:
    annotations = {"example.com/note": " two words ", "other/note": "a line\n"}
    tidied = Pod({"metadata": {"annotations": annotations}})
    tidy_annotations(tidied)
    assert tidied.metadata.annotations == {
        "example.com/note": "two words",
        "other/note": "a line\n",
    }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", False),
        ("nginx:1.28", True),
        ("nginx@sha256:00", True),
        ("nginx:1.28@sha256:00", True),
        ("host:5000/nginx", False),
        ("host:5000/nginx:1", True),
        ("host:5000/team/nginx@sha256:00", True),
    ],
)
def test_a_port_is_no_tag(image: str, *, expected: bool) -> None:
    assert has_tag(image) is expected


@pytest.mark.parametrize(
    ("image", "corrected", "warnings"),
    [
        ("nginx", "nginx:1.29", ["container a: nginx has no tag, using 1.29"]),
        ("host/nginx", "host/nginx", ["container a: host/nginx has no tag; name one"]),
        ("nginx:1.28", "nginx:1.28", []),
        ("nginx@sha256:00", "nginx@sha256:00", []),
        (None, None, []),
    ],
)
def test_an_image_without_a_tag_gets_the_one_we_support(
    image: str | None, corrected: str | None, warnings: list[str]
) -> None:
    told: list[str] = []
    made = pod(image)
    name_the_tag(made, None, told.append)
    assert made.spec.containers[0].image == corrected
    assert told == warnings


@pytest.mark.parametrize(
    ("before", "after", "corrected"),
    [
        (pod("nginx"), pod("nginx"), "nginx"),
        (pod("nginx:1.28"), pod("nginx"), "nginx:1.29"),
        (pod("nginx", "b"), pod("nginx"), "nginx:1.29"),
    ],
    ids=["runs already", "loses its tag", "another container"],
)
def test_an_update_changes_no_image_that_runs(
    before: Pod, after: Pod, corrected: str
) -> None:
    name_the_tag(after, before, lambda _: None)
    assert after.spec.containers[0].image == corrected
