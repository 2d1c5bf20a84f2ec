"""From OpenAPI schemas to classes: for the built-in kinds and for custom ones.

`make kinds` and `admit kinds` both write what this file writes.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from admit.kinds.wording import (
    INDENT,
    WIDTH,
    describe,
    to_class_name,
    to_field_name,
    to_singular,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from admit.kinds.resource import ResourceType

__all__ = ("ClassWriter",)

# Containers in one another that a schema may have before the rest is Any.
DEPTH_LIMIT: Final = 32

# What a Resource has without saying so.
_COMMON: Final = frozenset({"apiVersion", "kind", "metadata"})

_BUILTINS: Final = frozenset({"str", "int", "float", "bool"})
_SCALARS: Final = {"integer": "int", "number": "float", "boolean": "bool"}
_OPTIONAL: Final = frozenset({*_BUILTINS, "Time", "Quantity", "int | str"})

# Names that annotations use; neither a class nor a field may take one.
_STANDARD: Final = {"Any": "typing"}
_OWN: Final = frozenset(
    {"List", "Map", "Quantity", "Resource", "ResourceList", "Struct", "Time"}
)
_RESERVED: Final = _OWN | _BUILTINS | {"Any", "builtins"}

# How controller-gen writes a Quantity: controller-tools pkg/crd/known_types.go.
_QUANTITY_PATTERN: Final = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|"
    r"([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


@dataclass
class ClassWriter:
    """Collects classes in the order they need each other, and renders them.

    Args:
        resolve: gives the annotation of a ``$ref``; schemas without references need
            none.
    """

    resolve: Callable[[str], str] = lambda ref: "Any"  # noqa: ARG005 - default
    classes: dict[str, str] = field(default_factory=dict)
    _shapes: dict[str, str] = field(default_factory=dict)

    def declare_kind(
        self, type_: ResourceType, schema: dict[str, Any], name: str = ""
    ) -> str:
        """Add the class of a kind and return its name, which is the kind's if it can.

        Shapes inside are shared among the versions of a kind, not among kinds.
        """
        class_name = self._find_free(to_class_name(name or type_.kind))
        words = {"group": type_.group, "version": type_.version, "plural": type_.plural}
        if class_name != type_.kind:
            words["kind"] = type_.kind
        if type_.object_api_version:
            words["api_version"] = type_.object_api_version
        bases = ["Resource", *(f'{key}="{value}"' for key, value in words.items())]
        if not type_.namespaced:
            bases.append("namespaced=False")
        return self.declare(class_name, schema, bases)

    def forget_shapes(self) -> None:
        """Let the shapes that come next have classes of their own."""
        self._shapes.clear()

    def declare(
        self,
        name: str,
        schema: dict[str, Any],
        bases: list[str] | None = None,
        depth: int = 0,
    ) -> str:
        """Add a class for an object schema and return its name, made unique."""
        bases = bases or ["Struct"]
        properties = dict(schema.get("properties") or {})
        if bases != ["Struct"]:
            properties = {k: v for k, v in properties.items() if k not in _COMMON}
        unique = self._find_free(name)
        self.classes[unique] = ""
        shadowed = _BUILTINS.intersection(properties)
        lines: list[str] = []
        for key, inner in sorted(properties.items()):
            attribute = to_field_name(key)
            if attribute is None or attribute in _OWN | {"Any"} | self.classes.keys():
                lines.append(f"{INDENT}# {json.dumps(key)} is reached as an item.")
                continue
            annotation = self.annotate(inner, unique, attribute, depth + 1)
            for type_ in shadowed:  # a field of that name hides the type from checkers
                annotation = re.sub(rf"\b{type_}\b", f"builtins.{type_}", annotation)
            lines += [_to_field(attribute, annotation), *describe(inner)]
        doc = describe(schema)
        # Written again at the end: what it refers to comes first.
        del self.classes[unique]
        self.classes[unique] = _to_class(unique, bases, doc, lines)
        return unique

    def annotate(
        self, schema: dict[str, Any], owner: str, name: str, depth: int = 0
    ) -> str:
        """Return the annotation of a field; structs inside are declared."""
        plain = self._annotate(schema, owner, name, depth)
        return f"{plain} | None" if plain in _OPTIONAL else plain

    def _annotate(
        self, schema: dict[str, Any], owner: str, name: str, depth: int
    ) -> str:
        if depth > DEPTH_LIMIT:
            return "Any"
        parts: list[dict[str, Any]] = schema.get("allOf") or []
        if len(parts) == 1 and "type" not in schema:  # a reference with a description
            return self._annotate(parts[0], owner, name, depth)
        if "$ref" in schema:
            return self.resolve(schema["$ref"])
        if schema.get("x-kubernetes-int-or-string"):
            is_quantity = schema.get("pattern") == _QUANTITY_PATTERN
            return "Quantity" if is_quantity else "int | str"
        match schema.get("type"):
            case "string":
                return "Time" if schema.get("format") == "date-time" else "str"
            case "array":
                items = schema.get("items") or {}
                element = self._annotate(items, owner, to_singular(name), depth + 1)
                return f"List[{element}]"
            case "object":
                return self._annotate_object(schema, owner, name, depth)
            case other:
                return _SCALARS.get(str(other), "Any")

    def _annotate_object(
        self, schema: dict[str, Any], owner: str, name: str, depth: int
    ) -> str:
        embedded = schema.get("x-kubernetes-embedded-resource") is True
        fields = set(schema.get("properties") or ())
        if embedded and fields <= _COMMON:
            return "Resource"
        if fields:
            bases = ["Resource" if embedded else "Struct"]
            return self._share(schema, f"{owner}{to_class_name(name)}", bases, depth)
        values = schema.get("additionalProperties")
        if not isinstance(values, dict) or not values:
            return "Map[Any]"
        value = self._annotate(values, owner, to_singular(name), depth + 1)
        return "ResourceList" if value == "Quantity" else f"Map[{value}]"

    def _share(
        self, schema: dict[str, Any], name: str, bases: list[str], depth: int
    ) -> str:
        """Return the class of a shape: one that is there already, or a new one.

        Two places with the same described fields were one type in the author's code.
        """
        shape = {k: v for k, v in schema.items() if k not in {"description", "default"}}
        text = json.dumps(shape, sort_keys=True)
        if '"description":' not in text:
            return self.declare(name, schema, bases, depth)
        if text not in self._shapes:
            self._shapes[text] = self.declare(name, schema, bases, depth)
        return self._shapes[text]

    def _find_free(self, name: str) -> str:
        name = name if name[:1].isalpha() else f"Kind{name}"
        free, number = name, 2
        while free in self.classes or free in _RESERVED:
            free, number = f"{name}{number}", number + 1
        return free

    def render(self, homes: Mapping[str, str]) -> str:
        """Return the classes as Python: the imports they need, then each.

        Args:
            homes: the module of every name that the classes may use.
        """
        body = "\n\n\n".join(self.classes.values()) + "\n"
        nodes = ast.walk(ast.parse(body))
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        lines = ["import builtins"] if "builtins" in used else []
        lines += _to_imports(used, _STANDARD)
        blocks = ["from __future__ import annotations", "\n".join(lines)]
        blocks.append("\n".join(_to_imports(used - self.classes.keys(), homes)))
        return "\n\n".join(block for block in blocks if block) + f"\n\n\n{body}"


def _to_class(name: str, bases: list[str], doc: list[str], body: list[str]) -> str:
    """Write a class as the formatter would."""
    has_fields = any(not line.lstrip().startswith("#") for line in body)
    end = ":" if doc or has_fields else ": ..."
    if end != ":" and body:  # a comment alone is no body
        body, end = [*body, f"{INDENT}..."], ":"
    inside = ", ".join(bases)
    if len(header := f"class {name}({inside}){end}") > WIDTH:
        if len(INDENT + inside) > WIDTH:
            inside = f",\n{INDENT}".join(bases) + ","
        header = f"class {name}(\n{INDENT}{inside}\n){end}"
    return "\n".join([header, *doc, *([""] if doc and body else ()), *body])


def _to_field(name: str, annotation: str) -> str:
    line = f"{INDENT}{name}: {annotation}"
    found = re.fullmatch(r"(\w+)\[(.+)\]", annotation)
    if len(line) <= WIDTH or found is None:
        return line
    return f"{INDENT}{name}: {found[1]}[\n{INDENT * 2}{found[2]}\n{INDENT}]"


def _to_imports(used: set[str], homes: Mapping[str, str]) -> list[str]:
    names: dict[str, list[str]] = {}
    for name in sorted(used & homes.keys()):
        names.setdefault(homes[name], []).append(name)
    pairs = sorted(names.items())
    return [f"from {home} import {', '.join(found)}" for home, found in pairs]
