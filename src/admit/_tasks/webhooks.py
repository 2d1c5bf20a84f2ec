"""From endpoints to webhook entries: what the API server is asked to send, no more.

What handlers declare becomes rules, selectors and conditions, so that a request that
no handler wants is never sent. What a cluster needs to start is not sent either,
unless a handler names it: a webhook that is down must not keep down what it needs to
come up again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from admit._tasks.rules import merge_rules
from admit.errors import PolicyError
from admit.matching import matches_selector
from admit.webhook import (
    ClientConfig,
    LabelSelector,
    MatchCondition,
    MutatingWebhook,
    Requirement,
    ValidatingWebhook,
    Webhook,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from admit._handler import Handler
    from admit.app import Endpoint
    from admit.review import AdmissionRequest

__all__ = ("Entry", "Spared", "to_entry")

# Every namespace has this label, set by the API server.
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"

# Where the control plane, the nodes' leases and what nodes join with live.
SYSTEM_NAMESPACES: Final = ("kube-node-lease", "kube-public", "kube-system")

# Groups of which everything is needed to start: the API server's own configuration and
# its questions about who may do what (which newer API servers never send), nodes'
# certificates and leases, and what everybody reports.
SPARED_GROUPS: Final = (
    "admissionregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "events.k8s.io",
)
SPARED_CORE: Final = ("events", "nodes")

# What the API server itself writes when it starts, under its own name; it ends when it
# cannot (kubernetes pkg/registry/rbac/rest/storage_rbac.go and the other post-start
# hooks, pkg/controlplane/controller).
API_SERVER: Final = "system:apiserver"
BOOTSTRAPPED: Final = (
    ("", "endpoints"),
    ("", "namespaces"),
    ("", "services"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("discovery.k8s.io", "endpointslices"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    ("internal.apiserver.k8s.io", "storageversions"),
    ("networking.k8s.io", "ipaddresses"),
    ("networking.k8s.io", "servicecidrs"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
    ("scheduling.k8s.io", "priorityclasses"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """What an entry's rules cover but nobody asked for by name.

    Args:
        groups: API groups of which nothing is sent.
        core: resources of the core group that are not sent.
        named: (group, resource, subresource) of these that a handler names; the
            subresource may be ``*``.
        status: the status subresource, which a wildcard does not mean.
        api_server: what the API server itself writes.
    """

    groups: tuple[str, ...] = ()
    core: tuple[str, ...] = ()
    named: frozenset[tuple[str, str, str]] = frozenset()
    status: bool = False
    api_server: bool = False

    def covers(self, request: AdmissionRequest) -> bool:
        """Tell whether the request is not sent: what `conditions` say in CEL."""
        group, resource = request.resource.group, request.resource.resource
        sub = request.sub_resource
        named = {(group, resource, sub), (group, resource, "*")} & self.named
        needed = group in self.groups or (group == "" and resource in self.core)
        return (
            (needed and not named)
            or (self.status and sub == "status")
            or (self.api_server and request.user_info.username == API_SERVER)
        )

    def conditions(self) -> tuple[MatchCondition, ...]:
        """Return the match conditions that spare it."""
        found = []
        if self.groups or self.core:
            found.append(("not-needed-to-start", self._needed()))
        if self.status:
            found.append(("not-status", f"!({_cel_subresource('status')})"))
        if self.api_server:
            found.append(
                (
                    "not-the-api-server",
                    f'request.userInfo.username != "{API_SERVER}"',
                )
            )
        return tuple(
            MatchCondition(name=name, expression=expression)
            for name, expression in found
        )

    def _needed(self) -> str:
        terms = []
        if self.groups:
            terms.append(f"request.resource.group in {_cel_list(self.groups)}")
        if self.core:
            terms.append(
                'request.resource.group == "" && '
                f"request.resource.resource in {_cel_list(self.core)}"
            )
        expression = f"!({' || '.join(terms)})"
        for group, resource, sub in sorted(self.named):
            whole = "" if sub == "*" else f" && {_cel_subresource(sub)}"
            expression += (
                f' || request.resource.group == "{group}" && '
                f'request.resource.resource == "{resource}"{whole}'
            )
        return expression


def _cel_subresource(name: str) -> str:
    """The member is absent, not empty, where there is none; reading it would fail."""
    if not name:
        return "!has(request.subResource)"
    return f'has(request.subResource) && request.subResource == "{name}"'


def _cel_list(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One webhook entry, with what made it so.

    Args:
        notes: what the author may not have meant, in a person's words.
    """

    endpoint: Endpoint
    webhook: Webhook
    spared: Spared
    notes: tuple[str, ...] = field(default=())

    def why_not_asked(self, request: AdmissionRequest) -> str | None:
        """Return why a request that the rules cover is not sent; None if it is.

        `when` is not evaluated; the object's labels are the handlers' own business
        too, so they are left to them.
        """
        namespace = request.namespace
        selector = self.webhook.namespace_selector
        if namespace and not matches_selector(selector, {NAMESPACE_LABEL: namespace}):
            return f"it does not look into the namespace {namespace}"
        if self.spared.covers(request):
            return "a cluster needs this to start, and no policy names it"
        return None


