"""Kubernetes Events about policies: replaced, or not, and why."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.events import Broken, Reloaded
from admit.errors import AdmitError

if TYPE_CHECKING:
    from admit._tasks.succession import Tell

__all__ = ("announce_in",)

log: Final = logging.getLogger("admit.policies")

# Characters of an Event's note (kubernetes pkg/apis/core/validation/events.go).
NOTE_LENGTH: Final = 1024

# Seconds that writing one may take; nothing waits for it.
WRITE_SECONDS: Final = 10.0


def announce_in(namespace: str) -> Tell:
    """Return what writes an Event about this pod for each that it is told.

    Workers of one pod tell the same, which is one Event. What cannot be written is
    logged: nothing depends on it.

    Args:
        namespace: of the pod.
    """
    writing: set[asyncio.Task[None]] = set()

    def tell(event: Reloaded | Broken) -> None:
        content = _to_event(event, namespace, socket.gethostname())
        task = asyncio.get_running_loop().create_task(_write(content))
        writing.add(task)
        task.add_done_callback(writing.discard)

    return tell


async def _write(content: dict[str, Any]) -> None:
    # Only for pods that are connected to their cluster anyway.
    from admit._cluster import EVENTS, ConflictError, connect  # noqa: PLC0415

    try:
        async with asyncio.timeout(WRITE_SECONDS), connect() as cluster:
            await cluster.create(EVENTS, content)
    except ConflictError:
        return  # another worker was quicker
    except (AdmitError, TimeoutError) as error:
        log.warning(
            "the event cannot be written: %s",
            str(error) or "it took too long",
            extra={"fields": {"kind": "policies", "reason": content["reason"]}},
        )


def _to_event(event: Reloaded | Broken, namespace: str, pod: str) -> dict[str, Any]:
    """Return an ``events.k8s.io/v1`` Event; its name is that of what it says."""
    if isinstance(event, Broken):
        reason, kind = "PoliciesNotReplaced", "Warning"
        where = f"{event.place}: " if event.place else ""
        hint = f" ({event.hint})" if event.hint else ""
        note = f"{where}{event.message}{hint}; the policies before go on deciding"
    else:
        reason, kind = "PoliciesReplaced", "Normal"
        note = f"{event.policies} policies at version {event.version} decide"
    digest = hashlib.sha256(f"{reason} {note}".encode()).hexdigest()[:12]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.{digest}".lower(), "namespace": namespace},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "admit",
        "reportingInstance": pod,
        "action": "Reload",
        "reason": reason,
        "type": kind,
        "note": note[:NOTE_LENGTH],
        "regarding": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": pod,
            "namespace": namespace,
        },
    }
