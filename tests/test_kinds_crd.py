from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from admit._tasks.kinds import write_kinds
from admit.errors import ConfigError

ROOT = Path(__file__).parent.parent

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
          apiVersion: {type: string}
          kind: {type: string}
          metadata: {type: object}
          spec:
            type: object
            properties:
              cronSpec: {type: string, description: When to run.}
              replicas: {type: integer, allOf: [{maximum: 5}]}
              ratio: {type: number}
              port: {x-kubernetes-int-or-string: true}
              from: {type: string, format: date-time}
              policy: {type: string, enum: [Allow, Forbid], description: What to do.}
              with-hyphen: {type: string}
              bool: {type: boolean}
              flags: {type: array, items: {type: boolean}}
              Any: {type: string}
              anything: {x-kubernetes-preserve-unknown-fields: true}
              open: {type: object, x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}}
              template: {type: object, x-kubernetes-embedded-resource: true}
              limits:
                type: object
                additionalProperties: &quantity
                  x-kubernetes-int-or-string: true
                  anyOf: [{type: integer}, {type: string}]
                  pattern: ^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$
              size: *quantity
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

EXPECTED = '''\
from __future__ import annotations

import builtins
from typing import Any

from admit import List, Map, Quantity, Resource, Struct, Time
from admit.kinds import ResourceList


class CronTabSpecStep(Struct):
    image: str | None


class CronTabSpec(Struct):
    # "Any" is reached as an item.
    anything: Any
    bool: builtins.bool | None
    cronSpec: str | None
    """When to run."""
    flags: List[builtins.bool]
    from_: Time | None
    labels: Map[str]
    limits: ResourceList
    open: Map[Any]
    policy: str | None
    """What to do. One of: Allow, Forbid."""
    port: int | str | None
    ratio: float | None
    replicas: int | None
    size: Quantity | None
    steps: List[CronTabSpecStep]
    template: Resource
    # "with-hyphen" is reached as an item.


class CronTab(Resource, group="stable.example.com", version="v1", plural="crontabs"):
    """CronTab runs a job on a schedule."""

    spec: CronTabSpec


class CronTabV1beta1(
    Resource,
    group="stable.example.com",
    version="v1beta1",
    plural="crontabs",
    kind="CronTab",
): ...
'''


def write(*texts: str) -> str:
    return write_kinds(["-"], stdin=io.BytesIO("\n---\n".join(texts).encode())).text


def make_crd(kind: str = "Thing", group: str = "example.com", **schema: Any) -> str:
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    spec = {"group": group, "names": names, "versions": [version]}
    return json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "spec": spec,
        }
    )


def test_a_crd_becomes_classes_as_a_person_would_write_them(tmp_path: Path) -> None:
    crd = tmp_path / "crd.yaml"
    crd.write_text(CRD)
    report = write_kinds([str(crd)])
    assert report.kinds == (
        ("stable.example.com/v1", "CronTab"),
        ("stable.example.com/v1beta1", "CronTabV1beta1"),
    )
    assert report.text == EXPECTED


USE = """
from admit.kinds import check_kind
from crontab_kinds import CronTab, CronTabV1beta1
check_kind(CronTab)
spec = {"steps": [{"image": "a"}], "port": "http", "limits": {"cpu": 1}, "size": "1Ki"}
tab = CronTab({"spec": spec, "metadata": {"labels": {"app": "a"}}})
assert tab.metadata.labels["app"] == "a"
assert tab.spec.steps[0].image == "a"
assert tab.spec.port == "http"
cpu, size = tab.spec.limits.cpu, tab.spec.size
assert cpu is not None and cpu < 2
assert size is not None and size == 1024
tab.spec.replicas = 3
tab.spec.labels["a"] = "b"
tab.spec["with-hyphen"] = "c"
tab.spec["Any"] = "d"
tab.spec.anything = {"x": 1}
tab.spec.template.metadata.name = "e"
assert tab.spec.bool is None
assert CronTabV1beta1.__resource__ is not None
assert CronTabV1beta1.__resource__.kind == "CronTab"
"""


def test_the_classes_work_and_type_check(tmp_path: Path) -> None:
    (tmp_path / "crontab_kinds.py").write_text(EXPECTED)
    (tmp_path / "use.py").write_text(USE)
    subprocess.run([sys.executable, "use.py"], check=True, cwd=tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "use.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_crds_of_one_kind_in_two_groups_stay_two_kinds() -> None:
    text = write(make_crd(group="a.example.com"), make_crd(group="b.example.com"))
    assert 'class Thing(Resource, group="a.example.com"' in text
    assert "class Thing2(" in text
    assert text.count('kind="Thing"') == 1


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("My-Thing", "class MyThing("),
        ("Resource", "class Resource2("),
        ("List", "class List2("),
        ("thing", "class Thing("),
    ],
)
def test_a_kind_that_is_no_name_in_python_keeps_its_own_word(
    kind: str, header: str
) -> None:
    text = write(make_crd(kind=kind))
    assert header in text
    assert f'kind="{kind}"' in text


