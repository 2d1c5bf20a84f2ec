"""From OpenAPI schemas to classes: for the built-in kinds and for custom ones.

`make kinds` and `admit kinds` both write what this file writes.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("ClassWriter", "first_sentence", "to_field_name")

WIDTH: Final = 88
INDENT: Final = "    "

# Containers in one another that a schema may have before the rest is Any.
DEPTH_LIMIT: Final = 32

_COMMON: Final = {"apiVersion", "kind", "metadata"}
_BUILTINS: Final = frozenset({"str", "int", "float", "bool"})
_SCALARS: Final = {"integer": "int", "number": "float", "boolean": "bool"}


def to_field_name(name: str) -> str | None:
    """Return the attribute for a JSON key, or None where only item access can be.

    ``from`` becomes ``from_``, ``$ref`` ``ref_``, ``x-kubernetes-foo``
    ``x_kubernetes_foo``.
    """
    if name in {"$ref", "$schema"}:
        return f"{name[1:]}_"
    if name.startswith("x-kubernetes-"):
        return name.replace("-", "_")
    if keyword.iskeyword(name):
        return f"{name}_"
    if not name.isidentifier() or name.startswith("_") or name.endswith("_"):
        return None
    return name


def first_sentence(text: str) -> str:
    """Return what says most in a description, on one line."""
    flat = " ".join(text.replace("\\", "/").replace('"', "'").split())
    found = re.match(r"(.{8,}?[a-z0-9)`'][.:])(?= [A-Z]|$)", flat)
    return (found.group(1) if found else flat).strip()


@dataclass
class ClassWriter:
    """Collects classes in the order they need each other, and renders them.

    Args:
        resolve: gives the annotation of a ``$ref``; schemas without references need
            none.
    """

    resolve: Callable[[str], str] = lambda ref: "Any"  # noqa: ARG005 - default
    classes: dict[str, str] = field(default_factory=dict)

    def declare(
        self, name: str, schema: dict[str, Any], bases: str = "Struct", depth: int = 0
    ) -> str:
        """Add a class for an object schema and return its name, made unique."""
        properties = schema.get("properties", {})
        if bases != "Struct":
            properties = {k: v for k, v in properties.items() if k not in _COMMON}
        unique, number = name, 2
        while unique in self.classes:
            unique, number = f"{name}{number}", number + 1
        self.classes[unique] = ""
        shadowed = _BUILTINS.intersection(properties)
        lines = [f"class {unique}({bases}):", *_docstring(schema)]
        for key, property_ in sorted(properties.items()):
            attribute = to_field_name(key)
            if attribute is None:
                lines.append(f"{INDENT}# {key!r} is reached as an item.")
                continue
            annotation = self.annotate(property_, unique, attribute, depth + 1)
            for type_ in shadowed:  # a field of that name hides the type from checkers
                annotation = re.sub(rf"\b{type_}\b", f"builtins.{type_}", annotation)
            lines.append(f"{INDENT}{attribute}: {annotation}")
            lines += _field_doc(property_)
        if len(lines) == 1:
            lines.append(f"{INDENT}...")
        # Written again at the end: what it refers to comes first.
        del self.classes[unique]
        self.classes[unique] = "\n".join(lines)
        return unique

    def annotate(
        self, schema: dict[str, Any], owner: str, name: str, depth: int = 0
    ) -> str:
        """Return the annotation of a field."""
        plain = self._annotate(schema, owner, name, depth)
        optional = {"str", "int", "float", "bool", "Time", "Quantity", "int | str"}
        return f"{plain} | None" if plain in optional else plain

    def _annotate(
        self, schema: dict[str, Any], owner: str, name: str, depth: int
    ) -> str:
        if depth > DEPTH_LIMIT:
            return "Any"
        if len(schema.get("allOf", ())) == 1 and "properties" not in schema:
            return self._annotate(schema["allOf"][0], owner, name, depth)
        if "$ref" in schema:
            return self.resolve(schema["$ref"])
        if schema.get("x-kubernetes-int-or-string"):
            return "int | str"
        match schema.get("type"):
            case "string":
                return "Time" if schema.get("format") == "date-time" else "str"
            case "array":
                items = schema.get("items", {})
                return f"List[{self._annotate(items, owner, name, depth + 1)}]"
            case "object":
                return self._annotate_object(schema, owner, name, depth)
            case other:
                return _SCALARS.get(str(other), "Any")

    def _annotate_object(
        self, schema: dict[str, Any], owner: str, name: str, depth: int
    ) -> str:
        if schema.get("properties"):
            inner = f"{owner}{name[:1].upper()}{name[1:]}".replace("_", "")
            return self.declare(inner, schema, depth=depth)
        values = schema.get("additionalProperties")
        if not isinstance(values, dict) or not values:
            return "Map[Any]"
        value = self._annotate(values, owner, name, depth + 1)
        return "ResourceList" if value == "Quantity" else f"Map[{value}]"

    def render(self) -> str:
        """Return the classes as Python, two blank lines apart."""
        return "\n\n\n".join(self.classes.values()) + "\n"


def _docstring(schema: dict[str, Any]) -> list[str]:
    text = first_sentence(schema.get("description", ""))
    if not text:
        return []
    lines = textwrap.wrap(
        f'"""{text}"""', WIDTH - 8, break_long_words=False, break_on_hyphens=False
    )
    return [*textwrap.indent("\n".join(lines), INDENT).split("\n"), ""]


def _field_doc(schema: dict[str, Any]) -> list[str]:
    text = first_sentence(schema.get("description", ""))
    values = schema.get("enum")
    if values:
        text = f"{text} One of: {', '.join(map(str, values))}.".strip()
    if not text:
        return []
    lines = textwrap.wrap(
        f'"""{text}"""', WIDTH - 8, break_long_words=False, break_on_hyphens=False
    )
    return textwrap.indent("\n".join(lines), INDENT).split("\n")
