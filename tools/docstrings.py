"""Docstrings of the promised modules as Markdown."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION = re.compile(r"^(Args|Raises|Returns):$")
# Before the name of a method stands nothing, and its first parameter goes without saying.
METHOD = ""

# As wide as the code.
WIDTH = 88
ENTRY = re.compile(r"^    (\w+): (.*)$")


def module(name: str) -> str:
    """Every promised name of a module: signature, docstring, public members."""
    imported = importlib.import_module(name)
    parts = [prose(inspect.getdoc(imported) or "")]
    for each in sorted(imported.__all__):
        parts.extend(describe(each, getattr(imported, each), home=name))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip() + "\n"


def describe(name: str, value: Any, *, home: str) -> Iterator[str]:
    if inspect.isclass(value) and value.__module__.startswith("admit"):
        yield f"\n## {name}\n\n```python\n{signature(name, value, 'class ')}\n```\n"
        yield prose(inspect.getdoc(value) or "")
        for member, method in members(value):
            is_property = isinstance(method, property)
            head = (
                f"{name}.{member}" if is_property else signature(member, method, METHOD)
            )
            yield f"\n### {name}.{member}\n\n```python\n{head}\n```\n"
            yield prose(inspect.getdoc(method) or "")
    elif inspect.isroutine(value):
        yield f"\n## {name}\n\n```python\n{signature(name, value, 'def ')}\n```\n"
        yield prose(inspect.getdoc(value) or "")
    else:
        yield f"\n## {name}\n\n{assigned(name, origin_of(name, home))}"


def origin_of(name: str, home: str) -> str:
    """The module that a name comes from: packages pass on what their files hold."""
    tree = ast.parse(inspect.getsource(importlib.import_module(home)))
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and any(
            alias.name == name for alias in statement.names
        ):
            return origin_of(name, str(statement.module))
    return home


def members(cls: Any) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the class itself documents."""
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        is_member = inspect.isfunction(function) or isinstance(function, property)
        if is_member and not name.startswith("_") and function.__doc__:
            yield name, function


def signature(name: str, value: Any, word: str) -> str:
    """As one would write it: on one line if it fits, else a parameter a line."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return f"{word}{name}"
    parameters = [
        parameter
        for key, parameter in list(found.parameters.items())[word == METHOD :]
        if not key.startswith("_")
    ]
    returns = inspect.Signature.empty if word == "class " else found.return_annotation
    found = inspect.Signature(parameters, return_annotation=returns)
    text = f"{word}{name}{clean(str(found))}"
    if len(text) <= WIDTH:
        return text
    head, _, rest = clean(str(found))[1:].rpartition(")")
    lines = "".join(f"    {each},\n" for each in split(head))
    return f"{word}{name}(\n{lines}){rest}"


def clean(text: str) -> str:
    """Annotations are text already; a place in memory says nothing."""
    text = re.sub(
        r"<[^<>]* at 0x[0-9a-f]+>|<factory>|<class '([^']*)'>", r"\1...", text
    )
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


def split(text: str) -> Iterator[str]:
    """Take parameters apart at the commas that are in no bracket."""
    depth, start = 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            yield text[start:position].strip()
            start = position + 1
    yield text[start:].strip()


def assigned(name: str, home: str) -> str:
    """What a module's name is set to, and the string below, which Python forgets."""
    source = inspect.getsource(importlib.import_module(home))
    statements = ast.parse(source).body
    for statement, after in itertools.pairwise([*statements, ast.Pass()]):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            code = f"```python\n{ast.get_source_segment(source, statement)}\n```\n"
            is_text = isinstance(after, ast.Expr) and isinstance(
                after.value, ast.Constant
            )
            return f"{code}\n{prose(after.value.value)}" if is_text else code
    raise LookupError(
        f"{home} does not assign {name}; import it as a class or function"
    )


def prose(text: str) -> str:
    """Google sections as lists; what is indented is code."""
    lines: list[str] = []
    in_section = in_code = False
    for line in text.replace("``", "`").splitlines():
        found = SECTION.match(line)
        if found:
            lines += [f"**{found[1]}**", ""]
            in_section = True
        elif in_section and (entry := ENTRY.match(line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif in_section and line.startswith("        "):
            lines.append(f"  {line.strip()}")
        else:
            in_section = in_section and not line
            is_code = line.startswith("    ") or (in_code and not line)
            if is_code != in_code:
                lines.append("```python" if is_code else "```")
            in_code = is_code
            lines.append(line.removeprefix("    ") if is_code else line)
    if in_code:
        lines.append("```")
    # The empty line after a block of code belongs behind its end.
    return "\n".join(lines).replace("\n\n```\n", "\n```\n\n").strip() + "\n"
