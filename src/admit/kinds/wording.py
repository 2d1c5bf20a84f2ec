"""Names and texts of OpenAPI schemas as names and docstrings of Python."""

from __future__ import annotations

import keyword
import re
import textwrap
from typing import Any, Final

__all__ = (
    "INDENT",
    "WIDTH",
    "describe",
    "first_sentence",
    "to_class_name",
    "to_field_name",
    "to_singular",
)

WIDTH: Final = 88
INDENT: Final = "    "

# Characters. Beyond it a description is an essay; completion shows a few lines.
SENTENCE_LIMIT: Final = 400

_DOLLARS: Final = {"$ref": "ref_", "$schema": "schema_"}
_EXTENSION: Final = re.compile(r"x-kubernetes-[a-z0-9-]+")
_PARAGRAPH_END: Final = re.compile(r"\n\s*\n|\n\s*[-*] ")
_SENTENCE_END: Final = re.compile(r"[.](?= [^a-z]|$)")

# What ends with a dot and is no sentence; one word says too little.
_GOES_ON: Final = re.compile(r"(?:.*\b(?:e\.g|i\.e|vs)|\W*\w+)\.", re.DOTALL)


def to_field_name(key: str) -> str | None:
    """Return the attribute for a JSON key, or None where only item access can be.

    ``from`` becomes ``from_``, ``$ref`` ``ref_``, ``x-kubernetes-foo``
    ``x_kubernetes_foo``; the fields of a `Struct` go the other way.
    """
    if key in _DOLLARS:
        return _DOLLARS[key]
    if _EXTENSION.fullmatch(key):
        return key.replace("-", "_")
    if keyword.iskeyword(key):
        return f"{key}_"
    # Python reads identifiers that are not ASCII in another spelling (NFKC).
    if not (key.isidentifier() and key.isascii()):
        return None
    if key.startswith(("_", "x_kubernetes_")) or key.endswith("_"):
        return None
    return key


def to_class_name(text: str) -> str:
    """Return a kind or field as the (part of a) name of a class.

    ``My-Kind`` becomes ``MyKind``, ``from_`` ``From``.
    """
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[:1].upper() + word[1:] for word in words)


def to_singular(text: str) -> str:
    """Return what one element of a list is called: ``policies`` holds a ``policy``."""
    if text.endswith("ies") and len(text) > 4:
        return f"{text[:-3]}y"
    if re.search(r"(?:ss|x|ch|sh)es$", text):
        return text[:-2]
    if text.endswith("s") and not re.search(r"(?:ss|us|is)$", text):
        return text[:-1]
    return text


def first_sentence(text: str) -> str:
    """Return what says most in a description, on one line.

    Lists, further paragraphs and the values of an enumeration do not belong to it.
    """
    paragraph = _PARAGRAPH_END.split(text.strip(), maxsplit=1)[0]
    flat = " ".join(paragraph.split())
    flat = flat.partition("Possible enum values:")[0].strip()
    for found in _SENTENCE_END.finditer(flat):
        sentence = flat[: found.end()]
        if not _GOES_ON.fullmatch(sentence):
            flat = sentence
            break
    if len(flat) > SENTENCE_LIMIT:
        flat = f"{flat[:SENTENCE_LIMIT].rpartition(' ')[0]} ..."
    return flat


def describe(schema: dict[str, Any]) -> list[str]:
    """Return the lines of the docstring for a class or field, none if it has none."""
    text = first_sentence(str(schema.get("description") or ""))
    values = schema.get("enum")
    if isinstance(values, list) and values:
        names = ", ".join("''" if value == "" else str(value) for value in values)
        text = f"{text.rstrip('.')}. One of: {names}.".removeprefix(". ")
    text = _as_literal(text)
    if not text:
        return []
    lines = textwrap.wrap(
        f'"""{text}"""',
        WIDTH - len(INDENT),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{INDENT}{line}" for line in lines]


def _as_literal(text: str) -> str:
    """Escape what would end a string literal, or could not stand in a file."""
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    return f"{text} " if text.endswith('"') else text
