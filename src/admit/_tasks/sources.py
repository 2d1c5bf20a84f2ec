"""The files that policies are made of: which they are, and whether one changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Sources",)

_Looks: TypeAlias = dict[Path, tuple[int, int]]


class Sources:
    """Looks at files for changes.

    An editor writes a file in steps, so a change counts once two looks agree.

    Args:
        source: what was loaded; of a folder new files count too.
        files: those that were imported.
    """

    def __init__(self, source: str, files: Iterable[Path]) -> None:
        path = Path(source).absolute()
        self._folder = path if path.is_dir() else None
        self.watch(files)

    def watch(self, files: Iterable[Path]) -> None:
        """Look at these from now on."""
        self._files = frozenset(files)
        self._with_neighbours = False
        self._known = self._last = self._look()

    def watch_folder(self) -> None:
        """Look at their neighbours too: what is missing may come from there."""
        self._with_neighbours = True
        self._known = self._last = self._look()

    def have_changed(self) -> bool:
        """Tell whether the files are others than at the last change, and settled."""
        before, self._last = self._last, self._look()
        if self._last == self._known or self._last != before:
            return False
        self._known = self._last
        return True

    def _look(self) -> _Looks:
        folders = {self._folder} if self._folder else set()
        if self._with_neighbours:
            folders |= {file.parent for file in self._files}
        files = set(self._files)
        for folder in folders:
            files.update(folder.glob("*.py"))
        found: _Looks = {}
        for file in files:
            try:
                status = file.stat()
            except OSError:
                continue  # gone, or about to be replaced
            found[file] = (status.st_mtime_ns, status.st_size)
        return found
