"""Print custom resources as classes: what `admit kinds crd.yaml` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.documents import read_documents
from admit.errors import ConfigError
from admit.kinds.writing import ClassWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from admit._tasks.documents import Document

__all__ = ("KindsReport", "write_kinds")

CRD: Final = "CustomResourceDefinition"
API_VERSION: Final = "apiextensions.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class KindsReport:
    """The classes as the text of a Python file, and the kinds they are for.

    Shapes: `kinds` are (apiVersion, class name) in the order of the files.
    """

    text: str
    kinds: tuple[tuple[str, str], ...]


def write_kinds(files: Sequence[str], *, stdin: BinaryIO | None = None) -> KindsReport:
    """Write a class for every served version of every CRD in the files.

    Of several versions the newest keeps the kind's name, others carry theirs
    (``CronTabV1beta1``). Documents that are no CRD are passed over.

    Raises:
        ConfigError: a file cannot be read, holds no CRD, or one of an API version that
            Kubernetes no longer serves; file and line. The operator's fault.
    """
    writer = ClassWriter()
    kinds: list[tuple[str, str]] = []
    for document in read_documents(files, stdin=stdin):
        if document.content.get("kind") == CRD:
            kinds += _write_crd(document, writer)
    if not kinds:
        raise ConfigError(
            f"there is no {CRD} in {', '.join(files)}",
            hint="kubectl get crd NAME -o yaml writes one",
        )
    return KindsReport(_render(writer), tuple(kinds))


def _write_crd(document: Document, writer: ClassWriter) -> list[tuple[str, str]]:
    if document.content.get("apiVersion") != API_VERSION:
        raise ConfigError(
            f"a {CRD} of {document.content.get('apiVersion')}",
            place=document.place,
            hint=f"Kubernetes serves {API_VERSION}; kubectl get crd -o yaml writes it",
        )
    spec = document.content.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict):
        raise ConfigError(
            f"the {CRD} has no spec.names", place=document.place, hint="is it complete?"
        )
    kinds = []
    versions = [v for v in spec.get("versions") or () if v.get("served", True)]
    for rank, version in enumerate(sorted(versions, key=_newest_first)):
        name = str(names.get("kind") or "")
        if not name.isidentifier():
            raise ConfigError(
                f"spec.names.kind {name!r} is no kind", place=document.place
            )
        keywords = [
            f'group="{spec.get("group", "")}"',
            f'version="{version["name"]}"',
            f'plural="{names.get("plural", f"{name.lower()}s")}"',
        ]
        class_name = name if rank == 0 else name + version["name"].capitalize()
        if class_name != name:
            keywords.append(f'kind="{name}"')
        if spec.get("scope") == "Cluster":
            keywords.append("namespaced=False")
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        bases = f"Resource, {', '.join(keywords)}"
        declared = writer.declare(class_name, schema, bases)
        kinds.append((f"{spec.get('group', '')}/{version['name']}", declared))
    return kinds


def _newest_first(version: dict[str, Any]) -> tuple[Any, ...]:
    """Order as Kubernetes does: v2, v1, v1beta1, v1alpha1, then what is no version.

    Source: apimachinery pkg/version/helpers.go.
    """
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version["name"])
    if found is None:
        return (3, 0, 0, version["name"])
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), "")


def _render(writer: ClassWriter) -> str:
    body = writer.render()
    code = re.sub(r'"""(?:.|\n)*?"""', "", body)
    used = [
        name
        for name in ("List", "Map", "Resource", "Struct", "Time")
        if re.search(rf"\b{name}\b", code)
    ]
    head = "from __future__ import annotations\n\n"
    standard = [
        line
        for word, line in (
            (r"builtins\.", "import builtins\n"),
            (r"\bAny\b", "from typing import Any\n"),
        )
        if re.search(word, code)
    ]
    if standard:
        head += "".join(standard) + "\n"
    return f"{head}from admit import {', '.join(used)}\n\n\n{body}"
