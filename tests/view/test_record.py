"""Records: what was edited, freed when it is done, bounded in what it costs."""

from __future__ import annotations

import copy
import gc
import random
import weakref
from typing import Any

import msgspec

from admit.patch import Operation, apply, same
from admit.review import decode_members
from admit.view import Map, Quantity, Record, Time, raw
from tests.view.kinds import Thing


def test_the_document_is_edited_in_place() -> None:
    document: dict[str, Any] = {"spec": {"nodeName": "a"}}
    record = Record(document)
    record.view(Thing).spec.nodeName = "b"
    assert document == {"spec": {"nodeName": "b"}}
    assert record.document is document
    assert record.operations() == (Operation("replace", "/spec/nodeName", "b"),)


def test_views_of_one_record_see_each_others_edits() -> None:
    record = Record({})
    record.view(Thing).metadata.name = "a"
    view: Map[Any] = record.view(Map)
    assert view["metadata"]["name"] == "a"
    view["metadata"]["name"] = "b"
    assert record.view(Thing).metadata.name == "b"


def test_edits_are_counted_whether_they_are_undone_or_not() -> None:
    record = Record({"spec": {"nodeName": "a"}})
    spec = record.view(Thing).spec
    assert record.edits == 0
    spec.nodeName = "b"
    spec.nodeName = "a"
    assert record.edits == 2
    assert record.operations() == ()


def test_operations_are_those_of_the_moment() -> None:
    record = Record({})
    thing = record.view(Thing)
    thing.spec.numbers.append(1)
    first = record.operations()
    thing.spec.numbers.append(2)
    assert first == (Operation("add", "/spec", {"numbers": [1]}),)
    assert record.operations() == (Operation("add", "/spec", {"numbers": [1, 2]}),)


def test_numbers_that_are_written_differently_are_different() -> None:
    record = Record({"a": 1, "b": [1, True, 1.0], "c": 2**70})
    view: Map[Any] = record.view(Map)
    view["a"] = True
    view["b"][:] = [1.0, 1, True]
    view["c"] += 1
    assert record.operations() == (
        Operation("replace", "/a", value=True),
        Operation("replace", "/c", 2**70 + 1),
        Operation("add", "/b/0", 1.0),
        Operation("remove", "/b/3"),
    )


def test_a_record_that_was_edited_is_freed_at_once() -> None:
    """In cycles it would wait for the collector, with the whole document."""

    class Watched(Record):
        __slots__ = ("__weakref__",)

    record = Watched({"spec": {"boxes": [{}]}})
    gc.disable()
    try:
        thing = record.view(Thing)
        thing.metadata.labels["a"] = "b"
        thing.spec.boxes[0].args.append("x")
        thing.spec.boxes.append({})
        record.operations()
        watch = weakref.ref(record)
        del thing, record
        assert watch() is None
    finally:
        gc.enable()


def test_raw_gives_a_copy() -> None:
    document = {"metadata": {"labels": {"a": "1"}}}
    thing = Record(document).view(Thing)
    labels = raw(thing.metadata.labels)
    labels["b"] = "2"
    assert document == {"metadata": {"labels": {"a": "1"}}}
    assert raw(thing.spec) == {}
    assert raw(thing.spec.boxes) == []
    assert raw("x") == "x"
    assert raw(None) is None


def test_every_element_of_a_long_list_can_be_edited() -> None:
    """The way to each is found without looking through the list for each."""
    pristine = {"spec": {"boxes": [{"name": str(n)} for n in range(3000)]}}
    record = Record(copy.deepcopy(pristine))
    boxes = record.view(Thing).spec.boxes
    for box in boxes:
        box.image = "x"
    boxes.insert(0, {})
    operations = record.operations()
    assert len(operations) == 3001
    assert same(apply(pristine, operations), record.document)


def distance(before: list[int], after: list[int]) -> int:
    """Adds, removes and replacements that it takes, found by trying all."""
    if not before or not after:
        return len(before) + len(after)
    return min(
        distance(before[1:], after[1:]) + (before[0] != after[0]),
        distance(before[1:], after) + 1,
        distance(before, after[1:]) + 1,
    )


def test_an_edited_list_takes_as_few_operations_as_can_be() -> None:
    numbers = random.Random(1)
    for _ in range(200):
        before = [numbers.randrange(3) for _ in range(numbers.randrange(6))]
        after = [numbers.randrange(3) for _ in range(numbers.randrange(6))]
        record = Record({"l": list(before)})
        view: Map[Any] = record.view(Map)
        view["l"][:] = after
        operations = record.operations()
        assert apply({"l": before}, operations) == {"l": after}
        assert len(operations) == distance(before, after)


def test_an_amount_and_a_time_are_written_as_text() -> None:
    record = Record({"spec": {"boxes": [{"limits": {"memory": "1Gi"}}]}})
    thing = record.view(Thing)
    memory = thing.spec.boxes[0].limits.memory
    assert memory is not None
    thing.spec.boxes[0].limits.memory = memory * 2
    thing.metadata.created = Time("2026-01-31T12:00:00Z")
    values = [operation.value for operation in record.operations()]
    assert values == ["2Gi", {"created": "2026-01-31T12:00:00Z"}]
    assert not any(isinstance(value, Quantity | Time) for value in values)


def test_a_document_nested_as_deep_as_is_decoded_can_be_edited() -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    document = msgspec.json.decode(b'{"spec":{"anything":%s,"grid":[[1]]}}' % deep)
    record = Record(document)
    thing = record.view(Thing)
    assert thing == raw(thing)
    thing.spec.grid[0].append(2)
    thing.spec["more"] = 1
    assert len(record.operations()) == 2
    thing.spec = {"nodeName": "a"}
    assert [operation.path for operation in record.operations()] == ["/spec"]


def packed() -> tuple[dict[str, Any], Record]:
    document = {
        "metadata": {"name": "a", "labels": {"a": "1"}},
        "spec": {"nodeName": "n"},
    }
    late = decode_members(msgspec.Raw(msgspec.json.encode(document)), "$")
    assert late is not None
    return document, Record(late)


def test_members_that_nobody_read_stay_undecoded() -> None:
    document, record = packed()
    thing = record.view(Thing)
    assert thing.metadata.name == "a"
    thing.metadata.labels["b"] = "2"
    assert type(record._document["spec"]) is msgspec.Raw
    assert record.operations() == (Operation("add", "/metadata/labels/b", "2"),)
    assert type(record._document["spec"]) is msgspec.Raw
    document["metadata"]["labels"]["b"] = "2"
    assert record.document == document


def test_what_is_replaced_undecoded_is_compared_all_the_same() -> None:
    document, record = packed()
    thing = record.view(Thing)
    thing.spec = {"nodeName": "n"}
    thing.metadata.name = "a"
    thing.metadata = {"labels": {"a": "1"}, "name": "a"}
    assert record.operations() == ()
    assert raw(thing) == document


def test_what_was_edited_around_a_view_that_was_dropped_is_left_out() -> None:
    record = Record({"metadata": {"labels": {"a": "1"}}})
    thing = record.view(Thing)
    metadata = thing.metadata
    labels = metadata.labels
    del metadata.labels, thing.metadata
    assert not metadata
    labels["b"] = "2"
    assert record.operations() == (Operation("remove", "/metadata"),)


def test_what_was_made_and_then_replaced_is_left_alone() -> None:
    record = Record({})
    thing = record.view(Thing)
    thing.metadata.labels["a"] = "1"
    thing.metadata.labels.clear()
    thing.metadata.labels = {}
    assert record.operations() == (Operation("add", "/metadata", {"labels": {}}),)