def to_entry(
    endpoint: Endpoint, client_config: ClientConfig, *, own_namespace: str = ""
) -> Entry:
    """Return the webhook entry of an endpoint.

    Args:
        endpoint: whose handlers say what they want to see.
        client_config: where it is, its path included.
        own_namespace: where the webhook itself runs; never sent unless named.

    Raises:
        PolicyError: a handler's namespaces leave nothing; file and line.
    """
    handlers = endpoint.handlers
    spared = _find_spared(handlers)
    conditions = spared.conditions()
    if endpoint.when:
        conditions += (MatchCondition(name="when", expression=endpoint.when),)
    system = {*SYSTEM_NAMESPACES, own_namespace} - {""}
    kind = MutatingWebhook if endpoint.mutating else ValidatingWebhook
    webhook = kind(
        name=endpoint.webhook_name,
        client_config=client_config,
        rules=merge_rules(endpoint.rules),
        failure_policy=endpoint.failure_policy,
        timeout_seconds=endpoint.timeout_seconds,
        namespace_selector=_select_namespaces(handlers, system),
        object_selector=_select_objects(handlers),
        match_conditions=conditions,
    )
    return Entry(
        endpoint=endpoint,
        webhook=webhook,
        spared=spared,
        notes=_find_notes(handlers, system),
    )


class _Namespaces(NamedTuple):
    """A set of namespaces: these, or all but these."""

    inside: bool
    names: frozenset[str]

    def union(self, other: _Namespaces) -> _Namespaces:
        if self.inside and other.inside:
            return _Namespaces(inside=True, names=self.names | other.names)
        if self.inside:
            return _Namespaces(inside=False, names=other.names - self.names)
        if other.inside:
            return _Namespaces(inside=False, names=self.names - other.names)
        return _Namespaces(inside=False, names=self.names & other.names)


def _namespaces_of(handler: Handler) -> _Namespaces:
    options = handler.options
    exempt = frozenset(options.exempt_namespaces)
    if not options.namespaces:
        return _Namespaces(inside=False, names=exempt)
    names = frozenset(options.namespaces) - exempt
    if not names:
        raise PolicyError(
            f"{handler.name}: exempt_namespaces leaves none of its namespaces",
            place=handler.place,
        )
    return _Namespaces(inside=True, names=names)


def _insisted(handlers: Sequence[Handler]) -> set[str]:
    """Return the namespaces that handlers name."""
    return {name for handler in handlers for name in handler.options.namespaces}


def _select_namespaces(handlers: Sequence[Handler], system: set[str]) -> LabelSelector:
    first, *others = map(_namespaces_of, handlers)
    for other in others:
        first = first.union(other)
    names = set(first.names)
    if not first.inside:
        names |= system - _insisted(handlers)
    if not names:
        return LabelSelector()
    return LabelSelector(
        match_expressions=(
            Requirement(
                key=NAMESPACE_LABEL,
                operator="In" if first.inside else "NotIn",
                values=tuple(sorted(names)),
            ),
        )
    )


def _select_objects(handlers: Sequence[Handler]) -> LabelSelector:
    """Return the label selector on which all agree; else everything is sent."""
    first = handlers[0].selector
    if first is None or any(handler.selector != first for handler in handlers):
        return LabelSelector()
    return first


def _find_notes(handlers: Sequence[Handler], system: set[str]) -> tuple[str, ...]:
    notes = [
        f"{handler.name} is never asked on CONNECT: what is sent there has no labels"
        for handler in handlers
        if handler.selector is not None and "CONNECT" in handler.options.operations
    ]
    insisted = sorted(_insisted(handlers) & system)
    others = [handler.name for handler in handlers if not handler.options.namespaces]
    if insisted and others:
        notes.append(
            f"a policy names {', '.join(insisted)}, so {', '.join(others)} in the same "
            "webhook entry is asked there too; give one of them another path="
        )
    return tuple(notes)


class _Pattern(NamedTuple):
    """One resource of a rule: ``pods/exec`` in the group ""."""

    group: str
    resource: str
    subresource: str


def _patterns_of(handlers: Sequence[Handler]) -> list[_Pattern]:
    return [
        _Pattern(group, pattern.partition("/")[0], pattern.partition("/")[2])
        for handler in handlers
        for rule in handler.rules
        for group in rule.api_groups
        for pattern in rule.resources
    ]


def _find_spared(handlers: Sequence[Handler]) -> Spared:
    """Return what wildcards cover that a cluster needs, and nobody names."""
    patterns = _patterns_of(handlers)
    wild = {pattern.group for pattern in patterns if pattern.resource == "*"}
    groups = tuple(group for group in SPARED_GROUPS if wild & {group, "*"})
    core = SPARED_CORE if wild & {"", "*"} else ()
    named = frozenset(
        (group, pattern.resource, pattern.subresource)
        for pattern in patterns
        if pattern.resource != "*"
        for group in ((*groups, "") if pattern.group == "*" else (pattern.group,))
        if group in groups or (group == "" and pattern.resource in core)
    )
    subresources = {pattern.subresource for pattern in patterns}
    return Spared(
        groups=groups,
        core=core,
        named=named,
        status="*" in subresources and "status" not in subresources,
        api_server=any(
            pattern.group in {group, "*"} and pattern.resource in {resource, "*"}
            for pattern in patterns
            for group, resource in BOOTSTRAPPED
        ),
    )
