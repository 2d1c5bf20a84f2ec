"""Patches of any kind against any document."""

from __future__ import annotations

import os
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from admit.errors import PatchError, ReviewError
from admit.patch import (
    Operation,
    apply,
    check_portable,
    decode,
    encode,
    join,
    same,
    split,
)

PROFILE = settings(
    max_examples=300, deadline=None, derandomize=os.environ.get("CI") == "true"
)

KEYS = st.sampled_from(["a", "b", "", "a/b", "m~n", "0", "1", "é"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["x", "é<"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4) | st.lists(VALUES, max_size=4)
PARTS = KEYS | st.sampled_from(["-", "-1", "01", "+1", "2", "9", "x", "9" * 30])
POINTERS = st.lists(PARTS, max_size=3).map(join) | st.sampled_from(["a", "zz/a", "/~"])
VERBS: Any = st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])
UNSET = st.just(msgspec.UNSET)
OPERATIONS = st.builds(
    Operation, VERBS, POINTERS, value=VALUES | UNSET, from_=POINTERS | UNSET
)
PATCHES = st.lists(OPERATIONS, max_size=4)


def apply_as_far_as_it_goes(
    document: Any, operations: list[Operation]
) -> tuple[Any, PatchError | None]:
    """Apply one after the other."""
    for operation in operations:
        try:
            document = apply(document, [operation])
        except PatchError as error:
            return document, error
    return document, None


@PROFILE
@given(DOCUMENTS, PATCHES)
def test_all_operations_apply_or_none_and_the_document_stays(
    document: Any, operations: list[Operation]
) -> None:
    before = msgspec.json.encode(document)
    values = encode(operations)
    fitting, error = apply_as_far_as_it_goes(document, operations)
    if error is None:
        assert same(apply(document, operations), fitting)
    else:
        with pytest.raises(PatchError) as caught:
            apply(document, operations)
        assert caught.value.message == error.message
        assert operations[caught.value.index].path == caught.value.pointer
    assert msgspec.json.encode(document) == before
    assert encode(operations) == values


@PROFILE
@given(DOCUMENTS, PATCHES)
def test_what_is_portable_does_the_same_under_the_rfc(
    document: Any, operations: list[Operation]
) -> None:
    try:
        if check_portable(document, operations):
            return
    except PatchError:
        return
    # The jsonpatch package refuses to replace an object's key "-".
    assume(not any(operation.path.endswith("/-") for operation in operations))
    strict = jsonpatch.JsonPatch.from_string(encode(operations).decode())
    copy = msgspec.json.decode(msgspec.json.encode(document))
    assert same(strict.apply(copy), apply(document, operations))


@PROFILE
@given(PATCHES)
def test_a_patch_survives_the_wire(operations: list[Operation]) -> None:
    assert decode(encode(operations)) == tuple(operations)


@PROFILE
@given(st.lists(st.text()))
def test_a_pointer_gives_its_parts_back(parts: list[str]) -> None:
    assert split(join(parts)) == tuple(parts)


@PROFILE
@given(st.binary() | PATCHES.map(encode), st.integers(0, 200), st.binary(max_size=3))
def test_any_bytes_are_a_patch_or_an_error_with_a_place(
    data: bytes, at: int, junk: bytes
) -> None:
    damaged = data[:at] + junk + data[at + len(junk) :]
    try:
        operations = decode(damaged)
    except ReviewError as error:
        place = error.place or ""
    else:
        assert decode(encode(operations)) == operations
        return
    assert place.startswith("patch")
