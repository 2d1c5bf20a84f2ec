"""Lines: where in its file a member of an object stands."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from admit._tasks.dialect import compose_yaml
from admit._tasks.documents import STDIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit._tasks.documents import Document

__all__ = ("Lines",)

_PLACE: Final = re.compile(r"(?P<source>.*):(?P<line>\d+)(?P<items>(?: items\[\d+\])*)")


class Lines:
    """Finds the lines of members; a file is read again when it is asked about.

    Args:
        stdin: what standard input said, which cannot be read twice.
    """

    def __init__(self, stdin: str = "") -> None:
        self._stdin = stdin
        self._compose = lru_cache(maxsize=8)(self._read)

    def find(self, document: Document, path: Sequence[str | int]) -> int:
        """Return the line of a member, or of the nearest that is there.

        Where the file is no YAML (several JSON values in one), the object's line.
        """
        found = _PLACE.fullmatch(document.place)
        start = int(found["line"]) if found else 1
        nodes = self._compose(document.source)
        node = next((n for n in nodes if n.start_mark.line + 1 == start), None)
        if node is None:
            return start
        items = re.findall(r"items\[(\d+)\]", found["items"] if found else "")
        within = [part for number in items for part in ("items", int(number))]
        return _descend(node, [*within, *path])

    def _read(self, source: str) -> list[yaml.Node]:
        try:
            text = (
                self._stdin if source == STDIN else Path(source).read_text("utf-8-sig")
            )
            return list(compose_yaml(text))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            return []


def _descend(node: yaml.Node, path: Sequence[str | int]) -> int:
    line = node.start_mark.line
    for part in path:
        child = _find_child(node, part)
        if child is None:
            break
        key, node = child
        line = key.start_mark.line
    return line + 1


def _find_child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node to point at, and the one to go on with."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        if part < len(node.value):
            return node.value[part], node.value[part]
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key, value
    return None
