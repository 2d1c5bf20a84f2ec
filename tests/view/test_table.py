"""Maps: all that a Python dict does, recorded."""

from __future__ import annotations

import copy
from collections.abc import MutableMapping
from types import MappingProxyType
from typing import Any

import pytest

from admit.view import Map, Record, raw
from tests.view.kinds import Box, Edit

DOCUMENT: dict[str, Any] = {
    "metadata": {"labels": {"a": "1", "b": "2"}},
    "spec": {
        "named": {"x": {"name": "x"}, "none": None},
        "anything": {"k": None, "l": [1]},
    },
}


def edit() -> Edit:
    return Edit(copy.deepcopy(DOCUMENT))


# Statements on `d`, which Python's own dict does as well, beginning with a=1, b=2.
AS_A_DICT = [
    "d['c'] = '3'",
    "d['a'] = '9'",
    "d['a'] = '1'",
    "d['a'] = d['b']",
    "d['a'], d['b'] = d['b'], d['a']",
    "del d['a']",
    "d.clear()",
    "d.update({'c': '3'})",
    "d.update({'a': '9'}, c='3')",
    "d.update([('c', '3')])",
    "d.update(c='3')",
    "d.update({})",
    "d |= {'c': '3'}",
    "d |= d",
    "out = d | {'c': '3'}",
    "out = {'c': '3', 'a': '0'} | d",
    "out = d.setdefault('a', '9')",
    "out = d.setdefault('c', '3')",
    "out = d.pop('a')",
    "out = d.pop('z', 'none')",
    "out = d.get('a'), d.get('z'), d.get('z', 'none')",
    "out = d['a']",
    "out = 'a' in d, 'z' in d, 3 in d",
    "out = list(d)",
    "out = list(d.keys()), list(d.values()), list(d.items())",
    "out = len(d), bool(d)",
    "out = d == {'a': '1', 'b': '2'}, d == {}, d != {}",
    "out = dict(d), {**d}",
    "out = ('a', '1') in d.items(), '1' in d.values()",
    "out = d.keys() & {'a', 'z'}",
    "for k in list(d): del d[k]",
    "out = sorted(d.items())",
    # What raises.
    "out = d['z']",
    "del d['z']",
    "d.pop('z')",
    "d.clear(); d.popitem()",
]


@pytest.mark.parametrize("statement", AS_A_DICT)
def test_a_map_is_a_dict(statement: str) -> None:
    expected: dict[str, Any] = {"d": {"a": "1", "b": "2"}}
    it = edit()
    found: dict[str, Any] = {"d": it.thing.metadata.labels}
    raises = False
    try:
        exec(statement, {}, expected)
    except KeyError:
        raises = True
    if raises:
        with pytest.raises(KeyError):
            exec(statement, {}, found)
    else:
        exec(statement, {}, found)
    assert dict(found["d"]) == expected["d"]
    assert found["d"] == expected["d"]
    assert found.get("out") == expected.get("out")
    patch = it.patch()
    if expected["d"] == {"a": "1", "b": "2"}:
        assert patch == []


def test_popitem_takes_one_out() -> None:
    it = edit()
    key, value = it.thing.metadata.labels.popitem()
    assert DOCUMENT["metadata"]["labels"][key] == value
    assert it.patch() == [("remove", f"/metadata/labels/{key}")]


# (statement on `thing`, the patch)
WRITES = [
    ("thing.metadata.labels['c'] = '3'", [("add", "/metadata/labels/c", "3")]),
    ("thing.metadata.labels['x/y~z'] = '3'", [("add", "/metadata/labels/x~1y~0z", "3")]),
    ("thing.metadata.labels[''] = '3'", [("add", "/metadata/labels/", "3")]),
    ("thing.metadata.labels.update(a='9', c='3')", [("replace", "/metadata/labels/a", "9"), ("add", "/metadata/labels/c", "3")]),
    ("thing.metadata.labels |= {'c': '3'}", [("add", "/metadata/labels/c", "3")]),
    ("thing.metadata['labels'] |= {'c': '3'}", [("add", "/metadata/labels/c", "3")]),
    ("thing.metadata.labels.clear()", [("remove", "/metadata/labels/a"), ("remove", "/metadata/labels/b")]),
    ("del thing.metadata.labels", [("remove", "/metadata/labels")]),
    ("thing.metadata.labels = {'a': '1', 'c': '3'}", [("replace", "/metadata/labels", {"a": "1", "c": "3"})]),
    ("thing.spec.named['y'] = {'name': 'y'}", [("add", "/spec/named/y", {"name": "y"})]),
    ("thing.spec.named['y'] = thing.spec.named['x']", [("add", "/spec/named/y", {"name": "x"})]),
    ("thing.spec.named['x'] = thing.spec.named['x']", []),
    ("thing.spec.named['x'].name = 'z'", [("replace", "/spec/named/x/name", "z")]),
    ("thing.spec.named.setdefault('x', {}).name = 'z'", [("replace", "/spec/named/x/name", "z")]),
    ("thing.spec.named.setdefault('y', {}).name = 'z'", [("add", "/spec/named/y", {"name": "z"})]),
    ("thing.spec.named['none'].name = 'z'", [("replace", "/spec/named/none", {"name": "z"})]),
    ("thing.spec.named.pop('x').name = 'z'", [("remove", "/spec/named/x")]),
    ("thing.spec.anything['k'] = None", []),
    ("thing.spec.anything['m'] = None", [("add", "/spec/anything/m", None)]),
    ("thing.spec.anything['l'].append(2)", [("add", "/spec/anything/l/1", 2)]),
    ("thing.spec.anything['l'] += [2]", [("add", "/spec/anything/l/1", 2)]),
    ("thing.spec.anything['k'], thing.spec.anything['l'] = thing.spec.anything['l'], None", [("replace", "/spec/anything/k", [1]), ("replace", "/spec/anything/l", None)]),
    ("thing.spec.from_.setdefault('a', 'b')", [("add", "/spec/from", {"a": "b"})]),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "patch"), WRITES)
