"""A policy is a function: a test calls it."""

import pytest
from policies import default_environment, require_app_label

from admit import Deny, Pod


def test_a_pod_without_an_app_label_is_refused() -> None:
    with pytest.raises(Deny, match="Pod must have an app label"):
        require_app_label(Pod({"metadata": {"name": "web"}}))


def test_a_pod_with_an_app_label_passes() -> None:
    require_app_label(Pod({"metadata": {"labels": {"app": "web"}}}))


def test_a_pod_without_an_environment_is_in_production() -> None:
    pod = Pod({"metadata": {"name": "web"}})
    default_environment(pod)
    assert pod.metadata.labels == {"environment": "production"}


def test_an_environment_that_was_given_stays() -> None:
    pod = Pod({"metadata": {"labels": {"environment": "test"}}})
    default_environment(pod)
    assert pod.metadata.labels == {"environment": "test"}
