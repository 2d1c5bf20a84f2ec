"""Gaps: what gets past a webhook that seems to stand in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from admit.doctor.context import OWN_LABEL, of_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.doctor.catalogue import Severity
    from admit.doctor.context import Context
    from admit.doctor.findings import Entry, Finding
    from admit.webhook import LabelSelector

__all__ = ("check_gaps",)

# How a pod's containers change once it is there.
POD_SUBRESOURCES: Final = ("ephemeralcontainers", "resize")

_DECLARED: Final = ("None", "NoneOnDryRun")


def check_gaps(entry: Entry, context: Context) -> Iterator[Finding]:
    """Check what a webhook does not see."""
    yield from _check_selectors(entry)
    yield from _check_subresources(entry, context)
    yield from _check_policies(entry, context)


def _check_selectors(entry: Entry) -> Iterator[Finding]:
    webhook = entry.webhook
    levels: tuple[tuple[str, LabelSelector, Severity], ...] = (
        ("objectSelector", webhook.object_selector, "warning"),
        # Fewer people may label a namespace than what is in it.
        ("namespaceSelector", webhook.namespace_selector, "info"),
    )
    for name, selector, severity in levels:
        for number, term in enumerate(selector.match_expressions):
            exempts = term.operator in {"NotIn", "DoesNotExist"}
            if not exempts or term.key == OWN_LABEL:
                continue
            what = "the object" if name == "objectSelector" else "the namespace"
            reason = f"whoever labels {what} with {term.key} is not checked"
            yield entry.find(
                "self-grantable-selector",
                reason,
                *(name, "matchExpressions", number),
                # A mutating webhook that can be declined is usually meant to be.
                severity="info" if entry.mutating else severity,
            )


def _check_subresources(entry: Entry, context: Context) -> Iterator[Finding]:
    created = context.ask(entry, of_pod("default"))
    if entry.mutating or not created.can_be_called:
        return
    missing = [
        f"pods/{name}"
        for name in POD_SUBRESOURCES
        if not context.ask(
            entry, of_pod("default", "UPDATE", subresource=name)
        ).can_be_called
    ]
    if missing:
        reason = f"CREATE pods is covered, UPDATE {', '.join(missing)} is not"
        yield entry.find(
            "missing-subresources",
            reason,
            *("rules", created.rule or 0),
            # A resize changes requests and limits, and nothing else.
            severity="info" if missing == ["pods/resize"] else None,
        )


def _check_policies(entry: Entry, context: Context) -> Iterator[Finding]:
    webhook = entry.webhook
    if webhook.match_policy == "Exact" and any(
        "*" not in rule.api_versions for rule in webhook.rules
    ):
        reason = "matchPolicy is Exact, and rules name versions"
        yield entry.find("exact-match-policy", reason, "matchPolicy")
    sees_pods = context.ask(entry, of_pod("default")).can_be_called
    if entry.mutating and sees_pods and webhook.reinvocation_policy == "Never":
        reason = "it changes pods, and reinvocationPolicy is Never"
        yield entry.find("no-reinvocation", reason, "reinvocationPolicy")
    if webhook.side_effects not in _DECLARED:
        said = webhook.side_effects or "not set"
        reason = f"sideEffects is {said}"
        yield entry.find("side-effects-undeclared", reason, "sideEffects")
