"""`admit install` and `admit diff` on the real API server; no kubelet runs the pods."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import trustme

from admit._tasks.diff import without_state
from tests.cluster.test_uninstall import is_there, policies
from tests.commands import invoke, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.testing import ControlPlane

Object = dict[str, Any]


def run(
    cluster: ControlPlane, command: str, source: Path, *options: str
) -> tuple[int, Object]:
    where = ("--kubeconfig", str(cluster.kubeconfig))
    result = invoke(command, source, *options, *where, "-o", "json")
    assert result.stdout, result.output
    return result.exit_code, json.loads(result.stdout)


def printed(source: Path, *options: str) -> list[Object]:
    result = invoke("manifests", source, *options, "-o", "json")
    assert result.exit_code == 0, result.output
    items: list[Object] = json.loads(result.stdout)["items"]
    return items


def test_what_is_not_ready_in_time_is_rolled_back(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = policies(tmp_path, "late")
    objects = printed(source)
    code, report = run(cluster, "install", source, "--timeout", "3s")
    assert code == 1
    assert "not ready after 3 s" in report["failure"]
    assert report["left"] == []
    created = {step["object"].partition("/")[0] for step in report["steps"]}
    assert {"Namespace", "Deployment"} <= created
    assert not any(is_there(cluster, manifest) for manifest in objects)


def test_a_dry_run_writes_nothing(cluster: ControlPlane, tmp_path: Path) -> None:
    source = policies(tmp_path, "tried")
    objects = printed(source)
    code, report = run(cluster, "install", source, "--dry-run")
    assert (code, report["dryRun"], len(report["steps"])) == (0, True, len(objects))
    assert not any(is_there(cluster, manifest) for manifest in objects)


def test_policies_that_do_not_load_change_nothing(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = write(tmp_path / "policies.py", "import nothing_of_this_name\n")
    before = cluster.kubectl("get", "namespaces", "-o", "name").stdout
    where = ("--kubeconfig", str(cluster.kubeconfig))
    assert invoke("install", source, *where).exit_code == 2
    assert cluster.kubectl("get", "namespaces", "-o", "name").stdout == before


@contextlib.contextmanager
def pods_ready(cluster: ControlPlane, name: str) -> Iterator[None]:
    """Say of a Deployment, as soon as it is there, that its pods are available."""
    ended = threading.Event()

    def play() -> None:
        where = ("-n", f"admit-{name}", "deployment", name)
        while not ended.wait(0.2):
            found = cluster.kubectl("get", *where, "--ignore-not-found", "-o", "json")
            if not found.stdout:
                continue
            deployment = json.loads(found.stdout)
            count = deployment["spec"]["replicas"]
            status = {
                "observedGeneration": deployment["metadata"]["generation"],
                **dict.fromkeys(
                    ("replicas", "updatedReplicas", "readyReplicas"), count
                ),
                "availableReplicas": count,
            }
            patch = json.dumps({"status": status})
            cluster.kubectl(
                "patch", *where, "--subresource=status", "--type=merge", "-p", patch
            )

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def elsewhere(folder: Path, name: str) -> Path:
    """Policies of one namespace: no probe in `default` asks a webhook without pods."""
    source = policies(folder, name)
    text = source.read_text()
    for plain in ("@app.validate", '@app.mutate(exempt_namespaces=["raw"])'):
        assert f"{plain}\n" in text
        decorator = plain.partition("(")[0]
        text = text.replace(f"{plain}\n", f'{decorator}(namespaces=["shop"])\n')
    return write(source, text)


def files(folder: Path) -> tuple[str, ...]:
    authority = folder / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    return "--certs", "files", "--ca-file", str(authority)


def stored(cluster: ControlPlane, objects: list[Object]) -> list[Object]:
    return [without_state(cluster.client.get(manifest)) for manifest in objects]


def test_installed_compared_edited_and_removed(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    one, other = elsewhere(tmp_path, "goes"), elsewhere(tmp_path, "keeps")
    options = files(tmp_path)
    certs = options[:2]
    objects, others = printed(one, *options), printed(other, *options)
    try:
        for source, name in ((one, "goes"), (other, "keeps")):
            with pods_ready(cluster, name):
                code, report = run(
                    cluster, "install", source, *options, "--timeout", "20s"
                )
            assert (code, report["failure"]) == (0, ""), report
        assert run(cluster, "diff", one, *options) == (0, {"changed": []})
        before, beside = stored(cluster, objects), stored(cluster, others)

        edited = (*options, "--replicas", "5")
        code, report = run(cluster, "diff", one, *edited)
        assert code == 1
        (changed,) = [
            each for each in report["changed"] if each["object"].startswith("Deploy")
        ]
        assert "+  replicas: 5\n" in changed["diff"]

        # The status that was played is of the old generation.
        code, report = run(cluster, "install", one, *edited, "--timeout", "3s")
        assert (code, report["left"]) == (1, [])
        assert {"object": "Deployment/admit-goes/goes", "outcome": "changed"} in report[
            "steps"
        ]
        assert stored(cluster, objects) == before

        assert run(cluster, "uninstall", one, *certs)[0] == 0
        assert not any(is_there(cluster, manifest) for manifest in objects)
        assert stored(cluster, others) == beside
    finally:
        run(cluster, "uninstall", one, *certs)
        assert run(cluster, "uninstall", other, *certs)[0] == 0


def test_a_webhook_that_is_not_reached_is_rolled_back(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source, options = policies(tmp_path, "unreached"), files(tmp_path)
    with pods_ready(cluster, "unreached"):
        code, report = run(cluster, "install", source, *options, "--timeout", "5s")
    assert (code, report["left"]) == (1, [])
    assert "failed calling webhook" in report["failure"]
    objects = printed(source, *options)
    assert not any(is_there(cluster, manifest) for manifest in objects)


def test_what_is_another_ones_is_not_taken_over(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = policies(tmp_path, "taken")
    assert cluster.kubectl("create", "namespace", "admit-taken").returncode == 0
    try:
        where = ("--kubeconfig", str(cluster.kubeconfig))
        result = invoke("install", source, *where)
        assert result.exit_code == 3
        assert "not this release's" in result.output
        assert not any(is_there(cluster, each) for each in printed(source)[1:])
    finally:
        cluster.kubectl("delete", "namespace", "admit-taken", "--wait=false")


def test_an_interrupt_rolls_back(cluster: ControlPlane, tmp_path: Path) -> None:
    source = policies(tmp_path, "stopped")
    objects = printed(source)
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    where = ("--kubeconfig", str(cluster.kubeconfig))
    with subprocess.Popen(
        [sys.executable, "-m", "admit", "install", str(source), *where, "-o", "json"],
        stdout=subprocess.PIPE,
    ) as process:
        while process.poll() is None and not is_there(cluster, deployment):
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    report = json.loads(stdout)
    assert (process.returncode, report["failure"]) == (1, "interrupted")
    assert report["left"] == []
    assert not any(is_there(cluster, manifest) for manifest in objects)
