from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import admit
from admit._tasks.kinds import write_kinds
from admit.errors import ConfigError, PolicyError, ReviewError
from admit.kinds import ResourceType, find_resource_type, get_kind
from admit.kinds._index import KINDS, RESOURCES
from admit.kinds.writing import first_sentence, to_field_name
from admit.view import List, Map, Quantity, Record, Struct, raw

ROOT = Path(__file__).parent.parent


class CronTabSpec(Struct):
    cronSpec: str | None
    replicas: int | None
    tags: List[str]
    from_: Map[str]


class CronTab(admit.Resource, group="stable.example.com", version="v1"):
    spec: CronTabSpec


def test_a_kind_of_your_own_is_a_few_lines() -> None:
    assert CronTab.__resource__ == ResourceType(
        "stable.example.com", "v1", "CronTab", "crontabs", namespaced=True
    )
    assert CronTab.__resource__.api_version == "stable.example.com/v1"
    record = Record({"metadata": {"name": "a"}, "spec": {"replicas": 1}})
    crontab = record.view(CronTab)
    crontab.spec.tags.append("x")
    crontab.spec.from_["a"] = "b"
    assert crontab.metadata.name == "a"
    assert [(o.path, o.value) for o in record.operations()] == [
        ("/spec/tags", ["x"]),
        ("/spec/from", {"a": "b"}),
    ]


def test_a_kind_without_a_version_is_refused_at_its_line() -> None:
    with pytest.raises(PolicyError, match="a group and a version") as caught:

        class Half(admit.Resource, group="example.com"):
            spec: CronTabSpec

    assert caught.value.place is not None
    assert caught.value.place.startswith(f"{__file__}:")


def test_a_field_that_json_cannot_be_is_refused_when_it_is_read() -> None:
    class Odd(Struct):
        moment: complex

    with pytest.raises(PolicyError, match="is no field of a kind") as caught:
        _ = Odd({}).moment
    assert "moment" in (caught.value.place or "")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_field_of_every_kind_can_be_read(name: str) -> None:
    """Each annotation of each class in each generated file resolves."""
    seen: set[type] = set()

    def read_all(cls: type) -> None:
        if cls in seen:
            return
        seen.add(cls)
        view = cls({}) if issubclass(cls, Struct) else None
        for field in dir(view) if view is not None else ():
            child = getattr(view, field)
            if isinstance(child, Struct):
                read_all(type(child))

    read_all(get_kind(name))
    assert get_kind(name) in seen


def test_well_known_kinds_are_where_kubernetes_serves_them() -> None:
    types = {
        name: get_kind(name).__resource__
        for name in ("Pod", "Deployment", "Node", "Event", "HorizontalPodAutoscaler")
    }
    assert types == {
        "Pod": ResourceType("", "v1", "Pod", "pods"),
        "Deployment": ResourceType("apps", "v1", "Deployment", "deployments"),
        "Node": ResourceType("", "v1", "Node", "nodes", namespaced=False),
        "Event": ResourceType("", "v1", "Event", "events"),
        "HorizontalPodAutoscaler": ResourceType(
            "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"
        ),
    }


def test_kinds_that_are_only_sent_to_subresources_know_where() -> None:
    assert get_kind("PodExecOptions").__resource__.plural == "pods/exec"
    assert get_kind("Eviction").__resource__.plural == "pods/eviction"
    assert get_kind("TokenRequest").__resource__.group == ""
    assert get_kind("Scale").__resource__ is None


