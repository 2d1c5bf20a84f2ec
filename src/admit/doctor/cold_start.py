"""Cold start: can the cluster come up again when every webhook is down?

What lives here: the question, asked of the matcher for every write that a start needs,
in order. A webhook that fails closed is needed by each write it sees; to be up it needs
what every pod needs (nodes, leases, the network and DNS pods) and what its own pods
need. Who needs itself, by whatever detour, never comes up: that is the deadlock, and
the shortest one is the chain to read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from admit.doctor.context import LEASES, NODE_REQUESTS, of_pod

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from admit.doctor.context import Context
    from admit.doctor.findings import Entry
    from admit.matching import Answer, Attributes

__all__ = ("Block", "Deadlock", "Link", "Write", "find_blocks", "find_deadlocks")


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a start needs.

    Args:
        purpose: what it is for, as a person says it: ``the node registers``.
        attributes: as the matcher wants it.
    """

    purpose: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain: a webhook needs a write, which needs the next webhook.

    Args:
        entry: the webhook that is down.
        write: what it needs to come up.
        blocker: the webhook that must be asked about the write first.
        answer: why it sees the write.
    """

    entry: Entry
    write: Write
    blocker: Entry
    answer: Answer


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Webhooks that wait for each other, or one that waits for itself.

    Args:
        chain: from the first webhook back to itself.
        sure: every blocker sees its write for certain; otherwise it depends on labels
            or match conditions.
    """

    chain: tuple[Link, ...]
    sure: bool

    def describe(self) -> tuple[str, ...]:
        """Return the chain, a line for each step."""
        lines = []
        for link in self.chain:
            may = "" if link.answer.verdict == "matched" else " (perhaps)"
            where = link.write.attributes.namespace
            target = link.write.attributes.target + (f" in {where}" if where else "")
            lines.append(
                f"{_name(link.entry)} is down: it needs that {link.write.purpose} "
                f"({link.write.attributes.operation} {target}), which{may} must ask "
                f"{_name(link.blocker)} first"
            )
        return (*lines, f"and {_name(self.chain[0].entry)} is down")


def _name(entry: Entry) -> str:
    return entry.webhook.name


# What every pod waits for, in the order of a start.
_EVERYBODY: Final = (
    *(Write("the node registers", request) for request in NODE_REQUESTS[:2]),
    Write("the node is reported ready", NODE_REQUESTS[2]),
    Write("the node gets its certificate", NODE_REQUESTS[3]),
    Write("the node renews its lease", LEASES[0]),
    Write("the scheduler and the controllers elect a leader", LEASES[1]),
    Write("the network and DNS pods are created", of_pod("kube-system")),
    Write(
        "the network and DNS pods are placed on a node",
        of_pod("kube-system", subresource="binding"),
    ),
    Write(
        "the network and DNS pods are reported ready",
        of_pod("kube-system", "UPDATE", subresource="status"),
    ),
)

