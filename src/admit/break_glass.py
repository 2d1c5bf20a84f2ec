"""The note that break glass leaves on a webhook configuration, and what it undoes.

What lives here: how a configuration is taken out of the way and put back, as pure
functions of plain objects. The note is written in the same write as the change, so
that whatever is interrupted, a configuration that is open says how to close it.
admit's own reconciler reads it too, and leaves an open configuration alone.
"""

from __future__ import annotations

import copy
import datetime as dt  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "ANNOTATION",
    "Action",
    "Closed",
    "Former",
    "Note",
    "close",
    "open_up",
    "read_note",
)

ANNOTATION: Final = "admit.internal/break-glass"

# A label that no object has: a selector on it matches nothing, objects that cannot
# carry labels included (apiserver predicates/object/matcher.go).
NOBODY: Final = "admit.internal/nobody-has-this"

Action: TypeAlias = Literal["failopen", "scope-out"]

# What each action sets on every entry.
_SETS: Final[Mapping[Action, tuple[str, Any]]] = {
    "failopen": ("failurePolicy", "Ignore"),
    "scope-out": ("objectSelector", {"matchLabels": {NOBODY: ""}}),
}


class Former(msgspec.Struct, frozen=True):
    """A member of an entry as it was before."""

    webhook: str
    field: str
    value: Any


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who opened a configuration, why, until when, and how it was.

    Args:
        by: the user name that the API server knows.
        reason: in the operator's words.
        since: when it was opened, UTC.
        until: when it is to be closed again; None for when somebody does.
        former: what the entries had; the first value wins where it was opened twice.
        annotations: former values of other annotations that were set with it, such as
            a switch that makes another controller stand down; None where absent.
    """

    by: str
    reason: str
    since: dt.datetime
    until: dt.datetime | None = None
    former: tuple[Former, ...] = ()
    annotations: dict[str, str | None] = {}

    def is_overdue(self, now: dt.datetime) -> bool:
        """Tell whether it should be closed by now."""
        return self.until is not None and self.until <= now


class Closed(msgspec.Struct, frozen=True):
    """A configuration as it was, and the entries that are not there any more."""

    configuration: dict[str, Any]
    gone: tuple[str, ...]


def read_note(configuration: Mapping[str, Any]) -> Note | None:
    """Return the note of a configuration; None if it is not open.

    Raises:
        ConfigError: the note was edited by hand and makes no sense (operator's fault).
    """
    text = _annotations(configuration).get(ANNOTATION)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Note)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"the annotation {ANNOTATION} makes no sense: {error}",
            place=_name(configuration),
            hint="restore it from a backup (admit restore --from FILE), or set the "
            "configuration right by hand and remove the annotation",
        ) from error


def open_up(
    configuration: Mapping[str, Any],
    action: Action,
    note: Note,
    switches: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a configuration that is out of the way and says so.

    Args:
        configuration: as the cluster has it; it is not touched.
        action: ``failopen`` or ``scope-out``.
        note: by whom, why, until when; what was is filled in here.
        switches: annotations that make other controllers stand down.

    Raises:
        ConfigError: it is open already and its note makes no sense.
    """
    opened: dict[str, Any] = copy.deepcopy(dict(configuration))
    before = read_note(configuration)
    former = list(before.former) if before else []
    annotations = dict(before.annotations) if before else {}
    known = {(one.webhook, one.field) for one in former}
    field, value = _SETS[action]
    for entry in opened.get("webhooks") or ():
        if entry.get(field) == value:
            continue
        if (entry["name"], field) not in known:
            former.append(Former(entry["name"], field, entry.get(field)))
        entry[field] = copy.deepcopy(value)
    held = opened["metadata"].setdefault("annotations", {})
    for key, switch in (switches or {}).items():
        annotations.setdefault(key, held.get(key))
        held[key] = switch
    note = msgspec.structs.replace(note, former=tuple(former), annotations=annotations)
    held[ANNOTATION] = msgspec.json.encode(note).decode()
    return opened


def close(configuration: Mapping[str, Any]) -> Closed:
    """Return a configuration as it was before it was opened.

    What else was edited in between stays. One that is not open is returned as it is.

    Raises:
        ConfigError: its note makes no sense.
    """
    note = read_note(configuration)
    closed: dict[str, Any] = copy.deepcopy(dict(configuration))
    if note is None:
        return Closed(closed, ())
    entries = {entry["name"]: entry for entry in closed.get("webhooks") or ()}
    for former in note.former:
        entry = entries.get(former.webhook)
        if entry is not None:
            _put(entry, former.field, former.value)
    held = closed["metadata"]["annotations"]
    for key, value in note.annotations.items():
        _put(held, key, value)
    del held[ANNOTATION]
    if not held:
        del closed["metadata"]["annotations"]
    gone = {former.webhook for former in note.former} - entries.keys()
    return Closed(closed, tuple(sorted(gone)))


def _put(mapping: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        mapping.pop(key, None)
    else:
        mapping[key] = value


def _annotations(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = configuration.get("metadata") or {}
    return metadata.get("annotations") or {}


def _name(configuration: Mapping[str, Any]) -> str:
    name = (configuration.get("metadata") or {}).get("name", "")
    return f"{configuration.get('kind', '')}/{name}"
