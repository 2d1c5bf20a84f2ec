"""Archives of images: admit's own, the same by another name, the one for sandboxes."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from admit._version import __version__
from admit.testing import get_assets
from admit.testing.node.programs import PAUSE_IMAGE
from tests.scripts import import_script

PROJECT = Path(__file__).parent.parent.parent

# What `make image` makes; `make node-test` sees to it that it is of these sources.
IMAGE = f"admit:{__version__}"
IMAGE_ARCHIVE = PROJECT / f"build/admit-{__version__}.tar"


def retag(archive: Path, image: str, folder: Path) -> Path:
    """Write a copy of an OCI archive into a folder whose image has another name."""
    copy = folder / f"{image.replace(':', '-')}.tar"
    with tarfile.open(archive) as old, tarfile.open(copy, "w") as new:
        for member in old:
            content = old.extractfile(member)
            if content is not None and member.name == "index.json":
                index = json.load(content)
                (described,) = index["manifests"]
                described["annotations"] = {
                    "io.containerd.image.name": f"docker.io/library/{image}",
                    "org.opencontainers.image.ref.name": image.partition(":")[2],
                }
                data = json.dumps(index).encode()
                member.size, content = len(data), io.BytesIO(data)
            new.addfile(member, content)
    return copy


def write_pause(folder: Path) -> Path:
    """Write the image's archive into a folder; return where it is."""
    oci: Any = import_script("image", "oci")
    build: Any = import_script("image", "build")
    root = folder / "root"
    root.mkdir()
    pause = shutil.copy(get_assets() / "pause", root)
    name, tag = PAUSE_IMAGE.rpartition("/")[2].split(":")
    image = oci.Image(
        name=name,
        tag=tag,
        architecture=build._architecture()[0],
        created="1970-01-01T00:00:00Z",
        config={"Entrypoint": ["/pause"], "User": "65535:65535"},
    )
    oci.write_archive(folder / "pause.tar", image, root, [[Path(pause)]])
    return folder / "pause.tar"
