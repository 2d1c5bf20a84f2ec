"""Any edits of any document: the patch makes them, and nothing else."""

# ruff: noqa: ARG005 - all ways to edit take the same three

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonpatch
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admit.errors import PolicyError
from admit.patch import apply, check_portable, encode, same, split
from admit.view import List, Map, Quantity, Record, Struct, raw

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILE = settings(
    max_examples=300,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)

# Not "-": the jsonpatch package refuses to replace such a key of an object.
KEYS = st.sampled_from(["a", "b", "c", "", "a/b", "m~n", "0", "é"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, 1.0, 1.5, 2**63, 10**20]),
    st.sampled_from(["", "x", "y", "é", "<&>", "~1/"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


class Leaf(Struct):
    name: str | None
    count: int | None
    amount: Quantity | None
    tags: List[str]
    inner: Leaf


class Tree(Struct):
    labels: Map[str]
    leaf: Leaf
    leaves: List[Leaf]
    by_name: Map[Leaf]
    numbers: List[int]
    anything: Any


NAMES = st.sampled_from(["a", "b", "x/y"])
LEAVES: st.SearchStrategy[Any] = st.recursive(
    st.just({}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "name": NAMES,
            "count": st.integers(0, 2),
            "amount": st.sampled_from(["1", "1Gi"]),
            "tags": st.lists(NAMES, max_size=3),
            "inner": inner | st.none(),
            "unknown": SCALARS,
        },
    ),
    max_leaves=3,
)
TREES = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.dictionaries(NAMES, NAMES, max_size=3),
        "leaf": LEAVES | st.none(),
        "leaves": st.lists(LEAVES, max_size=4),
        "by_name": st.dictionaries(NAMES, LEAVES, max_size=2),
        "numbers": st.lists(st.integers(0, 2), max_size=5),
        "anything": VALUES,
    },
)
BOUNDS = st.none() | st.integers(-4, 4)
SLICES = st.builds(slice, BOUNDS, BOUNDS, st.sampled_from([None, 1, 2, -1, -2]))


@dataclass
class Step:
    """One edit: of one of the views held, in one of the ways that it has."""

    view: int
    way: int
    index: int
    key: str
    where: slice
    value: Any
    taken: int | None  # the value is taken from a view held instead


def steps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Step]]:
    numbers = st.integers(0, 20)
    step = st.builds(
        Step, numbers, numbers, numbers, KEYS, SLICES, values, st.none() | numbers
    )
    return st.lists(step, min_size=1, max_size=12)


# How lists, maps and structs are edited. A view that is given back is held, and
# edited by later steps.


def swap(view: List[Any], step: Step, value: Any) -> None:
    if view:
        one, other = step.index % len(view), step.way % len(view)
        if view[one] is not None and view[other] is not None:
            view[one], view[other] = view[other], view[one]


def set_element(view: List[Any], step: Step, value: Any) -> None:
    if view:
        view[step.index % len(view)] = value


def extend_by_itself(view: List[Any], step: Step, value: Any) -> None:
    if len(view) < 8 and None not in list(view):
        view += view


def set_slice(view: List[Any], step: Step, value: Any) -> None:
    count = len(view[step.where])
    view[step.where] = [value] * (2 if step.where.step in {None, 1} else count)


def delete_slice(view: List[Any], step: Step, value: Any) -> None:
    del view[step.where]


def delete_element(view: List[Any], step: Step, value: Any) -> None:
    if view:
        del view[step.index % len(view)]


def pop(view: List[Any], step: Step, value: Any) -> Any:
    return view.pop(step.index % len(view)) if view else None


def remove(view: List[Any], step: Step, value: Any) -> None:
    if view:
        view.remove(view[step.index % len(view)])


def sort(view: List[Any], step: Step, value: Any) -> None:
    view.sort(key=lambda element: repr(raw(element)), reverse=bool(step.index % 2))


LIST_WAYS: list[Callable[[Any, Step, Any], Any]] = [
    lambda view, step, value: view.append(value),
    lambda view, step, value: view.insert(step.index - 10, value),
    lambda view, step, value: view.extend([value, value]),
    lambda view, step, value: view[step.index % len(view)] if view else None,
    lambda view, step, value: view[-1] if view else None,
    lambda view, step, value: view.reverse(),
    lambda view, step, value: view.clear(),
    delete_element,
    delete_slice,
    extend_by_itself,
    pop,
    remove,
    set_element,
    set_slice,
    sort,
    swap,
]


