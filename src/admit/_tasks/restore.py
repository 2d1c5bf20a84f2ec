"""`admit restore`: put back what was taken out of the way.

Without a backup it closes what is open, from the notes on the configurations
themselves, and makes again what `admit disable` deleted, from the backups in the
cluster. From a backup it makes configurations exactly what they were.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from admit._cluster import CONFIG_MAPS, NAMESPACES, connect
from admit._tasks.break_glass import (
    BACKUP_NAMESPACE,
    BreakGlassReport,
    Kept,
    StepReport,
    do_steps,
)
from admit._tasks.documents import read_whole
from admit.errors import ClusterError, ConfigError
from admit.rescue.backup import LABELS, decode_backup, from_config_map, name_of
from admit.rescue.selection import Selection, select
from admit.rescue.steps import list_configurations, plan_closing, plan_return

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from admit._cluster import Cluster
    from admit.rescue.backup import Backup
    from admit.rescue.steps import Step

__all__ = ("RestoreOptions", "restore")

# On a backup in the cluster once everything in it is there again: what somebody deletes
# after that is meant to be gone.
RESTORED: Final = "admit.internal/restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """What is to be put back, and from what.

    Args:
        kubeconfig: file, and `context` in it; empty for what kubectl takes.
        names: of configurations; none for all that are open, deleted or in the backup.
        source: a file, or ``configmap/NAME``; empty for the notes and the cluster.
        force: take a backup that was edited, or that is another cluster's.
        namespace: of the backups in the cluster.
        dry_run: ask the API server, change nothing.
    """

    kubeconfig: str = ""
    context: str = ""
    names: tuple[str, ...] = ()
    source: str = ""
    force: bool = False
    namespace: str = BACKUP_NAMESPACE
    dry_run: bool = False


async def restore(
    options: RestoreOptions, confirm: Callable[[tuple[StepReport, ...]], bool]
) -> BreakGlassReport | None:
    """Put configurations back.

    Args:
        options: what, and from what.
        confirm: asked once with what would be done, differences included; None is
            returned if it says no.

    Raises:
        ConfigError: the backup is none, was edited or is another cluster's; a note
            makes no sense (operator's fault).
        ClusterError: the cluster cannot be asked.
    """
    async with connect(options.kubeconfig, options.context) as cluster:
        live = await list_configurations(cluster)
        kept: list[dict[str, Any]] = []
        if options.source:
            backup = await _read_backup(cluster, options)
            await _check(cluster, backup, options)
            steps = plan_return(_choose(backup.configurations, options.names), live)
        else:
            kept = await _list_backups(cluster, options.namespace)
            steps = _plan_without_backup(live, kept, options.names)
        steps = tuple(step for step in steps if step.verb != "nothing")
        if steps and not confirm(tuple(map(StepReport.of, steps))):
            return None
        done = await do_steps(cluster, steps, dry_run=options.dry_run)
        if not options.dry_run:
            await _mark(cluster, kept)
        return BreakGlassReport(done, Kept(), options.dry_run)


def _choose(
    configurations: tuple[dict[str, Any], ...], names: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    if not names:
        return configurations
    return select(configurations, Selection(names=names))


def _plan_without_backup(
    live: tuple[dict[str, Any], ...],
    kept: list[dict[str, Any]],
    names: tuple[str, ...],
) -> tuple[Step, ...]:
    there = {name_of(one) for one in live}
    deleted = {
        name_of(one): one
        for backup in sorted(map(from_config_map, kept), key=_when)
        for one in backup.configurations
        if name_of(one) not in there
    }
    meant = _choose((*live, *deleted.values()), names)
    return (
        *plan_closing(one for one in meant if name_of(one) in there),
        *plan_return((one for one in meant if name_of(one) not in there), live),
    )


def _when(backup: Backup) -> dt.datetime:
    return backup.origin.taken_at


async def _list_backups(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """Return the ConfigMaps of what was deleted and is not marked as restored.

    One that makes no sense is passed over: `--from` names it and says why.
    """
    selector = ",".join(f"{key}={value}" for key, value in LABELS.items())
    listing = await cluster.list(
        CONFIG_MAPS, namespace, label_selector=f"{selector},!{RESTORED}"
    )
    kept = []
    for item in listing.items:
        with contextlib.suppress(ConfigError):
            if from_config_map(item).origin.occasion == "disable":
                kept.append(item)
    return kept


async def _mark(cluster: Cluster, kept: list[dict[str, Any]]) -> None:
    """Mark the backups of which everything is there again.

    Somebody may lack the right, or another may have been quicker: the next restore
    then offers the same again.
    """
    there = {name_of(one) for one in await list_configurations(cluster)}
    for item in kept:
        names = {name_of(one) for one in from_config_map(item).configurations}
        if names <= there:
            item["metadata"].setdefault("labels", {})[RESTORED] = "true"
            with contextlib.suppress(ClusterError):
                await cluster.replace(CONFIG_MAPS, item)


async def _read_backup(cluster: Cluster, options: RestoreOptions) -> Backup:
    kind, _, name = options.source.rpartition("/")
    if kind in {"cm", "configmap"}:
        config_map = await cluster.get(CONFIG_MAPS, name, options.namespace)
        if config_map is None:
            raise ConfigError(
                f"no configmap {name} in {options.namespace}",
                hint=f"kubectl get configmaps -n {options.namespace} "
                "-l admit.internal/backup=true",
            )
        return from_config_map(config_map)
    return decode_backup(read_whole(options.source), options.source)


async def _check(cluster: Cluster, backup: Backup, options: RestoreOptions) -> None:
    """Refuse what may not be what was there, unless the operator insists."""
    if options.force:
        return
    system = await cluster.get(NAMESPACES, "kube-system")
    if system is None or system["metadata"]["uid"] != backup.origin.cluster:
        raise ConfigError(
            f"the backup is of another cluster ({backup.origin.server})",
            place=options.source,
            hint="--dry-run --force shows what would differ, --force restores it here",
        )
    edited = backup.find_edited()
    if edited:
        raise ConfigError(
            f"edited since it was taken: {', '.join(edited)}",
            place=options.source,
            hint="--dry-run --force shows what would differ, --force restores it so",
        )
