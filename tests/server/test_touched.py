"""A folder is watched; where that is not possible, nothing fails."""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING

import pytest

from admit.server.touched import watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write(folder: Path) -> None:
    (folder / "a").write_text("x")


def rename(folder: Path) -> None:
    (folder / "there").rename(folder / "elsewhere")


def delete(folder: Path) -> None:
    (folder / "there").unlink()


def link(folder: Path) -> None:
    (folder / "b").symlink_to("c")


@pytest.mark.parametrize("change", [write, rename, delete, link])
def test_what_happens_in_a_folder_is_noticed(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "there").touch()

    async def main() -> None:
        with watching([str(tmp_path)]) as touched:
            assert not touched.is_set()
            change(tmp_path)
            await touched.wait()

    asyncio.run(main())


def test_a_folder_that_is_missing_is_not_watched(tmp_path: Path) -> None:
    async def main() -> None:
        with watching([str(tmp_path), str(tmp_path / "missing")]) as touched:
            write(tmp_path)
            await asyncio.sleep(0.05)
            assert not touched.is_set()

    asyncio.run(main())


def test_without_file_descriptors_nothing_is_watched(tmp_path: Path) -> None:
    async def main() -> None:
        least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
        try:
            with watching([str(tmp_path)]) as touched:
                assert not touched.is_set()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))

    asyncio.run(main())