def test_other_documents_and_lists_of_crds_are_read_too() -> None:
    items = f'{{"apiVersion": "v1", "kind": "List", "items": [{make_crd("One")}]}}'
    pod = '{"apiVersion": "v1", "kind": "Pod"}'
    text = write(items, pod, make_crd("Two"))
    assert "class One(" in text
    assert "class Two(" in text
    assert "Pod" not in text


def test_the_same_described_shape_is_one_class_within_a_crd() -> None:
    name = {"type": "string", "description": "Its name."}
    ref = {"type": "object", "properties": {"name": name}}
    plain = {"type": "object", "properties": {"name": {"type": "string"}}}
    properties = {"a": ref, "b": {**ref, "description": "B."}, "c": plain, "d": plain}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    text = write(make_crd("One", **schema), make_crd("Two", **schema))
    for line in ("a: OneA", "b: OneA", "c: OneC", "d: OneD", "a: TwoA", "b: TwoA"):
        assert f"    {line}\n" in text


def test_a_field_too_long_for_a_line_is_wrapped() -> None:
    item = {"type": "object", "properties": {"a": {"type": "string"}}}
    name = "aFieldWhoseNameIsMuchLongerThanAnybodyWouldLike"
    text = write(make_crd(properties={name: {"type": "array", "items": item}}))
    inner = f"Thing{name[0].upper()}{name[1:]}"
    assert f"    {name}: List[\n        {inner}\n    ]\n" in text


def test_a_version_without_a_schema_is_a_kind_without_fields() -> None:
    text = write(make_crd().replace('"schema": {"openAPIV3Schema": {}}', '"x": 1'))
    assert text.endswith('version="v1", plural="things"): ...\n')


def test_cluster_scope_is_said() -> None:
    text = write(make_crd().replace('"group"', '"scope": "Cluster", "group"'))
    assert "namespaced=False" in text


def test_what_a_schema_says_never_becomes_code() -> None:
    evil = '""" + __import__("os").system("true") + """ \\'
    schema: dict[str, Any] = {
        "description": evil,
        "properties": {
            evil: {"type": "string"},
            "a": {"type": "string", "description": evil, "enum": [evil]},
            "b\nimport os\n": {},
            "class": {"type": evil},
        },
    }
    text = write(make_crd(**schema))
    names = set(compile(text, "kinds", "exec").co_names)
    assert names <= {"__future__", "annotations", "typing", "Any", "admit", "Map"} | {
        "Resource",
        "Thing",
        "Struct",
        "List",
    }
    assert "    class_: Any\n" in text


def test_schemas_nested_beyond_reason_end_in_any() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        schema = {"type": "object", "properties": {"a": schema}}
    text = write(make_crd(**schema))
    assert "    a: Any\n" in text
    compile(text, "kinds", "exec")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Pod\napiVersion: v1\n", "there is no CustomResourceDefinition"),
        (
            CRD.replace("k8s.io/v1\n", "k8s.io/v1beta1\n"),
            "of apiextensions.k8s.io/v1beta1",
        ),
        (CRD.replace("  names:", "  nams:"), "spec.names is missing"),
        (CRD.replace("kind: CronTab}", "kind: 7}"), "spec.names.kind is not text"),
        (CRD.replace("kind: CronTab}", "kind: 'a b'}"), "kind 'a b' is not"),
        (CRD.replace("plural: crontabs", "plural: 'a\"b'"), "plural 'a\"b' is not"),
        (CRD.replace("group: stable.example.com", "group: a b"), "group 'a b' is no"),
        (CRD.replace("group: stable.example.com", "group: ''"), "spec.group is empty"),
        (CRD.replace("name: v1\n", "name: 'v 1'\n"), "version 'v 1' is none"),
        (CRD.replace("served: true", "served: false"), "no version is served"),
        (
            CRD.partition("  versions:")[0] + "  versions: {}\n",
            "spec.versions is not a list",
        ),
        (
            CRD.partition("  versions:")[0] + "  versions: [v1]\n",
            "spec.versions[0] is no object",
        ),
        (
            CRD.replace("{type: integer, allOf: [{maximum: 5}]}", "3"),
            "openAPIV3Schema.properties.spec.properties.replicas is no schema",
        ),
        (CRD.replace("[{maximum: 5}]", "5"), "properties.replicas.allOf is no list"),
        (CRD.replace("[{maximum: 5}]", "[5]"), "replicas.allOf[0] is no schema"),
        (
            CRD.replace("items: {type: boolean}", "items: [1]"),
            "properties.flags.items is no schema",
        ),
        (
            CRD.replace("{image: {type: string}}", "[]").replace(
                "properties:\n                    image: {type: string}",
                "properties: [1]",
            ),
            "properties.steps.items.properties is no object",
        ),
        ("a: b: c", "mapping values are not allowed"),
    ],
)
def test_what_is_no_crd_has_a_place(tmp_path: Path, text: str, message: str) -> None:
    crd = tmp_path / "crd.yaml"
    crd.write_text(textwrap.dedent(text))
    with pytest.raises(ConfigError) as caught:
        write_kinds([str(crd)])
    assert message in caught.value.message
    assert str(crd) in str(caught.value)
