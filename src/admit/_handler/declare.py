"""From a function and its options to a handler; checked when it is declared."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from admit._handler.options import Mode, Options, to_rules
from admit._handler.signature import Signature, place_of, read_signature
from admit.errors import PolicyError
from admit.matching import matches_rules, matches_selector

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.kinds import Resource
    from admit.matching import Target
    from admit.review import AdmissionRequest
    from admit.webhook import LabelSelector, Rule

__all__ = ("Handler", "declare_handler")

# A policy's name is an audit annotation's key and a metric's label.
NAME_LENGTH: Final = 63


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Handler:
    """A function someone wrote, and all that was said about it.

    Args:
        name: as in messages, metrics and audit annotations.
        description: the docstring's first paragraph.
        place: file and line of the function.
        style: ``sync`` runs on the event loop, ``async`` on it too and may wait,
            ``blocking`` in a thread.
        yields: the function is a generator of denials.
        filters: namespaces or labels decide whether it is asked.
    """

    name: str
    description: str
    place: str
    function: Callable[..., Any]
    mutating: bool
    options: Options
    signature: Signature
    rules: tuple[Rule, ...]
    selector: LabelSelector | None
    style: Literal["sync", "async", "blocking"]
    yields: bool
    filters: bool

    @property
    def mode(self) -> Mode:
        """What a denial does."""
        return self.options.mode

    def in_mode(self, mode: Mode) -> Handler:
        """Return the same handler in another mode (an override at deployment)."""
        return replace(self, options=replace(self.options, mode=mode))

    def matches_target(self, target: Target) -> bool:
        """Tell whether the rules cover a target.

        A wildcard never means the status: what a controller observed is not for a
        policy on the spec to refuse.
        """
        if target.subresource == "status" and not any(
            resource.endswith("/status") for resource in self.options.resources
        ):
            return False
        return matches_rules(self.rules, target)

    def matches_namespace(self, namespace: str) -> bool:
        """Tell whether the namespace, empty for cluster-scoped, is one of ours."""
        options = self.options
        if options.namespaces and namespace not in options.namespaces:
            return False
        return namespace not in options.exempt_namespaces

    def matches_labels(
        self, new: dict[str, Any] | None, old: dict[str, Any] | None
    ) -> bool:
        """Tell whether the object before or after has the labels."""
        if self.selector is None:
            return True
        return any(
            matches_selector(self.selector, _labels_of(document))
            for document in (new, old)
            if document is not None
        )

    def kind_for(self, request: AdmissionRequest) -> type[Resource]:
        """Return which of the annotated kinds the request is about.

        Of several versions that of the object; what no kind names is for one that
        names no resource (`Resource`, `Scale`), if there is one.
        """
        kinds = self.signature.kinds
        if len(kinds) == 1:
            return kinds[0]
        asked, api_version = request.kind, request.kind.version
        if asked.group:
            api_version = f"{asked.group}/{asked.version}"
        open_kinds, same_kind = [], []
        for kind in kinds:
            type_ = kind.__resource__
            if type_ is None:
                open_kinds.append(kind)
            elif type_.is_kind(asked.group, asked.kind):
                if type_.api_version == api_version:
                    return kind
                same_kind.append(kind)
        return [*same_kind, *open_kinds, *kinds][0]


def _labels_of(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, dict) else {}


def declare_handler(
    function: Callable[..., Any], options: Options, *, mutating: bool
) -> Handler:
    """Turn a function into a handler.

    Raises:
        PolicyError: signature or options cannot mean anything; file and line.
    """
    if not inspect.isfunction(function):
        raise PolicyError(
            f"{function!r} is no function", hint="decorate a plain function"
        )
    place = place_of(function)
    options.check(place)
    signature = read_signature(function)
    if not options.resources and not _names_resources(signature):
        raise PolicyError(
            f"{function.__name__}: no parameter is one kind, so nothing would match",
            place=place,
            hint="annotate a parameter (pod: Pod) or name resources=[...]",
        )
    is_generator = inspect.isgeneratorfunction(function)
    is_async_generator = inspect.isasyncgenfunction(function)
    is_async = is_async_generator or inspect.iscoroutinefunction(function)
    if options.blocking and is_async:
        raise PolicyError(
            f"{function.__name__}: an async function does not block",
            place=place,
            hint="drop blocking=True, or make it a plain function",
        )
    style: Literal["sync", "async", "blocking"] = "async" if is_async else "sync"
    return Handler(
        name=_name_of(function, options, place),
        description=inspect.cleandoc(function.__doc__ or "").split("\n\n")[0],
        place=place,
        function=function,
        mutating=mutating,
        options=options,
        signature=signature,
        rules=to_rules(options, signature.kinds),
        selector=options.selector(place),
        style="blocking" if options.blocking else style,
        yields=is_generator or is_async_generator,
        filters=bool(options.namespaces or options.exempt_namespaces or options.labels),
    )


def _names_resources(signature: Signature) -> bool:
    """Tell whether the annotated kinds say which resources; `Resource` is any."""
    kinds = signature.kinds
    return bool(kinds) and all(kind.__resource__ is not None for kind in kinds)


def _name_of(function: Callable[..., Any], options: Options, place: str) -> str:
    name = options.name or function.__name__.strip("_")
    if len(name) > NAME_LENGTH or not name.replace("-", "_").isidentifier():
        raise PolicyError(
            f"{name!r} cannot name a policy: at most {NAME_LENGTH} letters, digits, "
            "'_' and '-'",
            place=place,
            hint="give it another with name=",
        )
    return name
