"""Write the tables of docs/ from the tables of the code.

    make docs                          # writes them
    python tools/reference.py --check  # says which differ, writes nothing

A page marks where a table stands: ``<!-- table: outcomes -->`` to ``<!-- end -->``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docstrings

import admit
from admit import errors
from admit._exchange import OUTCOMES
from admit._handler import Options
from admit.deployment.monitoring import ALERTS
from admit.doctor import CATALOGUE
from admit.doctor.live.causes import CAUSES
from admit.server import ServeOptions
from admit.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parent.parent
MARKED = re.compile(r"(<!-- table: ([\w.-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(header)
    lines = [
        names,
        ["---"] * len(names),
        *([str(cell) for cell in row] for row in rows),
    ]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def outcomes() -> str:
    return table(
        ["outcome", "HTTP", "reason", "body or cause"],
        ((name, row.status, row.reason, row.meaning) for name, row in OUTCOMES.items()),
    )


def documented(cls: Any) -> dict[str, str]:
    """The Args section of a class's docstring, by name."""
    text = inspect.getdoc(cls).split("Args:\n", 1)[1].split("\n\n", 1)[0]
    found = re.findall(r"^    (\w+): ((?:.|\n(?!    \w+: ))*)", text, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def defaults(cls: Any) -> str:
    rows = []
    meanings = documented(cls)
    for field in dataclasses.fields(cls):
        given = field.default
        default = "" if given is dataclasses.MISSING else f"`{given!r}`"
        rows.append(
            (f"`{field.name}`", default, meanings[field.name].replace("``", "`"))
        )
    return table(["name", "default", "meaning"], rows)


def error_classes() -> str:
    rows = []
    for name in errors.__all__:
        cls = getattr(errors, name)
        first = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        is_error = issubclass(cls, errors.AdmitError)
        owner = cls.owner if is_error else "nobody: it is a verdict"
        rows.append((f"`{name}`", owner, cls.exit_code if is_error else "", first))
    return table(["class", "who can mend it", "exit code", "meaning"], rows)


def metrics() -> str:
    return table(
        ["metric", "kind", "labels", "meaning"],
        ((f"`{m.name}`", m.kind, ", ".join(m.labels), m.meaning) for m in METRICS),
    )


def alerts() -> str:
    return table(
        ["alert", "severity", "after", "meaning"],
        (
            # Without the labels that only an alert has.
            (
                f"`{a.name}`",
                a.severity,
                a.wait,
                f"{re.sub(r': {{.*}}', '', a.summary)} {a.description}",
            )
            for a in ALERTS
        ),
    )


def findings() -> str:
    return table(
        ["id", "severity", "finding", "why", "what to do"],
        (
            (f"`{c.id}`", c.severity, f"[{c.title}]({c.link})", c.why, c.hint)
            for c in CATALOGUE.values()
        ),
    )


def causes() -> str:
    return table(
        ["id", "severity", "what is wrong", "what to type"],
        ((f"`{c.id}`", c.severity, c.cause, c.remedy) for c in CAUSES.values()),
    )


def names() -> str:
    rows = []
    for name in sorted(vars(admit)["__all__"]):
        if name == "__version__":
            continue
        value = getattr(admit, name)
        home = vars(admit)["_HOMES"][name]
        doc = inspect.getdoc(value) if inspect.isclass(value) else None
        first = (doc or NAMES_WITHOUT_DOC.get(name, "")).split("\n\n")[0]
        rows.append((f"`admit.{name}`", f"`{home}`", " ".join(first.split())))
    return table(["name", "from", "what it is"], rows)


# Type aliases carry no docstring at run time.
NAMES_WITHOUT_DOC = {
    "Audit": "What a parameter named `audit` is: a function of a key and a value.",
    "Warn": "What a parameter named `warn` is: a function of a text.",
}


def layers() -> str:
    """The import contract of pyproject.toml, highest layer first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    rows = next(c["layers"] for c in contracts if c["type"] == "layers")
    plain = (re.sub(r"[()]", "", row) for row in rows)
    return "```\n" + "".join(f"{row}\n" for row in plain) + "```\n"


def policies(path: Path) -> Callable[[], str]:
    """The policies of an example."""
    return lambda: f"```python\n{path.read_text()}```\n"


# The modules whose names are promised.
MODULES = (
    "admit.app",
    "admit.errors",
    "admit.kinds",
    "admit.matching",
    "admit.patch",
    "admit.review",
    "admit.testing",
    "admit.view",
    "admit.webhook",
)
EXAMPLES = sorted(ROOT.glob("examples/*/policies.py"))
TABLES = {
    "outcomes": outcomes,
    "options": lambda: defaults(Options),
    "settings": lambda: defaults(ServeOptions),
    "errors": error_classes,
    "metrics": metrics,
    "alerts": alerts,
    "causes": causes,
    "findings": findings,
    "names": names,
    "layers": layers,
    **{name: functools.partial(docstrings.module, name) for name in MODULES},
    **{f"policies-{path.parent.name}": policies(path) for path in EXAMPLES},
}


def render(text: str) -> str:
    """Return a page with its tables as the code has them now."""
    return MARKED.sub(lambda m: f"{m[1]}{TABLES[m[2]]()}{m[4]}", text)


def main() -> int:
    stale = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text()
        if render(text) != text:
            stale.append(page)
    for page in stale:
        if "--check" in sys.argv:
            print(f"{page.relative_to(ROOT)} is not what the code says; run make docs")
        else:
            page.write_text(render(page.read_text()))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
