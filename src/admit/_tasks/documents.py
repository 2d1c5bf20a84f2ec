"""Manifests in: files, folders, standard input; YAML and JSON as kubectl reads them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import yaml

from admit._tasks.dialect import load_yaml
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ("Document", "read_documents", "read_whole")

# Bytes of one file: a few thousand objects. YAML costs a second for each 2 MiB.
FILE_LIMIT_BYTES: Final = 32 * 1024 * 1024

# Values in one document with its aliases expanded: a file of a kilobyte can name
# itself into gigabytes.
VALUES_LIMIT: Final = 2_000_000

# kubectl reads these from a folder (cli-runtime resource/visitor.go).
SUFFIXES: Final = (".json", ".yaml", ".yml")

STDIN: Final = "STDIN"


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a manifest.

    Args:
        source: the file as it was named, ``STDIN`` for standard input; kubectl says
            it in its errors.
        place: file and line where the object starts.
        content: the object as plain JSON; its keys are strings, its numbers finite.
    """

    source: str
    place: str
    content: dict[str, Any]


def read_documents(
    names: Sequence[str], *, stdin: BinaryIO | None = None, recursive: bool = False
) -> tuple[Document, ...]:
    """Read every object of files and folders; ``-`` is standard input.

    Lists (``kind: List``, ``PodList``) are taken apart, empty documents are skipped.
    Of a folder the YAML and JSON files count, with `recursive` those below it too.

    Raises:
        ConfigError: a file is not there, too large, neither YAML nor JSON, or holds
            something that is no object; file and line. The operator's fault.
    """
    documents: list[Document] = []
    for name in names:
        if name == "-":
            documents += _parse(_read(stdin, STDIN), STDIN)
            continue
        for path in _find_files(Path(name), recursive=recursive):
            documents += _parse(_read_file(path), str(path))
    if not documents:
        raise ConfigError(
            f"no objects in {', '.join(names)}",
            hint="name a file with apiVersion, kind and metadata",
        )
    return tuple(documents)


def read_whole(name: str) -> Any:
    """Read a file that holds one document, as plain JSON; a list is not taken apart.

    Raises:
        ConfigError: as `read_documents`; or there is more than one document.
    """
    text = _read_file(Path(name))
    try:
        found = [_Plain(name).convert(value) for _, value in _load(text, name)]
    except RecursionError:
        raise ConfigError("nested too deeply", place=name) from None
    if len(found) != 1:
        raise ConfigError(f"{len(found)} documents, not one", place=name)
    return found[0]


def _find_files(path: Path, *, recursive: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.glob("**/*" if recursive else "*")
        if file.suffix in SUFFIXES and file.is_file()
    )
    if not found:
        raise ConfigError(
            f"no {', '.join(SUFFIXES)} in the folder",
            place=str(path),
            hint="-R looks into the folders below it",
        )
    return found


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", place=str(path)
        ) from error


def _read(file: BinaryIO | None, place: str) -> str:
    data = file.read(FILE_LIMIT_BYTES + 1) if file is not None else b""
    if len(data) > FILE_LIMIT_BYTES:
        raise ConfigError(f"larger than {FILE_LIMIT_BYTES} bytes", place=place)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "not text in UTF-8", place=f"{place}:{line}", hint=_CONVERT
        ) from error


_CONVERT: Final = "kubectl reads YAML and JSON in UTF-8"


def _parse(text: str, source: str) -> list[Document]:
    try:
        return [
            document
            for line, value in _load(text, source)
            for document in _flatten(value, source, f"{source}:{line}")
        ]
    except RecursionError:
        raise ConfigError(
            "nested too deeply", place=source, hint="no Kubernetes object is"
        ) from None