def test_a_type_is_found_without_importing_its_file() -> None:
    code = """
import sys
from admit.kinds import find_resource_type
assert find_resource_type("apps/v1", "Deployment").plural == "deployments"
assert find_resource_type("apps/v1", "Nothing") is None
assert "admit.kinds.apps_v1" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_index_and_the_classes_agree() -> None:
    for (api_version, kind), row in RESOURCES.items():
        if get_kind(kind).__resource__.api_version == api_version:
            assert get_kind(kind).__resource__ == ResourceType(*row)
            assert find_resource_type(api_version, kind) == ResourceType(*row)


def test_a_misspelt_kind_names_the_nearest() -> None:
    with pytest.raises(AttributeError, match="did you mean Deployment"):
        get_kind("Deploiment")
    with pytest.raises(AttributeError, match="did you mean Pod"):
        _ = admit.Podd  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'pod'"):
        _ = admit.pod  # type: ignore[attr-defined]


def pod_with_limits(**limits: Any) -> Any:
    limits = {key.replace("_", "-"): value for key, value in limits.items()}
    containers = [{"name": "a", "resources": {"limits": limits}}]
    return admit.Pod({"spec": {"containers": containers}})


def test_quantities_of_a_container_compute() -> None:
    limits = pod_with_limits(memory="2Gi", cpu=1).spec.containers[0].resources.limits
    assert limits.memory > "1Gi"
    assert limits.memory + "512Mi" == "2560Mi"
    assert limits.cpu == 1
    assert limits.storage is None
    assert isinstance(limits["memory"], Quantity)
    limits.ephemeral_storage = "1Gi"
    limits.cpu = None
    assert raw(limits) == {"memory": "2Gi", "ephemeral-storage": "1Gi"}
    with pytest.raises(AttributeError, match="did you mean memory"):
        _ = limits.memroy


def test_a_limit_that_is_no_amount_is_the_callers_fault() -> None:
    with pytest.raises(ReviewError):
        _ = pod_with_limits(memory=[]).spec.containers[0].resources.limits.memory


def test_words_of_python_are_spelt_with_an_underscore() -> None:
    policy = admit.NetworkPolicy({"spec": {"ingress": [{"from": [{}]}]}})
    assert len(policy.spec.ingress[0].from_) == 1


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("replicas", "replicas"),
        ("from", "from_"),
        ("$ref", "ref_"),
        ("x-kubernetes-map-type", "x_kubernetes_map_type"),
        ("with-hyphen", None),
        ("_private", None),
    ],
)
def test_json_names_become_attributes(name: str, field: str | None) -> None:
    assert to_field_name(name) == field


def test_the_first_sentence_says_most() -> None:
    text = 'List of "names" e.g. these. More about it.\n\nAnd more.'
    assert first_sentence(text) == "List of 'names' e.g. these."
    assert first_sentence("") == ""


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.stable.example.com
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab}
  versions:
  - name: v1beta1
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: CronTab runs a job on a schedule. It has more to say.
        properties:
          spec:
            type: object
            properties:
              cronSpec: {type: string, description: When to run.}
              replicas: {type: integer}
              port: {x-kubernetes-int-or-string: true}
              from: {type: string, format: date-time}
              policy: {type: string, enum: [Allow, Forbid]}
              with-hyphen: {type: string}
              bool: {type: boolean}
              anything: {x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}}
              steps:
                type: array
                items:
                  type: object
                  properties:
                    image: {type: string}
  - name: v1alpha1
    served: false
    storage: false
"""


def test_a_crd_becomes_classes_that_work(tmp_path: Path) -> None:
    crd = tmp_path / "crd.yaml"
    crd.write_text(CRD)
    report = write_kinds([str(crd)])
    assert report.kinds == (
        ("stable.example.com/v1", "CronTab"),
        ("stable.example.com/v1beta1", "CronTabV1beta1"),
    )
    (tmp_path / "crontab_kinds.py").write_text(report.text)
    use = tmp_path / "use.py"
    use.write_text(
        textwrap.dedent("""
        from crontab_kinds import CronTab, CronTabV1beta1
        tab = CronTab({"spec": {"steps": [{"image": "a"}], "port": "http"}})
        assert tab.spec.steps[0].image == "a"
        assert tab.spec.port == "http"
        tab.spec.replicas = 3
        tab.spec.labels["a"] = "b"
        tab.spec["with-hyphen"] = "c"
        tab.spec.anything = {"x": 1}
        assert tab.spec.bool is None
        assert CronTabV1beta1.__resource__ is not None
        assert CronTabV1beta1.__resource__.kind == "CronTab"
        """)
    )
    subprocess.run([sys.executable, str(use)], check=True, cwd=tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(use)],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Pod\napiVersion: v1\n", "there is no CustomResourceDefinition"),
        (
            CRD.replace("k8s.io/v1\n", "k8s.io/v1beta1\n"),
            "of apiextensions.k8s.io/v1beta1",
        ),
        (CRD.replace("  names:", "  nams:"), "has no spec.names"),
        (CRD.replace("kind: CronTab}", "kind: Cron-Tab}"), "'Cron-Tab' is no kind"),
        ("a: b: c", ""),
    ],
)
def test_what_is_no_crd_has_a_place(tmp_path: Path, text: str, message: str) -> None:
    crd = tmp_path / "crd.yaml"
    crd.write_text(text)
    with pytest.raises(ConfigError) as caught:
        write_kinds([str(crd)])
    assert message in caught.value.message
    assert str(crd) in str(caught.value)


def test_what_is_promised_and_what_type_checkers_see_agree() -> None:
    stub = (ROOT / "src" / "admit" / "__init__.pyi").read_text()
    seen = set(re.findall(r"\b(\w+) as \1\b", stub))
    promised = set(vars(admit)["__all__"])
    assert seen == promised | set(KINDS)
    for name in promised:
        assert getattr(admit, name)