def update(view: Map[Any], step: Step, value: Any) -> None:
    view |= {step.key: value}


def delete_key(view: Any, step: Step, value: Any) -> None:
    if step.key in view:
        del view[step.key]


def get_key(view: Any, step: Step, value: Any) -> Any:
    keys = list(view)
    return view[keys[step.index % len(keys)]] if keys else None


def set_key(view: Any, step: Step, value: Any) -> Any:
    view[step.key] = value
    return view[step.key]


MAP_WAYS: list[Callable[[Any, Step, Any], Any]] = [
    lambda view, step, value: view.setdefault(step.key, value),
    lambda view, step, value: view.update({step.key: value}),
    lambda view, step, value: view.pop(step.key, None),
    lambda view, step, value: view.popitem()[1] if view else None,
    lambda view, step, value: view.clear(),
    lambda view, step, value: list(view.values())[-1] if view else None,
    delete_key,
    get_key,
    set_key,
    update,
]


def field(view: Struct, step: Step) -> str:
    names = dir(view)
    return names[step.index % len(names)]


STRUCT_WAYS: list[Callable[[Any, Step, Any], Any]] = [
    lambda view, step, value: setattr(view, field(view, step), value),
    lambda view, step, value: setattr(view, field(view, step), value),
    lambda view, step, value: setattr(view, field(view, step), None),
    lambda view, step, value: delattr(view, field(view, step)),
    lambda view, step, value: getattr(view, field(view, step)),
    lambda view, step, value: getattr(view, field(view, step)),
    delete_key,
    get_key,
    set_key,
]

WAYS = {List: LIST_WAYS, Map: MAP_WAYS, Struct: STRUCT_WAYS}

# What a document may grow to; edits that put it into itself double it.
SIZE_LIMIT = 5_000


def run(root: Any, program: list[Step]) -> None:
    held = [root]
    for step in program:
        view = held[step.view % len(held)]
        value = step.value
        if step.taken is not None:
            value = held[step.taken % len(held)]
        if len(repr(raw(value))) > SIZE_LIMIT:
            return
        ways = next(ways for cls, ways in WAYS.items() if isinstance(view, cls))
        try:
            found = ways[step.way % len(ways)](view, step, value)
        except TypeError as error:  # the value does not fit this element or field
            assert "expected" in str(error)  # noqa: PT017 - it may also be none
            continue
        except PolicyError as error:  # an array has taken an object's place
            assert "by now" in str(error)  # noqa: PT017 - it may also be none
            continue
        if isinstance(found, List | Map | Struct):
            held.append(found)


def as_json(value: Any) -> Any:
    """A copy in which nothing is in two places, as it is after decoding."""
    return msgspec.json.decode(msgspec.json.encode(value))


def check(pristine: Any, record: Record) -> None:
    before = as_json(pristine)
    operations = record.operations()
    edited = record.document
    assert same(apply(pristine, operations), edited), "the API server's dialect"
    strict = jsonpatch.JsonPatch.from_string(encode(operations).decode())
    assert same(strict.apply(as_json(pristine)), edited), "RFC 6902"
    assert check_portable(pristine, operations) == ()
    if same(pristine, edited):
        assert operations == (), "an edit undone leaves nothing"
    for operation in operations:
        assert changes_at(pristine, edited, split(operation.path)), operation.path
    assert record.operations() == operations, "asking changes nothing"
    assert same(record.document, edited)
    assert same(pristine, before)


def changes_at(pristine: Any, edited: Any, way: tuple[str, ...]) -> bool:
    """Whether a path leads to a difference, as far as it goes through objects."""
    for key in way:
        if not (isinstance(pristine, dict) and isinstance(edited, dict)):
            break
        if (key in pristine) != (key in edited):
            return True
        pristine, edited = pristine.get(key), edited.get(key)
    return not same(pristine, edited)


@PROFILE
@given(pristine=DOCUMENTS, program=steps(VALUES))
def test_the_patch_makes_any_edits_of_any_document(
    pristine: dict[str, Any], program: list[Step]
) -> None:
    record = Record(as_json(pristine))
    run(record.view(Map), program)
    check(pristine, record)


@PROFILE
@given(pristine=TREES, program=steps(LEAVES | NAMES | st.integers(0, 2) | VALUES))
def test_the_patch_makes_any_edits_through_declared_kinds(
    pristine: dict[str, Any], program: list[Step]
) -> None:
    record = Record(as_json(pristine))
    run(record.view(Tree), program)
    check(pristine, record)
