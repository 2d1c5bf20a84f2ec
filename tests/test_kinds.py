from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import admit
from admit.errors import PolicyError, ReviewError
from admit.kinds import (
    ResourceType,
    autoscaling_v1,
    autoscaling_v2,
    check_kind,
    find_resource_type,
    find_resource_types,
    get_kind,
)
from admit.kinds._index import KINDS, RESOURCES
from admit.view import List, Map, Quantity, Record, Struct, raw
from admit.view.fields import Nested
from admit.view.struct import own_fields
from tests.reviews import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.view.fields import Reader

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "src" / "admit" / "kinds").glob("*_v[0-9]*.py"))


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


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"group": "example.com"}, "a kind has a group and a version"),
        ({"version": "v1"}, "a kind has a group and a version"),
        ({"plural": "halves"}, "a kind has a group and a version"),
        ({"namespaced": False}, "a kind has a group and a version"),
        ({"group": "example.com/v1", "version": "v1"}, "the version is apart"),
        ({"group": "Example.com", "version": "v1"}, "group 'Example.com' is no domain"),
        ({"group": "example.com", "version": "1"}, "version '1' is none"),
        (
            {"group": "example.com", "version": "v1", "plural": "Halves"},
            "plural 'Halves' is not",
        ),
        (
            {"group": "example.com", "version": "v1", "kind": "half of it"},
            "kind 'half of it' is not",
        ),
    ],
)
def test_a_kind_that_nobody_can_serve_is_refused_at_its_line(
    keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(PolicyError, match=message) as caught:

        class Half(admit.Resource, **keywords):
            spec: CronTabSpec

    line = inspect.currentframe().f_lineno - 3  # type: ignore[union-attr]
    assert caught.value.message.startswith("class Half: ")
    assert caught.value.place == f"{__file__}:{line}"


def test_a_name_in_the_core_group_and_a_kind_of_another_name_are_kinds() -> None:
    class Mine(admit.Resource, group="", version="v1", kind="Thing", plural="thing"):
        pass

    assert Mine.__resource__ == ResourceType("", "v1", "Thing", "thing")
    assert Mine.__resource__.api_version == "v1"


class Misspelt(Struct):
    fine: List[Map[CronTabSpec]]
    colour: Strng  # type: ignore[name-defined] # noqa: F821 - what is tested


class Deep(Misspelt):
    more: Map[List[Deep]]


class HoldsMisspelt(admit.Resource, group="example.com", version="v1"):
    deep: Deep


def test_a_wrong_annotation_deep_inside_is_found_when_the_kind_is_taken_in() -> None:
    with pytest.raises(PolicyError, match=r"Misspelt\.colour: .*'Strng'") as caught:
        check_kind(HoldsMisspelt)
    line = inspect.getsourcelines(Misspelt)[1] + 2
    assert caught.value.place == f"{__file__}:{line}"


def test_a_wrong_annotation_without_a_source_still_names_the_field() -> None:
    space: dict[str, Any] = {"Struct": Struct, "__name__": "nowhere"}
    exec("class Odd(Struct):\n    a: complex\n", space)
    with pytest.raises(PolicyError, match=r"Odd\.a") as caught:
        check_kind(space["Odd"])
    assert caught.value.place == "nowhere.Odd.a"


@pytest.mark.parametrize("source", [None, "class Broken(:", "# not there\n"])
def test_a_wrong_annotation_whose_source_is_gone_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None
) -> None:
    file = tmp_path / "odd_kinds.py"
    file.write_text("from admit import Struct\n\nclass Odd(Struct):\n    a: complex\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("odd_kinds", None)
    odd = importlib.import_module("odd_kinds").Odd
    if source is None:
        file.unlink()
    else:
        file.write_text(source)
    with pytest.raises(PolicyError, match=r"Odd\.a") as caught:
        check_kind(odd)
    assert caught.value.place == str(file)


def test_sound_kinds_pass() -> None:
    check_kind(CronTab)
    check_kind(admit.Pod)


def test_a_field_that_json_cannot_be_is_refused_when_it_is_read() -> None:
    class Odd(Struct):
        moment: complex

    with pytest.raises(PolicyError, match="is no field of a kind") as caught:
        _ = Odd({}).moment
    assert "moment" in (caught.value.place or "")


def structs_in(cls: type[Struct]) -> Iterator[type[Struct]]:
    """The structs that a class's fields, elements and values are."""
    for field in own_fields(cls).values():
        reader: Reader | None = field.reader()
        while isinstance(reader, Nested):
            if issubclass(reader.cls, Struct):
                yield reader.cls
            reader = reader.element


@pytest.mark.parametrize("module", sorted(p.stem for p in FILES))
def test_every_annotation_of_every_generated_class_can_be_read(module: str) -> None:
    found = importlib.import_module(f"admit.kinds.{module}")
    assert found.__all__
    for name in found.__all__:
        for inner in structs_in(getattr(found, name)):
            home = importlib.import_module(inner.__module__)
            assert inner.__name__ in home.__all__


def test_a_type_that_holds_itself_is_read_as_deep_as_it_goes() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}}
    version = {"schema": {"openAPIV3Schema": schema}}
    crd = admit.CustomResourceDefinition({"spec": {"versions": [version]}})
    read = crd.spec.versions[0].schema.openAPIV3Schema
    read.properties["a"].description = "A list."
    assert read.properties["a"].type is None
    assert raw(read.properties["a"])["description"] == "A list."


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
    exec_, eviction, token = (
        get_kind(name).__resource__
        for name in ("PodExecOptions", "Eviction", "TokenRequest")
    )
    assert (exec_.plural, exec_.api_version) == ("pods/exec", "v1")
    assert (eviction.group, eviction.version) == ("", "v1")
    assert (eviction.plural, eviction.api_version) == ("pods/eviction", "policy/v1")
    assert (token.plural, token.group) == ("serviceaccounts/token", "")
    assert eviction.is_kind("policy", "Eviction")
    assert not eviction.is_kind("", "Eviction")
    assert find_resource_type("policy/v1", "Eviction") == eviction
    assert get_kind("Scale").__resource__ is None
    assert find_resource_type("autoscaling/v1", "Scale") is None


