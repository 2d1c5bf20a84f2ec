"""Take webhook configurations out of the way: backup first, then fail open or delete.

`admit backup`, `admit failopen` and `admit disable` differ in what follows the backup.
The file is on the disk before anything changes. The ConfigMap is tried before and, if
the very webhook that is in the way refused it, again afterwards.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit._cluster import (
    CONFIG_MAPS,
    NAMESPACES,
    ConflictError,
    Resource,
    connect,
)
from admit._tasks.dialect import dump_yaml
from admit._tasks.writable import find_target
from admit.break_glass import Note
from admit.errors import ClusterError, ConfigError
from admit.rescue.backup import Backup, Origin, to_config_map
from admit.rescue.difference import Difference  # noqa: TC001 - msgspec reads it
from admit.rescue.selection import Selection, select
from admit.rescue.steps import (
    carry_out,
    list_configurations,
    plan_deletion,
    plan_opening,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from admit._cluster import Cluster
    from admit.rescue.backup import Occasion
    from admit.rescue.steps import Step

__all__ = (
    "BACKUP_NAMESPACE",
    "BreakGlassReport",
    "GlassOptions",
    "Kept",
    "StepReport",
    "break_glass",
    "do_steps",
    "find_names",
    "read_duration",
)

# Every cluster has it, and what may write there may write webhook configurations.
BACKUP_NAMESPACE: Final = "kube-system"

SELF_SUBJECT_REVIEWS: Final = Resource(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    kind="SelfSubjectReview",
    namespaced=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassOptions:
    """What is to be taken out of the way, and how.

    Args:
        occasion: ``failopen`` or ``disable``; ``backup`` and ``rescue`` change nothing.
        kubeconfig: file, and `context` in it; empty for what kubectl takes.
        names: of configurations; `every`, `vendor` and `matching` as in `Selection`,
            the latter as text: ``pods``, ``deployments.apps``, ``pods/exec``.
        reason: in the operator's words; kept with the backup and on the configuration.
        lasts: until it is closed again; None for until somebody does.
        scope_out: disable by a selector that matches nothing instead of deleting.
        file: of the backup; empty for a name made of the time.
        config_map: keep the backup in the cluster too.
        dry_run: ask the API server, change nothing, write no file.
    """

    occasion: Occasion
    kubeconfig: str = ""
    context: str = ""
    names: tuple[str, ...] = ()
    every: bool = False
    vendor: str = ""
    matching: str = ""
    reason: str = ""
    lasts: dt.timedelta | None = None
    scope_out: bool = False
    file: str = ""
    config_map: bool = True
    namespace: str = BACKUP_NAMESPACE
    dry_run: bool = False


class StepReport(msgspec.Struct, frozen=True, rename="camel"):
    """One configuration: what it came to, or why it did not.

    Args:
        verb: change, create, delete or nothing.
    """

    configuration: str
    verb: str
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def of(cls, step: Step, error: str = "") -> StepReport:
        """Tell of a step."""
        return cls(step.name, step.verb, step.differences, step.warnings, error)


class Kept(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where the backup is; `warning` says why it is not in the cluster too."""

    file: str = ""
    config_map: str = ""
    warning: str = ""


class BreakGlassReport(msgspec.Struct, frozen=True, rename="camel"):
    """What was done, and where the backup is."""

    steps: tuple[StepReport, ...]
    backup: Kept
    dry_run: bool
    until: dt.datetime | None = None

    @property
    def failed(self) -> bool:
        """Some step could not be done."""
        return any(step.error for step in self.steps)


async def break_glass(
    options: GlassOptions, confirm: Callable[[tuple[StepReport, ...]], bool]
) -> BreakGlassReport | None:
    """Back up what is meant, then take it out of the way.

    Args:
        options: what, and how.
        confirm: asked once with what would be done; None is returned if it says no.

    Raises:
        ConfigError: nothing is meant, or the file cannot be written (operator's fault).
        ClusterError: the cluster cannot be asked.
    """
    async with connect(options.kubeconfig, options.context) as cluster:
        meant = await _find_meant(cluster, options)
        origin = await _describe_origin(cluster, options)
        until = origin.taken_at + options.lasts if options.lasts else None
        note = Note(
            by=origin.by, reason=options.reason, since=origin.taken_at, until=until
        )
        steps = _plan(meant, options, note)
        if steps and not confirm(tuple(map(StepReport.of, steps))):
            return None
        backup = Backup.of(meant, origin)
        kept = Kept()
        if not options.dry_run:
            kept = Kept(file=_write_file(backup, options))
            kept = await _keep_in_cluster(cluster, backup, options, kept)
        done = await do_steps(cluster, steps, dry_run=options.dry_run)
        if kept.warning and not options.dry_run:
            kept = await _keep_in_cluster(cluster, backup, options, kept)
        return BreakGlassReport(done, kept, options.dry_run, until)


