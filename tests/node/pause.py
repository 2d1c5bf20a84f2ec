"""The image that holds pods' namespaces open, from the program of `make node-assets`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from admit.testing import get_assets
from admit.testing.node.programs import PAUSE_IMAGE
from tests.scripts import import_script


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
