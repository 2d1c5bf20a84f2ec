"""Lists: all that a Python list does, recorded."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from admit.view import List, Map, Record, raw
from tests.view.kinds import Edit, Thing

DOCUMENT: dict[str, Any] = {
    "spec": {
        "numbers": [3, 1, 2, 1],
        "boxes": [
            {"name": "a", "args": ["x"]},
            {"name": "b", "unknown": 1},
            {"name": "c"},
        ],
        "grid": [[1, 2], [], [3]],
        "anything": [None, {"k": [1]}, "s", 1.5],
    }
}


def edit() -> Edit:
    return Edit(copy.deepcopy(DOCUMENT))


# Statements on `l`, which Python's own list does as well, beginning with 3, 1, 2, 1.
# Where a statement gives something, it is put into `out`.
AS_A_LIST = [
    "l.append(9)",
    "l.insert(0, 9)",
    "l.insert(2, 9)",
    "l.insert(99, 9)",
    "l.insert(-1, 9)",
    "l.insert(-99, 9)",
    "l.remove(1)",
    "l.extend([8, 9])",
    "l.extend(x for x in (8, 9))",
    "l.extend([])",
    "l.extend(l)",
    "l += [9]",
    "l += l",
    "l.sort()",
    "l.sort(reverse=True)",
    "l.sort(key=lambda n: -n)",
    "l.sort(key=lambda n: n % 2)",
    "l.reverse()",
    "out = l.pop()",
    "out = l.pop(0)",
    "out = l.pop(-2)",
    "l.clear()",
    "del l[0]",
    "del l[-1]",
    "del l[1:3]",
    "del l[:]",
    "del l[::2]",
    "del l[::-1]",
    "del l[5:]",
    "l[0] = 9",
    "l[-1] = 9",
    "l[0] = l[0]",
    "l[0], l[1] = l[1], l[0]",
    "l[1:3] = [9]",
    "l[1:1] = [8, 9]",
    "l[:] = []",
    "l[:] = [1, 2, 3]",
    "l[::2] = [8, 9]",
    "l[::-1] = [6, 7, 8, 9]",
    "l[9:] = [9]",
    "l[:] = l[::-1]",
    "out = l.index(1)",
    "out = l.index(1, 2)",
    "out = l.count(1)",
    "out = l[1]",
    "out = l[-4]",
    "out = l[1:3]",
    "out = l[::-1]",
    "out = l[9:]",
    "out = list(l)",
    "out = list(reversed(l))",
    "out = len(l)",
    "out = 2 in l, 7 in l",
    "out = bool(l)",
    "out = l == [3, 1, 2, 1], l == [3], l != [3]",
    "out = l + [9]",
    "out = [9] + l",
    "for n in l: l.remove(n)",
    "out = sorted(l), min(l), sum(l)",
    # What raises.
    "l.remove(7)",
    "l.index(7)",
    "l.pop(4)",
    "del l[4]",
    "del l[-5]",
    "l[4] = 9",
    "out = l[4]",
    "out = l[-5]",
    "l[::2] = [9]",
    "out = l['a']",
    "del l['a']",
    "l.clear(); l.pop()",
    "l.clear(); del l[0]",
]


@pytest.mark.parametrize("statement", AS_A_LIST)
def test_a_list_is_a_list(statement: str) -> None:
    expected: dict[str, Any] = {"l": [3, 1, 2, 1]}
    it = edit()
    found: dict[str, Any] = {"l": it.thing.spec.numbers}
    if statement == "for n in l: l.remove(n)":  # of a copy, unlike Python's
        expected["l"] = []
    error: type[Exception] | None = None
    try:
        if expected["l"]:
            exec(statement, {}, expected)
    except (IndexError, ValueError, TypeError) as caught:
        error = type(caught)
    if error is None:
        exec(statement, {}, found)
    else:
        with pytest.raises(error):
            exec(statement, {}, found)
    assert list(found["l"]) == expected["l"]
    assert found["l"] == expected["l"]
    assert found.get("out") == expected.get("out")
    it.patch()
    if found["l"] == [3, 1, 2, 1]:
        assert it.patch() == []


# (statement on `boxes` and `spec`, the patch)
WRITES = [
    ("boxes.append({'name': 'd'})", [("add", "/spec/boxes/3", {"name": "d"})]),
    ("boxes.insert(0, {'name': 'd'})", [("add", "/spec/boxes/0", {"name": "d"})]),
    ("boxes.remove(boxes[1])", [("remove", "/spec/boxes/1")]),
    ("boxes.remove({'name': 'c'})", [("remove", "/spec/boxes/2")]),
    ("del boxes[0]", [("remove", "/spec/boxes/0")]),
    ("boxes += [{'name': 'd'}]", [("add", "/spec/boxes/3", {"name": "d"})]),
    ("spec.boxes += [{'name': 'd'}]", [("add", "/spec/boxes/3", {"name": "d"})]),
    ("spec['boxes'] += [{'name': 'd'}]", [("add", "/spec/boxes/3", {"name": "d"})]),
    ("boxes[1].name = 'z'", [("replace", "/spec/boxes/1/name", "z")]),
    ("boxes[1] = boxes[0]", [("replace", "/spec/boxes/1", {"name": "a", "args": ["x"]})]),
    ("boxes[1] = boxes[1]", []),
    ("box = boxes[1]; boxes[1] = box; box.name = 'z'", [("replace", "/spec/boxes/1/name", "z")]),
    ("boxes[1]['unknown'] += 1", [("replace", "/spec/boxes/1/unknown", 2)]),
    ("boxes[0], boxes[2] = boxes[2], boxes[0]", [("replace", "/spec/boxes/0", {"name": "c"}), ("replace", "/spec/boxes/2", {"name": "a", "args": ["x"]})]),
    ("boxes.sort(key=lambda b: b.name, reverse=True)", [("replace", "/spec/boxes/0", {"name": "c"}), ("replace", "/spec/boxes/2", {"name": "a", "args": ["x"]})]),
    ("boxes.sort(key=lambda b: b.name)", []),
    ("boxes.insert(0, boxes.pop())", [("add", "/spec/boxes/0", {"name": "c"}), ("remove", "/spec/boxes/3")]),
    ("boxes[:] = [b for b in boxes if b.name != 'b']", [("remove", "/spec/boxes/1")]),
    ("spec.boxes = [b for b in boxes if b.name != 'b']", [("replace", "/spec/boxes", [{"name": "a", "args": ["x"]}, {"name": "c"}])]),
    ("boxes[0].name = 'z'; boxes.insert(0, {})", [("add", "/spec/boxes/0", {}), ("replace", "/spec/boxes/1/name", "z")]),
    ("boxes.insert(0, {}); boxes[1].name = 'z'", [("add", "/spec/boxes/0", {}), ("replace", "/spec/boxes/1/name", "z")]),
    ("boxes[2].name = 'z'; del boxes[0]", [("remove", "/spec/boxes/0"), ("replace", "/spec/boxes/1/name", "z")]),
    ("boxes[0].name = 'z'; del boxes[0]", [("remove", "/spec/boxes/0")]),
    ("boxes[0].args.append('y'); boxes.reverse()", [("replace", "/spec/boxes/0", {"name": "c"}), ("replace", "/spec/boxes/2", {"name": "a", "args": ["x", "y"]})]),
    ("boxes[0].args.append('y'); boxes[0].name = 'z'", [("replace", "/spec/boxes/0/name", "z"), ("add", "/spec/boxes/0/args/1", "y")]),
    ("boxes[1].args.append('y'); boxes[1].args.append('z')", [("add", "/spec/boxes/1/args", ["y", "z"])]),
    ("boxes[0].env.append({}); boxes[0].env[0].name = 'A'", [("add", "/spec/boxes/0/env", [{"name": "A"}])]),
    ("spec.numbers.remove(2)", [("remove", "/spec/numbers/2")]),
    ("spec.numbers.insert(1, 5)", [("add", "/spec/numbers/1", 5)]),
    ("spec.numbers[0] = 3", []),
    ("spec.grid[0].append(9)", [("add", "/spec/grid/0/2", 9)]),
    ("spec.grid[1].append(9)", [("add", "/spec/grid/1/0", 9)]),
    ("spec.grid.append([4])", [("add", "/spec/grid/3", [4])]),
    ("spec.grid[0], spec.grid[2] = spec.grid[2], spec.grid[0]", [("replace", "/spec/grid/0", [3]), ("replace", "/spec/grid/2", [1, 2])]),
    ("spec.anything[1]['k'].append(2)", [("add", "/spec/anything/1/k/1", 2)]),
    ("spec.anything[0] = {}", [("replace", "/spec/anything/0", {})]),
    ("spec.anything.append(None)", [("add", "/spec/anything/4", None)]),
    ("spec.anything[3] = 1.5", []),
    ("spec.anything.extend(spec.anything[1:2])", [("add", "/spec/anything/4", {"k": [1]})]),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "patch"), WRITES)
def test_an_edited_list_is_the_smallest_patch(statement: str, patch: list[Any]) -> None:
    it = edit()
    exec(statement, {}, {"spec": it.thing.spec, "boxes": it.thing.spec.boxes})
    assert it.patch() == patch


def test_elements_read_as_their_kind() -> None:
    spec = edit().thing.spec
    assert [type(element) for element in spec.anything] == [type(None), Map, str, float]
    assert spec.boxes[0].args[0] == "x"
    assert [list(row) for row in spec.grid] == [[1, 2], [], [3]]
    assert [box.name for box in spec.boxes[1:]] == ["b", "c"]
    assert type(spec.boxes[1:]) is list
    assert isinstance(spec.grid[0], List)


def test_what_was_popped_is_out_and_readable() -> None:
    it = edit()
    box = it.thing.spec.boxes.pop(0)
    assert box.name == "a"
    assert it.patch() == [("remove", "/spec/boxes/0")]


def test_a_list_that_is_absent_is_made_when_something_is_put_in() -> None:
    it = Edit({})
    numbers = it.thing.spec.numbers
    numbers.extend([])
    numbers.clear()
    numbers.reverse()
    numbers.sort()
    del numbers[:]
    assert it.patch() == []
    assert it.record.edits == 0
    for raising in (numbers.pop, lambda: numbers[0], lambda: numbers.__delitem__(0)):
        with pytest.raises(IndexError):
            raising()
    numbers += [1]
    numbers.insert(0, 0)
    assert it.patch() == [("add", "/spec", {"numbers": [0, 1]})]
    numbers.clear()
    assert it.patch() == []


def test_an_index_that_is_not_there_says_how_many_are() -> None:
    numbers = edit().thing.spec.numbers
    for access in (lambda: numbers[7], lambda: numbers.__setitem__(7, 1), lambda: numbers.__delitem__(7)):  # fmt: skip
        with pytest.raises(
            IndexError, match=r"/spec/numbers has 4 elements, not \[7\]"
        ):
            access()


# (statement on `spec`, the error)
UNFIT = [
    ("spec.numbers.append('1')", "/spec/numbers/-: expected a whole number, found a string"),
    ("spec.numbers.append(True)", "/spec/numbers/-: expected a whole number, found a boolean"),
    ("spec.numbers.append(1.0)", "/spec/numbers/-: expected a whole number, found a number"),
    ("spec.numbers.append(None)", "/spec/numbers/-: expected a whole number, found null"),
    ("spec.numbers.insert(0, [])", "/spec/numbers/-: expected a whole number, found an array"),
    ("spec.numbers[0] = '1'", "/spec/numbers/-: expected a whole number, found a string"),
    ("spec.numbers[:] = [1, '1']", "/spec/numbers/-: expected a whole number, found a string"),
    ("spec.numbers.extend([1, '1'])", "/spec/numbers/-: expected a whole number, found a string"),
    ("spec.boxes.append('x')", "/spec/boxes/-: expected an object, found a string"),
    ("spec.boxes.append(None)", "/spec/boxes/-: expected an object, found null"),
    ("spec.boxes.append({'args': [1]})", "/spec/boxes/-/args/0: expected a string, found a whole number"),
    ("spec.boxes.append({'x': {1}})", "/spec/boxes/-/x: a set is not JSON"),
    ("spec.boxes[0].args.append(1)", "/spec/boxes/0/args/-: expected a string, found a whole number"),
    ("spec.grid.append([['a']])", "/spec/grid/-/0: expected a whole number, found an array"),
    ("spec.grid[0].append([1])", "/spec/grid/0/-: expected a whole number, found an array"),
    ("spec.anything.append({1})", "/spec/anything/-: a set is not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), UNFIT)
def test_an_element_that_does_not_fit_is_refused(statement: str, message: str) -> None:
    it = edit()
    with pytest.raises(TypeError) as caught:
        exec(statement, {}, {"spec": it.thing.spec})
    assert str(caught.value) == message
    assert it.patch() == []


def test_many_elements_are_replaced_where_they_are() -> None:
    """Comparing each with each is bounded; the patch is right all the same."""
    before = list(range(300))
    it = Edit({"spec": {"numbers": before}})
    it.thing.spec.numbers[:] = before[::-1][:-1]
    assert it.record.document["spec"]["numbers"] == before[:0:-1]
    patch = it.patch()
    assert {verb for verb, *_ in patch} == {"replace", "remove"}


def test_one_edit_of_a_long_list_is_one_operation() -> None:
    for statement in ("l.insert(1000, -1)", "l.remove(2000)", "l.append(-1)"):
        it = Edit({"spec": {"numbers": list(range(3000))}})
        exec(statement, {}, {"l": it.thing.spec.numbers})
        assert len(it.patch()) == 1


def test_equal_elements_that_were_edited_keep_apart() -> None:
    it = Edit({"spec": {"boxes": [{"name": "a"}, {"name": "a"}]}})
    boxes = it.thing.spec.boxes
    boxes[0].name = "b"
    boxes.reverse()
    assert [box.name for box in boxes] == ["a", "b"]
    assert it.patch() == [("replace", "/spec/boxes/1/name", "b")]


def test_an_untyped_document_is_edited_too() -> None:
    record = Record({"l": [1, [2, {"a": []}]]})
    view: Map[Any] = record.view(Map)
    view["l"][1][1]["a"].append("x")
    view["l"].insert(0, view["l"])
    assert raw(view) == {"l": [[1, [2, {"a": ["x"]}]], 1, [2, {"a": ["x"]}]]}
    assert [operation.path for operation in record.operations()] == [
        "/l/0",
        "/l/2/1/a/0",
    ]


def test_a_list_stands_in_for_a_sequence() -> None:
    thing = Thing({"spec": {"numbers": [1, 2]}})
    assert isinstance(thing.spec.numbers, List)
    assert [*thing.spec.numbers] == [1, 2]
    first, second = thing.spec.numbers
    assert (first, second) == (1, 2)
    assert max(thing.spec.numbers) == 2
