"""What differs is named by place, with both values."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from admit.rescue.difference import compare
from tests.rescue.configurations import configurations


def _webhooks(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"webhooks": list(entries)}


A = {"name": "a", "failurePolicy": "Fail", "rules": [{"operations": ["*"]}]}
B = {"name": "b", "timeoutSeconds": 3}


@given(configurations())
def test_nothing_differs_from_itself(one: dict[str, Any]) -> None:
    assert compare(one, one) == ()


@given(configurations(), configurations())
def test_both_ways_name_the_same_places(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    forth, back = compare(one, other), compare(other, one)
    swapped = {(d.place, d.after, d.before) for d in back if "order" not in d.place}
    assert {tuple(d) for d in forth if "order" not in d.place} == swapped
    assert bool(forth) == (one != other)


def test_a_member_of_an_entry() -> None:
    (found,) = compare(_webhooks(A, B), _webhooks({**A, "failurePolicy": "Ignore"}, B))
    assert found == ("webhooks[a].failurePolicy", '"Fail"', '"Ignore"')


def test_an_entry_more_and_one_less() -> None:
    (more,) = compare(_webhooks(A), _webhooks(A, B))
    assert more == ("webhooks[b]", "", '{"name":"b","timeoutSeconds":3}')
    (less,) = compare(_webhooks(A, B), _webhooks(A))
    assert (less.place, less.after) == ("webhooks[b]", "")


def test_another_order() -> None:
    (found,) = compare(_webhooks(A, B), _webhooks(B, A))
    assert found == ("webhooks (order)", "a, b", "b, a")


def test_what_has_no_name_is_compared_as_a_whole() -> None:
    (found,) = compare(_webhooks(A), _webhooks({**A, "rules": []}))
    assert found == ("webhooks[a].rules", '[{"operations":["*"]}]', "[]")


def test_a_whole_configuration() -> None:
    (found,) = compare(None, {"kind": "x"})
    assert found == ("", "", '{"kind":"x"}')


def test_long_values_are_cut() -> None:
    (found,) = compare({"caBundle": ""}, {"caBundle": "x" * 5000})
    assert found.after.endswith("… (5002 characters)")
    assert len(found.after) < 110
