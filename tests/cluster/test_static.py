"""Static manifests on a real API server: what they see, and what is not taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks.static import write_static_manifests
from admit.doctor import Configuration, Context, lint
from admit.matching import Attributes, Known, answer
from admit.testing import ControlPlane
from admit.testing.waiting import wait_until
from admit.webhook import read_webhook
from tests.cluster.recording import Recorder, recording
from tests.doctor.configurations import GONE, change

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".static.k8s.io"
W = "webhooks.0"
EVERYTHING = {
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "resources": ["*/*"],
    "operations": ["*"],
}
GROUP = "/apis/admissionregistration.k8s.io/v1"


def manifest(recorder: Recorder, **changes: Any) -> dict[str, Any]:
    return change(
        {
            "metadata.name": f"guard{SUFFIX}",
            f"{W}.name": "guard.platform.example.com",
            f"{W}.clientConfig": recorder.client_config("/static"),
            f"{W}.rules": [EVERYTHING],
            f"{W}.failurePolicy": "Ignore",
            **changes,
        }
    )


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Path:
    """The API server's directories of static manifests, as admit writes them."""
    made = tmp_path_factory.mktemp("static")
    named = manifest(recorder, **{"metadata.name": "guard"})
    write_static_manifests([named], made)
    return made


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[ControlPlane]:
    flag = f"--admission-control-config-file={folder / 'admission.yaml'}"
    with ControlPlane(flags=[flag]) as plane:
        yield plane


def thing(api_version: str, kind: str, **members: Any) -> dict[str, Any]:
    metadata = {"name": "probe"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


ACCESS = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}

# Path, object, and the resource that it is.
ASKED = [
    (
        "/api/v1/namespaces/default/configmaps",
        thing("v1", "ConfigMap"),
        ("", "configmaps"),
    ),
    (
        f"{GROUP}/validatingwebhookconfigurations",
        thing("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ),
    (
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {**thing("authorization.k8s.io/v1", "SelfSubjectAccessReview"), **ACCESS},
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ),
]


@pytest.mark.parametrize(("path", "sent", "resource"), ASKED)
def test_a_static_webhook_sees_what_others_do_not(
    guarded: ControlPlane,
    recorder: Recorder,
    path: str,
    sent: dict[str, Any],
    resource: tuple[str, str],
) -> None:
    attributes = Attributes(
        operation="CREATE",
        group=resource[0],
        version="v1",
        resource=resource[1],
        kind_group=resource[0],
        kind=sent["kind"],
        name="probe",
        namespace="default" if resource[0] == "" else "",
        labels={},
    )
    webhook = read_webhook(manifest(recorder)["webhooks"][0])
    recorder.take()
    guarded.client.send("POST", path, sent, params={"dryRun": "All"})
    expected = answer(webhook, attributes, Known(static=True)).can_be_called
    # The API server writes things of its own, which are seen too.
    seen = [
        request
        for _, request in recorder.take()
        if request.kind.kind == sent["kind"] and request.user_info.username == "admin"
    ]
    assert bool(seen) == expected
    assert expected == (sent["kind"] != "SelfSubjectAccessReview")


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"metadata.name": "guard"}, f'must have a name ending with "{SUFFIX}"'),
    (
        {f"{W}.clientConfig": {"service": {"name": "a", "namespace": "b"}}},
        "clientConfig.service is not supported for static manifests",
    ),
    ({f"{W}.clientConfig": {}}, "exactly one of url or service is required"),
    (
        {f"{W}.timeoutSeconds": 31},
        "the timeout value must be between 1 and 30 seconds",
    ),
    ({f"{W}.sideEffects": GONE}, "must specify one of None, NoneOnDryRun"),
]


@pytest.mark.parametrize(("changes", "text"), BROKEN)
def test_what_is_not_taken_from_the_directory_is_an_error_of_lint(
    guarded: ControlPlane,
    recorder: Recorder,
    folder: Path,
    changes: dict[str, Any],
    text: str,
) -> None:
    log = guarded.logs["kube-apiserver"]
    before = len(log.read_text())
    content = manifest(recorder, **changes)
    file = folder / "validating/guard.yaml"
    good = file.read_text()
    try:
        file.write_text(json.dumps(content))
        escaped = text.replace('"', '\\"')
        wait_until(
            lambda: any(part in log.read_text()[before:] for part in (text, escaped)),
            what=f"the API server to say {text}",
            seconds=90,
        )
    finally:
        file.write_text(good)
    found = lint([Configuration.read(content, 0, static=True)], Context())
    errors = [finding.reason for finding in found if finding.severity == "error"]
    assert any(text in reason for reason in errors)