async def find_names(kubeconfig: str, context: str) -> list[str]:
    """Return what every webhook configuration is called, for completion.

    Raises:
        ConfigError, ClusterError: as `break_glass`.
    """
    async with connect(kubeconfig, context) as cluster:
        configurations = await list_configurations(cluster)
        return sorted({one["metadata"]["name"] for one in configurations})


async def _find_meant(
    cluster: Cluster, options: GlassOptions
) -> tuple[dict[str, Any], ...]:
    selection = Selection(
        names=options.names,
        every=options.every,
        vendor=options.vendor,
        matching=await find_target(cluster, options.matching)
        if options.matching
        else None,
    )
    meant = select(await list_configurations(cluster), selection)
    if not meant:
        raise ConfigError(
            "no webhook configuration is meant by that",
            hint="admit backup --all shows all there are",
        )
    return meant


def _plan(
    meant: tuple[dict[str, Any], ...], options: GlassOptions, note: Note
) -> tuple[Step, ...]:
    if options.occasion in {"backup", "rescue"}:
        return ()
    if options.occasion == "disable" and not options.scope_out:
        return plan_deletion(meant)
    failopen = options.occasion == "failopen"
    return plan_opening(meant, "failopen" if failopen else "scope-out", note)


async def do_steps(
    cluster: Cluster, steps: Sequence[Step], *, dry_run: bool
) -> tuple[StepReport, ...]:
    """Do every step that can be done, whatever becomes of the others."""
    done = []
    for step in steps:
        try:
            await carry_out(cluster, step, dry_run=dry_run)
        except ClusterError as error:
            done.append(StepReport.of(step, str(error)))
        else:
            done.append(StepReport.of(step))
    return tuple(done)


async def _describe_origin(cluster: Cluster, options: GlassOptions) -> Origin:
    system = await cluster.get(NAMESPACES, "kube-system") or {"metadata": {"uid": ""}}
    return Origin(
        cluster=system["metadata"]["uid"],
        server=cluster.server,
        taken_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        by=await _find_user(cluster),
        reason=options.reason,
        occasion=options.occasion,
    )


async def _find_user(cluster: Cluster) -> str:
    """Return who the API server says we are; it must not keep anybody from helping."""
    review = {
        "apiVersion": SELF_SUBJECT_REVIEWS.api_version,
        "kind": SELF_SUBJECT_REVIEWS.kind,
    }
    try:
        found = await cluster.create(SELF_SUBJECT_REVIEWS, review)
        return str(found["status"]["userInfo"]["username"])
    except (ClusterError, KeyError, TypeError):
        return "unknown"


def _write_file(backup: Backup, options: GlassOptions) -> str:
    """Write the backup so that it is there whatever happens next."""
    path = Path(options.file) if options.file else _pick_name(backup.origin.taken_at)
    document = backup.to_document()
    text = (
        msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        if path.suffix == ".json"
        else dump_yaml([document])
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"the backup cannot be written: {error.strerror}",
            place=str(path),
            hint="nothing was changed; --file names another",
        ) from error
    return str(path)


def _pick_name(taken_at: dt.datetime) -> Path:
    """Several backups may be taken in one second, by scripts."""
    stem = f"webhooks-{taken_at:%Y%m%dT%H%M%SZ}"
    names = (f"{stem}.yaml", *(f"{stem}-{n}.yaml" for n in range(2, 100)))
    return next((path for path in map(Path, names) if not path.exists()), Path(stem))


async def _keep_in_cluster(
    cluster: Cluster, backup: Backup, options: GlassOptions, kept: Kept
) -> Kept:
    if not options.config_map:
        return kept
    # The file's name, which is unlike any earlier one's, as a name of the API.
    stem = re.sub(r"[^a-z0-9]+", "-", Path(kept.file).stem.lower()).strip("-")
    name = f"{stem[:200]}-{backup.origin.occasion}"
    try:
        config_map = to_config_map(backup, name, options.namespace)
        await cluster.create(CONFIG_MAPS, config_map)
    except ConflictError:
        pass  # an earlier try got through
    except (ClusterError, ConfigError) as error:
        warning = f"the backup is in the file alone: {error}"
        return msgspec.structs.replace(kept, warning=warning)
    return Kept(file=kept.file, config_map=f"{options.namespace}/{name}")


_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def read_duration(text: str) -> dt.timedelta:
    """Read a duration as Go and kubectl write it: ``30m``, ``1h30m``; days too.

    Raises:
        ConfigError: it is none, or nothing.
    """
    seconds, number = 0, ""
    for character in text:
        if character.isdecimal():
            number += character
        elif number and character in _UNITS:
            seconds, number = seconds + int(number) * _UNITS[character], ""
        else:
            break
    else:
        if seconds and not number and seconds < 366 * _UNITS["d"]:
            return dt.timedelta(seconds=seconds)
    raise ConfigError(f"{text!r} is no duration", hint="such as 30m, 1h30m, 2d")
