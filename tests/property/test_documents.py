"""Whatever is in a manifest: an object, or an error with a place; never a crash."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from admit._tasks.dialect import dump_yaml, load_yaml
from admit._tasks.documents import Document, read_documents
from admit._tasks.requests import Wish, draft_request
from admit._tasks.resources import Kinds
from admit.errors import ConfigError, ReviewError

# What JSON can hold and YAML can write: no control characters, no lone surrogates.
TEXT = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff"
    ),
    max_size=12,
)
WORDS = st.sampled_from(
    ("y", "no", "~", "1e3", "007", "1:30", "<<", "=", "2026-01-01", "- a", "#", "a: b")
)
INTEGERS = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | TEXT | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT | WORDS, inner, max_size=4)
    ),
    max_leaves=12,
)
# Bytes that look like YAML more often than chance would make them.
WHOLE = (
    "apiVersion: v1\n",
    "kind: A\n",
    "---\n",
    "<<: *a",
    "&a ",
    "!!int ",
    "a",
    "1e9",
)
SYNTAX = st.lists(
    st.sampled_from(
        (*"-?:,[]{}#&*!|>'\"%@`\n\t \x00\ufeffé", *WHOLE, "\\ud800", "!!binary ")
    ),
    max_size=40,
).map("".join)
OPERATIONS = st.sampled_from(("CREATE", "UPDATE", "DELETE", "CONNECT"))


@settings(max_examples=300)
@given(st.binary(max_size=60) | SYNTAX.map(str.encode) | TEXT.map(str.encode))
def test_any_bytes_are_documents_or_an_error_with_a_hint_where(data: bytes) -> None:
    try:
        found = read_documents(["-"], stdin=io.BytesIO(data))
    except ConfigError as error:
        found = ()
        told = error.place or "no objects" in error.message
        assert told
    for document in found:
        json.dumps(document.content, allow_nan=False).encode()


@settings(max_examples=300)
@given(st.lists(JSON, min_size=1, max_size=3))
def test_what_is_written_as_yaml_is_read_as_it_was(values: list[Any]) -> None:
    assert [value for _, value in load_yaml(dump_yaml(values))] == values


@settings(max_examples=300)
@given(
    st.sampled_from(("Pod", "Node", "Scale", "PodExecOptions", "AdmissionReview", "X")),
    st.dictionaries(
        st.sampled_from(("metadata", "spec", "request")),
        JSON
        | st.dictionaries(
            st.sampled_from(("name", "namespace", "generateName", "uid", "object")),
            JSON,
        ),
    ),
    JSON,
    OPERATIONS,
)
def test_any_object_is_a_request_or_an_error(
    kind: str, content: dict[str, Any], old: Any, operation: Any
) -> None:
    version = "admission.k8s.io/v1" if kind == "AdmissionReview" else "v1"
    document = Document("f", "f:1", {"apiVersion": version, "kind": kind, **content})
    stored = {"apiVersion": "v1", "kind": kind, "metadata": old}
    with contextlib.suppress(ConfigError, ReviewError):
        draft_request(
            document, Wish(operation=operation), Kinds((), ()), uid="u", old=stored
        )
