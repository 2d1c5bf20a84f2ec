"""A folder as the kubelet mounts a ConfigMap."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_numbers = itertools.count(1)


def mount(folder: Path, files: Mapping[str, str]) -> None:
    """Write files, or replace all that were there in one step.

    Each is a link to ``..data/NAME``, and ``..data`` a link to the folder of this
    version, which is swapped (kubernetes pkg/volume/util/atomic_writer.go).
    """
    folder.mkdir(exist_ok=True)
    version = folder / f"..2026_11_23_{next(_numbers)}"
    version.mkdir()
    for name, text in files.items():
        (version / name).write_text(text)
    data = folder / "..data"
    before = data.resolve() if data.exists() else None
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(data)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    if before is not None:
        for file in before.iterdir():
            if file.name not in files:
                (folder / file.name).unlink()
        shutil.rmtree(before)
