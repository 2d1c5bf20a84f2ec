from typing import Any

import pytest
from policies import (
    default_labels,
    default_requests,
    default_security,
    note_who_made_it,
)

from admit import AdmissionRequest, Deployment, Pod
from admit.review import UserInfo

ADA = AdmissionRequest(uid="1", operation="CREATE", user_info=UserInfo(username="ada"))
LITTLE = {"cpu": "100m", "memory": "128Mi"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, {"environment": "production"}),
        ({}, {"environment": "production"}),
        ({"app": "a"}, {"app": "a", "environment": "production"}),
        ({"environment": "test"}, {"environment": "test"}),
    ],
)
def test_labels_are_added_where_they_are_missing(
    labels: dict[str, str] | None, expected: dict[str, str]
) -> None:
    pod = Pod({"metadata": {"labels": labels} if labels is not None else {}})
    default_labels(pod)
    managed = {"app.kubernetes.io/managed-by": "platform"}
    assert pod.metadata.labels == {**expected, **managed}


def test_a_deployment_remembers_who_made_it() -> None:
    forged = {"example.com/created-by": "eve", "example.com/contact": "web@example.com"}
    for annotations, contact in (
        ({}, "platform@example.com"),
        (forged, "web@example.com"),
    ):
        deployment = Deployment({"metadata": {"annotations": annotations}})
        note_who_made_it(deployment, ADA)
        assert deployment.metadata.annotations == {
            "example.com/created-by": "ada",
            "example.com/contact": contact,
        }


@pytest.mark.parametrize(
    ("resources", "requests"),
    [
        ({}, LITTLE),
        ({"requests": {"cpu": "2"}}, {"cpu": "2", "memory": "128Mi"}),
        # More than a limit would be refused.
        ({"limits": {"memory": "64Mi"}}, {"cpu": "100m"}),
    ],
)
@pytest.mark.parametrize("field", ["initContainers", "containers"])
def test_what_a_container_asks_for_stays(
    field: str, resources: dict[str, Any], requests: dict[str, str]
) -> None:
    pod = Pod({"spec": {field: [{"name": "a", "resources": resources}]}})
    default_requests(pod)
    assert pod["spec"][field][0]["resources"]["requests"] == requests


def test_a_pod_that_asks_as_a_whole_is_left_alone() -> None:
    spec = {"resources": {"requests": {"cpu": "1"}}, "containers": [{"name": "a"}]}
    pod = Pod({"spec": spec})
    default_requests(pod)
    assert pod.spec.containers[0] == {"name": "a"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, True),
        ({"securityContext": {"runAsNonRoot": False}}, False),
        ({"securityContext": {"runAsUser": 0}}, None),
        ({"containers": [{"name": "a", "securityContext": {"runAsUser": 0}}]}, None),
        ({"containers": [{"name": "a", "securityContext": {"runAsUser": 9}}]}, True),
    ],
)
def test_who_says_root_may_be_root(
    spec: dict[str, Any], *, expected: bool | None
) -> None:
    pod = Pod({"spec": spec})
    default_security(pod)
    assert pod.spec.securityContext.runAsNonRoot is expected
    assert pod.spec.securityContext.seccompProfile.type == "RuntimeDefault"


def test_a_seccomp_profile_that_was_given_stays() -> None:
    given = {"seccompProfile": {"type": "Unconfined"}}
    pod = Pod({"spec": {"securityContext": given}})
    default_security(pod)
    assert pod.spec.securityContext.seccompProfile.type == "Unconfined"


def test_windows_knows_neither() -> None:
    pod = Pod({"spec": {"os": {"name": "windows"}}})
    default_security(pod)
    assert pod == {"spec": {"os": {"name": "windows"}}}
