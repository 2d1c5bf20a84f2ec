"""What an API server says of its kinds: OpenAPI v3 documents and discovery."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from admit.kinds import ResourceType

# Gives the JSON at a path of the API server.
Get = Callable[[str], Any]

GROUP_VERSION = re.compile(r"api/v1|apis/[^/]+/v[0-9a-z]+")

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"

# Label of the services that the API server has by itself: not a custom resource's, nor
# one that another server answers. Source: kube-aggregator
# pkg/controllers/autoregister/autoregister_controller.go.
AUTOMANAGED = ("kube-aggregator.kubernetes.io/automanaged", "onstart")

# Groups whose kinds have the short names where groups share one.
FIRST_GROUPS = ("", "apps", "batch")

# What CONNECT carries is in the documents as query parameters only, where a list looks
# like one of its elements. Source: k8s.io/api/core/v1/types.go.
CONNECT_LISTS = {("PodExecOptions", "command"), ("PodPortForwardOptions", "ports")}


@dataclass(frozen=True)
class Documents:
    """All that is known: schemas by name, types in order of preference."""

    version: str
    schemas: dict[str, Any]
    connect_schemas: dict[str, Any]
    types: list[ResourceType] = field(default_factory=list)

    def find_type(self, api_version: str, kind: str) -> ResourceType | None:
        for type_ in self.types:
            if (type_.api_version, type_.kind) == (api_version, kind):
                return type_
        return None

    def find_schema(self, type_: ResourceType) -> tuple[str, dict[str, Any]]:
        """Return name and schema of a kind; the name of a connect kind is its own."""
        group, _, version = type_.api_version.rpartition("/")
        wanted = {"group": group, "version": version, "kind": type_.kind}
        for name, schema in self.schemas.items():
            if wanted in schema.get("x-kubernetes-group-version-kind", ()):
                return name, schema
        return type_.kind, self.connect_schemas[type_.kind]


def from_folder(folder: Path) -> Get:
    """Read what `saving` wrote."""
    return lambda path: json.loads((folder / f"{path.strip('/')}.json").read_text())


def saving(get: Get, folder: Path) -> Get:
    """Keep everything that is read: ``/apis/apps/v1`` as apis/apps/v1.json."""

    def get_and_save(path: str) -> Any:
        document = get(path)
        file = folder / f"{path.strip('/')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=1))
        return document

    return get_and_save


def read_documents(get: Get) -> Documents:
    """Read every group and version that the API server has by itself."""
    index = get("/openapi/v3")
    # The one document that API servers send as text/plain.
    index = json.loads(index) if isinstance(index, str) else index
    paths = {path for path in index["paths"] if GROUP_VERSION.fullmatch(path)}
    documents = Documents(get("/version")["gitVersion"], {}, {})
    types: dict[tuple[str, str], ResourceType] = {}
    for path in sorted(paths - foreign_paths(get(API_SERVICES))):
        openapi = get(f"/openapi/v3/{path}")
        if isinstance(openapi, str):
            continue  # somebody removed it since the index was read
        documents.schemas.update(openapi["components"]["schemas"])
        documents.connect_schemas.update(connect_schemas(openapi))
        for type_ in resource_types(get(f"/{path}")):
            # A kind's own resource comes before its subresources.
            types.setdefault((type_.api_version, type_.kind), type_)
    documents.types.extend(sorted(types.values(), key=preference))
    return documents


def foreign_paths(api_services: dict[str, Any]) -> set[str]:
    """Return the groups and versions that somebody installed."""
    label, value = AUTOMANAGED
    return {
        f"apis/{service['spec'].get('group')}/{service['spec']['version']}"
        for service in api_services["items"]
        if service["metadata"].get("labels", {}).get(label) != value
    }


def resource_types(discovery: dict[str, Any]) -> Iterator[ResourceType]:
    group, _, version = discovery["groupVersion"].rpartition("/")
    for entry in sorted(discovery["resources"], key=lambda e: "/" in e["name"]):
        objects = entry.get("group", group), entry.get("version", version)
        yield ResourceType(
            group,
            version,
            entry["kind"],
            entry["name"],
            entry["namespaced"],
            "/".join(filter(None, objects)) if objects != (group, version) else "",
        )


def connect_schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    """Return a schema for each kind that CONNECT carries."""
    schemas: dict[str, Any] = {}
    for item in openapi["paths"].values():
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            if operation.get("x-kubernetes-action") != "connect":
                continue
            kind = operation["x-kubernetes-group-version-kind"]["kind"]
            parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
            properties = schemas.setdefault(kind, {"type": "object", "properties": {}})
            for parameter in parameters:
                if parameter["in"] == "query":
                    name = parameter["name"]
                    properties["properties"][name] = to_property(kind, parameter)
    return schemas


def to_property(kind: str, parameter: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": parameter["schema"]["type"]}
    if (kind, parameter["name"]) in CONNECT_LISTS:
        schema = {"type": "array", "items": schema}
    return {**schema, "description": parameter.get("description", "")}


def preference(type_: ResourceType) -> tuple[Any, ...]:
    """Order: stable first; core, apps, batch, other groups by name; newest first."""
    group, _, version = type_.api_version.rpartition("/")
    unstable = "alpha" in version or "beta" in version
    first = FIRST_GROUPS.index(group) if group in FIRST_GROUPS else len(FIRST_GROUPS)
    number = int(re.sub(r"\D.*", "", version[1:]) or 0)
    return (unstable, first, group, -number, type_.kind)
