"""What is done about a configuration, given what it is now."""

from __future__ import annotations

import base64
import copy
import datetime as dt
from typing import Any

import pytest

from admit.break_glass import ANNOTATION, Note, open_up
from admit.errors import ConfigError
from admit.registration import Judgement, judge
from admit.registration.judge import DEFERENCE, WRITER, Writer, read_writer

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
OURS = Writer("aaaa", NOW)
BUNDLE = b"authority"
TEXT = base64.b64encode(BUNDLE).decode()


def configuration(**members: Any) -> dict[str, Any]:
    entry = {
        "name": "validate.example.com",
        "clientConfig": {"service": {"namespace": "shop", "name": "hook"}},
        "failurePolicy": "Fail",
        **members,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "policies", "resourceVersion": "7"},
        "webhooks": [entry],
    }


def live(**members: Any) -> dict[str, Any]:
    found = configuration(**members)
    client = found["webhooks"][0]["clientConfig"]
    found["webhooks"][0]["clientConfig"] = {**client, "caBundle": TEXT}
    return found


def ask(found: dict[str, Any] | None, now: dt.datetime = NOW) -> Judgement:
    wanted = configuration()
    del wanted["metadata"]["resourceVersion"]
    before = copy.deepcopy((wanted, found))
    judged = judge(wanted, found, BUNDLE, OURS, now)
    assert (wanted, found) == before
    return judged


def test_what_is_right_is_left() -> None:
    assert ask(live()).action == "nothing"


def test_what_is_not_there_is_made_whole() -> None:
    judged = ask(None)
    assert judged.action == "create"
    assert judged.content is not None
    (entry,) = judged.content["webhooks"]
    assert entry["clientConfig"]["caBundle"] == TEXT
    assert read_writer(judged.content) == OURS


def test_of_a_missing_authority_nothing_else_is_written() -> None:
    judged = ask(configuration())
    assert judged.action == "bundle"
    assert judged.content == {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "policies", "resourceVersion": "7"},
        "webhooks": [
            {"name": "validate.example.com", "clientConfig": {"caBundle": TEXT}}
        ],
    }


def test_what_was_edited_is_put_right_and_what_is_others_stays() -> None:
    found = live(failurePolicy="Ignore")
    found["metadata"]["labels"] = {"team": "a"}
    judged = ask(found)
    assert judged.action == "replace"
    assert judged.content is not None
    assert judged.content["metadata"]["labels"] == {"team": "a"}
    assert judged.content["metadata"]["resourceVersion"] == "7"
    assert judged.content["webhooks"][0]["failurePolicy"] == "Fail"
    assert judged.content["webhooks"][0]["clientConfig"]["caBundle"] == TEXT


def test_what_break_glass_opened_is_left_alone_until_its_time_is_over() -> None:
    end = NOW + dt.timedelta(minutes=30)
    note = Note(by="ada", reason="x", since=NOW, until=end)
    opened = open_up(live(), "failopen", note)
    assert ask(opened).action == "nothing"
    assert ask(opened).reason == "left alone: opened by ada"
    closed = ask(opened, end)
    assert closed.action == "close"
    assert closed.content == live()


def test_a_note_that_makes_no_sense_is_left_alone() -> None:
    found = live(failurePolicy="Ignore")
    found["metadata"]["annotations"] = {ANNOTATION: "?"}
    assert ask(found).action == "nothing"
    assert "makes no sense" in ask(found).reason


def test_newer_policies_of_another_replica_win_for_a_while() -> None:
    found = live(failurePolicy="Ignore")
    later = NOW + dt.timedelta(seconds=20)
    found["metadata"]["annotations"] = {
        WRITER: f'{{"version": "bbbb", "since": "{later.isoformat()}"}}'
    }
    assert ask(found, later).action == "nothing"
    assert ask(found, later).reason == "written for newer policies (bbbb)"
    assert ask(found, later + DEFERENCE).action == "replace"


@pytest.mark.parametrize("since", ["2025-12-31T00:00:00Z", "?"])
def test_older_policies_do_not(since: str) -> None:
    found = live(failurePolicy="Ignore")
    found["metadata"]["annotations"] = {
        WRITER: f'{{"version": "bbbb", "since": "{since}"}}'
    }
    assert ask(found).action == "replace"


def test_what_is_another_services_is_refused() -> None:
    other = {"service": {"namespace": "bank", "name": "hook"}}
    with pytest.raises(
        ConfigError, match="it is bank/hook's, not shop/hook's"
    ) as found:
        ask(live(clientConfig=other))
    assert "--name" in str(found.value)
