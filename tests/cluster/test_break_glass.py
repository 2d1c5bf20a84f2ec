"""Break glass on a real API server: out of the way, and back exactly as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admit.break_glass import ANNOTATION
from admit.errors import ClusterError
from admit.rescue.backup import name_of, strip
from admit.testing import ControlPlane
from tests.commands import invoke
from tests.rescue.configurations import configurations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

EACH, EXAMPLES = 10, 20  # 200 configurations

VALIDATING = "ValidatingWebhookConfiguration"
API_VERSION = "admissionregistration.k8s.io/v1"

# Nobody listens on port 1: every call is refused at once.
DEAD: dict[str, Any] = {
    "apiVersion": API_VERSION,
    "kind": VALIDATING,
    "metadata": {"name": "dead"},
    "webhooks": [
        {
            "name": "dead.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "rules": [
                {
                    "operations": ["*"],
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["configmaps"],
                }
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
    ],
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    """An API server of our own: what is registered here blocks the others' writes."""
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(autouse=True)
def _clean(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Work in a folder of our own; leave nothing registered and no backup."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    yield
    remove_all(cluster)
    cluster.kubectl(
        *("delete", "configmaps", "-n", "kube-system", "-l", "admit.internal/backup")
    )


def live(cluster: ControlPlane) -> dict[str, dict[str, Any]]:
    """Return what is registered, without what only a living object has."""
    found = {}
    for kind in ("Mutating", "Validating"):
        items = cluster.client.list(API_VERSION, f"{kind}WebhookConfiguration")
        for item in items:
            about = {"apiVersion": API_VERSION, "kind": f"{kind}WebhookConfiguration"}
            one = strip({**about, **item})
            found[name_of(one)] = one
    return found


def remove_all(cluster: ControlPlane) -> None:
    for one in live(cluster).values():
        cluster.client.delete(one)


def admit(*arguments: object) -> Result:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


def can_create(cluster: ControlPlane, name: str = "probe") -> bool:
    metadata = {"name": name, "namespace": "default"}
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    try:
        cluster.client.create(probe, dry_run=True)
    except ClusterError:
        return False
    return True


def wait(cluster: ControlPlane, *, created: bool) -> None:
    """Wait until the API server has seen a change: it watches configurations."""
    deadline = time.monotonic() + 20
    while can_create(cluster) is not created:
        assert time.monotonic() < deadline, f"still not {created=}"
        time.sleep(0.1)


def backup_file(tmp_path: Path) -> Path:
    (file,) = tmp_path.glob("webhooks-*.yaml")
    return file


def test_a_dead_webhook_is_opened_and_closed(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(DEAD)
    before = live(cluster)
    wait(cluster, created=False)

    opened = admit(
        *("failopen", "--matching", "configmaps", "--for", "30m", "--yes"),
        *("--reason", "nobody answers"),
    )
    wait(cluster, created=True)
    assert 'webhooks[dead.example.com].failurePolicy: "Fail" -> "Ignore"' in (
        opened.output
    )
    assert "Opened 1 webhook configuration until 20" in opened.output
    # The backup got into the cluster although its own webhook refused it at first.
    assert "z-failopen\n" in opened.output

    (one,) = live(cluster).values()
    note = json.loads(one["metadata"]["annotations"][ANNOTATION])
    assert note["reason"] == "nobody answers"
    assert note["former"] == [
        {"webhook": "dead.example.com", "field": "failurePolicy", "value": "Fail"}
    ]

    restored = admit("restore", "--yes")
    assert "Restored 1 webhook configuration." in restored.output
    assert live(cluster) == before
    wait(cluster, created=False)
    assert "Nothing to restore." in admit("restore", "--yes").output
    assert backup_file(tmp_path).is_file()


def test_a_dead_webhook_is_scoped_out(cluster: ControlPlane) -> None:
    cluster.client.create(DEAD)
    before = live(cluster)
    wait(cluster, created=False)
    admit("disable", "dead", "--scope-out", "--reason", "x", "--yes")
    wait(cluster, created=True)
    admit("restore", "dead", "--yes")
    assert live(cluster) == before


def test_a_deleted_one_comes_back_from_the_cluster(cluster: ControlPlane) -> None:
    system = {"key": "kubernetes.io/metadata.name", "operator": "NotIn"}
    selector = {"matchExpressions": [{**system, "values": ["kube-system"]}]}
    entry = {**DEAD["webhooks"][0], "namespaceSelector": selector}
    cluster.client.create({**DEAD, "webhooks": [entry]})
    before = live(cluster)
    wait(cluster, created=False)
    done = admit("disable", "dead", "--reason", "x", "--yes")
    assert "delete ValidatingWebhookConfiguration/dead" in done.output
    wait(cluster, created=True)
    assert live(cluster) == {}

    assert "create Valid" in admit("restore", "--yes").output
    assert live(cluster) == before
    # What is deleted after that is meant to be gone.
    remove_all(cluster)
    assert "Nothing to restore." in admit("restore", "--yes").output


SEEN: list[str] = []


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(configurations(), min_size=EACH, max_size=EACH, unique_by=name_of))
def check_the_way_back(
    cluster: ControlPlane, tmp_path: Path, many: list[dict[str, Any]]
) -> None:
    remove_all(cluster)
    for one in many:
        cluster.client.create(one)
    before = live(cluster)
    file = tmp_path / f"{len(SEEN)}.yaml"
    admit("disable", "--all", "--reason", "x", "--yes", "--file", file)
    assert live(cluster) == {}
    admit("restore", "--from", file, "--yes")
    after = live(cluster)
    assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True)
    SEEN.extend(after)


