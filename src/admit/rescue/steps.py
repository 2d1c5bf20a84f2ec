"""From what is meant to what is written: one step a configuration, shown before done.

What lives here: the steps of failopen, disable and restore as values that can be
shown, confirmed and carried out. A step is remade from what the cluster has when
somebody wrote in between; interrupted, the steps that were done need nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from admit._cluster import MUTATING, VALIDATING, ConflictError
from admit.break_glass import Action, Note, close, open_up, read_note
from admit.errors import ClusterError
from admit.rescue.backup import name_of, strip
from admit.rescue.difference import Difference, compare
from admit.rescue.vendors import find_vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from admit._cluster import Cluster, Resource

__all__ = (
    "Step",
    "carry_out",
    "list_configurations",
    "plan_closing",
    "plan_deletion",
    "plan_opening",
    "plan_return",
)

# How often a step is remade because somebody else wrote first.
TRIES: Final = 5

Verb: TypeAlias = Literal["change", "create", "delete", "nothing"]
Remake: TypeAlias = "Callable[[dict[str, Any] | None], dict[str, Any] | None]"

_RESOURCES: Final[Mapping[str, Resource]] = {
    "MutatingWebhookConfiguration": MUTATING,
    "ValidatingWebhookConfiguration": VALIDATING,
}


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one configuration.

    Args:
        name: ``Kind/name``.
        before: as the cluster has it; None if it is not there.
        remake: from what the cluster has to what it should have.
        warnings: who would undo it, and what to type; entries that are gone.
    """

    name: str
    before: dict[str, Any] | None
    remake: Remake
    warnings: tuple[str, ...] = ()

    @property
    def after(self) -> dict[str, Any] | None:
        """What is written; None where the configuration is deleted."""
        return self.remake(self.before)

    @property
    def verb(self) -> Verb:
        """What it comes to."""
        after = self.after
        if self.before is None:
            return "nothing" if after is None else "create"
        if after is None:
            return "delete"
        return "change" if self.differences else "nothing"

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What a person should see before it is done."""
        after = self.after
        if self.before is None or after is None:
            return ()
        return compare(strip(self.before), strip(after))


async def list_configurations(cluster: Cluster) -> tuple[dict[str, Any], ...]:
    """Return every webhook configuration, mutating ones first, by name.

    Raises:
        ClusterError: the cluster cannot be asked.
    """
    found = []
    for kind, resource in _RESOURCES.items():
        listing = await cluster.list(resource)
        for item in sorted(listing.items, key=lambda one: one["metadata"]["name"]):
            # The items of a list do not say what they are.
            about = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind}
            found.append({**about, **item})
    return tuple(found)


def plan_opening(
    configurations: Iterable[dict[str, Any]], action: Action, note: Note
) -> tuple[Step, ...]:
    """Return the steps that take configurations out of the way."""
    steps = []
    for one in configurations:
        switches: dict[str, str] = {}
        for vendor in find_vendors(one):
            switches |= vendor.switches

        def remake(
            now: dict[str, Any] | None, switches: dict[str, str] = switches
        ) -> dict[str, Any] | None:
            return None if now is None else open_up(now, action, note, switches)

        steps.append(Step(name_of(one), one, remake, _warn(one)))
    return tuple(steps)


def plan_deletion(configurations: Iterable[dict[str, Any]]) -> tuple[Step, ...]:
    """Return the steps that delete configurations."""
    return tuple(
        Step(name_of(one), one, lambda _: None, _warn(one)) for one in configurations
    )


def plan_closing(configurations: Iterable[dict[str, Any]]) -> tuple[Step, ...]:
    """Return the steps that close what is open.

    Raises:
        ConfigError: a note makes no sense.
    """
    steps = []
    for one in configurations:
        if read_note(one) is None:
            continue
        gone = close(one).gone
        warnings = tuple(f"webhook {name} is not there any more" for name in gone)
        steps.append(Step(name_of(one), one, _close, warnings))
    return tuple(steps)


def _close(now: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if now is None else close(now).configuration


def plan_return(
    kept: Iterable[dict[str, Any]], live: Sequence[dict[str, Any]]
) -> tuple[Step, ...]:
    """Return the steps that make configurations what a backup says, exactly."""
    there = {name_of(one): one for one in live}
    steps = []
    for one in kept:

        def remake(
            now: dict[str, Any] | None, one: dict[str, Any] = one
        ) -> dict[str, Any]:
            if now is None:
                return one
            # What makes it this living object stays; everything else is the backup's.
            living = {
                key: value
                for key, value in now["metadata"].items()
                if key not in strip(now)["metadata"]
            }
            return {**one, "metadata": {**one["metadata"], **living}}

        steps.append(Step(name_of(one), there.get(name_of(one)), remake))
    return tuple(steps)


def _warn(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{vendor.name} {vendor.undoes}; to keep it from that: {vendor.stop}"
        for vendor in find_vendors(configuration)
        if vendor.undoes and vendor.stop
    )


async def carry_out(cluster: Cluster, step: Step, *, dry_run: bool = False) -> Verb:
    """Do one step; return what it came to, which may be less than was planned.

    Raises:
        ClusterError: the cluster refused, or others kept writing.
    """
    before = step.before
    for _ in range(TRIES):
        now = Step(step.name, before, step.remake)
        try:
            await _write(cluster, now, dry_run=dry_run)
        except ConflictError:
            kind, _, name = step.name.partition("/")
            before = await cluster.get(_RESOURCES[kind], name)
        else:
            return now.verb
    raise ClusterError(
        "somebody else writes it all the time",
        place=step.name,
        hint="its managedFields say who: kubectl get --show-managed-fields -o yaml",
    )


async def _write(cluster: Cluster, step: Step, *, dry_run: bool) -> None:
    kind, _, name = step.name.partition("/")
    resource = _RESOURCES[kind]
    match step.verb:
        case "create":
            await cluster.create(resource, strip(step.after or {}), dry_run=dry_run)
        case "delete":
            uid = (step.before or {})["metadata"]["uid"]
            await cluster.delete(resource, name, uid=uid, dry_run=dry_run)
        case "change":
            await cluster.replace(resource, step.after or {}, dry_run=dry_run)
        case "nothing":
            pass
