"""Rules: operations, groups, versions, resources and scope.

All comparisons are of whole strings, case-sensitive, or with ``*``.

Source: apiserver pkg/admission/plugin/webhook/predicates/rules/rules.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from admit.review import AdmissionRequest
    from admit.webhook import Rule

__all__ = ("Target", "matches_rule", "matches_rules")


class Target(NamedTuple):
    """What rules look at of a request; hashable, so that an answer can be kept."""

    operation: str
    group: str
    version: str
    resource: str
    subresource: str
    namespaced: bool

    @classmethod
    def of(cls, request: AdmissionRequest) -> Target:
        """Take the target of a request. A Namespace is cluster-scoped."""
        resource = request.resource
        is_namespace = resource.resource == "namespaces" and not resource.group
        return cls(
            request.operation,
            resource.group,
            resource.version,
            resource.resource,
            request.sub_resource,
            bool(request.namespace) and not is_namespace,
        )


def matches_rule(rule: Rule, target: Target) -> bool:
    """Tell whether a rule covers a target."""
    return (
        _covers(rule.operations, target.operation)
        and _covers(rule.api_groups, target.group)
        and _covers(rule.api_versions, target.version)
        and any(_covers_resource(pattern, target) for pattern in rule.resources)
        and (rule.scope == "*" or (rule.scope == "Namespaced") == target.namespaced)
    )


def matches_rules(rules: Iterable[Rule], target: Target) -> bool:
    """Tell whether any of the rules covers a target."""
    return any(matches_rule(rule, target) for rule in rules)


def _covers(wanted: tuple[str, ...], value: str) -> bool:
    return "*" in wanted or value in wanted


def _covers_resource(pattern: str, target: Target) -> bool:
    """Match ``pods``, ``pods/exec``, ``pods/*``, ``*/status``, ``*`` or ``*/*``.

    A ``*`` behind the slash covers the resource itself too: its subresource is empty.
    """
    resource, _, subresource = pattern.partition("/")
    return resource in {"*", target.resource} and subresource in {
        target.subresource,
        "*",
    }
