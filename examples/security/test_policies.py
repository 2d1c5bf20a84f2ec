from typing import Any

import pytest
from policies import (
    approved_registries,
    no_privileged_containers,
    registry_of,
    say_who_runs,
)

from admit import Pod

OURS = "registry.example.com/web:1"


def pod(field: str = "containers", **container: Any) -> Pod:
    return Pod({"spec": {field: [{"name": "a", "image": OURS, **container}]}})


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx", "docker.io"),
        ("nginx:1.29", "docker.io"),
        ("library/nginx", "docker.io"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io"),
        ("localhost/a", "localhost"),
        ("host:5000/a/b@sha256:00", "host:5000"),
        ("", "docker.io"),
    ],
)
def test_the_registry_of_an_image(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize(
    "field", ["initContainers", "containers", "ephemeralContainers"]
)
def test_no_kind_of_container_is_privileged(field: str) -> None:
    bad = pod(field, securityContext={"privileged": True})
    assert [deny.message for deny in no_privileged_containers(bad)] == [
        f"{field} a: privileged containers are not allowed"
    ]
    assert list(no_privileged_containers(pod(field))) == []


def test_every_reason_is_told_at_once() -> None:
    bad = pod(securityContext={"privileged": True, "allowPrivilegeEscalation": True})
    bad.spec.hostPID = True
    assert len(list(no_privileged_containers(bad))) == 3


@pytest.mark.parametrize(
    "field", ["initContainers", "containers", "ephemeralContainers"]
)
def test_images_come_from_approved_registries(field: str) -> None:
    (deny,) = approved_registries(pod(field, image="quay.io/a/b:1"))
    assert "comes from quay.io" in deny.message
    assert list(approved_registries(pod(field))) == []


def test_a_container_may_say_otherwise_than_its_pod() -> None:
    told: list[str] = []
    good = pod()
    good.spec.securityContext.runAsNonRoot = True
    say_who_runs(good, told.append)
    assert told == []
    good.spec.containers[0].securityContext.runAsNonRoot = False
    say_who_runs(good, told.append)
    assert told == ["container a may run as root: set runAsNonRoot"]