def test_deleted_and_restored_they_are_equal_byte_for_byte(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    check_the_way_back(cluster, tmp_path)
    print(f"{len(SEEN)} configurations deleted and restored, all equal")
    assert len(SEEN) >= EACH * EXAMPLES


def test_kubectl_alone_can_restore_a_backup(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(DEAD)
    before = live(cluster)
    admit("backup", "--reason", "upgrade")
    remove_all(cluster)
    cluster.kubectl("create", "-f", str(backup_file(tmp_path)))
    assert live(cluster) == before


def test_what_others_edited_stays_unless_a_backup_is_named(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(DEAD)
    before = live(cluster)
    admit("failopen", "dead", "--reason", "x", "--yes")
    change = {"webhooks": [{"name": "dead.example.com", "timeoutSeconds": 3}]}
    patch = ("patch", f"{VALIDATING.lower()}s", "dead", "-p", json.dumps(change))
    cluster.kubectl(*patch)

    admit("restore", "--yes")
    (entry,) = live(cluster)[f"{VALIDATING}/dead"]["webhooks"]
    assert (entry["failurePolicy"], entry["timeoutSeconds"]) == ("Fail", 3)

    shown = admit("restore", "--from", backup_file(tmp_path), "--yes")
    assert "webhooks[dead.example.com].timeoutSeconds: 3 -> 10" in shown.output
    assert live(cluster) == before


def test_a_dry_run_changes_nothing(cluster: ControlPlane, tmp_path: Path) -> None:
    cluster.client.create(DEAD)
    before = live(cluster)
    for command in (("failopen",), ("disable",), ("disable", "--scope-out")):
        shown = admit(*command, "--all", "--reason", "x", "--dry-run")
        assert "(dry run)" in shown.output
    assert live(cluster) == before
    assert list(tmp_path.glob("webhooks-*")) == []


def test_a_switch_that_flux_documents_is_set_and_taken_back(
    cluster: ControlPlane,
) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    cluster.client.create({**DEAD, "metadata": {"name": "dead", "labels": labels}})
    before = live(cluster)
    admit("failopen", "--vendor", "flux", "--reason", "x", "--yes")
    (one,) = live(cluster).values()
    switch = one["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/reconcile"]
    assert switch == "disabled"
    admit("restore", "--yes")
    assert live(cluster) == before


def test_one_that_its_controller_heals_is_told(cluster: ControlPlane) -> None:
    cluster.client.create({**DEAD, "metadata": {"name": "kyverno-cfg"}})
    told = admit("failopen", "--vendor", "kyverno", "--reason", "x", "--yes")
    assert "scale deployment kyverno-admission-controller" in told.output


def test_a_backup_edited_by_hand_is_refused(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(DEAD)
    admit("backup")
    file = backup_file(tmp_path)
    file.write_text(file.read_text().replace("timeoutSeconds: 10", "timeoutSeconds: 9"))
    refused = invoke("restore", "--from", file, "--yes")
    assert refused.exit_code == 2
    assert f"edited since it was taken: {VALIDATING}/dead" in refused.output
    shown = admit("restore", "--from", file, "--force", "--dry-run")
    assert "timeoutSeconds: 10 -> 9" in shown.output


def test_a_backup_of_another_cluster_is_refused(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(DEAD)
    admit("backup")
    file = backup_file(tmp_path)
    document = yaml.safe_load(file.read_text())
    document["admit"]["cluster"] = "1-2-3"
    file.write_text(yaml.safe_dump(document))
    refused = invoke("restore", "--from", file, "--yes")
    assert refused.exit_code == 2
    assert "the backup is of another cluster (https://" in refused.output
    admit("restore", "--from", file, "--force", "--yes")


def test_nothing_is_done_unasked(cluster: ControlPlane, tmp_path: Path) -> None:
    cluster.client.create(DEAD)
    before = live(cluster)
    refused = invoke("disable", "dead", "--reason", "x")
    assert refused.exit_code == 2
    assert "--yes does it unasked" in refused.output
    assert live(cluster) == before
    assert list(tmp_path.glob("webhooks-*")) == []


def test_an_existing_file_is_kept_and_nothing_is_done(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    cluster.client.create(DEAD)
    file = tmp_path / "mine.yaml"
    file.write_text("precious")
    refused = invoke("disable", "dead", "--reason", "x", "--yes", "--file", file)
    assert refused.exit_code == 2
    assert "nothing was changed" in refused.output
    assert file.read_text() == "precious"
    assert f"{VALIDATING}/dead" in live(cluster)


def test_killed_halfway_nothing_is_lost(cluster: ControlPlane, tmp_path: Path) -> None:
    for number in range(40):
        cluster.client.create({**DEAD, "metadata": {"name": f"dead-{number:02}"}})
    before = live(cluster)
    file = tmp_path / "all.yaml"
    killed = subprocess.Popen(
        [
            *(sys.executable, "-m", "admit", "disable", "--all", "--yes"),
            *("--reason", "x", "--file", str(file)),
        ],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        stdout=subprocess.DEVNULL,
    )
    while len(live(cluster)) == len(before) and killed.poll() is None:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    left = len(live(cluster))
    print(f"killed with {left} of {len(before)} left")
    assert left < len(before)
    admit("restore", "--from", file, "--yes")
    assert live(cluster) == before


def test_a_stranger_is_told_which_right_is_missing(
    cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.client.create(DEAD)
    stranger = cluster.add_user("stranger")
    monkeypatch.setenv("KUBECONFIG", str(stranger.kubeconfig))
    refused = invoke("failopen", "dead", "--reason", "x", "--yes")
    assert refused.exit_code == 3
    assert 'cannot list resource "mutatingwebhookconfigurations"' in refused.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("failopen", "--reason", "x"), "which configurations?"),
        (("failopen", "ded", "--reason", "x"), "hint: dead?"),
        (("failopen", "dead"), "Missing option '--reason'"),
        (("failopen", "dead", "--reason", "x", "--for", "soon"), "such as 30m"),
        (("disable", "--matching", "pood", "--reason", "x"), "hint: pods?"),
        (
            ("disable", "--matching", "leases.coordination.k8s.io", "--reason", "x"),
            "no webhook configuration is meant",
        ),
        (("restore", "--from", "configmap/none"), "no configmap none in kube-system"),
        (("restore", "--from", "none.yaml"), "none.yaml"),
    ],
)
def test_wrong_use_says_what_to_type(
    cluster: ControlPlane, arguments: tuple[str, ...], message: str
) -> None:
    cluster.client.create(DEAD)
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert message in refused.output
