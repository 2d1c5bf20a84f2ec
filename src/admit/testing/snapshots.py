"""Snapshots of etcd, and a control plane that goes on from one: a restore, rehearsed.

Source: etcd Documentation, op-guide/recovery.md; api/etcdserverpb, Maintenance.Snapshot
through the gateway that etcd serves beside gRPC.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import httpx2

from admit.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("restore_data", "save_snapshot")

ETCDUTL: Final = "etcdutl"

# An etcd that was just filled has a few megabytes.
SECONDS: Final = 60.0


def save_snapshot(socket: Path, file: Path) -> None:
    """Write a snapshot of the etcd that listens at a Unix socket.

    Raises:
        ClusterError: etcd did not give one.
    """
    transport = httpx2.HTTPTransport(uds=str(socket))
    try:
        with (
            httpx2.Client(transport=transport, timeout=SECONDS) as client,
            client.stream(
                "POST", "http://etcd/v3/maintenance/snapshot", content=b"{}"
            ) as response,
            file.open("wb") as snapshot,
        ):
            response.raise_for_status()
            for line in response.iter_lines():
                blob = json.loads(line).get("result", {}).get("blob", "")
                snapshot.write(base64.b64decode(blob))
    except (httpx2.HTTPError, ValueError) as error:
        raise ClusterError(f"no snapshot: {error}", place=str(socket)) from error


def restore_data(assets: Path, snapshot: Path, data: Path, peer: str) -> None:
    """Replace etcd's data by those of a snapshot; etcd must not run.

    Args:
        assets: the folder that holds etcdutl.
        snapshot: what `save_snapshot` wrote.
        data: etcd's ``--data-dir``.
        peer: its ``--initial-advertise-peer-urls``.

    Raises:
        ConfigError: there is no etcdutl.
        ClusterError: it is no snapshot; what etcdutl says.
    """
    program = assets / ETCDUTL
    if not program.is_file():
        raise ConfigError(
            f"{assets} does not hold {ETCDUTL}", hint="`make node-assets` builds it"
        )
    shutil.rmtree(data, ignore_errors=True)
    command = [str(program), "snapshot", "restore", str(snapshot)]
    command += [f"--data-dir={data}", f"--initial-cluster=default={peer}"]
    command += [f"--initial-advertise-peer-urls={peer}"]
    done = subprocess.run(  # noqa: S603 - a program of the assets
        command, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise ClusterError(f"etcdutl: {done.stderr.strip()[-2000:]}")
