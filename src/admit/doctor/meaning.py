"""Meaning: what is accepted and does not do what it seems to."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from admit.doctor.validation.rules import check_rule
from admit.kinds._index import RESOURCES
from admit.matching import is_empty, is_virtual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from admit.doctor.context import Context
    from admit.doctor.findings import Configuration, Entry, Finding
    from admit.webhook import LabelSelector, Rule

__all__ = ("check_meaning", "check_names")

_BUILT_IN: Final = {(row[0], row[3]): row[4] for row in RESOURCES.values()}
_GROUPS: Final = frozenset(group for group, _ in _BUILT_IN)
_PLURALS: Final = sorted({plural for _, plural in _BUILT_IN})

_CONFIGURATION_GROUP: Final = "admissionregistration.k8s.io"
_STRING: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_NAMESPACE_OBJECT: Final = re.compile(r"(?<![\w.])namespaceObject\b")


def check_meaning(entry: Entry, _context: Context) -> Iterator[Finding]:
    """Check rules, selectors, conditions and addresses for what they do not mean."""
    if not entry.webhook.rules:
        yield entry.find("never-called", "it has no rules", "rules")
    for number, rule in enumerate(entry.webhook.rules):
        yield from _check_rule(entry, rule, number)
    yield from _check_selectors(entry)
    for number, condition in enumerate(entry.webhook.match_conditions):
        if _NAMESPACE_OBJECT.search(_STRING.sub('""', condition.expression)):
            reason = f"the condition {condition.name} reads namespaceObject"
            condition_at = ("matchConditions", number, "expression")
            yield entry.find("condition-on-namespace", reason, *condition_at)
    if entry.webhook.admission_review_versions == ("v1beta1",):
        reason = "it answers v1beta1 only"
        yield entry.find("only-v1beta1", reason, "admissionReviewVersions")
    service = entry.webhook.client_config.get("service") or {}
    path = service.get("path", "")
    if path.endswith("/") and path != "/":
        at = ("clientConfig", "service", "path")
        yield entry.find("trailing-slash", f"it is asked at {path.rstrip('/')}", *at)


def _check_rule(entry: Entry, rule: Rule, number: int) -> Iterator[Finding]:
    static = entry.configuration.static
    for group, resource, at in _name_resources(rule):
        place = ("rules", number, "resources", at)
        name = f"{resource}.{group}" if group else resource
        # In the API server's words, which it says as a warning.
        if is_virtual(group, resource):
            reason = (
                f"webhooks[{entry.number}].rules[{number}]: {name} is excluded from "
                "admission webhooks; this rule will have no effect"
            )
            yield entry.find("excluded-resource", reason, *place)
        elif group == _CONFIGURATION_GROUP and not static:
            reason = f"webhooks never see {name}"
            yield entry.find("excluded-resource", reason, *place)
        elif group in _GROUPS and (group, resource) not in _BUILT_IN:
            yield _find_unknown(entry, group, resource, place)
    for at, pattern in enumerate(rule.resources):
        if pattern.endswith("/*") and pattern != "*/*":
            reason = f"{pattern} covers {pattern.removesuffix('/*')} too"
            place = ("rules", number, "resources", at)
            yield entry.find("subresource-wildcard", reason, *place)
    if _depends_on_order(rule):
        reason = f"{', '.join(reversed(rule.resources))} would be refused"
        yield entry.find("order-dependent-resources", reason, "rules", number)


def _name_resources(rule: Rule) -> Iterator[tuple[str, str, int]]:
    """Yield what a rule names without a wildcard, with its number."""
    if "*" in rule.api_groups:
        return
    for at, pattern in enumerate(rule.resources):
        resource = pattern.partition("/")[0]
        # Of several groups it is meant for one, which nobody says.
        groups = [g for g in rule.api_groups if (g, resource) in _BUILT_IN]
        for group in groups or rule.api_groups[:1]:
            if resource != "*" and (groups or len(rule.api_groups) == 1):
                yield group, resource, at


def _find_unknown(
    entry: Entry, group: str, resource: str, place: tuple[str | int, ...]
) -> Finding:
    where = group or "the core group"
    near = difflib.get_close_matches(resource.lower(), _PLURALS, n=1)
    if near:
        reason = f"{where} has no {resource}; did you mean {near[0]}?"
        return entry.find("unknown-resource", reason, *place)
    reason = f"{where} has no {resource} in Kubernetes 1.37"
    return entry.find("unknown-resource", reason, *place, severity="info")


def _depends_on_order(rule: Rule) -> bool:
    def is_refused(resources: list[str]) -> bool:
        whole = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"]}
        return any(check_rule({**whole, "resources": resources}, ()))

    resources = [*rule.resources]
    return is_refused(resources[::-1]) and not is_refused(resources)


def _check_selectors(entry: Entry) -> Iterator[Finding]:
    webhook = entry.webhook
    rules = webhook.rules
    if not is_empty(webhook.object_selector):
        for number, rule in enumerate(rules):
            if "CONNECT" in rule.operations:
                reason = f"rules[{number}] has CONNECT, and there is an objectSelector"
                at = ("rules", number, "operations")
                yield entry.find("selector-excludes-connect", reason, *at)
    filters = not is_empty(webhook.namespace_selector)
    if filters and rules and all(map(_is_cluster_scoped, rules)):
        reason = "the rules cover only what has no namespace"
        yield entry.find(
            "selector-ignored",
            reason,
            "namespaceSelector",
            # To leave out what is not there anyway does no harm.
            severity="info" if _only_excludes(webhook.namespace_selector) else None,
        )


def _only_excludes(selector: LabelSelector) -> bool:
    terms = selector.match_expressions
    return not selector.match_labels and all(
        term.operator in {"NotIn", "DoesNotExist"} for term in terms
    )


def _is_cluster_scoped(rule: Rule) -> bool:
    """Tell whether all that a rule covers has no namespace.

    A Namespace has none, and is filtered by its own labels all the same.
    """
    named = [
        (group, pattern.partition("/")[0])
        for group in rule.api_groups
        for pattern in rule.resources
    ]
    if ("", "namespaces") in named:
        return False
    return all(_BUILT_IN.get(pair) is False for pair in named)


def check_names(
    configurations: Sequence[Configuration], entries: Sequence[Entry]
) -> Iterator[Finding]:
    """Check for names that are there twice."""
    objects = Counter((c.kind, c.name) for c in configurations)
    seen: set[tuple[str, str]] = set()
    for configuration in configurations:
        key = (configuration.kind, configuration.name)
        if objects[key] > 1 and key in seen:
            reason = f"there is another {configuration.kind} {configuration.name}"
            yield configuration.find("duplicate-configuration", reason, "metadata")
        seen.add(key)
    homes: dict[tuple[bool, str], Configuration] = {}
    for entry in entries:
        named = (entry.mutating, entry.webhook.name)
        home = homes.setdefault(named, entry.configuration)
        if home.name != entry.configuration.name:
            reason = f"{entry.webhook.name} is in {home.name} too"
            yield entry.find("duplicate-webhook-name", reason, "name")
