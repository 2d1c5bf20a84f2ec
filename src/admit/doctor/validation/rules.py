"""Validation of rules; its pair checks depend on the order of the resources.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from admit.doctor.validation.fields import (
    FieldError,
    Path,
    invalid,
    required,
    unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("check_rule",)

_OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES: Final = ("*", "Cluster", "Namespaced")


def check_rule(rule: dict[str, Any], path: Path) -> Iterator[FieldError]:
    """Check one rule of a webhook."""
    operations = rule.get("operations", [])
    yield from _check_list(operations, (*path, "operations"), "operations")
    for number, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            at = (*path, "operations", number)
            yield unsupported(at, operation, _OPERATIONS)
    yield from _check_list(
        rule.get("apiGroups", []), (*path, "apiGroups"), "API groups"
    )
    versions = rule.get("apiVersions", [])
    yield from _check_list(versions, (*path, "apiVersions"), "API versions")
    for number, version in enumerate(versions):
        if not version:
            yield required((*path, "apiVersions", number))
    yield from _check_resources(rule.get("resources", []), (*path, "resources"))
    if rule.get("scope") not in {None, *_SCOPES}:
        yield unsupported((*path, "scope"), rule["scope"], _SCOPES)


def _check_list(values: list[str], path: Path, what: str) -> Iterator[FieldError]:
    if not values:
        yield required(path)
    elif len(values) > 1 and "*" in values:
        yield invalid(path, values, f"if '*' is present, must not specify other {what}")


def _check_resources(resources: list[str], path: Path) -> Iterator[FieldError]:
    if not resources:
        yield required(path)
    whole: set[str] = set()  # x of x/*
    everywhere: set[str] = set()  # x of */x
    for number, pattern in enumerate(resources):
        at = (*path, number)
        if not pattern:
            yield required(at)
        resource, slash, subresource = pattern.partition("/")
        if not slash:
            continue
        if resource in whole:
            text = f"if '{resource}/*' is present, must not specify {pattern}"
            yield invalid(at, pattern, text)
        if subresource in everywhere:
            text = f"if '*/{subresource}' is present, must not specify {pattern}"
            yield invalid(at, pattern, text)
        whole |= {resource} if subresource == "*" else set()
        everywhere |= {subresource} if resource == "*" else set()
    yield from _check_wildcards(resources, path)


def _check_wildcards(resources: list[str], path: Path) -> Iterator[FieldError]:
    if len(resources) > 1 and "*/*" in resources:
        text = "if '*/*' is present, must not specify other resources"
        yield invalid(path, resources, text)
    plain = [pattern for pattern in resources if pattern and "/" not in pattern]
    # Only the last one counts, which is why ["a", "*"] passes.
    if "*" in plain and plain[-1] != "*":
        text = (
            "if '*' is present, must not specify other resources without subresources"
        )
        yield invalid(path, resources, text)
