"""Go templates from plain objects: what a chart leaves open becomes an action.

The object is dumped as YAML with a marker wherever something is left open, and the
markers then become actions. So there is one source of the objects, and a chart has
nothing that was written a second time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.dialect import dump_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Template", "find_members")

# Words that YAML leaves plain, and nobody writes.
_MARKED: Final = re.compile(r"zz(line|block)(\d+)zz")
# A list's or an object's last member that stands for more of them: X is of the chart.
_MORE: Final = (
    (
        re.compile(r"( *)- zzitems(\d+)zz"),
        "{{- range X }}",
        "- {{ . | quote }}",
    ),
    (
        re.compile(r"( *)zzmembers(\d+)zz: ''"),
        "{{- with X }}",
        "{{- toYaml . | nindent INDENT }}",
    ),
)
_END: Final = "{{- end }}"
_OPTIONAL: Final = re.compile(r"( *)zzif(\d+)zz(.*)")


class Template:
    """The template of one object.

    Args:
        content: the object; it is changed.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._actions: list[str] = []

    def line(self, parent: Any, key: Any, action: str) -> None:
        """Let an action write a value, all on its line."""
        parent[key] = self._mark("line", action)

    def block(self, parent: Any, key: Any, expression: str) -> None:
        """Let a value of the chart, of whatever shape, be a value here."""
        parent[key] = self._mark("block", expression)

    def optional(self, parent: dict[str, Any], key: str, condition: str) -> None:
        """Write a member only under a condition."""
        marked = self._mark("if", condition) + key
        members = {marked if k == key else k: v for k, v in parent.items()}
        parent.clear()
        parent.update(members)

    def items(self, parent: list[Any], expression: str) -> None:
        """Let a list of the chart, of strings, go on with a list here."""
        parent.append(self._mark("items", expression))

    def members(self, parent: dict[str, Any], expression: str) -> None:
        """Let an object of the chart, whatever is in it, go on with an object here."""
        parent[self._mark("members", expression)] = ""

    def name(self, actions: Mapping[str, str]) -> None:
        """Put actions for names that are part of a string, wherever they are.

        Args:
            actions: by the name that they write, which is then no part of another's.
        """
        self._name(self._content, actions)

    def write(self, condition: str = "") -> str:
        """Return the text; with a condition under which there is the object at all."""
        text = _escape(dump_yaml([self._content]))
        lines = [self._fill(line) for line in self._open(text.splitlines())]
        if condition:
            lines = [f"{{{{- if {condition} }}}}", *lines, _END]
        return "\n".join([*lines, ""])

    def _mark(self, kind: str, action: str) -> str:
        self._actions.append(action)
        return f"zz{kind}{len(self._actions) - 1}zz"

    def _name(self, content: Any, actions: Mapping[str, str]) -> None:
        for key, value in (
            content.items() if isinstance(content, dict) else enumerate(content)
        ):
            if isinstance(value, dict | list):
                self._name(value, actions)
            elif isinstance(value, str) and any(name in value for name in actions):
                quoted = _escape(value.replace("'", "''"))
                for name, action in actions.items():
                    quoted = quoted.replace(name, action)
                # Quoted, it stays a string whatever the actions write.
                content[key] = self._mark("line", f"'{quoted}'")

    def _open(self, lines: list[str]) -> list[str]:
        """Put conditions around the members that have one, with what is below them."""
        written: list[str] = []
        indent: str | None = None
        for line in lines:
            if indent is not None and not _is_below(line, indent):
                written.append(f"{indent}{_END}")
                indent = None
            found = _OPTIONAL.fullmatch(line)
            if found:
                indent, number, line = found.groups()  # noqa: PLW2901 - without its mark
                written.append(f"{indent}{{{{- if {self._actions[int(number)]} }}}}")
                line = f"{indent}{line}"  # noqa: PLW2901 - same
            written.append(line)
        return written if indent is None else [*written, f"{indent}{_END}"]

    def _fill(self, line: str) -> str:
        for pattern, start, body in _MORE:
            found = pattern.fullmatch(line)
            if found:
                indent, number = found.groups()
                body = body.replace("INDENT", str(len(indent)))  # noqa: PLW2901 - filled in
                lines = (start.replace("X", self._actions[int(number)]), body, _END)
                return "\n".join(f"{indent}{one}" for one in lines)
        inner = len(line) - len(line.lstrip(" -")) + 2

        def fill(found: re.Match[str]) -> str:
            action = self._actions[int(found[2])]
            if found[1] == "line":
                return action
            return f"{{{{- toYaml {action} | nindent {inner} }}}}"

        return _MARKED.sub(fill, line)


def find_members(content: Any, key: str) -> list[dict[str, Any]]:
    """Return every object, however deep, that has a member of a name."""
    if isinstance(content, dict):
        own = [content] if key in content else []
        return own + [f for value in content.values() for f in find_members(value, key)]
    if isinstance(content, list):
        return [found for value in content for found in find_members(value, key)]
    return []


def _escape(text: str) -> str:
    """Let Helm write what only looks like the start of an action."""
    return text.replace("{{", '{{ "{{" }}')


def _is_below(line: str, indent: str) -> bool:
    """Tell whether a line belongs to the member before it; lists are not indented."""
    return line.startswith((f"{indent} ", f"{indent}- "))
