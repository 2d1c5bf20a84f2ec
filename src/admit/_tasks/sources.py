"""The files that policies are made of: which they are, what they say, what changed.

The kubelet brings a changed ConfigMap by swapping a symbolic link above the files; a
look follows links, so that it sees other files at the same places.
"""

from __future__ import annotations

import hashlib
import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("Sources", "digest")

_Looks: TypeAlias = dict[Path, tuple[int, int, int]]

# Hexadecimal digits of a version: 48 bits tell apart what one cluster ever runs.
VERSION_LENGTH: Final = 12


def digest(files: Iterable[Path], modes: Mapping[str, str]) -> str:
    """Return the version of policies: a short hash of all that they are made of.

    The same files have the same version wherever they are; modes that are not those
    of the code count too, because they decide as well.

    Raises:
        OSError: a file cannot be read.
    """
    paths = sorted(files)
    root = os.path.commonpath([path.parent for path in paths]) if paths else ""
    content = hashlib.sha256()
    for path in paths:
        name = path.relative_to(root).as_posix()
        content.update(name.encode("utf-8", "surrogateescape") + b"\0")
        content.update(hashlib.sha256(path.read_bytes()).digest())
    for name, mode in sorted(modes.items()):
        content.update(f"{name}={mode}\0".encode())
    return content.hexdigest()[:VERSION_LENGTH]


class Sources:
    """Looks at files for changes.

    An editor writes a file in steps, so a change counts once two looks agree.

    Args:
        source: what is loaded; of a folder new files count too.
        files: those that were imported, if any were.
    """

    def __init__(self, source: str, files: Iterable[Path] = ()) -> None:
        path = Path(source).absolute()
        self._folder = path if path.is_dir() else None
        self._files = frozenset(files) or frozenset({path})
        self._with_neighbours = False
        self._known = self._last = self._look()

    def begin(self) -> None:
        """Note how things are before they are loaded, neighbours included."""
        self._with_neighbours = True
        self._known = self._last = self._look()

    def watch(self, files: Iterable[Path]) -> bool:
        """Look at what was loaded; return whether it is what `begin` had seen.

        If not, what was loaded may be half of one version and half of another.
        """
        before = self._known
        self._files = frozenset(files)
        self._with_neighbours = False
        self._known = self._last = self._look()
        return all(before.get(file, look) == look for file, look in self._known.items())

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
            found[file] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return found