def test_an_edited_map_is_the_smallest_patch(statement: str, patch: list[Any]) -> None:
    it = edit()
    exec(statement, {}, {"thing": it.thing})
    assert it.patch() == patch


# (statement on `thing`, the error)
UNFIT = [
    ("thing.metadata.labels['c'] = 3", "/metadata/labels/c: expected a string, found a whole number"),
    ("thing.metadata.labels['c'] = None", "/metadata/labels/c: expected a string, found null"),
    ("thing.metadata.labels[3] = 'c'", "/metadata/labels: a key is a string, not a int"),
    ("thing.metadata.labels.setdefault('c')", "/metadata/labels/c: expected a string, found null"),
    ("thing.metadata.labels.update(c=[])", "/metadata/labels/c: expected a string, found an array"),
    ("thing.metadata.labels |= {'c': 3}", "/metadata/labels/c: expected a string, found a whole number"),
    ("thing.metadata.labels = {'c': 3}", "/metadata/labels/c: expected a string, found a whole number"),
    ("thing.metadata.labels = {3: 'c'}", "/metadata/labels: a key is a string, not a int"),
    ("thing.metadata.labels = ['c']", "/metadata/labels: expected an object, found an array"),
    ("thing.spec.named['c'] = 3", "/spec/named/c: expected an object, found a whole number"),
    ("thing.spec.named['c'] = None", "/spec/named/c: expected an object, found null"),
    ("thing.spec.named['c'] = {'port': []}", "/spec/named/c/port: expected a whole number or a string, found an array"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), UNFIT)
def test_a_value_that_does_not_fit_is_refused(statement: str, message: str) -> None:
    it = edit()
    with pytest.raises(TypeError) as caught:
        exec(statement, {}, {"thing": it.thing})
    assert str(caught.value) == message
    assert it.patch() == []


def test_a_key_that_json_cannot_hold_is_refused() -> None:
    it = edit()
    with pytest.raises(ValueError, match="lone surrogate"):
        it.thing.metadata.labels["\ud800"] = "x"
    assert it.patch() == []


def test_values_read_as_their_kind() -> None:
    named = edit().thing.spec.named
    assert isinstance(named, MutableMapping)
    assert type(named["x"]) is Box
    assert [type(value) for value in named.values()] == [Box, Box]
    assert not named["none"]
    assert named.get("x") == {"name": "x"}


def test_a_map_that_is_absent_is_made_when_something_is_put_in() -> None:
    it = Edit({})
    labels = it.thing.metadata.labels
    labels.update({})
    labels.clear()
    assert labels.pop("a", None) is None
    with pytest.raises(KeyError):
        _ = labels["a"]
    with pytest.raises(KeyError):
        del labels["a"]
    assert it.record.edits == 0
    assert labels.setdefault("a", "1") == "1"
    assert it.patch() == [("add", "/metadata", {"labels": {"a": "1"}})]


def test_any_mapping_can_be_put_in() -> None:
    it = edit()
    it.thing.metadata.labels = MappingProxyType({"c": "3"})
    it.thing.spec.anything = {"inner": MappingProxyType({"c": (1, 2)})}
    assert it.patch() == [
        ("replace", "/metadata/labels", {"c": "3"}),
        ("replace", "/spec/anything", {"inner": {"c": [1, 2]}}),
    ]


def test_an_untyped_map_takes_anything() -> None:
    record = Record({})
    view: Map[Any] = record.view(Map)
    view["a"] = {"b": [None, 1.5]}
    assert view["a"]["b"][1] == 1.5
    assert raw(view) == {"a": {"b": [None, 1.5]}}
    assert view | {"c": 1} == {"a": {"b": [None, 1.5]}, "c": 1}