def test_what_connect_carries_reads_as_the_api_server_sends_it() -> None:
    options = admit.PodExecOptions({"command": ["ls", "-l"], "stdin": True})
    assert list(options.command) == ["ls", "-l"]
    assert options.stdin
    assert list(admit.PodPortForwardOptions({"ports": [80]}).ports) == [80]


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
    indexed = {find_resource_type(*key) for key in RESOURCES}
    declared = set()
    for file in FILES:
        module = importlib.import_module(f"admit.kinds.{file.stem}")
        for name in module.__all__:
            type_ = getattr(getattr(module, name), "__resource__", None)
            if type_ is not None:
                declared.add(type_)
                assert get_kind(name).__resource__.kind == name
    assert declared == indexed


def test_a_resource_is_found_by_its_plural_the_preferred_first() -> None:
    def found(plural: str) -> list[tuple[str, str]]:
        return [(t.api_version, t.kind) for t in find_resource_types(plural)]

    assert found("events") == [("v1", "Event"), ("events.k8s.io/v1", "Event")]
    assert found("pods/eviction") == [("policy/v1", "Eviction")]
    assert found("horizontalpodautoscalers")[0][0] == "autoscaling/v2"
    assert found("pod") == []


def test_a_kind_costs_its_own_file_and_those_it_needs() -> None:
    code = """
import sys
from admit import PriorityClass
print(*sorted(m for m in sys.modules if m.startswith("admit.kinds.") and "_v" in m))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout.split() == ["admit.kinds.meta_v1", "admit.kinds.scheduling_v1"]


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


def test_a_misspelt_resource_is_refused_read_or_written() -> None:
    limits = pod_with_limits(memory="2Gi").spec.containers[0].resources.limits
    with pytest.raises(AttributeError, match="did you mean memory"):
        _ = limits.memroy
    with pytest.raises(AttributeError, match="did you mean memory"):
        limits.memroy = "1Gi"
    with pytest.raises(AttributeError, match="other resources are items"):
        limits.gpu = 1
    limits["nvidia.com/gpu"] = 1
    assert limits["nvidia.com/gpu"] == 1


def test_amounts_written_as_numbers_read_as_quantities() -> None:
    pod = admit.Pod({"spec": {"volumes": [{"emptyDir": {"sizeLimit": 1024}}]}})
    assert pod.spec.volumes[0].emptyDir.sizeLimit == "1Ki"


def test_a_limit_that_is_no_amount_is_the_callers_fault() -> None:
    with pytest.raises(ReviewError):
        _ = pod_with_limits(memory=[]).spec.containers[0].resources.limits.memory


def test_words_of_python_are_spelt_with_an_underscore() -> None:
    policy = admit.NetworkPolicy({"spec": {"ingress": [{"from": [{}]}]}})
    assert len(policy.spec.ingress[0].from_) == 1


def any_of_them(
    object: admit.Pod
    | admit.Eviction
    | autoscaling_v1.HorizontalPodAutoscaler
    | autoscaling_v2.HorizontalPodAutoscaler
    | admit.Scale,
) -> None: ...


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("v1", "Pod", admit.Pod),
        ("policy/v1", "Eviction", admit.Eviction),
        (
            "autoscaling/v1",
            "HorizontalPodAutoscaler",
            autoscaling_v1.HorizontalPodAutoscaler,
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            autoscaling_v2.HorizontalPodAutoscaler,
        ),
        (
            "autoscaling/v3",
            "HorizontalPodAutoscaler",
            autoscaling_v1.HorizontalPodAutoscaler,
        ),
        ("autoscaling/v1", "Scale", admit.Scale),
    ],
)
def test_of_several_annotated_kinds_the_objects_own_is_given(
    api_version: str, kind: str, expected: type[admit.Resource]
) -> None:
    app = admit.App("x")
    app.validate(resources=["*"])(any_of_them)
    group, _, version = api_version.rpartition("/")
    request = ask(kind={"group": group, "version": version, "kind": kind})
    assert app.handlers[0].kind_for(request) is expected


def takes_misspelt(object: HoldsMisspelt) -> None: ...


def test_a_policy_on_a_kind_with_a_wrong_annotation_is_refused_at_import() -> None:
    with pytest.raises(PolicyError, match=r"Misspelt\.colour"):
        admit.App("x").validate(takes_misspelt)


def test_what_is_promised_and_what_type_checkers_see_agree() -> None:
    stub = (ROOT / "src" / "admit" / "__init__.pyi").read_text()
    seen = set(re.findall(r"\b(\w+) as \1\b", stub))
    promised = set(vars(admit)["__all__"])
    assert seen == promised | set(KINDS)
    for name in promised:
        assert getattr(admit, name)
