"""Whatever is in a configuration: lint says something of it and does not fail."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from admit.doctor import CATALOGUE, Configuration, Context, lint
from admit.doctor.validation import decode_configuration, validate_configuration
from admit.doctor.validation.go_url import parse_url
from tests.doctor.configurations import INVALID, VALID, change

WORDS = st.sampled_from(
    ["", "*", "*/*", "pods/*", "pods", "v1", "a.b.c", "In", "Fail", "https://a", "\x00"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


def find_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document but the document itself."""
    if isinstance(value, dict):
        members = list(value.items())
    else:
        members = list(enumerate(value)) if isinstance(value, list) else []
    found = []
    for name, item in members:
        found += [(*path, name), *find_places(item, (*path, name))]
    return found


FULL = change(
    {
        "webhooks.0.namespaceSelector": {
            "matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
        },
        "webhooks.0.matchConditions": [{"name": "a", "expression": "true"}],
        "webhooks.0.clientConfig.caBundle": "Zm9v",
        "metadata.ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "b"}],
        "metadata.annotations": {"a": "b"},
    }
)
PLACES = [
    place for place in find_places(FULL) if place not in {("kind",), ("apiVersion",)}
]


def put(content: Any, place: tuple[Any, ...], value: Any) -> None:
    """Put a value where it goes, if that is still there."""
    *parents, last = place
    with contextlib.suppress(KeyError, TypeError, IndexError):
        for part in parents:
            content = content[part]
        content[last] = value


@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=4))
def test_lint_never_fails(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    content = copy.deepcopy(FULL)
    for place, value in changes:
        put(content, place, value)
    for static in (False, True):
        read = Configuration.read(content, 0, static=static)
        for finding in lint([read, read], Context()):
            assert finding.id in CATALOGUE


@given(st.lists(st.sampled_from(INVALID), min_size=1, max_size=3))
def test_a_mistake_more_makes_nothing_right(mistakes: list[dict[str, Any]]) -> None:
    changes: dict[str, Any] = {}
    for mistake in mistakes:
        if not any(a.startswith(b) for a in mistake for b in changes):
            changes |= mistake
    try:
        content = change(changes)
    except (KeyError, TypeError, IndexError):
        return  # one took away where another goes
    decoded = decode_configuration(content)
    assert content != VALID
    assert decoded.wrong or validate_configuration(decoded.content)


@given(st.text() | st.from_regex(r"\A(https?|x)://[a@:\[\]%?#/. é\"<]*\Z"))
def test_a_url_is_taken_apart_or_refused(text: str) -> None:
    try:
        scheme = parse_url(text).scheme
    except ValueError as error:
        scheme = str(error).partition(" ")[0]
    assert scheme == scheme.lower()
