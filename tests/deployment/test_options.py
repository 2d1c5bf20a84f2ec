from __future__ import annotations

from typing import Any

import pytest

from admit.deployment import DeploymentOptions
from admit.errors import ConfigError


def test_a_release_is_called_like_its_one_app() -> None:
    options = DeploymentOptions().named(["pod-labels"])
    assert (options.name, options.namespace) == ("pod-labels", "admit-pod-labels")
    assert options.secret_name == "pod-labels-tls"


def test_given_names_stay() -> None:
    given = DeploymentOptions(name="guard", namespace="team-a", secret="own")
    assert given.named(["pod-labels", "images"]) == given
    assert given.secret_name == "own"


def test_several_apps_need_a_name() -> None:
    with pytest.raises(ConfigError, match="apps a, b need a name") as caught:
        DeploymentOptions().named(["a", "b"])
    assert caught.value.place == "--name"


@pytest.mark.parametrize("app", ["1st", "a" * 64, "a" * 58])
def test_an_app_whose_name_no_service_can_have_needs_another(app: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a name there") as caught:
        DeploymentOptions().named([app])
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"name": "A"}, "--name"),
        ({"name": "a.b"}, "--name"),
        ({"name": "1a"}, "--name"),
        ({"namespace": "a_b"}, "--namespace"),
        ({"namespace": "a" * 64}, "--namespace"),
        ({"secret": "-"}, "--secret"),
        ({"secret": "a" * 254}, "--secret"),
        ({"priority_class": "High"}, "--priority-class"),
        ({"api_servers": ("10.0.0.1/8",)}, "--api-server"),
        ({"api_servers": ("fd00::/8", "here")}, "--api-server"),
        ({"client_names": ("api",)}, "--client-name"),
        ({"image": ""}, "--image"),
        ({"image": "a b"}, "--image"),
        ({"replicas": 0}, "--replicas"),
        ({"replicas": 3, "max_replicas": 2}, "--max-replicas"),
        ({"certs": "none"}, "--certs"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_option(
    given: dict[str, Any], place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        DeploymentOptions(**given)
    assert caught.value.place == place


def test_names_may_be_as_long_as_kubernetes_takes() -> None:
    DeploymentOptions(name="a" * 63, namespace="1" * 63, secret="a.b", certs="files")
    assert DeploymentOptions().named(["a" * 57]).namespace == "admit-" + "a" * 57