# (purpose, operation, group, resource, subresource) of a webhook's own namespace.
_OWN: Final = (
    ("its pods are created", "CREATE", "", "pods", ""),
    ("its pods are placed on a node", "CREATE", "", "pods", "binding"),
    ("its pods are reported ready", "UPDATE", "", "pods", "status"),
    ("its ReplicaSet counts them", "UPDATE", "apps", "replicasets", "status"),
    ("its pods get a token", "CREATE", "", "serviceaccounts", "token"),
    ("its certificate is stored", "UPDATE", "", "secrets", ""),
    (
        "its Service gets addresses",
        "UPDATE",
        "discovery.k8s.io",
        "endpointslices",
        "",
    ),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A webhook that refuses, while it is down, writes that a start needs.

    Args:
        entry: the webhook.
        writes: what it sees of them.
        sure: it sees one for certain; otherwise it depends on labels or conditions.
    """

    entry: Entry
    writes: tuple[Write, ...]
    sure: bool


def find_blocks(
    entries: Sequence[Entry],
    context: Context,
    labels: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Block, ...]:
    """Return the webhooks that stand in the way of a start, their own included."""
    writes = list(_EVERYBODY)
    for home, entry in {_home(entry): entry for entry in entries}.items():
        writes += _find_own_writes(entry, (labels or {}).get(home))
    blocks = []
    for entry in entries:
        if not entry.fails:
            continue
        answers = [(context.ask(entry, write.attributes), write) for write in writes]
        seen = tuple(write for answer, write in answers if answer.can_be_called)
        if seen:
            sure = any(answer.verdict == "matched" for answer, _ in answers)
            blocks.append(Block(entry, seen, sure))
    return tuple(blocks)


def _home(entry: Entry) -> str:
    service = entry.webhook.client_config.get("service") or {}
    return f"{service.get('namespace', '')}/{service.get('name', '')}"


def _find_own_writes(
    entry: Entry, labels: Mapping[str, Any] | None
) -> tuple[Write, ...]:
    """Return what a webhook's own pods need, in the order of a start.

    One that is reached by URL stands outside of the cluster and needs nothing of it.
    """
    service = entry.webhook.client_config.get("service") or {}
    namespace = service.get("namespace", "")
    if not namespace:
        return ()
    own = []
    for purpose, operation, group, resource, subresource in _OWN:
        request = replace(
            of_pod(namespace, operation, subresource=subresource),
            group=group,
            resource=resource,
            kind="",
        )
        if resource == "pods" and labels is not None:
            request = replace(request, labels=labels, labels_known=True)
        own.append(Write(purpose, request))
    return tuple(own)


@dataclass(slots=True)
class _Needs:
    """Which webhook needs which, each asked once."""

    entries: Sequence[Entry]
    context: Context
    labels: Mapping[str, Mapping[str, Any]]
    sure: bool
    known: dict[int, tuple[Link, ...]] = field(default_factory=dict)

    def find(self, number: int) -> tuple[Link, ...]:
        """Return the links from a webhook, one for each other that it needs."""
        if number not in self.known:
            self.known[number] = tuple(self._links(number))
        return self.known[number]

    def _links(self, number: int) -> Iterator[Link]:
        entry = self.entries[number]
        seen = set()
        own = _find_own_writes(entry, self.labels.get(_home(entry)))
        for write in (*_EVERYBODY, *own) if own else ():
            for other, blocker in enumerate(self.entries):
                if other in seen or not blocker.fails:
                    continue
                answer = self.context.ask(blocker, write.attributes)
                wanted = ("matched",) if self.sure else ("matched", "may match")
                if answer.verdict in wanted:
                    seen.add(other)
                    yield Link(entry, write, blocker, answer)


def find_deadlocks(
    entries: Sequence[Entry],
    context: Context,
    labels: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Deadlock, ...]:
    """Return the shortest chain of each webhook that waits for itself, shortest first.

    Args:
        entries: all webhooks there are.
        context: what is known of namespaces.
        labels: of the pods behind a Service, by ``namespace/name``.
    """
    found: dict[frozenset[int], Deadlock] = {}
    for sure in (True, False):
        needs = _Needs(entries, context, labels or {}, sure)
        for start, entry in enumerate(entries):
            if not entry.fails:
                continue
            chain = _find_way_back(needs, start)
            if chain:
                members = frozenset(id(link.entry) for link in chain)
                found.setdefault(members, Deadlock(chain, sure))
    return tuple(sorted(found.values(), key=lambda one: (not one.sure, len(one.chain))))


def _find_way_back(needs: _Needs, start: int) -> tuple[Link, ...]:
    """Return the shortest chain from a webhook back to itself, breadth first."""
    numbers = {id(entry): number for number, entry in enumerate(needs.entries)}
    waiting: deque[tuple[int, tuple[Link, ...]]] = deque([(start, ())])
    seen = {start}
    while waiting:
        number, chain = waiting.popleft()
        for link in needs.find(number):
            then = numbers[id(link.blocker)]
            if then == start:
                return (*chain, link)
            if then not in seen:
                seen.add(then)
                waiting.append((then, (*chain, link)))
    return ()
