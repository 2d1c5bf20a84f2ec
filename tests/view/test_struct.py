"""Structs: reading, writing, taking out fields, and refusing what does not fit."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import pytest

from admit import Pod
from admit.errors import PolicyError, ReviewError
from admit.view import List, Map, Quantity, Record, Struct, Time, raw
from tests.view.kinds import Box, Edit, Metadata, Spec, Thing

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {"app": "web"}, "created": "2026-01-31T12:00:00Z"},
    "spec": {
        "nodeName": "n1",
        "boxes": [
            {"name": "x", "args": ["-v"], "limits": {"memory": "1Gi"}, "port": 80},
            {"name": "y", "env": [{"name": "A", "value": "1"}]},
        ],
        "from": {"k": "v"},
        "$ref": "r",
        "x-kubernetes-foo": True,
        "unknown": {"deep": [1]},
    },
}  # fmt: skip


def edit(document: dict[str, Any] | None = None) -> Edit:
    return Edit(copy.deepcopy(DOCUMENT if document is None else document))


# (expression of `thing`, what it reads as)
READS = [
    ("thing.metadata.name", "a"),
    ("thing.metadata.labels['app']", "web"),
    ("thing.spec.nodeName", "n1"),
    ("thing.spec.boxes[0].name", "x"),
    ("thing.spec.boxes[-1].env[0].value", "1"),
    ("thing.spec.boxes[0].args[0]", "-v"),
    ("thing.spec.boxes[0].port", 80),
    ("thing.spec.boxes[0].privileged", None),
    ("thing.spec.boxes[1].limits.memory", None),
    ("thing.spec.from_['k']", "v"),
    ("thing.spec.ref_", "r"),
    ("thing.spec.x_kubernetes_foo", True),
    ("thing['metadata']['name']", "a"),
    ("thing['spec']['boxes'][0]['name']", "x"),
    ("thing['spec']['unknown']['deep'][0]", 1),
    ("thing['spec']['from']['k']", "v"),
    ("'nodeName' in thing.spec", True),
    ("'unknown' in thing.spec", True),
    ("'nothing' in thing.spec", False),
    ("list(thing.metadata)", ["name", "labels", "created"]),
    ("len(thing.metadata)", 3),
]


@pytest.mark.parametrize(("expression", "expected"), READS)
def test_fields_read_as_attributes_and_items(expression: str, expected: Any) -> None:
    thing = Thing(DOCUMENT)
    assert eval(expression, {"thing": thing}) == expected


def test_amounts_and_times_read_as_what_computes() -> None:
    thing = Thing(DOCUMENT)
    memory = thing.spec.boxes[0].limits.memory
    assert type(memory) is Quantity
    assert memory == "1024Mi"
    created = thing.metadata.created
    assert type(created) is Time
    assert created < "2026-02-01T00:00:00Z"


def test_what_is_absent_reads_as_empty() -> None:
    thing = Thing()
    assert not thing.metadata
    assert not thing.spec.boxes
    assert list(thing.spec.boxes) == []
    assert dict(thing.metadata.labels) == {}
    assert thing.metadata.labels.get("app") is None
    assert thing.spec.anything is None
    assert thing.spec.nodeName is None
    assert len(thing.spec) == 0
    assert list(thing.spec) == []
    assert "x" not in thing.spec
    with pytest.raises(KeyError):
        _ = thing["spec"]


def test_null_reads_as_absent() -> None:
    thing = Thing({"metadata": None, "spec": {"nodeName": None, "boxes": None}})
    assert not thing.metadata
    assert thing.spec.nodeName is None
    assert list(thing.spec.boxes) == []


def test_a_struct_is_true_when_it_is_there() -> None:
    assert Pod({"spec": {"volumes": [{"emptyDir": {}}]}}).spec.volumes[0].emptyDir
    assert not Pod({"spec": {"volumes": [{}]}}).spec.volumes[0].emptyDir
    assert Pod({})


def test_reading_leaves_nothing() -> None:
    it = edit({"spec": {"boxes": [{}]}})
    for box in it.thing.spec.boxes:
        _ = (
            box.name,
            box.limits.memory,
            list(box.env),
            box.args == [],
            raw(box.limits),
        )
    _ = (
        it.thing.metadata.labels.get("a"),
        repr(it.thing.metadata),
        it.thing.spec.named,
    )
    assert it.patch() == []
    assert it.record.document == {"spec": {"boxes": [{}]}}
    assert it.record.edits == 0


# (statement on `thing`, the patch)
WRITES = [
    ("thing.spec.nodeName = 'n2'", [("replace", "/spec/nodeName", "n2")]),
    ("thing.spec.nodeName = 'n1'", []),
    ("thing.spec.nodeName = None", [("remove", "/spec/nodeName")]),
    ("del thing.spec.nodeName", [("remove", "/spec/nodeName")]),
    ("del thing['spec']['nodeName']", [("remove", "/spec/nodeName")]),
    ("thing.spec['nodeName'] = 'n2'", [("replace", "/spec/nodeName", "n2")]),
    ("thing.spec['nodeName'] = None", [("remove", "/spec/nodeName")]),
    ("thing.spec['other'] = None", [("add", "/spec/other", None)]),
    ("thing.spec['a/b~c'] = 1", [("add", "/spec/a~1b~0c", 1)]),
    ("thing.spec.boxes[1].privileged = False", [("add", "/spec/boxes/1/privileged", False)]),
    ("thing.spec.boxes[1].limits.memory = '1Gi'", [("add", "/spec/boxes/1/limits", {"memory": "1Gi"})]),
    ("thing.spec.boxes[0].limits.memory = Quantity('2Gi')", [("replace", "/spec/boxes/0/limits/memory", "2Gi")]),
    ("thing.spec.boxes[0].limits.memory += '1Gi'", [("replace", "/spec/boxes/0/limits/memory", "2Gi")]),
    ("thing.spec.boxes[0].port = 'http'", [("replace", "/spec/boxes/0/port", "http")]),
    ("thing.spec.boxes[0].weight = 1", [("add", "/spec/boxes/0/weight", 1)]),
    ("thing.spec.boxes[0].weight = 0.5", [("add", "/spec/boxes/0/weight", 0.5)]),
    ("thing.spec.boxes[0].limits = {}", [("replace", "/spec/boxes/0/limits", {})]),
    ("thing.spec.boxes[0].limits = None", [("remove", "/spec/boxes/0/limits")]),
    ("thing.spec.boxes[0].args = ['-q']", [("replace", "/spec/boxes/0/args", ["-q"])]),
    ("thing.spec.boxes[0].args = ('-q',)", [("replace", "/spec/boxes/0/args", ["-q"])]),
    ("thing.spec.boxes = []", [("replace", "/spec/boxes", [])]),
    ("thing.spec.anything = [1, {'x': None}]", [("add", "/spec/anything", [1, {"x": None}])]),
    ("thing.spec.from_['k'] = 'w'", [("replace", "/spec/from/k", "w")]),
    ("thing.spec.from_ = {}", [("replace", "/spec/from", {})]),
    ("thing.spec['from']['k'] = 'w'", [("replace", "/spec/from/k", "w")]),
    ("thing.spec['$ref'] = 's'", [("replace", "/spec/$ref", "s")]),
    ("thing.spec['x-kubernetes-foo'] = None", [("remove", "/spec/x-kubernetes-foo")]),
    ("thing.spec['unknown']['deep'].append(2)", [("add", "/spec/unknown/deep/1", 2)]),
    ("thing.metadata = {'name': 'b'}", [("replace", "/metadata", {"name": "b"})]),
    ("thing.metadata = Metadata({'name': 'b'})", [("replace", "/metadata", {"name": "b"})]),
    ("thing.metadata.labels = {'app': 'web'}", []),
    ("thing.metadata.created = Time('2026-01-31T12:00:00Z')", []),
    ("thing.spec.boxes[1].name = thing.spec.boxes[0].name", [("replace", "/spec/boxes/1/name", "x")]),
    ("thing.spec.boxes[1].args = thing.spec.boxes[0].args", [("add", "/spec/boxes/1/args", ["-v"])]),
    ("thing.spec.boxes[1].limits = thing.spec.boxes[0].limits", [("add", "/spec/boxes/1/limits", {"memory": "1Gi"})]),
    ("thing.spec.boxes[0].limits = thing.spec.boxes[1].limits", [("remove", "/spec/boxes/0/limits")]),
    ("thing.spec = thing.spec", []),
    ("thing.metadata.labels = thing.metadata.labels", []),
    ("del thing.spec.boxes[0].privileged", []),
    ("thing.spec.boxes[0].privileged = None", []),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "patch"), WRITES)
def test_writing_is_recorded_as_the_smallest_patch(
    statement: str, patch: list[Any]
) -> None:
    it = edit()
    names = {"Quantity": Quantity, "Time": Time, "Metadata": Metadata}
    exec(statement, names, {"thing": it.thing})
    assert it.patch() == patch


# Statements that come back to where they began.
UNDONE = [
    "thing.spec.nodeName = 'n2'; thing.spec.nodeName = 'n1'",
    "del thing.spec.nodeName; thing.spec.nodeName = 'n1'",
    "thing.metadata.labels['x'] = '1'; del thing.metadata.labels['x']",
    "old = raw(thing.metadata); thing.metadata = {}; thing.metadata = old",
    "old = raw(thing.metadata); thing.metadata.labels['x'] = '1'; thing.metadata = old",
    "thing.metadata.labels.clear(); thing.metadata.labels['app'] = 'web'",
    "thing.spec.boxes[1].limits.memory = '1'; thing.spec.boxes[1].limits.memory = None",
    "thing.spec.boxes[1].limits.memory = '1'; del thing.spec.boxes[1].limits",
    "thing.spec.named.setdefault('x', {}).limits.memory = '1'; thing.spec.named.clear()",
    "thing.spec.boxes[0].env.append({'name': 'A'}); thing.spec.boxes[0].env.pop()",
    "thing.spec['a'] = thing.spec['b'] = 1; del thing.spec['a'], thing.spec['b']",
    "box = thing.spec.boxes[0]; box.port = 81; thing.spec.boxes[0] = {**raw(box), 'port': 80}",
    "b = thing.spec.boxes; b[0], b[1] = b[1], b[0]; b[0], b[1] = b[1], b[0]",
    "thing.spec.boxes.reverse(); thing.spec.boxes.reverse()",
]


@pytest.mark.parametrize("statements", UNDONE)
def test_an_edit_undone_leaves_nothing(statements: str) -> None:
    it = edit()
    exec(statements, {"raw": raw}, {"thing": it.thing})
    assert it.patch() == []
    assert it.record.document == DOCUMENT


def test_writing_into_what_is_absent_makes_its_parents() -> None:
    it = edit({})
    it.thing.spec.named["a"] = {}
    it.thing.spec.named["a"].limits.memory = "1Gi"
    it.thing.metadata.labels["app"] = "web"
    assert it.patch() == [
        ("add", "/spec", {"named": {"a": {"limits": {"memory": "1Gi"}}}}),
        ("add", "/metadata", {"labels": {"app": "web"}}),
    ]


def test_parents_that_were_made_and_emptied_again_leave_nothing() -> None:
    it = edit({"spec": {"boxes": [{"name": "x"}]}})
    box = it.thing.spec.boxes[0]
    box.limits.memory = "1Gi"
    box.limits.memory = None
    box.env.append({"name": "A"})
    box.env.clear()
    it.thing.metadata.labels["a"] = "b"
    it.thing.metadata.labels.popitem()
    assert it.patch() == []
    assert it.record.document == {"spec": {"boxes": [{"name": "x"}]}}


def test_a_parent_that_was_null_is_null_again() -> None:
    it = edit({"metadata": None})
    it.thing.metadata.labels["a"] = "b"
    assert it.patch() == [("replace", "/metadata", {"labels": {"a": "b"}})]
    del it.thing.metadata.labels["a"]
    assert it.patch() == []
    assert it.record.document == {"metadata": None}


def test_an_empty_object_that_was_put_in_stays() -> None:
    it = edit({})
    it.thing.metadata.labels = {}
    assert it.patch() == [("add", "/metadata", {"labels": {}})]


def test_two_views_of_what_is_absent_are_one_place() -> None:
    it = edit({})
    one, other = it.thing.metadata.labels, it.thing.metadata.labels
    one["a"] = "1"
    other["b"] = "2"
    assert dict(one) == dict(other) == {"a": "1", "b": "2"}
    one.clear()
    assert it.patch() == []
    other["c"] = "3"
    assert dict(one) == {"c": "3"}
    assert it.patch() == [("add", "/metadata", {"labels": {"c": "3"}})]


def test_a_view_of_what_was_replaced_is_no_part_of_the_document() -> None:
    it = edit()
    labels, box = it.thing.metadata.labels, it.thing.spec.boxes[0]
    it.thing.metadata.labels = {"new": "1"}
    it.thing.spec.boxes.pop(0)
    labels["lost"] = "1"
    box.name = "lost"
    box.limits.memory = "1"
    assert it.patch() == [
        ("replace", "/metadata/labels", {"new": "1"}),
        ("remove", "/spec/boxes/0"),
    ]
    assert repr(box) == "<Box /spec/boxes/removed>"


def test_what_was_taken_out_can_be_put_back_changed() -> None:
    it = edit()
    box = it.thing.spec.boxes.pop(0)
    box.name = "z"
    it.thing.spec.boxes.append(box)
    box.name = "after"
    assert it.thing.spec.boxes[1].name == "z"
    assert [path for _, path, *_ in it.patch()] == ["/spec/boxes/0", "/spec/boxes/1"]


def test_a_value_put_in_is_a_copy() -> None:
    it = edit()
    value: dict[str, Any] = {"labels": {"a": "1"}}
    it.thing.metadata = value
    value["labels"]["a"] = "2"
    it.thing.metadata.labels["b"] = "3"
    assert value == {"labels": {"a": "2"}}
    (operation,) = it.record.operations()
    it.thing.metadata.labels["c"] = "4"
    assert operation.value == {"labels": {"a": "1", "b": "3"}}


def test_a_stand_alone_view_is_a_document_of_its_own() -> None:
    document = {"metadata": {"labels": {"a": "1"}}}
    thing = Thing(document)
    thing.metadata.labels["b"] = "2"
    assert document == {"metadata": {"labels": {"a": "1"}}}
    assert raw(thing) == {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert raw(Thing(thing)) == raw(thing)
    assert thing == Thing(raw(thing))
    with pytest.raises(TypeError, match="Thing is made of an object"):
        Thing([1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="/a: a set is not JSON"):
        Thing({"a": {1}})


def test_views_compare_by_what_they_hold() -> None:
    thing = Thing(DOCUMENT)
    assert thing.metadata == DOCUMENT["metadata"]
    assert thing.metadata != {}
    assert thing.spec.boxes[0].limits == {"memory": "1Gi"}
    assert Thing().metadata == {}
    assert Thing().metadata == Thing({"metadata": {}}).metadata
    assert Thing().spec.boxes == []
    assert Thing().spec.boxes != Thing().metadata
    with pytest.raises(TypeError, match="unhashable"):
        hash(thing)


def test_repr_says_the_place_and_nothing_of_the_content() -> None:
    thing = Thing(
        {
            "metadata": {"labels": {"a": "secret"}},
            "spec": {"boxes": [{}, {"name": "secret"}]},
        }
    )
    texts = [
        repr(view)
        for view in (thing, thing.metadata.labels, thing.spec.boxes, thing.spec.boxes[1], thing.spec.named)
    ]  # fmt: skip
    assert texts == [
        "<Thing object>",
        "<Map /metadata/labels>",
        "<List /spec/boxes>",
        "<Box /spec/boxes/1>",
        "<Map /spec/named absent>",
    ]


# (what is done, class, missing, nearest)
MISSPELT = [
    (lambda thing: thing.spec.nodeNam, "Spec has no field 'nodeNam'; did you mean nodeName?"),
    (lambda thing: thing.spec.qqq, "Spec has no field 'qqq'"),
    (lambda thing: setattr(thing.spec.boxes[0], "imgae", "x"), "Box has no field 'imgae'; did you mean image?"),
    (lambda thing: setattr(thing, "metdata", {}), "Thing has no field 'metdata'; did you mean metadata?"),
    (lambda thing: delattr(thing.metadata, "lables"), "Metadata has no field 'lables'; did you mean labels?"),
    (lambda thing: thing.metadata.keys(), "Metadata has no field 'keys'"),
    (lambda thing: setattr(thing, "_node", {}), "Thing has no field '_node'"),
]  # fmt: skip


@pytest.mark.parametrize(("misspell", "message"), MISSPELT)
def test_a_misspelt_field_is_an_error_with_the_nearest_name(
    misspell: Callable[[Any], Any], message: str
) -> None:
    it = edit()
    with pytest.raises(AttributeError) as caught:
        misspell(it.thing)
    assert str(caught.value) == message
    assert it.patch() == []


def test_dir_gives_the_fields() -> None:
    assert dir(Thing()) == ["metadata", "spec"]
    assert not hasattr(Thing(), "status")


WRONG: dict[str, Any] = {
    "metadata": {"name": 1, "labels": {"a": 1}, "created": 3},
    "spec": {
        "boxes": [{"args": {}, "port": 1.5, "privileged": "yes", "weight": "1"}, "x", None],
        "named": [],
        "numbers": [1, 1.0, True],
        "grid": [[1], {}],
    },
}  # fmt: skip

# (expression of `thing`, place, message)
WRONG_TYPES = [
    ("thing.metadata.name", "/metadata/name", "expected a string, found a whole number"),
    ("thing.metadata.labels['a']", "/metadata/labels/a", "expected a string, found a whole number"),
    ("thing.metadata.labels.get('a')", "/metadata/labels/a", "expected a string, found a whole number"),
    ("thing.metadata['name']", "/metadata/name", "expected a string, found a whole number"),
    ("thing.metadata.created", "/metadata/created", "expected a string, found a whole number"),
    ("thing.spec.boxes[0].args", "/spec/boxes/0/args", "expected an array, found an object"),
    ("thing.spec.boxes[0].port", "/spec/boxes/0/port", "expected a whole number or a string, found a number"),
    ("thing.spec.boxes[0].privileged", "/spec/boxes/0/privileged", "expected a boolean, found a string"),
    ("thing.spec.boxes[0].weight", "/spec/boxes/0/weight", "expected a number, found a string"),
    ("thing.spec.boxes[1]", "/spec/boxes/1", "expected an object, found a string"),
    ("thing.spec.boxes[2]", "/spec/boxes/2", "expected an object, found null"),
    ("list(thing.spec.boxes)", "/spec/boxes/1", "expected an object, found a string"),
    ("thing.spec.named", "/spec/named", "expected an object, found an array"),
    ("thing.spec.numbers[1]", "/spec/numbers/1", "expected a whole number, found a number"),
    ("thing.spec.numbers[2]", "/spec/numbers/2", "expected a whole number, found a boolean"),
    ("thing.spec.grid[1]", "/spec/grid/1", "expected an array, found an object"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "place", "message"), WRONG_TYPES)
def test_json_of_another_type_is_the_callers_fault_with_its_place(
    expression: str, place: str, message: str
) -> None:
    thing = Record(copy.deepcopy(WRONG)).view(Thing)
    with pytest.raises(ReviewError) as caught:
        eval(expression, {"thing": thing})
    assert caught.value.place == f"object {place}"
    assert caught.value.message == message
    assert caught.value.hint == "the object does not have the shape of its kind"


# (statement on `thing`, the error)
UNFIT = [
    ("thing.spec.nodeName = 1", "/spec/nodeName: expected a string, found a whole number"),
    ("thing.spec.nodeName = ['n']", "/spec/nodeName: expected a string, found an array"),
    ("thing.spec.nodeName = {}", "/spec/nodeName: expected a string, found an object"),
    ("thing.spec.nodeName = thing.spec", "/spec/nodeName: expected a string, found an object"),
    ("thing.spec.nodeName = {1}", "/spec/nodeName: a set is not JSON"),
    ("thing.spec.nodeName = b'n'", "/spec/nodeName: a bytes is not JSON"),
    ("thing.spec.boxes[0].privileged = 1", "/spec/boxes/0/privileged: expected a boolean, found a whole number"),
    ("thing.spec.boxes[0].port = True", "/spec/boxes/0/port: expected a whole number or a string, found a boolean"),
    ("thing.spec.boxes[0].args = 'x'", "/spec/boxes/0/args: expected an array, found a string"),
    ("thing.spec.boxes[0].args = {'x': 1}", "/spec/boxes/0/args: expected an array, found an object"),
    ("thing.spec.boxes[0].args = [1]", "/spec/boxes/0/args/0: expected a string, found a whole number"),
    ("thing.spec.boxes[0].args = ['a', None]", "/spec/boxes/0/args/1: expected a string, found null"),
    ("thing.spec.boxes[0].limits = []", "/spec/boxes/0/limits: expected an object, found an array"),
    ("thing.spec.boxes[0].limits = object()", "/spec/boxes/0/limits: a object is not JSON"),
    ("thing.spec = {'boxes': [{'env': [{'name': 3}]}]}", "/spec/boxes/0/env/0/name: expected a string, found a whole number"),
    ("thing.spec = {'boxes': [3]}", "/spec/boxes/0: expected an object, found a whole number"),
    ("thing.spec = {'a': {1: 2}}", "/spec/a: a key is a string, not a int"),
    ("thing.spec = {'a': [{'b': {3}}]}", "/spec/a/0/b: a set is not JSON"),
    ("thing.spec.anything = {'x': ...}", "/spec/anything/x: a ellipsis is not JSON"),
    ("thing.spec['a'] = lambda: 1", "/spec/a: a function is not JSON"),
    ("thing.spec[3] = 1", "/spec: a key is a string, not a int"),
    ("thing[3] = 1", "object: a key is a string, not a int"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), UNFIT)
def test_a_value_that_does_not_fit_is_refused_with_its_path(
    statement: str, message: str
) -> None:
    it = edit()
    with pytest.raises(TypeError) as caught:
        exec(statement, {}, {"thing": it.thing})
    assert str(caught.value) == message
    assert caught.value.admit_safe, "it quotes no content"  # type: ignore[attr-defined]
    assert it.patch() == []


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def looped() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "/spec/anything: JSON has no nan"),
        ([float("-inf")], "/spec/anything/0: JSON has no -inf"),
        ("\ud800", "/spec/anything: JSON text cannot hold a lone surrogate"),
        ({"\ud800": 1}, "/spec/anything: JSON text cannot hold a lone surrogate"),
        ({"a": "é\ud800"}, "/spec/anything/a: JSON text cannot hold a lone surrogate"),
    ],
)
def test_what_json_cannot_hold_is_refused(value: Any, message: str) -> None:
    it = edit()
    with pytest.raises(ValueError) as caught:
        it.thing.spec.anything = value
    assert str(caught.value) == message
    assert it.patch() == []


def test_how_deep_a_value_may_be_is_bounded() -> None:
    it = edit()
    it.thing.spec.anything = nested(199)
    assert len(it.patch()) == 1
    for value in (nested(200), looped()):
        with pytest.raises(ValueError, match="nested deeper than 200"):
            it.thing.spec.anything = value


def test_a_long_path_is_cut_in_an_error() -> None:
    it = edit()
    with pytest.raises(TypeError) as caught:
        it.thing.spec.anything = {"k" * 100_000: {1}}
    assert len(str(caught.value)) < 350
    assert str(caught.value).endswith("kkk...: a set is not JSON")


def test_text_and_numbers_of_other_classes_become_plain() -> None:
    class Word(str):
        __slots__ = ()

    class Number(int):
        pass

    it = edit({})
    it.thing.spec.anything = [Word("é"), Number(3), True, Quantity("1Gi"), (1,)]
    it.thing.spec.nodeName = Word("n")
    assert [type(v) for v in it.record.document["spec"]["anything"]] == [
        str,
        int,
        bool,
        str,
        list,
    ]
    assert type(it.record.document["spec"]["nodeName"]) is str


@pytest.mark.parametrize(
    "statement",
    [
        "thing.spec.nodeName = 'x'",
        "del thing.spec.nodeName",
        "thing.spec.boxes.append({})",
        "thing.spec.boxes[0].env.append({})",
        "thing.metadata.labels['a'] = 'b'",
        "thing['x'] = 1",
        "thing.spec.boxes.reverse()",
    ],
)
def test_a_record_for_looking_only_refuses_edits(statement: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    record = Record(document, editable=False)
    with pytest.raises(PolicyError, match="cannot be edited here") as caught:
        exec(statement, {}, {"thing": record.view(Thing)})
    assert "only a handler under @app.mutate edits" in (caught.value.hint or "")
    assert document == DOCUMENT
    assert record.operations() == ()
    assert record.edits == 0


def test_a_view_of_nothing_whose_place_was_taken_by_another_type_says_so() -> None:
    it = edit({"spec": {"anything": {"k": {}}}})
    view = it.thing.spec.anything["k"]
    it.thing.spec.anything["k"] = [1]
    view["x"] = 1  # what was there is no part of the document any more
    del it.thing.spec.anything["k"], view["x"]
    assert not view
    it.thing.spec.anything["k"] = [1]
    with pytest.raises(
        PolicyError, match="/spec/anything/k holds something else by now"
    ):
        view["x"] = 1
    assert it.patch() == [("replace", "/spec/anything/k", [1])]


def test_fields_by_any_annotation() -> None:
    class Odd(Struct):
        choice: Literal["a", "b"] | None
        mixed: str | Literal[1]
        untyped: list  # type: ignore[type-arg]
        mapping: dict  # type: ignore[type-arg]
        items: list[int]
        maybe: Box | None
        either: int | Any
        _private: str
        quoted: "str | None"  # noqa: UP037 - as in code without the future import

    odd = Odd(
        {"choice": "a", "mixed": 1, "untyped": [{}], "mapping": {"a": []}, "items": [1]}
    )
    assert (odd.choice, odd.mixed, odd.items[0]) == ("a", 1, 1)
    assert type(odd.untyped[0]) is Map
    assert type(odd.mapping["a"]) is List
    odd.maybe.limits.memory = "1"  # type: ignore[union-attr]
    odd.either = [1]
    with pytest.raises(AttributeError):
        _ = odd._private
    with pytest.raises(TypeError, match="/choice: expected a string"):
        odd.choice = 1  # type: ignore[assignment]
    assert raw(odd)["maybe"] == {"limits": {"memory": "1"}}


def test_annotations_may_be_objects() -> None:
    source = """
