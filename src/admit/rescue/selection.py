"""Which configurations are meant: by name, vendor, what they stand before, or all.

What lives here: pure choice among configurations as the cluster listed them.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from admit.errors import ConfigError
from admit.matching import Attributes, Known, Namespace, answer
from admit.rescue.backup import name_of
from admit.rescue.vendors import VENDORS, find_vendors
from admit.webhook import read_webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ("Selection", "Target", "select")

OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")

# What may stand before a name, as kubectl takes it, and the kind that it means.
KINDS: Final = {
    "mutating": "MutatingWebhookConfiguration",
    "validating": "ValidatingWebhookConfiguration",
}

# A namespace that may have any label: what stands before one of them counts.
_ANYWHERE: Final = Known(find_namespace=lambda _: Namespace({}, complete=False))


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that somebody cannot write.

    Args:
        version: one that the API server serves; webhooks that name another are found
            as the API server finds them, by equivalence.
        namespaced: it is in a namespace.
    """

    group: str
    version: str
    resource: str
    subresource: str = ""
    kind: str = ""
    namespaced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the operator named. Several ways together narrow the choice.

    Args:
        names: ``NAME``; ``validating/NAME``, ``mutating/NAME`` where two share one.
        every: all there are.
        vendor: one of `VENDORS`.
        matching: a resource that the webhooks stand before.
    """

    names: tuple[str, ...] = ()
    every: bool = False
    vendor: str = ""
    matching: Target | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing was named: nothing is meant."""
        return not (self.names or self.every or self.vendor or self.matching)


def select(
    configurations: Sequence[dict[str, Any]], selection: Selection
) -> tuple[dict[str, Any], ...]:
    """Return the configurations that are meant, in the order given.

    Raises:
        ConfigError: a name or vendor that is not there, or one that two share.
    """
    if selection.is_empty:
        raise ConfigError(
            "which configurations?",
            hint="name them, or --all, --vendor NAME, --matching RESOURCE; "
            f"there are: {_list_names(configurations)}",
        )
    found = list(configurations)
    if selection.names:
        wanted = {_find_name(found, name) for name in selection.names}
        found = [one for one in found if name_of(one) in wanted]
    if selection.vendor:
        _check_vendor(selection.vendor)
        found = [
            one
            for one in found
            if selection.vendor in {vendor.name for vendor in find_vendors(one)}
        ]
    if selection.matching is not None:
        target = selection.matching
        found = [one for one in found if _stands_before(one, target)]
    return tuple(found)


def _find_name(configurations: Sequence[Mapping[str, Any]], text: str) -> str:
    """Return ``Kind/name`` of the one configuration that a text means."""
    prefix, _, name = text.rpartition("/")
    kind = _read_kind(prefix, text) if prefix else ""
    found = [
        name_of(one)
        for one in configurations
        if one["metadata"]["name"] == name and kind in {"", one["kind"]}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"two configurations are called {name}",
            hint=f"validating/{name} or mutating/{name}",
        )
    names = [one["metadata"]["name"] for one in configurations]
    near = difflib.get_close_matches(name, names, n=1)
    raise ConfigError(
        f"no webhook configuration is called {text}",
        hint=f"{near[0]}?" if near else f"there are: {_list_names(configurations)}",
    )


def _read_kind(prefix: str, text: str) -> str:
    """Accept what kubectl accepts: singular, plural, with the group, in any case."""
    word = prefix.partition(".")[0].lower()
    for short, kind in KINDS.items():
        if word in {short, kind.lower(), f"{kind.lower()}s"}:
            return kind
    raise ConfigError(
        f"{text}: {prefix} is no kind of webhook configuration",
        hint="validating/NAME or mutating/NAME",
    )


def _check_vendor(name: str) -> None:
    names = [vendor.name for vendor in VENDORS]
    if name not in names:
        raise ConfigError(f"no vendor {name}", hint=f"one of {', '.join(names)}")


def _stands_before(configuration: Mapping[str, Any], target: Target) -> bool:
    """Tell whether some request for the resource may reach one of the webhooks."""
    entries = configuration.get("webhooks") or ()
    webhooks = [read_webhook(entry) for entry in entries]
    return any(
        answer(webhook, attributes, _ANYWHERE).can_be_called
        for attributes in _requests(target)
        for webhook in webhooks
    )


def _requests(target: Target) -> Iterable[Attributes]:
    """Every operation, in a namespace and on an object of which nothing is known."""
    for operation in OPERATIONS:
        yield Attributes(
            operation=operation,
            group=target.group,
            version=target.version,
            resource=target.resource,
            subresource=target.subresource,
            kind_group=target.group,
            kind=target.kind,
            namespace="default" if target.namespaced else "",
            labels={},
            labels_known=False,
        )


def _list_names(configurations: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({one["metadata"]["name"] for one in configurations})
    return ", ".join(names) or "none"
