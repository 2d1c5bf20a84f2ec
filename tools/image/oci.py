"""An OCI image as one archive, equal bytes from equal files.

Source: OCI image-spec 1.1: image-layout.md, layer.md, config.md.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MEDIA_TYPE = "application/vnd.oci.image"


@dataclass(frozen=True)
class Image:
    """What an image is called and how it runs; `config` as in config.md."""

    name: str
    tag: str
    architecture: str
    created: str
    config: Mapping[str, Any]


@dataclass
class _Blobs:
    by_digest: dict[str, bytes] = field(default_factory=dict)

    def add(self, media_type: str, content: bytes) -> dict[str, Any]:
        """Keep a blob; return its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.by_digest[digest] = content
        return {
            "mediaType": f"{MEDIA_TYPE}.{media_type}",
            "digest": f"sha256:{digest}",
            "size": len(content),
        }


def write_archive(
    file: Path, image: Image, root: Path, layers: Sequence[Iterable[Path]]
) -> int:
    """Write an image of these files of a root, a layer each; return its bytes."""
    blobs = _Blobs()
    tars = [_pack(root, paths) for paths in layers]
    config = {
        "architecture": image.architecture,
        "os": "linux",
        "created": image.created,
        "config": image.config,
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(t).hexdigest()}" for t in tars],
        },
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA_TYPE}.manifest.v1+json",
        "config": blobs.add("config.v1+json", _json(config)),
        "layers": [
            blobs.add("layer.v1.tar+gzip", gzip.compress(t, 9, mtime=0)) for t in tars
        ],
    }
    described = blobs.add("manifest.v1+json", _json(manifest))
    described["annotations"] = {
        # containerd takes the first, docker the second.
        "io.containerd.image.name": f"docker.io/library/{image.name}:{image.tag}",
        "org.opencontainers.image.ref.name": image.tag,
    }
    index = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA_TYPE}.index.v1+json",
        "manifests": [described],
    }
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json", _json(index))
        for digest, content in sorted(blobs.by_digest.items()):
            _add(archive, f"blobs/sha256/{digest}", content)
    return file.stat().st_size


def _pack(root: Path, paths: Iterable[Path]) -> bytes:
    """Files belong to root and have no time: their content alone decides."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for path in sorted(paths):
            name = path.relative_to(root).as_posix()
            info = layer.gettarinfo(path, name)
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            mode = info.mode
            info.mode = 0o755 if mode & stat.S_IXUSR or info.issym() else 0o644
            if mode & stat.S_ISVTX:
                info.mode = 0o1777
            if info.isreg():
                with path.open("rb") as content:
                    layer.addfile(info, content)
            else:
                layer.addfile(info)
    return packed.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    archive.addfile(info, io.BytesIO(content))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
