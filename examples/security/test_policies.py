from typing import Any

import pytest
from policies import (
    approved_registries,
    no_host_namespaces,
    no_privileged_containers,
    registry_of,
    run_as_non_root,
)

from admit import Pod

OURS = "registry.example.com/web:1"
LISTS = ["initContainers", "containers", "ephemeralContainers"]


def pod(field: str = "containers", **container: Any) -> Pod:
    return Pod({"spec": {field: [{"name": "a", "image": OURS, **container}]}})


def unapproved(pod: Pod) -> tuple[list[str], dict[str, str]]:
    told: dict[str, str] = {}
    denials = [deny.message for deny in approved_registries(pod, told.__setitem__)]
    return denials, told


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx", "docker.io"),
        ("nginx:1.29", "docker.io"),
        ("library/nginx", "docker.io"),
        ("docker.io/library/nginx", "docker.io"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io"),
        ("registry.k8s.io", "docker.io"),  # no slash: the name of an image
        ("registry.k8s.io:5000/pause", "registry.k8s.io:5000"),
        ("registry.k8s.io.example.net/pause", "registry.k8s.io.example.net"),
        ("localhost/a", "localhost"),
        ("host:5000/a/b@sha256:00", "host:5000"),
        ("", "docker.io"),
    ],
)
def test_the_registry_of_an_image(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize("field", LISTS)
def test_no_kind_of_container_is_privileged(field: str) -> None:
    bad = pod(field, securityContext={"privileged": True})
    assert [deny.message for deny in no_privileged_containers(bad)] == [
        f"{field} a: privileged containers are not allowed"
    ]


@pytest.mark.parametrize("field", LISTS)
@pytest.mark.parametrize("container", [{}, {"securityContext": {"privileged": False}}])
def test_containers_that_are_not_privileged_pass(
    field: str, container: dict[str, Any]
) -> None:
    assert list(no_privileged_containers(pod(field, **container))) == []


def test_every_reason_is_told_at_once() -> None:
    bad = pod()
    bad.spec.hostPID = bad.spec.hostNetwork = True
    assert [deny.message for deny in no_host_namespaces(bad)] == [
        "hostPID is not allowed",
        "hostNetwork is not allowed",
    ]


@pytest.mark.parametrize("field", LISTS)
def test_images_come_from_approved_registries(field: str) -> None:
    (message,), _ = unapproved(pod(field, image="quay.io/a/b:1"))
    assert message == (
        f"{field} a: quay.io/a/b:1 comes from quay.io, "
        "approved are registry.example.com, registry.k8s.io"
    )
    assert unapproved(pod(field)) == ([], {"registries": "registry.example.com"})


def test_a_volume_may_be_an_image() -> None:
    bad = pod()
    bad.spec.volumes = [{"name": "v", "image": {"reference": "quay.io/a"}}]
    (message,), told = unapproved(bad)
    assert message.startswith("volumes v: quay.io/a comes from quay.io")
    assert told == {"registries": "quay.io, registry.example.com"}


@pytest.mark.parametrize(
    ("pod_says", "container_says", "is_told"),
    [
        (None, None, True),
        (True, None, False),
        (None, True, False),
        (True, False, True),
        (False, True, False),
    ],
)
def test_a_container_may_say_otherwise_than_its_pod(
    *, pod_says: bool | None, container_says: bool | None, is_told: bool
) -> None:
    made = pod()
    made.spec.securityContext.runAsNonRoot = pod_says
    made.spec.containers[0].securityContext.runAsNonRoot = container_says
    assert [deny.message for deny in run_as_non_root(made)] == (
        ["container a may run as root: set runAsNonRoot"] if is_told else []
    )
