"""The Secret: what is written is read, and what cannot be read is said."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from admit._cluster import ForbiddenError
from admit.certs.authority import make_authority
from admit.certs.plan import Retired, State
from admit.certs.secret import KEYS, Kept, Store, decode, encode
from admit.certs.service import Service
from admit.certs.times import Times
from admit.errors import CertificateError
from tests.certs.api import Clock, Secrets

HOOK = Service("demo", "hook")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CURRENT, FIRST = make_authority(HOOK, now=NOW, times=Times())
NEXT, SECOND = make_authority(HOOK, now=NOW, times=Times())
OLD, THIRD = make_authority(HOOK, now=NOW, times=Times())
FOREIGN = make_authority(Service("demo", "x"), now=NOW, times=Times())[1]

STATE = State(CURRENT, NEXT, NOW, (Retired(OLD, NOW + timedelta(days=1)),))
KEPT = Kept(
    STATE,
    {
        CURRENT.digest: FIRST.certificate,
        NEXT.digest: SECOND.certificate,
        OLD.digest: THIRD.certificate,
    },
    {CURRENT.digest: FIRST.key, NEXT.digest: SECOND.key, OLD.digest: THIRD.key},
)


def secret(**changes: bytes | None) -> dict[str, Any]:
    """A Secret with some keys changed, `.` written as `_`; None removes one."""
    data: dict[str, Any] = dict(encode(KEPT))
    for name, value in changes.items():
        key = name.replace("_", ".")
        if value is None:
            data.pop(key)
        else:
            data[key] = base64.b64encode(value).decode()
    return {"metadata": {"name": "s", "namespace": "demo"}, "data": data}


def test_what_is_written_is_read() -> None:
    kept = decode(secret(), HOOK, "here")
    assert kept is not None
    assert kept.state == STATE
    assert kept.current == FIRST
    assert kept.bundle == FIRST.certificate + SECOND.certificate + THIRD.certificate
    assert set(encode(kept)) == set(KEYS)


def test_the_key_of_a_ca_that_signs_no_more_is_not_written() -> None:
    written = [base64.b64decode(value) for value in encode(KEPT).values()]
    assert THIRD.certificate in written
    assert THIRD.key not in written
    assert "PRIVATE" not in repr(KEPT)


def test_a_state_without_next_and_retired_has_two_keys() -> None:
    plain = replace(KEPT, state=State(CURRENT))
    assert set(encode(plain)) == {"ca.crt", "ca.key"}
    kept = decode({"data": encode(plain)}, HOOK, "here")
    assert kept is not None
    assert kept.state == State(CURRENT)


@pytest.mark.parametrize("data", [None, {}, {"note": "bXkgb3du"}])
def test_a_secret_with_nothing_of_ours_is_empty(data: Any) -> None:
    assert decode({"type": "Opaque", "data": data}, HOOK, "here") is None


CUT = FIRST.certificate[:200]
BROKEN = {
    "garbage": ({"ca_crt": b"\x00garbage"}, "ca.crt", "no certificate in PEM"),
    "truncated": ({"ca_crt": CUT}, "ca.crt", "no certificate in PEM"),
    "another key": ({"ca_key": SECOND.key}, "ca.crt", "not the certificate's"),
    "no key": ({"ca_key": None}, "ca.crt", "no private key in PEM"),
    "no certificate": ({"ca_crt": None}, "ca.crt", "0 certificates"),
    "another Service": (
        {"ca_crt": FOREIGN.certificate, "ca_key": FOREIGN.key},
        "ca.crt",
        "is for x.demo.svc",
    ),
    "next without key": ({"next_key": None}, "next.crt", "no private key"),
    "next without time": ({"next_since": None}, "next.since", "no time"),
    "no time": ({"next_since": b"soon"}, "next.since", "no time"),
    "no text": ({"next_since": b"\xff"}, "next.since", "no time"),
    "retired garbage": ({"retired_crt": b"x"}, "retired.crt", "no certificate"),
    "retired of another": (
        {"retired_crt": FOREIGN.certificate},
        "retired.crt",
        "is for x.demo.svc",
    ),
    "retired without time": ({"retired_until": b""}, "retired.until", "0 times for 1"),
    "retired at no time": ({"retired_until": b"x"}, "retired.until", "no time"),
}


@pytest.mark.parametrize(("changes", "key", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_damaged_is_named(
    changes: dict[str, bytes | None], key: str, says: str
) -> None:
    with pytest.raises(CertificateError, match=says) as refused:
        decode(secret(**changes), HOOK, "Secret demo/hook-tls")
    assert refused.value.place == f"Secret demo/hook-tls, {key}"
    assert refused.value.hint


@pytest.mark.parametrize("value", ["?", 7, None, "é"])
def test_a_value_that_is_no_base64_is_named(value: Any) -> None:
    with pytest.raises(CertificateError, match="no base64"):
        decode({"data": {"ca.crt": value}}, HOOK, "here")


def test_a_secret_of_another_type_is_somebody_elses() -> None:
    with pytest.raises(CertificateError, match=r"kubernetes\.io/tls: it is somebody"):
        decode({"type": "kubernetes.io/tls", "data": {}}, HOOK, "here")


def test_a_write_that_comes_too_late_changes_nothing() -> None:
    async def main() -> None:
        api = Secrets(Clock())
        store = Store(api, HOOK, "s")
        one, two = await store.read(), await store.read()
        assert await store.write(one, KEPT)
        assert not await store.write(two, KEPT)  # created by another
        one, two = await store.read(), await store.read()
        assert await store.write(one, KEPT)
        assert not await store.write(two, KEPT)  # replaced by another
        assert api.writes == 2

    asyncio.run(main())


def test_what_others_keep_in_the_secret_stays() -> None:
    async def main() -> None:
        api = Secrets(Clock())
        api.write(
            {
                "metadata": {"name": "s", "namespace": "demo", "labels": {"a": "b"}},
                "data": {"note": "bXkgb3du", "next.since": "eA=="},
            }
        )
        store = Store(api, HOOK, "s")
        api.found["s"]["data"].pop("next.since")
        reading = await store.read()
        assert reading.state is None
        assert await store.write(reading, replace(KEPT, state=State(CURRENT)))
        assert set(api.found["s"]["data"]) == {"note", "ca.crt", "ca.key"}
        assert api.found["s"]["metadata"]["labels"] == {"a": "b"}

    asyncio.run(main())


def test_a_missing_right_is_named_with_the_rule_to_add() -> None:
    async def main() -> None:
        api = Secrets(Clock())
        reading = await Store(api, HOOK, "s").read()
        api.refusal = ForbiddenError('User "x" cannot get resource "secrets"')
        with pytest.raises(ForbiddenError, match="cannot get") as refused:
            await Store(api, HOOK, "s").read()
        assert "verbs: [get, watch, update]" in (refused.value.hint or "")
        assert "namespace demo" in (refused.value.hint or "")
        with pytest.raises(ForbiddenError, match=r"verbs: \[create\]"):
            await Store(api, HOOK, "s").write(reading, KEPT)

    asyncio.run(main())
