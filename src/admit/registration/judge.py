"""What is to be done about one configuration, given what it is now: a pure question.

Ours is what we wrote: our entries with all their members, and caBundle. Labels,
annotations and everything else in metadata belong to whoever put them there.
"""

from __future__ import annotations

import base64
import copy
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from admit.break_glass import close, read_note
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("WRITER", "Judgement", "Writer", "judge", "read_writer")

WRITER: Final = "admit.internal/registered-by"

# How long one replica leaves alone what another has written that has other policies: in
# a rollout the newer ones win, and afterwards nobody who is gone has a say.
DEFERENCE: Final = dt.timedelta(minutes=3)

Action = Literal["nothing", "create", "bundle", "replace", "close"]


class Writer(msgspec.Struct, frozen=True):
    """Which policies a configuration was written for, and when they were loaded."""

    version: str
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be done.

    Args:
        action: ``bundle`` writes caBundle alone, ``replace`` all that is ours,
            ``close`` ends what break glass opened for a time that is over.
        content: what is written; None for nothing.
        reason: why, in a few words; or why nothing is done although it differs.
    """

    action: Action
    content: dict[str, Any] | None = None
    reason: str = ""


def judge(
    wanted: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    bundle: bytes,
    ours: Writer,
    now: dt.datetime,
) -> Judgement:
    """Say what is to be done about a configuration.

    Args:
        wanted: as the policies need it, without caBundle.
        live: as the cluster has it; None if it is not there.
        bundle: PEM of the authorities that every caBundle has to hold.
        ours: the policies that decide here, and since when.
        now: UTC.

    Raises:
        ConfigError: the configuration is somebody else's (operator's fault).
    """
    whole = _complete(wanted, bundle, ours)
    if live is None:
        return Judgement("create", whole, "it is not there")
    _check_claim(wanted, live)
    try:
        note = read_note(live)
    except ConfigError as error:
        return _only_bundle(live, bundle, f"left alone: {error.message}")
    if note is not None and note.is_overdue(now):
        return Judgement("close", close(live).configuration, "its time is over")
    if note is not None:
        return _only_bundle(live, bundle, f"left alone: opened by {note.by}")
    if _without_bundles(live) == _without_bundles(wanted):
        return _only_bundle(live, bundle)
    writer = read_writer(live)
    if writer is not None and writer.version != ours.version:
        newer = writer.since > ours.since
        if newer and now - writer.since < DEFERENCE:
            reason = f"written for newer policies ({writer.version})"
            return _only_bundle(live, bundle, reason)
    content = copy.deepcopy(dict(live))
    content["webhooks"] = whole["webhooks"]
    content["metadata"].setdefault("annotations", {})[WRITER] = _encode(ours)
    return Judgement("replace", content, "it is not what the policies need")


def read_writer(live: Mapping[str, Any]) -> Writer | None:
    """Return for whom a configuration was written; None if nobody said."""
    annotations = live["metadata"].get("annotations") or {}
    try:
        return msgspec.json.decode(annotations.get(WRITER, ""), type=Writer)
    except msgspec.DecodeError:
        return None


def _encode(ours: Writer) -> str:
    return msgspec.json.encode(ours).decode()


def _complete(wanted: Mapping[str, Any], bundle: bytes, ours: Writer) -> dict[str, Any]:
    whole: dict[str, Any] = copy.deepcopy(dict(wanted))
    for entry in whole["webhooks"]:
        entry["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
    whole["metadata"].setdefault("annotations", {})[WRITER] = _encode(ours)
    return whole


def _check_claim(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> None:
    """Refuse a configuration of which every webhook is at another Service."""
    service = _services(wanted)
    theirs = _services(live)
    if theirs and not service & theirs:
        raise ConfigError(
            f"it is {', '.join(sorted(theirs))}'s, not {', '.join(sorted(service))}'s",
            place=f"{live['kind']}/{live['metadata']['name']}",
            hint="two releases of one app need names of their own: --name",
        )


def _services(configuration: Mapping[str, Any]) -> set[str]:
    return {
        f"{service['namespace']}/{service['name']}"
        for entry in configuration.get("webhooks") or ()
        if (service := entry["clientConfig"].get("service"))
    }


def _only_bundle(live: Mapping[str, Any], bundle: bytes, reason: str = "") -> Judgement:
    """Write caBundle where it is not what it has to be, and nothing else."""
    text = base64.b64encode(bundle).decode()
    entries = live.get("webhooks") or ()
    if all(entry["clientConfig"].get("caBundle") == text for entry in entries):
        return Judgement("nothing", None, reason)
    content = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {
            "name": live["metadata"]["name"],
            # Only if it is still what was looked at.
            "resourceVersion": live["metadata"]["resourceVersion"],
        },
        "webhooks": [
            {"name": entry["name"], "clientConfig": {"caBundle": text}}
            for entry in entries
        ],
    }
    return Judgement("bundle", content, reason)


def _without_bundles(configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = copy.deepcopy(
        list(configuration.get("webhooks") or ())
    )
    for entry in entries:
        entry["clientConfig"].pop("caBundle", None)
    return entries
