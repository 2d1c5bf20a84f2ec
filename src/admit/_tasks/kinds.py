"""Print custom resources as classes: what `admit kinds crd.yaml` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from admit._tasks.documents import read_documents
from admit.errors import ConfigError
from admit.kinds import ResourceType
from admit.kinds.resource import check_resource_type
from admit.kinds.writing import ClassWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from admit._tasks.documents import Document

__all__ = ("KindsReport", "write_kinds")

CRD: Final = "CustomResourceDefinition"
API_VERSION: Final = "apiextensions.k8s.io/v1"

_HOMES: Final = {
    **dict.fromkeys(("List", "Map", "Quantity", "Resource", "Struct", "Time"), "admit"),
    "ResourceList": "admit.kinds",
}

_SOURCE: Final = "kubectl get crd NAME -o yaml prints one as it is stored"


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
        ConfigError: a file cannot be read, holds no CRD, or one that Kubernetes would
            not serve; file and line. The operator's fault.
    """
    writer = ClassWriter()
    kinds: list[tuple[str, str]] = []
    documents = read_documents(files, stdin=stdin)
    for document in documents:
        if document.content.get("kind") == CRD:
            kinds += _write_crd(document, writer)
    if not kinds:
        found = sorted({str(document.content.get("kind")) for document in documents})
        raise ConfigError(
            f"there is no {CRD} in {', '.join(files)}, only {', '.join(found[:5])}",
            hint=_SOURCE,
        )
    return KindsReport(writer.render(_HOMES), tuple(kinds))


def _write_crd(document: Document, writer: ClassWriter) -> Iterator[tuple[str, str]]:
    if document.content.get("apiVersion") != API_VERSION:
        raise ConfigError(
            f"a {CRD} of {document.content.get('apiVersion')}",
            place=document.place,
            hint=f"Kubernetes serves {API_VERSION}; {_SOURCE}",
        )
    spec = _get(document, document.content, "spec", dict)
    names = _get(document, spec, "spec.names", dict)
    kind = _get(document, names, "spec.names.kind", str)
    group = _get(document, spec, "spec.group", str)
    plural = _get(document, names, "spec.names.plural", str)
    writer.forget_shapes()
    for rank, (version, schema) in enumerate(_served_versions(document, spec)):
        namespaced = spec.get("scope") != "Cluster"
        type_ = ResourceType(group, version, kind, plural, namespaced)
        findings = check_resource_type(type_)
        if findings or not group:
            message = "; ".join(findings) or "spec.group is empty"
            raise ConfigError(message, place=document.place, hint=_SOURCE)
        name = kind if rank == 0 else f"{kind}{version.capitalize()}"
        yield type_.api_version, writer.declare_kind(type_, schema, name)


def _served_versions(
    document: Document, spec: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """Return name and schema of each version that is served, the newest first."""
    versions = []
    for index, entry in enumerate(_get(document, spec, "spec.versions", list)):
        path = f"spec.versions[{index}]"
        if not isinstance(entry, dict):
            raise ConfigError(f"{path} is no object", place=document.place)
        if entry.get("served", True):
            name = _get(document, entry, f"{path}.name", str)
            schema = entry.get("schema") or {}
            if schema:
                schema = _get(document, schema, f"{path}.schema.openAPIV3Schema", dict)
            _check_schema(document, schema, f"{path}.schema.openAPIV3Schema")
            versions.append((name, schema))
    if not versions:
        raise ConfigError(
            "no version is served", place=document.place, hint="spec.versions[].served"
        )
    return sorted(versions, key=lambda version: _newest_first(version[0]))


def _get(document: Document, holder: Any, path: str, type_: type) -> Any:
    """Return what a CRD must have; the last name of the path is its key."""
    found = holder.get(path.rpartition(".")[2]) if isinstance(holder, dict) else None
    if not isinstance(found, type_):
        wanted = {"dict": "an object", "list": "a list"}.get(type_.__name__, "text")
        missing = "is missing" if found is None else f"is not {wanted}"
        raise ConfigError(
            f"the {CRD} is not complete: {path} {missing}",
            place=document.place,
            hint=_SOURCE,
        )
    return found


# The parts of a schema that hold schemas: by name, or one.
_BY_NAME: Final = ("properties",)
_ONE: Final = ("items", "additionalProperties")
_SEVERAL: Final = ("allOf",)


def _check_schema(document: Document, schema: Any, path: str) -> None:
    """See that every schema inside is one, or say where it is not.

    Raises:
        ConfigError: something is no schema where only one can be; names its path.
    """
    waiting = [(schema, path)]
    while waiting:
        schema, path = waiting.pop()
        if not isinstance(schema, dict):
            raise ConfigError(f"{path} is no schema", place=document.place)
        # `additionalProperties: true` is one too.
        one = [key for key in _ONE if not isinstance(schema.get(key), bool | None)]
        waiting += [(schema[key], f"{path}.{key}") for key in one]
        for key in _BY_NAME:
            inner = schema.get(key) or {}
            if not isinstance(inner, dict):
                raise ConfigError(f"{path}.{key} is no object", place=document.place)
            waiting += [(s, f"{path}.{key}.{name}") for name, s in inner.items()]
        for key in _SEVERAL:
            inner = schema.get(key) or []
            if not isinstance(inner, list):
                raise ConfigError(f"{path}.{key} is no list", place=document.place)
            waiting += [(s, f"{path}.{key}[{index}]") for index, s in enumerate(inner)]


def _newest_first(version: str) -> tuple[Any, ...]:
    """Order as Kubernetes does: v2, v1, v1beta1, v1alpha1, then what is no version.

    Source: apimachinery pkg/version/helpers.go.
    """
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), "")
