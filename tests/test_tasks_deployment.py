from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trustme

from admit._tasks.deployment import Release, ReleaseOptions, generate_release
from admit.deployment import DeploymentOptions
from admit.errors import ConfigError
from tests.commands import POLICIES, write

if TYPE_CHECKING:
    from pathlib import Path

TWO = POLICIES + POLICIES.replace("app", "other").replace("pod-labels", "images")


def generate(folder: Path, text: str = POLICIES, **given: Any) -> Release:
    source = write(folder / "policies.py", text)
    extra = {
        name: given.pop(name) for name in ("ca_file", "policies_in") if name in given
    }
    return generate_release(
        ReleaseOptions(
            source=str(source), deployment=DeploymentOptions(**given), **extra
        )
    )


def names(release: Release) -> list[str]:
    return [c["metadata"]["name"] for c in release.configurations]


def granted(release: Release) -> list[str]:
    (role,) = [o for o in release.objects if o["kind"] == "ClusterRole"]
    found: list[str] = role["rules"][0]["resourceNames"]
    return found


def test_configurations_call_the_service_and_spare_its_namespace(
    tmp_path: Path,
) -> None:
    release = generate(tmp_path)
    for configuration in release.configurations:
        for webhook in configuration["webhooks"]:
            service = webhook["clientConfig"]["service"]
            assert (service["namespace"], service["name"]) == (
                "admit-pod-labels",
                "pod-labels",
            )
            assert "caBundle" not in webhook["clientConfig"]
            (term,) = webhook["namespaceSelector"]["matchExpressions"]
            assert "admit-pod-labels" in term["values"]
    assert release.notes == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "pod-labels.example.com"),
        ({"name": "guard"}, "pod-labels.guard.example.com"),
        ({"namespace": "team-a"}, "pod-labels.pod-labels.team-a.example.com"),
        (
            {"name": "guard", "namespace": "team-a"},
            "pod-labels.guard.team-a.example.com",
        ),
        ({"name": "guard", "namespace": "admit-guard"}, "pod-labels.guard.example.com"),
    ],
)
def test_each_release_has_configurations_and_rights_of_its_own(
    tmp_path: Path, given: dict[str, str], expected: str
) -> None:
    release = generate(tmp_path, **given)
    assert names(release) == [expected, expected]
    assert granted(release) == [expected]


def test_several_apps_are_one_release(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="need a name"):
        generate(tmp_path, TWO)
    release = generate(tmp_path, TWO, name="policies")
    own = ["images.policies.example.com", "pod-labels.policies.example.com"]
    assert sorted(set(names(release))) == granted(release) == own


def test_modes_are_checked_here_and_hold_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no policy is named gone"):
        generate(tmp_path, modes={"gone": "warn"})
    release = generate(tmp_path, modes={"require_app_label": "warn"})
    (deployment,) = [o for o in release.objects if o["kind"] == "Deployment"]
    (variable,) = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert variable["value"] == "require_app_label=warn"


def test_cert_manager_fills_ca_bundle(tmp_path: Path) -> None:
    release = generate(tmp_path, certs="cert-manager")
    certificates = {
        f"{o['metadata']['namespace']}/{o['metadata']['name']}"
        for o in release.objects
        if o["kind"] == "Certificate"
    }
    for configuration in release.configurations:
        (named,) = configuration["metadata"]["annotations"].values()
        assert named in certificates
    assert release.notes == ()


def test_policies_that_kubectl_cannot_annotate_are_told(tmp_path: Path) -> None:
    release = generate(tmp_path, POLICIES + "# " + "x" * 256 * 1024)
    assert "kubectl apply --server-side" in release.notes[0]


def test_policies_in_an_image_need_an_image_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no policies") as caught:
        generate(tmp_path, policies_in="image")
    assert caught.value.place == "--image"
    release = generate(tmp_path, policies_in="image", image="mine:1")
    assert "ConfigMap" not in {o["kind"] for o in release.objects}


def test_a_certificate_of_somebody_else_needs_its_authority(tmp_path: Path) -> None:
    release = generate(tmp_path, certs="files")
    assert "no --ca-file" in release.notes[0]
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    release = generate(tmp_path, certs="files", ca_file=str(file))
    assert release.notes == ()
    assert release.configurations[0]["webhooks"][0]["clientConfig"]["caBundle"]
