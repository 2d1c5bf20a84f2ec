"""`admit uninstall` on the real API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks.dialect import dump_yaml
from tests.commands import POLICIES, invoke, write

if TYPE_CHECKING:
    from pathlib import Path

    from admit.testing import ControlPlane

Object = dict[str, Any]


def install(cluster: ControlPlane, source: Path, *options: str) -> list[Object]:
    printed = invoke("manifests", source, *options, "-o", "json")
    assert printed.exit_code == 0, printed.output
    objects: list[Object] = json.loads(printed.stdout)["items"]
    done = cluster.kubectl("apply", "-f", "-", input=dump_yaml(objects))
    assert done.returncode == 0, done.stderr
    return objects


def uninstall(cluster: ControlPlane, source: Path, *options: str) -> tuple[int, Object]:
    where = ("--kubeconfig", str(cluster.kubeconfig))
    result = invoke("uninstall", source, *options, *where, "-o", "json")
    return result.exit_code, json.loads(result.stdout)


def is_there(cluster: ControlPlane, manifest: Object) -> bool:
    metadata = manifest["metadata"]
    namespace = ("-n", metadata["namespace"]) if "namespace" in metadata else ()
    found = cluster.kubectl(
        *("get", manifest["kind"], metadata["name"], *namespace),
        *("--ignore-not-found", "-o", "json"),
    )
    assert found.returncode == 0, found.stderr
    # Nobody empties a namespace here; one that is being deleted is on its way.
    return bool(found.stdout) and (
        "deletionTimestamp" not in json.loads(found.stdout)["metadata"]
    )


def policies(folder: Path, name: str) -> Path:
    text = POLICIES.replace('"pod-labels"', f'"{name}"')
    return write(folder / name / "policies.py", text)


def test_nothing_of_a_release_is_left_and_another_one_stays(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    one, other = policies(tmp_path, "leaves"), policies(tmp_path, "stays")
    objects, others = install(cluster, one), install(cluster, other)
    try:
        assert uninstall(cluster, one, "--dry-run")[0] == 0
        assert all(is_there(cluster, manifest) for manifest in objects)
        code, report = uninstall(cluster, one)
        assert code == 0, report
        assert not any(is_there(cluster, manifest) for manifest in objects)
        assert all(is_there(cluster, manifest) for manifest in others)
        kinds = [each["object"].partition("/")[0] for each in report["removed"]]
        first = [kind.endswith("WebhookConfiguration") for kind in kinds].index(True)
        assert kinds[:first] == ["ClusterRoleBinding"]
        assert kinds.index("Deployment") > first + 1
    finally:
        assert uninstall(cluster, other)[0] == 0


def test_what_only_has_the_name_stays(cluster: ControlPlane, tmp_path: Path) -> None:
    source = policies(tmp_path, "claimed")
    printed = invoke("manifests", source, "-o", "json")
    objects = json.loads(printed.stdout)["items"]
    namespace = {**objects[0], "metadata": {"name": objects[0]["metadata"]["name"]}}
    configuration = objects[-1]
    for webhook in configuration["webhooks"]:
        webhook["clientConfig"]["service"]["name"] = "another"
    strangers = [namespace, configuration]
    text = dump_yaml(strangers)
    assert cluster.kubectl("apply", "-f", "-", input=text).returncode == 0
    try:
        code, report = uninstall(cluster, source)
        assert code == 0
        foreign = [
            each["object"] for each in report["removed"] if each["outcome"] == "foreign"
        ]
        names = [f"{one['kind']}/{one['metadata']['name']}" for one in strangers]
        assert set(foreign) == set(names)
        assert all(is_there(cluster, manifest) for manifest in strangers)
    finally:
        cluster.kubectl("delete", "--wait=false", "-f", "-", input=text)


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_cluster_that_does_not_answer_changes_nothing(
    tmp_path: Path, output: str
) -> None:
    kubeconfig = write(
        tmp_path / "config",
        """
        apiVersion: v1
        kind: Config
        clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
        contexts: [{name: c, context: {cluster: c, user: u}}]
        users: [{name: u, user: {}}]
        current-context: c
        """,
    )
    source = policies(tmp_path, "away")
    result = invoke("uninstall", source, "--kubeconfig", kubeconfig, "-o", output)
    assert result.exit_code == 3
    assert "failed" in result.stdout
    assert "no answer from http://127.0.0.1:9" in result.stdout
    assert "WebhookConfiguration" not in result.stdout
