"""Lint: everything that configurations say by themselves, without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from admit.doctor.blocking import check_blocking, check_catch_all
from admit.doctor.catalogue import SEVERITIES
from admit.doctor.gaps import check_gaps
from admit.doctor.meaning import check_meaning, check_names
from admit.doctor.timing import check_timeout, check_timeouts_together
from admit.doctor.trust import check_trust
from admit.doctor.validation import STATIC_SUFFIX, show_path, validate_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from admit.doctor.context import Context
    from admit.doctor.findings import Configuration, Entry, Finding

__all__ = ("lint",)

_OF_ENTRIES: Final[tuple[Callable[[Entry, Context], Iterator[Finding]], ...]] = (
    check_blocking,
    check_catch_all,
    check_timeout,
    check_gaps,
    check_meaning,
    check_trust,
)


def lint(
    configurations: Sequence[Configuration], context: Context
) -> tuple[Finding, ...]:
    """Return all findings about configurations, those of each together, worst first.

    Those that the API server refuses are judged by what else can be read of them.
    """
    found: list[Finding] = []
    for configuration in configurations:
        found += _check_shape(configuration)
        if configuration.static:
            found += _check_static(configuration)
    found += _check_static_names(configurations)
    entries = [
        entry
        for configuration in configurations
        if not configuration.decoded.wrong
        for entry in configuration.entries
    ]
    for entry in entries:
        for check in _OF_ENTRIES:
            found += check(entry, context)
    found += check_timeouts_together(entries, context)
    found += check_names(configurations, entries)
    return tuple(sorted(dict.fromkeys(found), key=_order))


def _order(finding: Finding) -> tuple[int, int]:
    return finding.configuration, SEVERITIES.index(finding.severity)


def _check_shape(configuration: Configuration) -> Iterator[Finding]:
    """Report what the API server refuses."""
    decoded = configuration.decoded
    if configuration.api_version.endswith("/v1beta1"):
        reason = f"{configuration.api_version} is not served since Kubernetes 1.22"
        yield configuration.find("removed-version", reason, "apiVersion")
    for path, text in decoded.wrong:
        yield _name(configuration, "wrong-type", f"{show_path(path)}: {text}", path)
    for path in decoded.unknown:
        reason = f"the API has no {show_path(path)}"
        yield _name(configuration, "unknown-field", reason, path)
    if decoded.wrong:
        return  # it cannot be decoded, so nothing is validated
    for error in validate_configuration(decoded.content, static=configuration.static):
        yield _name(configuration, "rejected", str(error), error.path)


def _name(
    configuration: Configuration, id: str, reason: str, path: tuple[str | int, ...]
) -> Finding:
    """Say which webhook a path is in, if it can be read."""
    for entry in configuration.entries:
        if path[:2] == ("webhooks", entry.number):
            return entry.find(id, reason, *path[2:])
    return configuration.find(id, reason, *path)


def _check_static(configuration: Configuration) -> Iterator[Finding]:
    """Report what the API server does not take from its directory, in its words."""
    name = configuration.name
    if configuration.api_version.endswith("/v1beta1"):
        reason = "static manifests are of admissionregistration.k8s.io/v1"
        yield configuration.find("static-manifest", reason, "apiVersion")
    if not name.endswith(STATIC_SUFFIX):
        reason = f'"{name}" must have a name ending with "{STATIC_SUFFIX}"'
        yield configuration.find("static-manifest", reason, "metadata", "name")
    for number, webhook in enumerate(configuration.decoded.content.get("webhooks", ())):
        where = f'webhook "{webhook.get("name", "")}" in "{name}"'
        client: dict[str, Any] = webhook.get("clientConfig", {})
        at = ("webhooks", number, "clientConfig")
        if "service" in client:
            reason = (
                f"{where}: clientConfig.service is not supported for static manifests; "
                "use clientConfig.url instead"
            )
            yield _name(configuration, "static-manifest", reason, (*at, "service"))


def _check_static_names(configurations: Sequence[Configuration]) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for configuration in configurations:
        key = (configuration.kind, configuration.name)
        if configuration.static and key in seen:
            reason = f'duplicate name "{configuration.name}"'
            yield configuration.find("static-manifest", reason, "metadata", "name")
        seen.add(key)
