"""The tutorial on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.driving import example, kubectl_apply, pod, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane


@pytest.fixture(scope="module", autouse=True)
def namespaces(cluster: ControlPlane) -> None:
    for name in ("team-a",):
        kind = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.client.apply(kind)


@pytest.fixture(scope="module")
def tutorial(
    cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("tutorial")
    with example(cluster, folder, "tutorial", pod("probe")) as running:
        yield running


DENIED = (
    'admission webhook "validate-pods.pod-labels.example.com" denied the request: '
    "Pod must have an app label [require_app_label]"
)


def test_a_pod_without_an_app_label_is_denied(tutorial: ControlPlane) -> None:
    assert refusal(tutorial, pod("nameless")) == DENIED
    assert kubectl_apply(tutorial, pod("nameless")) == (
        "",
        f'Error from server (Forbidden): error when creating "STDIN": {DENIED}',
    )


@pytest.mark.parametrize(
    ("name", "labels", "stored"),
    [
        ("one-label", {"app": "a"}, {"app": "a", "environment": "production"}),
        (
            "more-labels",
            {"app": "a", "environment": "test", "tier": "web"},
            {"app": "a", "environment": "test", "tier": "web"},
        ),
    ],
)
def test_labels_are_completed_and_kept(
    tutorial: ControlPlane, name: str, labels: dict[str, str], stored: dict[str, str]
) -> None:
    said = kubectl_apply(tutorial, pod(name, metadata={"labels": labels}))
    assert said == (f"pod/{name} created", "")
    path = f"/api/v1/namespaces/team-a/pods/{name}"
    assert tutorial.client.get(path)["metadata"]["labels"] == stored


def test_a_pod_is_updated_and_deleted(tutorial: ControlPlane) -> None:
    made = tutorial.client.create(pod("changing", metadata={"labels": {"app": "a"}}))
    on_it = ("pod", "changing", "-n", "team-a")
    assert "labeled" in tutorial.kubectl("label", *on_it, "tier=web").stdout
    denied = tutorial.kubectl("label", *on_it, "app-")
    assert denied.stderr.strip() == f"Error from server (Forbidden): {DENIED}"
    made = tutorial.client.get(made)
    made["metadata"]["labels"]["tier"] = "db"
    assert tutorial.client.update(made)["metadata"]["labels"]["tier"] == "db"
    deleted = tutorial.kubectl("delete", *on_it, "--grace-period=0", "--force")
    assert 'pod "changing" force deleted' in deleted.stdout


def test_a_dry_run_is_answered_and_leaves_nothing(tutorial: ControlPlane) -> None:
    dry = pod("dry", metadata={"labels": {"app": "a"}})
    out, _ = kubectl_apply(tutorial, dry, "--dry-run=server", "-o", "yaml")
    assert yaml.safe_load(out)["metadata"]["labels"]["environment"] == "production"
    _, refused = kubectl_apply(tutorial, pod("dry"), "--dry-run=server")
    assert refused.endswith(DENIED)
    gone = tutorial.kubectl("get", "pod", "dry", "-n", "team-a")
    assert "NotFound" in gone.stderr
