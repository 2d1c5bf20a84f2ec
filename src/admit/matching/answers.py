"""Answers: does this webhook see this request, and why.

What lives here: the order in which the API server looks, each step with its reason. A
match condition counts as "may match", because nobody evaluates CEL here.

Source: apiserver pkg/admission/plugin/webhook/generic/webhook.go, ShouldCallHook;
pkg/admission/plugin/webhook/predicates/{namespace,object}/matcher.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from admit.matching.equivalents import BUILT_IN, Equivalents, Served
from admit.matching.exclusions import VIRTUAL_EXCLUDED_SINCE, find_exclusion
from admit.matching.rules import Target, matches_rule
from admit.matching.selectors import is_empty, matches_known, matches_selector
from admit.webhook import StoredWebhook, Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.matching.attributes import Attributes
    from admit.webhook import LabelSelector

__all__ = ("Answer", "Filters", "Known", "Namespace", "answer")

Verdict = Literal["matched", "may match", "not matched", "error"]


Filters: TypeAlias = Webhook | StoredWebhook
"""An entry of admit's own configurations, or of anybody's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a webhook is called for a request.

    Args:
        verdict: ``may match`` where it depends on what is not known: match conditions,
            labels. ``error`` refuses the request, whatever failurePolicy says.
        reason: in a sentence, for a person.
        rule: the number of the rule that covers the request, from 0; None if none.
        sent_as: the equivalent as which the request is sent; None if as it is.
        code: the HTTP status of an error; 0 for none.
    """

    verdict: Verdict
    reason: str
    rule: int | None = None
    sent_as: Served | None = None
    code: int = 0

    @property
    def can_be_called(self) -> bool:
        """The webhook is called, or may be."""
        return self.verdict in {"matched", "may match"}


@dataclass(frozen=True, slots=True)
class Namespace:
    """What is known of a namespace; `complete` says that there is no other label."""

    labels: Mapping[str, Any]
    complete: bool = True


def _nothing_known(name: str) -> Namespace | None:
    """The one label that the API server itself sets."""
    return Namespace({"kubernetes.io/metadata.name": name}, complete=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the cluster that the request is sent to.

    Args:
        find_namespace: returns the namespace of a name, None if there is none. Without
            it only the label ``kubernetes.io/metadata.name`` is known.
        equivalents: what is served more than once.
        version: of Kubernetes: major, minor.
        static: the webhook is of a static manifest, not of the API.
    """

    find_namespace: Callable[[str], Namespace | None] = _nothing_known
    equivalents: Equivalents = BUILT_IN
    version: tuple[int, int] = VIRTUAL_EXCLUDED_SINCE
    static: bool = False


_NOTHING_MORE = Known()


def answer(
    webhook: Filters, attributes: Attributes, known: Known = _NOTHING_MORE
) -> Answer:
    """Say whether the API server calls a webhook for a request, and why.

    The webhook has the API server's defaults written out.
    """
    excluded = find_exclusion(attributes, static=known.static, version=known.version)
    if excluded:
        return Answer("not matched", excluded)
    namespace = _ask_namespace(webhook.namespace_selector, attributes, known)
    if namespace.verdict == "not matched":
        return namespace
    objects = _ask_object(webhook.object_selector, attributes)
    if objects.verdict == "not matched":
        return objects
    covered = _ask_rules(webhook, attributes, known.equivalents)
    if covered.verdict == "not matched":
        return covered
    if namespace.verdict == "error":
        return namespace
    return _join(covered, namespace, objects, _ask_conditions(webhook))


def _join(covered: Answer, *others: Answer) -> Answer:
    """Add to the answer of the rules what the other steps leave open."""
    unsure = [other.reason for other in others if other.verdict == "may match"]
    if not unsure:
        return covered
    reason = f"{covered.reason}, but {' and '.join(unsure)}"
    return Answer("may match", reason, covered.rule, covered.sent_as)


def _ask_namespace(
    selector: LabelSelector, attributes: Attributes, known: Known
) -> Answer:
    of_namespaces = attributes.resource == "namespaces"
    if not attributes.namespace and not of_namespaces:
        return Answer("matched", "the namespaceSelector does not filter what has none")
    if is_empty(selector):
        return Answer("matched", "the namespaceSelector is empty")
    written = attributes.operation in {"CREATE", "UPDATE"}
    if of_namespaces and not attributes.subresource and written:
        # The namespace as it will be: the stored one is not there, or another.
        name, labels = attributes.name, attributes.labels or {}
        found: Namespace | None = Namespace(labels, attributes.labels_known)
    else:
        name = attributes.namespace
        if not name:  # deleting what is called a namespace in another group
            return Answer("error", "resource name may not be empty", code=500)
        found = known.find_namespace(name)
    if found is None:
        return Answer("error", f'namespaces "{name}" not found', code=404)
    return _select(selector, found, f"namespaceSelector on {name or 'the namespace'}")


def _select(selector: LabelSelector, on: Namespace, what: str) -> Answer:
    if on.complete:
        matched: bool | None = matches_selector(selector, on.labels)
    else:
        matched = matches_known(selector, on.labels)
    if matched is None:
        return Answer("may match", f"the {what} asks for labels that are not known")
    if matched:
        return Answer("matched", f"the {what} matches")
    return Answer("not matched", f"the {what} does not match")


def _ask_object(selector: LabelSelector, attributes: Attributes) -> Answer:
    if is_empty(selector):
        return Answer("matched", "the objectSelector is empty")
    sides = [
        labels
        for labels in (attributes.labels, attributes.old_labels)
        if labels is not None
    ]
    if not sides:
        return Answer(
            "not matched", "the objectSelector never matches what has no metadata"
        )
    asked = [
        _select(selector, Namespace(labels, attributes.labels_known), "objectSelector")
        for labels in sides
    ]
    order = ("matched", "may match", "not matched")
    return min(asked, key=lambda found: order.index(found.verdict))


def _ask_rules(
    webhook: Filters, attributes: Attributes, equivalents: Equivalents
) -> Answer:
    target = _target_of(attributes, attributes.group, attributes.version)
    for number, rule in enumerate(webhook.rules):
        if matches_rule(rule, target):
            said = f"rules[{number}] covers {attributes.operation} {attributes.target}"
            return Answer("matched", said, number)
    if webhook.match_policy == "Equivalent":
        others = equivalents.find(attributes)
        for number, rule in enumerate(webhook.rules):
            for other in others:
                target = _target_of(attributes, other.group, other.version)
                if matches_rule(rule, target):
                    said = (
                        f"rules[{number}] covers {other.api_version} "
                        f"{other.resource}, the same as {attributes.target}"
                    )
                    return Answer("matched", said, number, other)
    return Answer(
        "not matched", f"no rule covers {attributes.operation} {attributes.target}"
    )


def _target_of(attributes: Attributes, group: str, version: str) -> Target:
    # Only the very v1 Namespace counts as cluster-scoped although it names itself.
    is_namespace = (group, version, attributes.resource) == ("", "v1", "namespaces")
    return Target(
        attributes.operation,
        group,
        version,
        attributes.resource,
        attributes.subresource,
        bool(attributes.namespace) and not is_namespace,
    )


def _ask_conditions(webhook: Filters) -> Answer:
    count = len(webhook.match_conditions)
    if not count:
        return Answer("matched", "there are no match conditions")
    few = "a match condition decides" if count == 1 else "match conditions decide"
    return Answer("may match", few)
