"""What `admit manifests` prints to run in a cluster, on the real API server."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from admit._tasks.dialect import dump_yaml
from admit.deployment.source import CONFIG_MAP_LIMIT_BYTES
from admit.errors import ClusterError
from tests.cluster.foreign_kinds import DEFINITIONS
from tests.commands import invoke, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from admit.testing import ControlPlane

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

# What the API server decides by itself, for each object anew.
SERVERS_METADATA = (
    *("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"),
)
SERVERS_SPEC = {
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
}

VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "named": ("--namespace", "guards", "--name", "guard", "--secret", "own"),
    "bound": ("--api-server", "10.0.0.5/32", "--api-server", "fd00::/64"),
    "scaled": ("--max-replicas", "5", "--mode", "require_app_label=warn"),
    "bare": (
        *("--certs", "files", "--no-network-policy"),
        *("--priority-class", "", "--policies-in", "image", "--replicas", "1"),
        *("--image", "example.com/policies:1"),
    ),
}


def printed(source: Path, *options: str) -> list[dict[str, Any]]:
    result = invoke("manifests", source, *options, "-o", "json")
    assert result.exit_code == 0, result.output
    items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
    return items


@contextlib.contextmanager
def applied(
    cluster: ControlPlane, objects: list[dict[str, Any]], *options: str
) -> Iterator[str]:
    """Have objects in the cluster, applied in one go; configurations go first."""
    text = dump_yaml(objects)
    try:
        done = cluster.kubectl("apply", "-f", "-", *options, input=text)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        yield text
    finally:
        backwards = dump_yaml(reversed(objects))
        cluster.kubectl(
            *("delete", "--wait=false", "--ignore-not-found", "-f", "-"),
            input=backwards,
        )


def versions(cluster: ControlPlane, objects: list[dict[str, Any]]) -> list[str]:
    stored = [cluster.client.get(manifest) for manifest in objects]
    return [one["metadata"]["resourceVersion"] for one in stored]


def of_server(stored: dict[str, Any]) -> dict[str, Any]:
    """Take away what only the API server knows."""
    kind = stored["kind"]
    stored.pop("status", None)
    metadata = stored["metadata"]
    for name in SERVERS_METADATA:
        metadata.pop(name, None)
    annotations = metadata.pop("annotations", {})
    assert set(annotations) <= {"kubectl.kubernetes.io/last-applied-configuration"}
    for name in SERVERS_SPEC.get(kind, ()):
        stored["spec"].pop(name)
    if kind == "Namespace":
        del metadata["labels"]["kubernetes.io/metadata.name"]
    if kind == "Deployment":
        # The deprecated name of serviceAccountName, which the API server adds.
        pod = stored["spec"]["template"]["spec"]
        assert pod.pop("serviceAccount") == pod["serviceAccountName"]
    return stored


def policies_of(folder: Path, name: str) -> Path:
    """The tutorial as an app of another name, so that no two tests share a namespace."""
    text = (EXAMPLES / "tutorial" / "policies.py").read_text()
    return write(folder / "policies.py", text.replace('"pod-labels"', f'"{name}"'))


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_applied_in_one_go_is_what_is_stored(
    cluster: ControlPlane, tmp_path: Path, variant: str
) -> None:
    source = policies_of(tmp_path, f"stored-{variant}")
    objects = printed(source, *VARIANTS[variant])
    with applied(cluster, objects) as text:
        for manifest in objects:
            # A default that is not written out would be here, and was not printed.
            stored = of_server(cluster.client.get(manifest))
            if (
                manifest["kind"] == "Deployment"
                and "--max-replicas" in VARIANTS[variant]
            ):
                assert "replicas" not in manifest["spec"]  # it is the autoscaler's
                del stored["spec"]["replicas"]
            assert stored == manifest
        for options in ((), ("--server-side", "--field-manager=gitops")):
            compared = cluster.kubectl("diff", *options, "-f", "-", input=text)
            assert (compared.returncode, compared.stdout) == (0, ""), compared


@pytest.mark.parametrize("options", [(), ("--server-side",)])
def test_applying_again_leaves_the_servers_authority_alone(
    cluster: ControlPlane, tmp_path: Path, options: tuple[str, ...]
) -> None:
    name = f"again{len(options)}"
    objects = printed(policies_of(tmp_path, name))
    bundle = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    with applied(cluster, objects, *options) as text:
        own = [o for o in objects if o["kind"].endswith("WebhookConfiguration")]
        for configuration in own:
            webhooks = [
                {"name": webhook["name"], "clientConfig": {"caBundle": bundle}}
                for webhook in configuration["webhooks"]
            ]
            named = {"name": configuration["metadata"]["name"]}
            cluster.client.apply(
                {**configuration, "metadata": named, "webhooks": webhooks},
                field_manager="admit-server",
            )
        before = versions(cluster, objects)
        again = cluster.kubectl("apply", *options, "-f", "-", input=text)
        assert again.returncode == 0, again.stderr
        assert versions(cluster, objects) == before
        for configuration in own:
            for webhook in cluster.client.get(configuration)["webhooks"]:
                assert webhook["clientConfig"]["caBundle"] == bundle
                assert webhook["clientConfig"]["service"]["name"] == name


def test_releases_of_one_app_do_not_meet(cluster: ControlPlane, tmp_path: Path) -> None:
    source = policies_of(tmp_path, "twice")
    first, second = printed(source), printed(source, "--name", "thrice")
    with applied(cluster, first):
        before = [of_server(cluster.client.get(manifest)) for manifest in first]
        with applied(cluster, second):
            names = cluster.kubectl(
                *("get", "validatingwebhookconfigurations", "-o", "name")
            ).stdout
            assert "/twice.example.com\n" in names
            assert "/twice.thrice.example.com\n" in names
        assert before == [of_server(cluster.client.get(manifest)) for manifest in first]


def test_operators_get_what_they_know(cluster: ControlPlane, tmp_path: Path) -> None:
    source = policies_of(tmp_path, "foreign")
    objects = printed(source, "--monitoring", "--certs", "cert-manager")
    groups = {crd["spec"]["group"] for crd in DEFINITIONS}
    own = [o for o in objects if o["apiVersion"].partition("/")[0] in groups]
    kinds = {crd["spec"]["names"]["kind"] for crd in DEFINITIONS}
    assert {o["kind"] for o in own} == kinds
    with applied(cluster, DEFINITIONS):
        names = [f"crd/{crd['metadata']['name']}" for crd in DEFINITIONS]
        cluster.kubectl("wait", "--for=condition=Established", *names)
        with applied(cluster, [objects[0], *own]):
            for manifest in own:
                assert of_server(cluster.client.get(manifest)) == manifest


def test_every_object_passes_a_server_side_apply(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    objects = printed(policies_of(tmp_path, "server-side"), "--max-replicas", "4")
    with applied(cluster, objects, "--server-side"):
        again = cluster.kubectl(
            *("apply", "--server-side", "--dry-run=server", "-f", "-"),
            *("-o", "json"),
            input=dump_yaml(objects),
        )
        assert again.returncode == 0, again.stderr
        for item in json.loads(again.stdout)["items"]:
            now = cluster.client.get(item)
            assert (
                item["metadata"]["resourceVersion"]
                == (now["metadata"]["resourceVersion"])
            )


def test_the_pods_meet_the_restricted_standard(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    for variant in ("default", "bare"):
        objects = printed(policies_of(tmp_path, f"pods-{variant}"), *VARIANTS[variant])
        (deployment,) = [o for o in objects if o["kind"] == "Deployment"]
        metadata = {"name": "web", "namespace": deployment["metadata"]["namespace"]}
        template = deployment["spec"]["template"]
        template["spec"].pop("priorityClassName", None)  # no controller counts quotas
        pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        pod["spec"] = template["spec"]
        with applied(cluster, [objects[0]]):
            done = cluster.kubectl(
                "create", "--dry-run=server", "-f", "-", input=dump_yaml([pod])
            )
            assert (done.returncode, done.stderr) == (0, "")
            del pod["spec"]["containers"][0]["securityContext"]
            done = cluster.kubectl(
                "create", "--dry-run=server", "-f", "-", input=dump_yaml([pod])
            )
            assert 'violates PodSecurity "restricted:latest"' in done.stderr


def test_the_pods_may_do_what_they_must_and_no_more(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    objects = printed(policies_of(tmp_path, "rights"))
    where = ("-n", "admit-rights")

    def can(*arguments: str) -> bool:
        done = cluster.kubectl(
            *arguments, "--as", "system:serviceaccount:admit-rights:rights"
        )
        assert done.returncode == 0 or "Forbidden" in done.stderr, done.stderr
        return done.returncode == 0

    def touch(kind: str, name: str, *options: str) -> tuple[str, ...]:
        return ("annotate", "--overwrite", kind, name, "touched=yes", *options)

    with applied(cluster, objects):
        for name in ("rights-tls", "another"):
            cluster.kubectl("create", "secret", "generic", name, *where)
        for kind in (
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
        ):
            own = ("--field-selector", "metadata.name=rights.example.com")
            other = ("--field-selector", "metadata.name=other.example.com")
            assert can("get", kind, *own)
            assert can("get", kind, "rights.example.com")
            assert can(*touch(kind, "rights.example.com"))
            assert not can("get", kind)
            assert not can("get", kind, *other)
            assert not can("delete", kind, "rights.example.com")
        own_one = cluster.kubectl(
            *("get", "validatingwebhookconfiguration", "rights.example.com"),
            *("-o", "yaml"),
        ).stdout
        copy = yaml.safe_load(own_one)
        copy["metadata"] = {"name": "other.example.com"}
        file = write(tmp_path / "copy.yaml", dump_yaml([copy]))
        # RBAC has no way to bind `create` to a name: SECURITY.md tells.
        assert can("create", "--dry-run=server", "-f", str(file))
        assert can("get", "secret", "rights-tls", *where)
        stored = cluster.kubectl("get", "secret", "rights-tls", *where, "-o", "yaml")
        own_secret = write(tmp_path / "secret.yaml", stored.stdout)
        assert can("replace", "-f", str(own_secret))
        assert can("create", "secret", "generic", "new", *where, "--dry-run=server")
        for forbidden in (
            ("get", "secret", "another", *where),
            ("get", "secrets", *where),
            touch("secret", "rights-tls", *where),
            ("delete", "secret", "rights-tls", *where),
            ("get", "configmaps", *where),
            touch("configmap", "rights-policies", *where),
            ("get", "pods", *where),
            ("get", "secrets", "-n", "default"),
            ("get", "clusterrole", "admit-rights:rights"),
            ("get", "namespaces"),
        ):
            assert not can(*forbidden), forbidden


def find_helm(cluster: ControlPlane) -> str:
    found = shutil.which("helm", path=f"{cluster.assets}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("there is no helm (tools/assets/build makes one, with Go)")
    return found


def run_helm(cluster: ControlPlane, *arguments: object) -> str:
    environment = os.environ | {
        "KUBECONFIG": str(cluster.kubeconfig),
        "HELM_CACHE_HOME": "/nonexistent",
        "HELM_CONFIG_HOME": "/nonexistent",
        "HELM_DATA_HOME": "/nonexistent",
    }
    done = subprocess.run(
        [find_helm(cluster), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def by_name(objects: Iterable[Any]) -> dict[tuple[str, str], Any]:
    found = [o for o in objects if o]
    named = {(o["kind"], o["metadata"]["name"]): o for o in found}
    assert len(named) == len(found)
    return named


def of_admit(rendered: str) -> dict[tuple[str, str], Any]:
    """What helm renders, but for the one label that says who did."""
    assert "managed-by: admit" not in rendered
    text = rendered.replace("managed-by: Helm", "managed-by: admit")
    return by_name(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    "options",
    [
        (),
        (
            "--max-replicas",
            "5",
            "--mode",
            "require_app_label=warn",
            "--monitoring",
            "--monitoring-label",
            "release=stack",
        ),
        ("--max-replicas", "5", "--image", "a/b@sha256:0", "--replicas", "3"),
        VARIANTS["bare"],
        ("--certs", "cert-manager"),
        ("--client-ca-file", "CA", "--client-name", "api"),
        ("--name", "guard"),
        ("--namespace", "guards", "--api-server", "10.0.0.0/28"),
        ("--name", "guard", "--namespace", "guards"),
    ],
    ids=lambda options: " ".join(options) or "default",
)
def test_a_base_and_a_chart_make_the_same_objects(
    cluster: ControlPlane, tmp_path: Path, options: tuple[str, ...]
) -> None:
    source = policies_of(tmp_path, "same")
    # Kustomize alone does not take control characters.
    (tmp_path / "torture.py").write_text(NASTY["f.py"].replace("\x7f", ""))
    source.write_text(source.read_text() + "\nimport torture  # noqa\n")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    options = tuple(o.replace("CA", str(tmp_path / "ca.pem")) for o in options)
    objects = printed(source, *options)
    expected = by_name(objects)
    invoke("manifests", source, *options, "--kustomize", tmp_path / "base")
    built = cluster.kubectl("kustomize", str(tmp_path / "base"))
    assert built.returncode == 0, built.stderr
    kustomized = [*yaml.safe_load_all(built.stdout)]
    assert kustomized == objects
    invoke("manifests", source, *options, "--helm", tmp_path / "chart")
    assert "0 chart(s) failed" in run_helm(cluster, "lint", tmp_path / "chart")
    (namespace,) = [name for kind, name in expected if kind == "Namespace"]
    (release,) = [name for kind, name in expected if kind == "Deployment"]
    rendered = run_helm(
        *(cluster, "template", release, tmp_path / "chart"),
        *("--namespace", namespace, "--set", "namespace.create=true"),
    )
    assert of_admit(rendered) == expected


SEVERAL = {
    "a.py": """
        from admit import App, Pod
        from lib.rules import check

        app = App("labels", domain="example.com")

        @app.validate(when="object.metadata.name != '{{ x }}'")
        def a(pod: Pod) -> None:
            check(pod)
        """,
    "b.py": """
        from admit import App, Pod

        app = App("pod-labels", domain="example.com", failure_policy="Ignore")

        @app.mutate
        def b(pod: Pod) -> None: ...

        @app.validate(namespaces=["x"])
        def c(pod: Pod) -> None: ...
        """,
    "lib/__init__.py": "",
    "lib/rules.py": "def check(pod): ...",
}


@pytest.mark.parametrize("place", [("labels", "admit-labels"), ("guard", "guards")])
def test_a_chart_of_several_apps_in_folders_makes_the_same_objects(
    cluster: ControlPlane, tmp_path: Path, place: tuple[str, str]
) -> None:
    name, namespace = place
    folder = tmp_path / "policies"
    for file, text in SEVERAL.items():
        write(folder / file, text)
    invoke("manifests", folder, "--name", "labels", "--helm", tmp_path / "chart")
    rendered = run_helm(
        *(cluster, "template", name, tmp_path / "chart"),
        *("--namespace", namespace, "--set", "namespace.create=true"),
    )
    expected = printed(folder, "--name", name, "--namespace", namespace)
    assert of_admit(rendered) == by_name(expected)


def test_a_chart_may_have_another_name_and_place_when_it_is_installed(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = policies_of(tmp_path, "chart")
    invoke("manifests", source, "--helm", tmp_path / "chart")
    for name, namespace in (("guard", "admit-guard"), ("chart", "b"), ("a", "b")):
        rendered = run_helm(
            *(cluster, "template", name, tmp_path / "chart"),
            *("--namespace", namespace, "--set", "namespace.create=true"),
        )
        expected = printed(source, "--name", name, "--namespace", namespace)
        assert of_admit(rendered) == by_name(expected)


def test_values_of_a_chart_change_what_they_say(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = policies_of(tmp_path, "chart")
    invoke("manifests", source, "--helm", tmp_path / "chart")
    given = {
        "replicas": 4,
        "image": {"tag": "2.0", "pullPolicy": "Never"},
        "imagePullSecrets": [{"name": "registry"}],
        "modes": {"b": "audit", "a": "warn"},
        "failurePolicy": "Ignore",
        "resources": {"limits": {"memory": "1Gi"}},
        "priorityClassName": "mine",
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "extraArgs": ["--log-level=debug"],
        "networkPolicy": {"enabled": False},
    }
    file = write(tmp_path / "values.yaml", json.dumps(given))
    rendered = of_admit(
        run_helm(cluster, "template", "chart", tmp_path / "chart", "-f", file)
    )
    kinds = {kind for kind, _ in rendered}
    assert not kinds & {"NetworkPolicy", "ResourceQuota", "Namespace"}
    for (kind, _), found in rendered.items():
        if kind.endswith("WebhookConfiguration"):
            assert [w["failurePolicy"] for w in found["webhooks"]] == ["Ignore"]
    spec = rendered["Deployment", "chart"]["spec"]
    assert spec["replicas"] == 4
    assert spec["template"]["metadata"]["annotations"] == {"a": "b"}
    pod = spec["template"]["spec"]
    for name in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity"):
        assert pod[name] == given[name]
    assert pod["priorityClassName"] == "mine"
    (container,) = pod["containers"]
    assert container["image"] == "admit:2.0"
    assert container["imagePullPolicy"] == "Never"
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert container["env"] == [{"name": "ADMIT_MODES", "value": "a=warn,b=audit"}]
    assert container["args"][-1] == "--log-level=debug"
    setting = "networkPolicy.apiServers={10.0.0.0/8,fd00::/8}"
    rendered = of_admit(
        run_helm(cluster, "template", "chart", tmp_path / "chart", "--set", setting)
    )
    spec = rendered["NetworkPolicy", "chart"]["spec"]
    blocks = [{"ipBlock": {"cidr": c}} for c in ("10.0.0.0/8", "fd00::/8")]
    assert spec["ingress"][0]["from"] == spec["egress"][1]["to"] == blocks


@pytest.mark.parametrize(
    ("release", "setting", "says"),
    [
        ("chart", "replicas=0", "minimum"),
        ("chart", "failurePolicy=Maybe", "failurePolicy"),
        ("chart", "modes.a=never", "modes"),
        ("chart", "image.tags=1", "tags"),
        ("chart", "misspelt=1", "misspelt"),
        ("a.b", "replicas=2", "choose another name for the release"),
        ("1a", "replicas=2", "choose another name for the release"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    cluster: ControlPlane, tmp_path: Path, release: str, setting: str, says: str
) -> None:
    invoke("manifests", policies_of(tmp_path, "chart"), "--helm", tmp_path / "chart")
    with pytest.raises(AssertionError, match=says):
        run_helm(cluster, "template", release, tmp_path / "chart", "--set", setting)


def test_helm_installs_upgrades_and_removes(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = policies_of(tmp_path, "helm")
    invoke("manifests", source, "--helm", tmp_path / "chart")
    chart = ("helm", tmp_path / "chart", "--namespace", "admit-helm")
    new = (*chart, "--create-namespace")
    expected = [o for o in printed(source) if o["kind"] != "Namespace"]
    run_helm(cluster, "install", *new, "--dry-run=server")
    try:
        run_helm(cluster, "install", *new)
        for manifest in expected:
            assert cluster.client.get(manifest)[
                "spec" if "spec" in manifest else "kind"
            ]
        run_helm(cluster, "upgrade", *chart, "--set", "replicas=3")
        (deployment,) = [o for o in expected if o["kind"] == "Deployment"]
        assert cluster.client.get(deployment)["spec"]["replicas"] == 3
    finally:
        run_helm(cluster, "uninstall", "helm", "--namespace", "admit-helm")
    for manifest in expected:
        with pytest.raises(ClusterError, match="not found"):
            cluster.client.get(manifest)


NASTY = {
    "a.py": "# \t tabs\tand trailing \nx = 1\n",
    "b.py": "  indented first\n",
    "c.py": "no newline at the end",
    "d.py": "two at the end\n\n\n",
    "e.py": "\n\n# empty lines first\n",
    "f.py": "# \u00e9\u2028\U0001f600 {{ .Values }} \x7f\n'#: - ? |'\n",
    "g.py": "windows\r\nlines\r\n",
    "h.py": "---\n...\n%YAML\n",
    "i.py": "",
}


def test_policies_arrive_as_they_were_written(cluster: ControlPlane) -> None:
    metadata = {"name": "nasty", "namespace": "default"}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": NASTY,
    }
    with applied(cluster, [manifest]):
        assert cluster.client.get(manifest)["data"] == NASTY


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_config_map_holds_what_we_say(
    cluster: ControlPlane, more: int, *, fits: bool
) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "long", "namespace": "default"},
        "data": {"a.py": "#" * (CONFIG_MAP_LIMIT_BYTES + more)},
    }
    done = cluster.kubectl(
        *("apply", "--server-side", "--dry-run=server", "-f", "-"),
        input=json.dumps(manifest),
    )
    assert (done.returncode == 0) is fits, done.stderr
    assert fits or "may not be more than" in done.stderr


def test_long_policies_need_a_server_side_apply_and_are_told_so(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    source = policies_of(tmp_path, "long")
    source.write_text(source.read_text() + "\n# " + "x" * 256 * 1024)
    result = invoke("manifests", source)
    assert "kubectl apply --server-side" in result.stderr
    objects = printed(source)
    with applied(cluster, objects, "--server-side"):
        text = dump_yaml(o for o in objects if o["kind"] == "ConfigMap")
        refused = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=text)
        assert "metadata.annotations: Too long" in refused.stderr
