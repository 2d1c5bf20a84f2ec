"""A document whose members are decoded when they are read is the same document."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit import Pod, ReviewError, Struct
from admit.review import decode_members
from admit.view import Record, raw

keys = st.sampled_from(
    ["metadata", "a", "labels", "managedFields", "name", "spec", "b"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=4)
documents = st.tuples(objects, objects).map(lambda two: {**two[0], "metadata": two[1]})
edits = st.lists(
    st.tuples(
        st.sampled_from(["read", "set", "delete", "swap", "equal", "copy", "put back"]),
        st.booleans(),
        keys,
        values,
    ),
    max_size=6,
)


class Anything(Struct):
    """Nothing is declared, so that everything fits."""


def edit(
    record: Record,
    program: list[tuple[str, bool, str, Any]],
    original: dict[str, Any],
) -> list[Any]:
    """Run an edit program; return what it read."""
    seen: list[Any] = []
    root = record.view(Anything)
    for verb, inside, key, value in program:
        try:
            target: Any = root["metadata"] if inside else root
            if verb == "read":
                seen.append(raw(target[key]))
            elif verb == "set":
                target[key] = value
            elif verb == "delete":
                del target[key]
            elif verb == "swap":
                root[key], root["other"] = root["other"], root[key]
            elif verb == "equal":
                seen.append(target == {key: value})
            elif verb == "copy":
                root["copy"] = root["metadata"]
            else:
                root["metadata"] = original["metadata"]
        except (KeyError, AttributeError, TypeError) as error:
            seen.append(type(error).__name__)
        except ReviewError as error:
            seen.append(str(error))
    return seen


@given(documents, edits)
def test_reading_late_changes_nothing(
    document: dict[str, Any], program: list[tuple[str, bool, str, Any]]
) -> None:
    text = json.dumps(document).encode()
    late_document = decode_members(msgspec.Raw(text), "$")
    assert late_document is not None
    early, late = Record(json.loads(text)), Record(late_document)
    assert edit(late, program, document) == edit(early, program, document)
    assert late.operations() == early.operations()
    assert late.document == early.document


def test_a_member_that_is_not_json_is_found_when_it_is_read() -> None:
    document = decode_members(msgspec.Raw(b'{"metadata": null, "spec": [1e999]}'), "$")
    assert document is not None
    pod = Record(document).view(Pod)
    assert not pod.metadata
    with pytest.raises(ReviewError) as caught:
        _ = pod.spec
    assert caught.value.place == "object /spec[0]"
