"""Backups of webhook configurations: a file that kubectl can apply without admit.

What lives here: the document and its checks. It is a ``v1 List`` of the
configurations, less what only a living object has, with one more member that says
where it comes from and what each configuration hashes to.
"""

from __future__ import annotations

import base64
import copy
import datetime as dt  # noqa: TC003 - msgspec reads the annotations
import gzip
import hashlib
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = (
    "LABELS",
    "Backup",
    "Origin",
    "decode_backup",
    "from_config_map",
    "name_of",
    "strip",
    "to_config_map",
)

# What the API server writes into metadata: it means nothing in another object.
LIVING: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)

LABELS: Final = {
    "app.kubernetes.io/managed-by": "admit",
    "admit.internal/backup": "true",
}

_KEY: Final = "backup.json"
_PACKED_KEY: Final = "backup.json.gz"

# Bytes of a ConfigMap's data, of 1 MiB that it may have (core/v1 validation).
PLAIN_BYTES: Final = 700_000
PACKED_BYTES: Final = 1_000_000

# Bytes of a backup: hundreds of configurations with large bundles.
LIMIT_BYTES: Final = 64 * 1024 * 1024

Occasion: TypeAlias = Literal["backup", "failopen", "disable", "rescue"]


class Origin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where, when and why a backup was taken.

    Args:
        cluster: the uid of the namespace kube-system, which no two clusters share.
        server: the API server's address, for people.
        taken_at: UTC.
        by: the user name that the API server knows.
        reason: in the operator's words.
        occasion: what was done next.
        digests: SHA-256 of each configuration, by ``Kind/name``.
    """

    version: Literal[1] = 1
    cluster: str
    server: str
    taken_at: dt.datetime
    by: str
    reason: str
    occasion: Occasion
    digests: dict[str, str] = {}


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """Configurations as they were, and where they come from."""

    origin: Origin
    configurations: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, configurations: Iterable[Mapping[str, Any]], origin: Origin) -> Backup:
        """Take a backup of configurations as the cluster has them."""
        kept = tuple(strip(one) for one in configurations)
        digests = {name_of(one): _digest(one) for one in kept}
        return cls(
            origin=msgspec.structs.replace(origin, digests=digests), configurations=kept
        )

    def to_document(self) -> dict[str, Any]:
        """Return it as a ``v1 List``, ready for YAML or JSON."""
        return {
            "apiVersion": "v1",
            "kind": "List",
            "admit": msgspec.to_builtins(self.origin),
            "items": list(self.configurations),
        }

    def find_edited(self) -> tuple[str, ...]:
        """Return the names of those that are not as they were when it was taken.

        Missing ones are among them, and ones that were put in.
        """
        found = {name_of(one): _digest(one) for one in self.configurations}
        expected = self.origin.digests
        names = sorted(found.keys() | expected.keys())
        return tuple(n for n in names if found.get(n) != expected.get(n))


def strip(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without what only a living object has."""
    kept: dict[str, Any] = copy.deepcopy(dict(configuration))
    for member in LIVING:
        kept["metadata"].pop(member, None)
    return kept


def name_of(configuration: Mapping[str, Any]) -> str:
    """Return ``Kind/name``."""
    return f"{configuration['kind']}/{configuration['metadata']['name']}"


def decode_backup(document: Any, place: str) -> Backup:
    """Read a backup from what a file or a ConfigMap held.

    Raises:
        ConfigError: it is none (operator's fault).
    """
    try:
        origin = msgspec.convert(document["admit"], Origin)
        items = document["items"]
        for item in items:
            name_of(item)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"not a backup that admit made: {error}",
            place=place,
            hint="admit backup makes one; plain manifests are for kubectl apply -f",
        ) from error
    return Backup(origin=origin, configurations=tuple(items))


def to_config_map(backup: Backup, name: str, namespace: str) -> dict[str, Any]:
    """Return a ConfigMap that holds a backup, packed if it is large.

    Raises:
        ConfigError: it does not fit even so.
    """
    content = msgspec.json.encode(backup.to_document())
    data: dict[str, Any] = {"data": {_KEY: content.decode()}}
    if len(content) > PLAIN_BYTES:
        packed = gzip.compress(content, mtime=0)
        if len(packed) * 4 / 3 > PACKED_BYTES:
            raise ConfigError(
                f"{len(backup.configurations)} configurations do not fit a ConfigMap",
                hint="the file has them all; --no-configmap",
            )
        data = {"binaryData": {_PACKED_KEY: base64.b64encode(packed).decode()}}
    metadata = {"name": name, "namespace": namespace, "labels": dict(LABELS)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data}


def from_config_map(config_map: Mapping[str, Any]) -> Backup:
    """Read a backup from a ConfigMap.

    Raises:
        ConfigError: it holds none, or one that was cut.
    """
    metadata = config_map["metadata"]
    place = f"configmap {metadata['namespace']}/{metadata['name']}"
    try:
        packed = (config_map.get("binaryData") or {}).get(_PACKED_KEY)
        if packed is None:
            content = config_map["data"][_KEY].encode()
        else:
            content = _unpack(base64.b64decode(packed, validate=True))
        document = msgspec.json.decode(content)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ConfigError(f"no backup in it: {error}", place=place) from error
    return decode_backup(document, place)


def _unpack(packed: bytes) -> bytes:
    """Not more than a backup may have, whatever it claims to be."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    content = unpacking.decompress(packed, LIMIT_BYTES)
    if not unpacking.eof:
        raise ValueError("cut short, or too large")
    return content


def _digest(configuration: Mapping[str, Any]) -> str:
    encoded = msgspec.json.encode(configuration, order="sorted")
    return hashlib.sha256(encoded).hexdigest()