class Own(Struct):
    name: str | None
    boxes: List[Box]
    labels: Map[str]
    box: Box
    anything: Any
"""
    space = {"Struct": Struct, "List": List, "Map": Map, "Box": Box, "Any": Any}
    code = compile(source, "policy.py", "exec", dont_inherit=True)
    exec(code, space | {"__name__": "policy"}, found := {})  # type: ignore[var-annotated]
    own = found["Own"]({"name": "a", "boxes": [{"name": "b"}], "labels": {"c": "d"}})
    assert (own.name, own.boxes[0].name, own.labels["c"]) == ("a", "b", "d")
    own.box.name = "e"
    assert type(own.box) is Box


@pytest.mark.parametrize("annotation", ["complex", "Nowhere", "1 +", "str.no"])
def test_an_annotation_that_json_cannot_be_is_refused(annotation: str) -> None:
    space: dict[str, Any] = {"Struct": Struct, "__name__": __name__}
    exec(f"class Odd(Struct):\n    field: {annotation!r}", space)
    with pytest.raises(PolicyError, match="is no field of a kind") as caught:
        _ = space["Odd"]({}).field
    assert caught.value.place == f"{__name__}.Odd.field"
    assert caught.value.hint is not None


def test_a_class_inherits_fields() -> None:
    class Wide(Spec):
        wide: str | None

    wide = Wide({"wide": "w", "nodeName": "n"})
    assert (wide.wide, wide.nodeName) == ("w", "n")
    assert {"wide", "nodeName"} <= set(dir(wide))
