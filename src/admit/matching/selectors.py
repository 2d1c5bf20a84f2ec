"""Label selectors: the text that kubectl takes, and what they select.

Source: apimachinery pkg/labels/selector.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from admit.errors import ConfigError
from admit.webhook import LabelSelector, Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("is_empty", "matches_known", "matches_selector", "parse_selector")

_KEY: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_TERM: Final = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<gone>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<equals>==?|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


def parse_selector(text: str) -> LabelSelector:
    """Read ``app=web,tier in (a,b),env!=dev,owner,!legacy`` as kubectl does.

    Raises:
        ConfigError: the text is no selector; the message shows where it stops
            making sense.
    """
    terms: list[Requirement] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None or found.end() == position:
            marker = " " * position + "^"
            raise ConfigError(
                f"not a label selector:\n    {text}\n    {marker}",
                hint="write terms such as app=web, tier in (a,b), owner, !legacy",
            )
        terms.append(_read_term(found))
        position = found.end()
    return LabelSelector(match_expressions=tuple(terms))


def _read_term(found: re.Match[str]) -> Requirement:
    part = found.groupdict()
    if part["absent"]:
        return Requirement(key=part["gone"], operator="DoesNotExist")
    if part["equals"]:
        operator = "NotIn" if part["equals"] == "!=" else "In"
        return Requirement(
            key=part["key"],
            operator=operator,  # type: ignore[arg-type] # one of the two above
            values=(part["value"],),
        )
    if part["set"]:
        values = tuple(value.strip() for value in part["values"].split(","))
        return Requirement(
            key=part["key"],
            operator="In" if part["set"] == "in" else "NotIn",
            values=values,
        )
    return Requirement(key=part["key"], operator="Exists")


def matches_selector(selector: LabelSelector, labels: Mapping[str, Any]) -> bool:
    """Tell whether labels satisfy every term.

    NotIn and DoesNotExist hold where the key is absent.
    """
    return all(
        labels.get(key) == value for key, value in selector.match_labels.items()
    ) and all(_holds(term, labels) for term in selector.match_expressions)


def _holds(term: Requirement, labels: Mapping[str, Any]) -> bool:
    present = term.key in labels
    match term.operator:
        case "In":
            return present and labels[term.key] in term.values
        case "NotIn":
            return not present or labels[term.key] not in term.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present


def is_empty(selector: LabelSelector) -> bool:
    """Tell whether a selector has no term, and so selects everything."""
    return not selector.match_labels and not selector.match_expressions


def matches_known(selector: LabelSelector, labels: Mapping[str, Any]) -> bool | None:
    """Tell what a selector makes of labels of which only some are known.

    None where it depends on a label that is not among them.
    """
    terms = [
        Requirement(key=key, operator="In", values=(value,))
        for key, value in selector.match_labels.items()
    ]
    terms += selector.match_expressions
    if any(term.key in labels and not _holds(term, labels) for term in terms):
        return False
    return None if any(term.key not in labels for term in terms) else True
