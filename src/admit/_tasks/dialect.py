"""The YAML that kubectl speaks.

YAML has many readers that differ in what a bare word means. What counts here is what
kubectl makes of a file: ``yes`` and ``y`` are true, ``014`` is 12, ``1e3`` is 1000,
``1:30`` and ``2026-01-01`` are strings. What is written is quoted where kubectl would
read it as something else.

Source: go.yaml.in/yaml/v2 resolve.go, through sigs.k8s.io/yaml, which kubectl uses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ("compose_yaml", "dump_yaml", "load_yaml")

# Levels of nesting that the C reader is asked to compose: it recurses, and a file of
# brackets would end the process. A CRD's schema has 40.
DEPTH_LIMIT: Final = 400


def load_yaml(text: str) -> Iterator[tuple[int, Any]]:
    """Yield each document with the line where it starts.

    Raises:
        YAMLError: the text is no YAML, or has tags that are not JSON.
        ValueError: an explicitly tagged scalar is not what its tag says.
        RecursionError: it is nested too deeply.
    """
    for loader, node in _compose(text):
        yield node.start_mark.line + 1, loader.construct_document(node)


def compose_yaml(text: str) -> Iterator[yaml.Node]:
    """Yield the node of each document, which knows its lines.

    Raises:
        YAMLError, RecursionError: as `load_yaml`.
    """
    for _, node in _compose(text):
        yield node


def _compose(text: str) -> Iterator[tuple[Any, yaml.Node]]:
    _check_depth(text)
    loader = _Loader(text)
    while loader.check_node():
        yield loader, loader.get_node()


def dump_yaml(documents: Iterable[Any]) -> str:
    """Write plain JSON as YAML, documents with ``---`` between them."""
    text: str = yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    return text


def _write_text(dumper: Any, text: str) -> Any:
    """Write several lines as lines, where YAML can: policies are to be read."""
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_INDENT: Final = re.compile(r"^[ ?-]*", re.MULTILINE)


def _check_depth(text: str) -> None:
    """Refuse nesting that only an attack has, before anything recurses.

    A level costs a bracket, or a column (two levels, where a list stands at its
    parent's indentation); so nearly every file is seen to be harmless at once.

    Raises:
        RecursionError: it is nested too deeply.
    """
    indent = max(map(len, _INDENT.findall(text)), default=0)
    if text.count("[") + text.count("{") + 2 * indent < DEPTH_LIMIT:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            raise RecursionError


# A loader of its own, since resolvers belong to the class.
_Reads: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Writes: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_Reads):  # type: ignore[misc] # which of two is known at run time
    """Reads bare words as kubectl does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's way


class _Dumper(_Writes):  # type: ignore[misc] # same
    """Quotes what kubectl, or another reader, would not read as a string."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Write everything out, as kubectl does."""
        return True


_Dumper.add_representer(str, _write_text)

_TRUE: Final = ("y", "yes", "true", "on")
_FALSE: Final = ("n", "no", "false", "off")
_INT: Final = r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)"
_FLOAT: Final = r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
_SPECIAL: Final = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"


def _spellings(words: Iterable[str]) -> str:
    """Lower case, Capital and UPPER CASE, no other mixture."""
    return "|".join(
        dict.fromkeys(s for w in words for s in (w, w.capitalize(), w.upper()))
    )


def _resolve(tag: str, pattern: str, first: str) -> None:
    """Read a bare word that matches as a tag; `first` holds its possible starts."""
    for one in (_Loader, _Dumper):
        one.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), list(first)
        )


_resolve("bool", _spellings((*_TRUE, *_FALSE)), "yYnNtTfFoO")
_resolve("int", _INT, "-+0123456789")
_resolve("float", f"{_FLOAT}|{_SPECIAL}", "-+0123456789.")
_resolve("null", f"{_spellings(('null',))}|~|", "~nN")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("$"), [""])
_resolve("merge", "<<", "<")


def _to_bool(loader: Any, node: Any) -> bool:
    return loader.construct_scalar(node).lower() in _TRUE


def _to_int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    digits = text.lstrip("-+").lower()
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2])
    if base is None:
        base = 8 if len(digits) > 1 and digits.startswith("0") else 10
    number = int(digits.removeprefix("0o") or "0", base)
    return -number if text.startswith("-") else number


def _to_float(loader: Any, node: Any) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _to_text(loader: Any, node: Any) -> str:
    text: str = loader.construct_scalar(node)
    return text


for _tag, _constructor in (
    ("bool", _to_bool),
    ("int", _to_int),
    ("float", _to_float),
    ("merge", _to_text),  # `<<` as a value
):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _constructor)
