"""What can keep a cluster from working: proved by asking the matcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from admit.doctor.context import EVENT, LEASES, NODE_REQUESTS, of_pod
from admit.matching import Attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from admit.doctor.catalogue import Severity
    from admit.doctor.context import Context
    from admit.doctor.findings import Entry, Finding
    from admit.matching import Answer

__all__ = ("check_blocking", "check_catch_all")

# Seconds. Leases are renewed every 10 s and time out after 40: a webhook that is
# ignored after so long does no harm. Gardener draws the line there too.
HARMLESS_SECONDS: Final = 3


def check_blocking(entry: Entry, context: Context) -> Iterator[Finding]:
    """Check whether a cluster, or the webhook itself, can start while it is down."""
    yield from _check_needed(entry, context, "blocks-leases", LEASES)
    yield from _check_needed(entry, context, "blocks-nodes", NODE_REQUESTS)
    yield from _check_itself(entry, context)
    system = of_pod("kube-system")
    found = context.ask(entry, system)
    if entry.fails and found.verdict == "matched":
        yield entry.find("blocks-kube-system", _say(found, system), *_at(found))
    found = context.ask(entry, EVENT)
    if found.verdict == "matched":
        yield entry.find("matches-events", _say(found, EVENT), *_at(found))


def check_catch_all(entry: Entry, _context: Context) -> Iterator[Finding]:
    """Check for rules that cover every resource there is."""
    for number, rule in enumerate(entry.webhook.rules):
        if "*" in rule.api_groups and {"*", "*/*"} & set(rule.resources):
            operations = ", ".join(rule.operations)
            scope = "" if rule.scope == "*" else f" of scope {rule.scope}"
            reason = f"rules[{number}] covers {operations} of every resource{scope}"
            yield entry.find("catch-all-rule", reason, "rules", number)


def _check_needed(
    entry: Entry, context: Context, id: str, requests: Sequence[Attributes]
) -> Iterator[Finding]:
    """Report the request that is surest to wait for the webhook."""
    order = ("matched", "may match")
    answers = [(context.ask(entry, request), request) for request in requests]
    seen = [pair for pair in answers if pair[0].verdict in order]
    if not seen:
        return
    found, request = min(seen, key=lambda pair: order.index(pair[0].verdict))
    severity = _weigh(entry, context, found, request)
    if severity:
        yield entry.find(id, _say(found, request), *_at(found), severity=severity)


def _weigh(
    entry: Entry, context: Context, found: Answer, request: Attributes
) -> Severity | None:
    if found.verdict == "matched":
        if entry.fails:
            return "error"
        slow = entry.webhook.timeout_seconds > HARMLESS_SECONDS
        return "warning" if slow else None
    if not entry.fails:
        return None
    return "info" if context.depends_on_conditions(entry, request) else "warning"


# What a webhook in a cluster needs to come up: (group, resource).
_TO_START: Final = (("", "pods"), ("apps", "replicasets"), ("apps", "deployments"))


def _check_itself(entry: Entry, context: Context) -> Iterator[Finding]:
    service = entry.webhook.client_config.get("service") or {}
    namespace = service.get("namespace", "")
    if not namespace or not entry.fails:
        return
    answers = []
    for group, resource in _TO_START:
        request = Attributes(
            operation="CREATE",
            group=group,
            version="v1",
            resource=resource,
            namespace=namespace,
            labels={},
            labels_known=False,
        )
        answers.append((context.ask(entry, request), request))
    for verdict, severity in (("matched", None), ("may match", "info")):
        for found, request in answers:
            if found.verdict == verdict:
                reason = f"it runs in {namespace}: {_say(found, request)}"
                level: Severity | None = "info" if severity else None
                yield entry.find("blocks-itself", reason, *_at(found), severity=level)
                return


def _say(found: Answer, request: Attributes) -> str:
    where = f" in {request.namespace}" if request.namespace else ""
    return f"{found.reason}{where}"


def _at(found: Answer) -> tuple[str | int, ...]:
    return () if found.rule is None else ("rules", found.rule)
