"""App: the registry of handlers that is a Reviewer.

What lives here: which handlers share a webhook entry, and how their answers become one.
All validating handlers of an app with the same failure policy and timeout share one
entry, so that the API server calls once and a user reads every denial at once. What
this file must not know: bytes, sockets, clusters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, overload

from admit._asgi import serve_asgi
from admit._handler import Decision, Options, Running, call, declare_handler, sign
from admit.errors import ConfigError, PolicyError
from admit.matching import Target
from admit.review import AdmissionResponse, Status, fit_warnings
from admit.webhook import TIMEOUT_DEFAULT, TIMEOUT_MAX, TIMEOUT_MIN, FailurePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from admit._handler import Handler, Keywords, Mode
    from admit.review import AdmissionRequest
    from admit.webhook import Rule

__all__ = ("App", "Endpoint")

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# Distinct targets whose handlers an endpoint remembers: a configuration's rules name a
# handful, but the names in a request come from outside.
KNOWN_TARGETS: Final = 256

# The audit annotation that says which policies decided; the API server puts the
# webhook's name before it. A policy that writes the same key has the last word.
VERSION_KEY: Final = "policies-version"

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DOMAIN: Final = re.compile(rf"{_NAME.pattern}(\.{_NAME.pattern})+")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Endpoint:
    """One webhook entry: the handlers that answer at one path. A Reviewer.

    Args:
        path: where the server answers, ``/validate``.
        webhook_name: the entry's name in the configuration, three labels or more.
        timeout_seconds: how long the API server waits when it does not say.
        when: CEL text of the one handler that has it; such a handler stands alone,
            because the API server evaluates it before it calls.
        suspends: a handler may wait. Where it is False, awaiting an answer never
            suspends, and the server needs no task.
        version: of the policies, ``pod-labels@1a2b3c4d5e6f``: each answer carries it
            as an audit annotation. Empty for none.
    """

    path: str
    webhook_name: str
    mutating: bool
    handlers: tuple[Handler, ...]
    failure_policy: FailurePolicy
    timeout_seconds: int
    when: str
    suspends: bool
    running: Running
    version: str = ""
    # By what a target is made of, which is cheaper to look up than a target.
    _known: dict[tuple[object, ...], tuple[Handler, ...]] = field(default_factory=dict)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The union of what the handlers ask for, without repetition."""
        return tuple(
            dict.fromkeys(rule for handler in self.handlers for rule in handler.rules)
        )

    def matches(self, request: AdmissionRequest) -> bool:
        """Tell whether a handler's rules cover the request."""
        return bool(self._find_handlers(request))

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Ask every handler that matches and answer for all of them.

        Raises:
            HandlerError: a handler failed (policy author's fault).
            ReviewError: the object cannot be read (caller's fault).
        """
        decision = Decision(request, self.running, mutating=self.mutating)
        for handler in self._find_handlers(request):
            if decision.matches(handler):
                rest = call(handler, decision)
                if rest is not None:
                    await rest
        if self.version:
            decision.audit.setdefault(VERSION_KEY, self.version)
        return _to_response(decision)

    def _find_handlers(self, request: AdmissionRequest) -> tuple[Handler, ...]:
        resource = request.resource
        key = (
            request.operation,
            resource.group,
            resource.version,
            resource.resource,
            request.sub_resource,
            not request.namespace,
        )
        found = self._known.get(key)
        if found is None:
            target = Target.of(request)
            found = tuple(h for h in self.handlers if h.matches_target(target))
            if len(self._known) < KNOWN_TARGETS:
                self._known[key] = found
        return found


def _to_response(decision: Decision) -> AdmissionResponse:
    status = None
    if decision.denials:
        _, first = decision.denials[0]
        lines = [sign(deny.message, handler) for handler, deny in decision.denials]
        status = Status("\n".join(lines), first.reason, first.code)
    return AdmissionResponse(
        allowed=status is None,
        status=status,
        patch=decision.edited.operations() if status is None else (),
        warnings=fit_warnings(decision.warnings) if decision.warnings else (),
        audit_annotations=decision.audit,
        results=tuple(decision.results),
    )


def _to_label(path: str) -> str:
    return path.strip("/").replace("/", "-").replace(".", "-")


class App:
    """Policies that belong together: what one webhook configuration registers.

    An app is a Reviewer: ``await app(request)`` runs the mutating handlers, then the
    validating ones. It is an ASGI application too: any ASGI server can host it.

    Args:
        name: names the configuration; lower-case letters, digits and '-'.
        domain: what webhook names end in: ``validate.<name>.<domain>``. Not given, it
            is ``admit.internal``; one of your own says in a denial whose webhook it is.
        failure_policy: what the API server does when a call fails, unless a handler
            says otherwise: Fail refuses the request, Ignore lets it pass unseen.
        timeout_seconds: how long it waits, whole seconds from 1 to 30.

    Raises:
        PolicyError: a name, domain or number that Kubernetes would refuse.
    """

    def __init__(
        self,
        name: str,
        *,
        domain: str = "admit.internal",
        failure_policy: FailurePolicy = "Fail",
        timeout_seconds: int = TIMEOUT_DEFAULT,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise PolicyError(
                f"App({name!r}): a name has lower-case letters, digits and '-'"
            )
        if not _DOMAIN.fullmatch(domain):
            raise PolicyError(
                f"App({name!r}, domain={domain!r}): a domain has two labels or more",
                hint='write for example domain="example.com"',
            )
        if failure_policy not in {"Fail", "Ignore"}:
            raise PolicyError(
                f"App({name!r}, failure_policy={failure_policy!r}): "
                "it is Fail or Ignore"
            )
        if not TIMEOUT_MIN <= timeout_seconds <= TIMEOUT_MAX:
            raise PolicyError(
                f"App({name!r}, timeout_seconds={timeout_seconds}): "
                f"the API server takes {TIMEOUT_MIN} to {TIMEOUT_MAX}"
            )
        self.name = name
        self.domain = domain
        self.failure_policy: FailurePolicy = failure_policy
        self.timeout_seconds = timeout_seconds
        self.running = Running()
        self._handlers: list[Handler] = []

    def __repr__(self) -> str:
        return f"App({self.name!r}, {len(self._handlers)} policies)"

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in the order they were declared."""
        return tuple(self._handlers)

    @overload
    def validate(self, function: _Function, /) -> _Function: ...
    @overload
    def validate(
        self, /, **options: Unpack[Keywords]
    ) -> Callable[[_Function], _Function]: ...
    def validate(self, function: Any = None, /, **options: Unpack[Keywords]) -> Any:
        """Let a function refuse requests. Bare, or with the options of `Options`.

        The function raises or yields `Deny`; returning nothing allows.

        Raises:
            PolicyError: signature or options cannot mean anything; file and line.
        """
        return self._declare(function, options, mutating=False)

    @overload
    def mutate(self, function: _Function, /) -> _Function: ...
    @overload
    def mutate(
        self, /, **options: Unpack[Keywords]
    ) -> Callable[[_Function], _Function]: ...
    def mutate(self, function: Any = None, /, **options: Unpack[Keywords]) -> Any:
        """Let a function edit the object in place. Bare, or with `Options`.

        Each sees the object as its predecessors left it; what is edited becomes the
        patch, and nothing else.

        Raises:
            PolicyError: signature or options cannot mean anything; file and line.
        """
        return self._declare(function, options, mutating=True)

    def _declare(self, function: Any, options: Keywords, *, mutating: bool) -> Any:
        def declare(function: _Function) -> _Function:
            try:
                value = Options(**options)
            except TypeError:
                unknown = sorted(set(options) - set(Options.__slots__))
                raise PolicyError(
                    f"{function.__name__}: no such option: {', '.join(unknown)}",
                    hint=f"there are {', '.join(Options.__slots__)}",
                ) from None
            handler = declare_handler(function, value, mutating=mutating)
            self._add(handler)
            return function

        return declare if function is None else declare(function)

    def _add(self, handler: Handler) -> None:
        for other in self._handlers:
            if other.name == handler.name:
                raise PolicyError(
                    f"two policies are named {handler.name}; the other is at "
                    f"{other.place}",
                    place=handler.place,
                    hint="give one of them another with name=",
                )
        self._handlers.append(handler)
        try:
            self.endpoints()
        except PolicyError:
            self._handlers.pop()
            raise

    def override_modes(self, modes: Mapping[str, Mode]) -> None:
        """Set policies to enforce, warn or audit, whatever the code says.

        Raises:
            ConfigError: no policy of this app has that name.
        """
        names = [handler.name for handler in self._handlers]
        for name in modes:
            if name not in names:
                raise ConfigError(
                    f"app {self.name} has no policy {name!r}",
                    hint=f"there are {', '.join(names)}",
                )
        self._handlers = [
            handler.in_mode(modes[handler.name]) if handler.name in modes else handler
            for handler in self._handlers
        ]

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the webhook entries: mutating ones first, as the API server asks.

        Raises:
            PolicyError: handlers that cannot share an entry were given one path.
        """
        groups: dict[str, list[Handler]] = {}
        for handler in self._handlers:
            groups.setdefault(self._path_of(handler), []).append(handler)
        endpoints = [
            self._to_endpoint(path, handlers) for path, handlers in groups.items()
        ]
        return tuple(sorted(endpoints, key=lambda endpoint: not endpoint.mutating))

    def _entry_of(self, handler: Handler) -> tuple[bool, FailurePolicy, int, str]:
        """Return what handlers must agree on to be asked in one call."""
        options = handler.options
        return (
            handler.mutating,
            options.failure_policy or self.failure_policy,
            options.timeout_seconds or self.timeout_seconds,
            options.when,
        )

    def _path_of(self, handler: Handler) -> str:
        """Return the path a handler answers at: its own, or its entry's."""
        if handler.options.path:
            return handler.options.path
        _, failure_policy, timeout_seconds, when = self._entry_of(handler)
        path = "/mutate" if handler.mutating else "/validate"
        if when:
            return f"{path}/{handler.name.lower().replace('_', '-')}"
        if (failure_policy, timeout_seconds) != (
            self.failure_policy,
            self.timeout_seconds,
        ):
            return f"{path}/{failure_policy.lower()}-{timeout_seconds}s"
        return path

    def _to_endpoint(self, path: str, handlers: Sequence[Handler]) -> Endpoint:
        first, *others = handlers
        entry = self._entry_of(first)
        for other in others:
            if self._entry_of(other) != entry:
                raise PolicyError(
                    f"{first.name} ({first.place}) and {other.name} cannot share the "
                    f"path {path}: one call has one verb, failure policy, timeout and "
                    "`when`",
                    place=other.place,
                    hint="give one of them another path=",
                )
        mutating, failure_policy, timeout_seconds, when = entry
        return Endpoint(
            path=path,
            webhook_name=f"{_to_label(path)}.{self.name}.{self.domain}",
            mutating=mutating,
            handlers=tuple(handlers),
            failure_policy=failure_policy,
            timeout_seconds=timeout_seconds,
            when=when,
            suspends=any(handler.style != "sync" for handler in handlers),
            running=self.running,
        )

    @overload
    async def __call__(self, request: AdmissionRequest, /) -> AdmissionResponse: ...
    @overload
    async def __call__(self, scope: Any, receive: Any, send: Any, /) -> None: ...
    async def __call__(
        self, request: Any, receive: Any = None, send: Any = None, /
    ) -> AdmissionResponse | None:
        """Review a request, or, with ASGI's three arguments, serve it."""
        if receive is not None:
            routes = {endpoint.path: endpoint for endpoint in self.endpoints()}
            await serve_asgi(routes, request, receive, send)
            return None
        return await self._review(request)

    def _in_order(self) -> list[Handler]:
        return sorted(self._handlers, key=lambda handler: not handler.mutating)

    async def _review(self, request: AdmissionRequest) -> AdmissionResponse:
        """Ask the mutating handlers, then the validating ones about their result.

        An edited object reaches the validating handlers as it would be stored.
        """
        decision = Decision(request, self.running, mutating=True)
        target = Target.of(request)
        for handler in self._in_order():
            if not handler.mutating and not decision.frozen:
                if decision.denials:
                    break
                decision.freeze()
            if handler.matches_target(target) and decision.matches(handler):
                rest = call(handler, decision)
                if rest is not None:
                    await rest
        return _to_response(decision)
