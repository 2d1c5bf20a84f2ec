"""Folders that admit writes: each file whole or not at all, none left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ("MARK", "write_folder")

# In the first line of files that may be removed again, in a comment of their language:
# what they hold may be called something else the next time.
MARK: Final = "Written by admit, which writes it anew: change it from outside."


def write_folder(folder: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write files below a folder; remove marked ones beside them that are left over.

    Args:
        folder: made if it is not there.
        texts: content by path below the folder.

    Raises:
        ConfigError: a file cannot be written.
    """
    folder = folder.resolve()
    files = {folder / path: text for path, text in texts.items()}
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            # Not seen by who reads the folder meanwhile: it passes over such names.
            new = file.with_name(f"{file.name}.new")
            new.write_text(text, encoding="utf-8", newline="")
            new.replace(file)
        for parent in {file.parent for file in files}:
            for other in parent.iterdir():
                if other not in files and _is_marked(other):
                    other.unlink()
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", place=str(error.filename or folder)
        ) from error
    return tuple(files)


def _is_marked(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return MARK.encode() in opened.readline(2 * len(MARK))
