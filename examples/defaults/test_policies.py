from policies import (
    default_labels,
    default_resources,
    default_security,
    note_who_made_it,
)

from admit import AdmissionRequest, Deployment, Pod
from admit.review import UserInfo


def test_labels_are_added_where_they_are_missing() -> None:
    pod = Pod({"metadata": {"labels": {"environment": "test"}}})
    default_labels(pod)
    assert pod.metadata.labels == {
        "environment": "test",
        "app.kubernetes.io/managed-by": "platform",
    }


def test_a_deployment_remembers_who_made_it() -> None:
    request = AdmissionRequest(
        uid="1", operation="CREATE", user_info=UserInfo(username="ada")
    )
    deployment = Deployment({})
    note_who_made_it(deployment, request)
    assert deployment.metadata.annotations["example.com/created-by"] == "ada"


def test_what_a_container_asks_for_stays() -> None:
    containers = [{"name": "a", "resources": {"requests": {"cpu": "2"}}}, {"name": "b"}]
    pod = Pod({"spec": {"containers": containers}})
    default_resources(pod)
    asked = [container.resources.requests for container in pod.spec.containers]
    assert asked == [
        {"cpu": "2", "memory": "128Mi"},
        {"cpu": "100m", "memory": "128Mi"},
    ]


def test_what_a_pod_says_about_security_stays() -> None:
    pod = Pod({"spec": {"securityContext": {"runAsNonRoot": False}}})
    default_security(pod)
    assert pod.spec.securityContext.runAsNonRoot is False
    assert pod.spec.automountServiceAccountToken is False
