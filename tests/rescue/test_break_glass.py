"""What opens a configuration also says how to close it; closed it is what it was."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.break_glass import ANNOTATION, Action, Note, close, open_up, read_note
from admit.errors import ConfigError
from admit.matching import Attributes, answer
from admit.webhook import read_webhook
from tests.rescue.configurations import configurations

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOTE = Note(by="ada", reason="3 a.m.", since=NOW, until=NOW + dt.timedelta(minutes=30))

ACTIONS = st.lists(st.sampled_from(["failopen", "scope-out"]), min_size=1, max_size=3)

POLICIES: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "policies"},
    "webhooks": [
        {"name": "a.example.com", "failurePolicy": "Fail", "objectSelector": {}},
        {"name": "b.example.com", "failurePolicy": "Ignore", "objectSelector": {}},
    ],
}


def without_empty(configuration: dict[str, Any]) -> dict[str, Any]:
    """Empty annotations are no annotations: the API server drops them too."""
    if configuration["metadata"].get("annotations") == {}:
        del configuration["metadata"]["annotations"]
    return configuration


@given(configurations(), ACTIONS)
def test_closed_it_is_what_it_was(
    before: dict[str, Any], actions: list[Action]
) -> None:
    opened = copy.deepcopy(before)
    for action in actions:
        opened = open_up(opened, action, NOTE, {"vendor/switch": "off"})
    closed = close(opened)
    assert closed.configuration == without_empty(before)
    assert closed.gone == ()


@given(configurations())
def test_what_fails_open_does_not_fail_closed(before: dict[str, Any]) -> None:
    opened = open_up(before, "failopen", NOTE)
    policies = [entry["failurePolicy"] for entry in opened.get("webhooks", ())]
    assert set(policies) <= {"Ignore"}
    note = read_note(opened)
    assert note is not None
    assert (note.by, note.reason, note.until) == ("ada", "3 a.m.", NOTE.until)


@given(configurations())
def test_what_is_scoped_out_is_never_called(before: dict[str, Any]) -> None:
    opened = open_up(before, "scope-out", NOTE)
    pod = Attributes(
        operation="CREATE",
        group="",
        version="v1",
        resource="pods",
        kind="Pod",
        namespace="default",
        labels={"any": "label"},
    )
    for entry in opened.get("webhooks", ()):
        assert not answer(read_webhook(entry), pod).can_be_called


def test_the_configuration_given_is_not_touched() -> None:
    before = copy.deepcopy(POLICIES)
    open_up(POLICIES, "failopen", NOTE)
    assert before == POLICIES


def test_opened_twice_keeps_what_was_first() -> None:
    once = open_up(POLICIES, "failopen", NOTE)
    later = Note(by="bob", reason="still", since=NOW, until=None)
    twice = open_up(once, "failopen", later)
    note = read_note(twice)
    assert note is not None
    assert [(one.webhook, one.value) for one in note.former] == [
        ("a.example.com", "Fail")
    ]
    assert (note.by, note.until) == ("bob", None)
    assert close(twice).configuration == POLICIES


def test_other_edits_in_between_stay() -> None:
    opened = open_up(POLICIES, "failopen", NOTE)
    opened["webhooks"][0]["timeoutSeconds"] = 3
    opened["metadata"]["annotations"]["mine"] = "kept"
    closed = close(opened).configuration
    assert closed["webhooks"][0] == {
        "name": "a.example.com",
        "failurePolicy": "Fail",
        "objectSelector": {},
        "timeoutSeconds": 3,
    }
    assert closed["metadata"]["annotations"] == {"mine": "kept"}


def test_an_entry_that_is_gone_is_told() -> None:
    opened = open_up(POLICIES, "failopen", NOTE)
    del opened["webhooks"][0]
    assert close(opened).gone == ("a.example.com",)


def test_one_that_is_not_open_is_closed_already() -> None:
    assert close(POLICIES).configuration == POLICIES


def test_overdue_when_its_time_has_come() -> None:
    assert not NOTE.is_overdue(NOW)
    assert NOTE.is_overdue(NOW + dt.timedelta(minutes=30))


@pytest.mark.parametrize("text", ["", "{", "{}", '{"by": 1}', '"open"'])
def test_a_note_edited_by_hand_is_an_error(text: str) -> None:
    broken = copy.deepcopy(POLICIES)
    broken["metadata"]["annotations"] = {ANNOTATION: text}
    for read in (read_note, close):
        with pytest.raises(ConfigError, match="makes no sense") as found:
            read(broken)
        assert found.value.place == "ValidatingWebhookConfiguration/policies"
        assert "--from FILE" in str(found.value)