def _load(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Yield each document with its first line."""
    if not text.lstrip().startswith("{"):
        return _load_yaml(text, source)
    try:
        return iter(list(_load_json(text, source)))
    except ConfigError as not_json:
        # A flow mapping starts with a brace too; when it is neither, it was meant to
        # be JSON.
        try:
            return iter(list(_load_yaml(text, source)))
        except ConfigError:
            raise not_json from None


def _load_json(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Yield the values of a file of one or more JSON values."""
    decoder = json.JSONDecoder()
    position, end = 0, len(text.rstrip())
    while position < end:
        position += len(text[position:]) - len(text[position:].lstrip())
        line = text.count("\n", 0, position) + 1
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise ConfigError(
                f"not JSON: {error.msg}",
                place=f"{source}:{error.lineno}:{error.colno}",
                hint=_CONVERT,
            ) from None
        yield line, value


def _load_yaml(text: str, source: str) -> Iterator[tuple[int, Any]]:
    line = 1
    try:
        for line, value in load_yaml(text):
            yield line, value
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{mark.line + 1}:{mark.column + 1}" if mark else str(line)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        raise ConfigError(
            f"not YAML: {problem or 'cannot be read'}",
            place=f"{source}:{at}",
            hint="often the indentation, or a ':' or '{' that wants quotes",
        ) from None
    except ValueError as error:  # a constructor's: `!!timestamp 2026-99-99`
        raise ConfigError(f"not YAML: {error}", place=f"{source}:{line}") from None


def _flatten(value: Any, source: str, place: str) -> Iterator[Document]:
    """Yield the objects of a document: itself, or a list's items."""
    if value is None:
        return
    content = _Plain(place).convert(value)
    if not isinstance(content, dict):
        raise ConfigError(
            f"expected an object, got {_name(content)}",
            place=place,
            hint="an object has apiVersion, kind and metadata",
        )
    yield from _take_apart(content, source, place)


def _take_apart(content: dict[str, Any], source: str, place: str) -> Iterator[Document]:
    kind, api_version = content.get("kind"), content.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str) or not kind:
        missing = "kind" if not isinstance(kind, str) or not kind else "apiVersion"
        raise ConfigError(
            f"the object has no {missing}",
            place=place,
            hint="an object has apiVersion, kind and metadata",
        )
    items = content.get("items")
    if not (kind.endswith("List") and isinstance(items, list)):
        yield Document(source, place, content)
        return
    # The items of a PodList may leave out what its kind says.
    said = {"apiVersion": api_version, "kind": kind.removesuffix("List")}
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise ConfigError(
                f"items[{number}]: expected an object, got {_name(item)}", place=place
            )
        whole = {**said, **item} if said["kind"] else item
        yield from _take_apart(whole, source, f"{place} items[{number}]")


def _name(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")


class _Plain:
    """Turns what a YAML reader makes into plain JSON, as sigs.k8s.io/yaml does."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.count = 0

    def convert(self, value: Any) -> Any:
        self.count += 1
        if self.count > VALUES_LIMIT:
            raise ConfigError(f"more than {VALUES_LIMIT} values", place=self.place)
        match value:
            case dict():
                return {
                    self._key(key): self.convert(item) for key, item in value.items()
                }
            case list():
                return [self.convert(item) for item in value]
            case str() | bytes():
                return self._text(value)
            case bool() | None:
                return value
            case int():
                # Beyond 64 bits Go reads a float.
                return value if -(2**63) <= value < 2**64 else float(value)
            case float() if math.isfinite(value):
                # Go writes 1.0 as 1.
                return int(value) if value.is_integer() else value
        kind = f"{value}" if isinstance(value, float) else type(value).__name__
        raise ConfigError(f"JSON has no {kind}", place=self.place)

    def _key(self, key: Any) -> str:
        match key:
            case str():
                return self._text(key)
            case bool():
                return "true" if key else "false"
            case int() | float():
                return f"{key:g}" if isinstance(key, float) else str(key)
        raise ConfigError(f"{key!r:.40} cannot be a key", place=self.place)

    def _text(self, value: str | bytes) -> str:
        try:
            if isinstance(value, bytes):
                return value.decode()
            if not value.isascii():
                value.encode()
        except UnicodeError:
            raise ConfigError(
                "a string that is not UTF-8", place=self.place, hint=_CONVERT
            ) from None
        return value
