"""What differs between two states of a configuration, for a person who must decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ("Difference", "compare")

# Characters of a value that are shown: bundles are long.
SHOWN: int = 80


class Difference(NamedTuple):
    """A member that is not the same.

    Args:
        place: such as ``webhooks[pods.example.com].failurePolicy``.
        before: as text; empty where it is absent.
        after: likewise.
    """

    place: str
    before: str
    after: str


def compare(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Difference, ...]:
    """Return what has to change so that one becomes the other.

    Entries are paired by name: their order is said as one difference.
    """
    return tuple(_compare("", before, after))


def _compare(place: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            below = f"{place}.{key}" if place else str(key)
            yield from _compare(below, before.get(key), after.get(key))
        return
    ours, theirs = _by_name(before), _by_name(after)
    if ours is not None and theirs is not None:
        for name in dict.fromkeys((*ours, *theirs)):
            below = f"{place}[{name}]"
            yield from _compare(below, ours.get(name), theirs.get(name))
        common = [name for name in ours if name in theirs]
        if common != [name for name in theirs if name in ours]:
            yield Difference(f"{place} (order)", ", ".join(ours), ", ".join(theirs))
        return
    yield Difference(place, _show(before), _show(after))


def _by_name(value: Any) -> dict[str, Any] | None:
    """Return a list's objects by name, None if they are not told apart by it."""
    if not isinstance(value, list) or not value:
        return None
    named = {str(item["name"]): item for item in value if _has_name(item)}
    return named if len(named) == len(value) else None


def _has_name(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _show(value: Any) -> str:
    if value is None:
        return ""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
