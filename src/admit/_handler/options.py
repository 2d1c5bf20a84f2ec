"""What may be said about a handler, and the rules it becomes.

One value holds every option, with its default in one place; the decorators of `App`
take the same names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict, get_args

from admit.errors import ConfigError, PolicyError
from admit.matching import parse_selector
from admit.webhook import (
    TIMEOUT_MAX,
    TIMEOUT_MIN,
    FailurePolicy,
    LabelSelector,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from admit.kinds import Resource, ResourceType
    from admit.review import Operation

__all__ = ("Keywords", "Mode", "Options", "to_rules")

Mode: TypeAlias = Literal["enforce", "warn", "audit"]
OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")
TIMEOUTS: Final = tuple(range(TIMEOUT_MIN, TIMEOUT_MAX + 1))

# The API server takes any URL path, but of a Service's path each segment must be a
# DNS-1123 subdomain, and it strips a trailing slash (apiserver util/webhook).
_PATH: Final = re.compile(r"(/[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)+")
_RESOURCE: Final = re.compile(
    r"(?P<resource>\*|[a-z0-9-]+)(?:\.(?P<group>[a-z0-9.-]+|\*))?"
    r"(?:/(?P<subresource>\*|[a-z]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Say when a handler is asked and what its answer means.

    Args:
        name: the policy's name in messages and metrics; the function's by default.
        operations: any of CREATE, UPDATE, DELETE, CONNECT.
        resources: instead of the annotated kind's own (or, where that is `Resource`,
            those of any kind): ``pods/ephemeralcontainers``, ``deployments.apps``,
            ``deployments.apps/scale``, ``*.apps``, ``*/*``. Without a group it is the
            annotated kind's, else the core's.
        namespaces: only in these; with none named, in all.
        exempt_namespaces: not in these.
        labels: a selector as kubectl takes it, ``app=web,!legacy``; on UPDATE it is
            enough that the object before or after has them, as in the API server.
        when: CEL text that the API server evaluates before it calls (matchConditions).
        mode: what a denial does: refuse, warn the user, or only write an audit
            annotation. For a mutating handler in another mode than enforce the change
            is told, not made.
        failure_policy: what the API server does when the call fails.
        timeout_seconds: how long the API server waits, whole seconds from 1 to 30.
        path: the URL path, ``/validate`` or ``/mutate`` by default.
        blocking: the function blocks (it reads files, it asks a synchronous client):
            it runs in a thread, not on the event loop.
        ratchet: on UPDATE, a denial that the old object also earns is a warning.
    """

    name: str = ""
    operations: Sequence[Operation] = ("CREATE", "UPDATE")
    resources: Sequence[str] = ()
    namespaces: Sequence[str] = ()
    exempt_namespaces: Sequence[str] = ()
    labels: str = ""
    when: str = ""
    mode: Mode = "enforce"
    failure_policy: FailurePolicy | None = None
    timeout_seconds: int | None = None
    path: str = ""
    blocking: bool = False
    ratchet: bool = True

    def check(self, place: str) -> None:
        """Refuse what cannot mean anything.

        Raises:
            PolicyError: which option, what is possible; at the handler's place.
        """
        for wrong in self._find_wrong():
            raise PolicyError(wrong, place=place)

    def _find_wrong(self) -> Iterable[str]:
        for name in ("operations", "resources", "namespaces", "exempt_namespaces"):
            if isinstance(getattr(self, name), str):
                yield f"{name}= takes a list, not one string"
        if not self.operations:
            yield "operations= is empty: the handler would never be asked"
        for name, values, allowed in (
            ("operations", self.operations, OPERATIONS),
            ("mode", (self.mode,), get_args(Mode)),
            ("failure_policy", (self.failure_policy,), (None, "Fail", "Ignore")),
            ("timeout_seconds", (self.timeout_seconds,), (None, *TIMEOUTS)),
        ):
            for value in values:
                if value not in allowed:
                    yield f"{name}={value!r} is none of {_list(allowed)}" + _suggest(
                        value, allowed
                    )
        for resource in self.resources:
            if not _RESOURCE.fullmatch(resource):
                yield (
                    f"resources={resource!r} is not RESOURCE[.GROUP][/SUBRESOURCE], "
                    "such as pods/exec or deployments.apps"
                )
        if self.path and not _PATH.fullmatch(self.path):
            yield (
                f"path={self.path!r} must look like /validate-pods: lower case, "
                "digits, '-' and '.', no slash at the end"
            )

    def selector(self, place: str) -> LabelSelector | None:
        """Return the label selector that `labels` says, or None.

        Raises:
            PolicyError: the text is no selector.
        """
        if not self.labels:
            return None
        try:
            return parse_selector(self.labels)
        except ConfigError as error:
            raise PolicyError(error.message, place=place, hint=error.hint) from None


class Keywords(TypedDict, total=False):
    """The options as the decorators of `App` take them; for type checkers."""

    name: str
    operations: Sequence[Operation]
    resources: Sequence[str]
    namespaces: Sequence[str]
    exempt_namespaces: Sequence[str]
    labels: str
    when: str
    mode: Mode
    failure_policy: FailurePolicy | None
    timeout_seconds: int | None
    path: str
    blocking: bool
    ratchet: bool


def _list(allowed: Sequence[object]) -> str:
    """Name what is allowed; a run of numbers by its ends."""
    names = [str(value) for value in allowed if value is not None]
    return ", ".join(names) if len(names) < 10 else f"{names[0]} to {names[-1]}"


def _suggest(value: object, allowed: Sequence[object]) -> str:
    """Name the word that may be meant, if one is near."""
    import difflib  # noqa: PLC0415 - only who misspells needs it

    words = [word for word in allowed if isinstance(word, str)]
    near = difflib.get_close_matches(str(value), words, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def to_rules(options: Options, kinds: Sequence[type[Resource]]) -> tuple[Rule, ...]:
    """Return the rules that send a handler its requests, as narrow as it is."""
    operations = tuple(sorted(options.operations))
    types = [kind.__resource__ for kind in kinds if kind.__resource__ is not None]
    if not options.resources:
        return tuple(
            _rule(operations, (type_.group,), (type_.version,), type_.plural, type_)
            for type_ in types
        )
    rules = []
    for text in options.resources:
        found = _RESOURCE.fullmatch(text)
        if found is None:
            raise AssertionError("checked before")
        resource = found["resource"]
        group = found["group"]
        if group is None:
            group = _default_group(resource, types)
        if found["subresource"]:
            resource += f"/{found['subresource']}"
        rules.append(_rule(operations, (group,), _versions(group, types), resource))
    return tuple(rules)


def _default_group(resource: str, types: Sequence[ResourceType]) -> str:
    """Return the annotated kind's group; else the core's, as kubectl reads names."""
    if types:
        return types[0].group
    return "*" if resource == "*" else ""


def _versions(group: str, types: Sequence[ResourceType]) -> tuple[str, ...]:
    """A named resource of an annotated kind's group has that kind's version."""
    versions = {type_.version for type_ in types if type_.group == group}
    return tuple(sorted(versions)) or ("*",)


def _rule(
    operations: tuple[str, ...],
    groups: tuple[str, ...],
    versions: tuple[str, ...],
    resource: str,
    type_: ResourceType | None = None,
) -> Rule:
    scope: Literal["*", "Cluster", "Namespaced"] = "*"
    if type_ is not None:
        scope = "Namespaced" if type_.namespaced else "Cluster"
    return Rule(
        operations=operations,
        api_groups=groups,
        api_versions=versions,
        resources=(resource,),
        scope=scope,
    )
