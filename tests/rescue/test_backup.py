"""A backup holds what was there; a hand that edited it, or cut it, is noticed."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import gzip
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit.errors import ConfigError
from admit.rescue import backup as subject
from admit.rescue.backup import (
    Backup,
    Origin,
    decode_backup,
    from_config_map,
    name_of,
    strip,
    to_config_map,
)
from tests.rescue.configurations import configurations

ORIGIN = Origin(
    cluster="7c1f",
    server="https://127.0.0.1:6443",
    taken_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    by="ada",
    reason="before the upgrade",
    occasion="backup",
)

MANY = st.lists(configurations(), max_size=4, unique_by=name_of)


@given(MANY)
def test_a_file_keeps_all(kept: list[dict[str, Any]]) -> None:
    taken = Backup.of(kept, ORIGIN)
    document = msgspec.json.decode(msgspec.json.encode(taken.to_document()))
    assert decode_backup(document, "file") == taken
    assert list(taken.configurations) == kept
    assert taken.find_edited() == ()


@given(MANY)
def test_a_config_map_keeps_all(kept: list[dict[str, Any]]) -> None:
    taken = Backup.of(kept, ORIGIN)
    assert from_config_map(to_config_map(taken, "one", "default")) == taken


def test_what_only_a_living_object_has_is_left_out() -> None:
    living = {
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": "x",
            "uid": "1",
            "resourceVersion": "2",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{}],
            "labels": {"a": "b"},
        },
    }
    before = copy.deepcopy(living)
    assert strip(living)["metadata"] == {"name": "x", "labels": {"a": "b"}}
    assert living == before


def _edit(document: dict[str, Any]) -> None:
    document["items"][0]["metadata"]["labels"] = {"by": "hand"}


def _remove(document: dict[str, Any]) -> None:
    del document["items"][0]


def _add(document: dict[str, Any]) -> None:
    document["items"][0]["metadata"]["name"] = "other"


@pytest.mark.parametrize("change", [_edit, _remove, _add])
def test_a_hand_is_noticed(change: Any) -> None:
    one = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "x"}}
    document = Backup.of([one], ORIGIN).to_document()
    change(document)
    edited = decode_backup(document, "file").find_edited()
    assert "MutatingWebhookConfiguration/x" in edited


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"admit": {}}, {"admit": msgspec.to_builtins(ORIGIN), "items": [1]}],
)
def test_what_is_no_backup_is_said(document: Any) -> None:
    with pytest.raises(ConfigError, match="not a backup that admit made") as found:
        decode_backup(document, "here.yaml")
    assert found.value.place == "here.yaml"


def _large(bytes_: int) -> list[dict[str, Any]]:
    bundle = base64.b64encode(b"certificate " * (bytes_ // 12)).decode()
    return [
        {
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "x"},
            "webhooks": [{"name": "a.b.c", "clientConfig": {"caBundle": bundle}}],
        }
    ]


def test_a_large_one_is_packed() -> None:
    taken = Backup.of(_large(1_500_000), ORIGIN)
    config_map = to_config_map(taken, "one", "default")
    assert "data" not in config_map
    assert from_config_map(config_map) == taken


def test_one_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PACKED_BYTES", 100)
    with pytest.raises(ConfigError, match="do not fit a ConfigMap"):
        to_config_map(Backup.of(_large(1_500_000), ORIGIN), "one", "default")


def _config_map(**content: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "y"}, **content}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"data": None},
        {"data": {"backup.json": "{"}},
        {"data": {"backup.json": "[]"}},
        {"binaryData": {"backup.json.gz": "?"}},
        {"binaryData": {"backup.json.gz": base64.b64encode(b"no gzip").decode()}},
        {
            "binaryData": {
                "backup.json.gz": base64.b64encode(gzip.compress(b"{}")[:-4]).decode()
            }
        },
    ],
)
def test_a_config_map_without_one_is_an_error(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as found:
        from_config_map(_config_map(**content))
    assert found.value.place == "configmap y/x"


def test_one_that_unpacks_into_too_much_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config_map = to_config_map(Backup.of(_large(1_500_000), ORIGIN), "x", "y")
    monkeypatch.setattr(subject, "LIMIT_BYTES", 1000)
    with pytest.raises(ConfigError, match="too large"):
        from_config_map(config_map)
