"""Write src/admit/kinds from the OpenAPI documents of the real API server.

    make kinds                                    # starts an API server (make assets)
    python tools/kinds/generate.py --from FOLDER  # documents that --save wrote
    python tools/kinds/generate.py --check        # say what differs, write nothing

The top-level name of a kind (`from admit import Event`) is that of its newest stable
version; where groups share a name, the core's, then that of apps, then of batch.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from admit.kinds.writing import ClassWriter
from admit.testing import ControlPlane

ROOT = Path(__file__).parent.parent.parent
KINDS = ROOT / "src" / "admit" / "kinds"
STUB = ROOT / "src" / "admit" / "__init__.pyi"

SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "Quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "Time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "Time",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int | str",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "Any",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "Any",
}
# Unions that JSON Schema's own schema has: a boolean or a schema, and the like.
UNION = re.compile(r"\.(JSON|JSONSchemaPropsOr\w+|CustomResourceSubresourceStatus)$")
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
# What the meta group holds for answers and options, which no policy reviews.
META_SKIPPED = re.compile(
    r"(Options|List|WatchEvent|Status\w*|API\w+|ServerAddressBy\w+)$"
)
FIRST_GROUPS = ("", "apps", "batch")


@dataclass(frozen=True)
class Served:
    """A kind that the API server serves, as discovery says."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    object_api_version: str


def fetch(get: Any) -> dict[str, Any]:
    """Return every document by its path."""
    documents = {}
    index = json.loads(get("/openapi/v3"))  # the one that comes as text/plain
    for path in index["paths"]:
        if path == "api/v1" or re.fullmatch(r"apis/[^/]+/v[0-9a-z]+", path):
            documents[path] = {
                "openapi": get(f"/openapi/v3/{path}"),
                "resources": get(f"/{path}"),
            }
    documents["version"] = get("/version")
    return documents


def read_served(documents: dict[str, Any]) -> list[Served]:
    """Return the kinds in order of preference; subresource kinds last of their file."""
    served: dict[tuple[str, str], Served] = {}
    for path, document in sorted(documents.items()):
        if path == "version":
            continue
        group_version = document["resources"]["groupVersion"]
        group, _, version = group_version.rpartition("/")
        for entry in document["resources"]["resources"]:
            own = entry.get("version") is None
            object_version = (
                group_version
                if own
                else f"{entry['group']}/{entry['version']}".lstrip("/")
            )
            key = (object_version, entry["kind"])
            if "/" in entry["name"] and key in served:
                continue
            served[key] = Served(
                group,
                version,
                entry["kind"],
                entry["name"],
                entry["namespaced"],
                object_version,
            )
    return sorted(served.values(), key=preference)


def preference(served: Served) -> tuple[Any, ...]:
    """Order: core, apps, batch, the rest by name; newest stable version first."""
    group, _, version = served.object_api_version.rpartition("/")
    first = FIRST_GROUPS.index(group) if group in FIRST_GROUPS else len(FIRST_GROUPS)
    unstable = "alpha" in version or "beta" in version
    number = int(re.sub(r"\D.*", "", version[1:]) or 0)
    return (unstable, first, group, -number, served.kind)


def module_of(schema: str) -> tuple[str, str]:
    """Return file and class of a schema: io.k8s.api.apps.v1.X is apps_v1, X."""
    *_, group, version, name = schema.split(".")
    return f"{group}_{version}", name


def module_of_api(api_version: str) -> str:
    group, _, version = api_version.rpartition("/")
    return f"{group.split('.')[0] or 'core'}_{version}"


class Generator:
    def __init__(self, documents: dict[str, Any]) -> None:
        self.version = documents["version"]["gitVersion"]
        self.served = read_served(documents)
        self.schemas: dict[str, Any] = {}
        for path, document in documents.items():
            if path != "version":
                self.schemas |= document["openapi"]["components"]["schemas"]
        self.imports: dict[str, set[str]] = {}
        self.writers: dict[str, ClassWriter] = {}
        self.done: set[str] = set()

    def files(self) -> dict[str, str]:
        """Return the text of every generated file by its name."""
        self.need(f"{META}ObjectMeta")
        for served in self.served:
            self.need_kind(served)
        texts = {
            f"{module}.py": self.render(module, writer)
            for module, writer in sorted(self.writers.items())
        }
        texts["_index.py"] = self.render_index()
        return texts

    def need_kind(self, served: Served) -> None:
        schema = self.find_schema(served)
        module = module_of_api(served.object_api_version)
        if served.plural.endswith("/scale"):
            keywords = ""
        else:
            keywords = f', group="{served.group}", version="{served.version}", plural="{served.plural}"'
            keywords += "" if served.namespaced else ", namespaced=False"
        self.write(module, served.kind, schema, f"Resource{keywords}")

    def find_schema(self, served: Served) -> dict[str, Any]:
        group, _, version = served.object_api_version.rpartition("/")
        wanted = {"group": group, "version": version, "kind": served.kind}
        for name, schema in self.schemas.items():
            if wanted in schema.get("x-kubernetes-group-version-kind", ()):
                self.done.add(name)
                return schema
        return CONNECT_SCHEMAS[served.kind]

    def need(self, schema_name: str) -> None:
        if schema_name in self.done:
            return
        self.done.add(schema_name)
        module, name = module_of(schema_name)
        self.write(module, name, self.schemas[schema_name], "Struct")

    def write(self, module: str, name: str, schema: dict[str, Any], bases: str) -> None:
        writer = self.writers.setdefault(module, ClassWriter())
        if name in writer.classes:
            return
        if bases.startswith("Resource"):
            self.imports.setdefault(module, set()).add("resource.Resource")
        writer.resolve = functools.partial(self.resolve, module)
        writer.declare(name, schema, bases)

    def resolve(self, module: str, ref: str) -> str:
        schema_name = ref.rpartition("/")[2]
        if schema_name in SPECIAL:
            return SPECIAL[schema_name]
        if UNION.search(schema_name):
            return "Any"
        schema = self.schemas[schema_name]
        if schema.get("type") != "object":
            return ClassWriter().annotate(schema, "", "").removesuffix(" | None")
        if "properties" not in schema and "additionalProperties" not in schema:
            return "Map[Any]"
        home, name = module_of(schema_name)
        if schema_name not in self.done:
            kind = schema.get("x-kubernetes-group-version-kind")
            served = [
                s
                for s in self.served
                if kind
                and s.kind == kind[0]["kind"]
                and s.object_api_version
                == f"{kind[0]['group']}/{kind[0]['version']}".lstrip("/")
            ]
            if served:
                self.need_kind(served[0])
            else:
                self.need(schema_name)
        if home != module:
            self.imports.setdefault(module, set()).add(f"{home}.{name}")
        return name

    def render(self, module: str, writer: ClassWriter) -> str:
        body = writer.render()
        names = [
            n
            for n in ("List", "Map", "Quantity", "Struct", "Time")
            if re.search(rf"\b{n}\b", code_of(body))
        ]
        imports = []
        if "builtins." in code_of(body):
            imports.append("import builtins\n")
        if re.search(r"\bAny\b", code_of(body)):
            imports.append("from typing import Any\n\n")
        by_home: dict[str, set[str]] = {}
        for entry in self.imports.get(module, ()):
            home, _, name = entry.rpartition(".")
            by_home.setdefault(home, set()).add(name)
        if "ResourceList" in code_of(body):
            by_home.setdefault("resource", set()).add("ResourceList")
        imports += [
            f"from admit.kinds.{home} import {', '.join(sorted(found))}\n"
            for home, found in sorted(by_home.items())
        ]
        if names:
            imports.append(f"from admit.view import {', '.join(names)}\n")
        exported = ", ".join(f'"{name}"' for name in sorted(writer.classes))
        return (
            f'"""Generated by tools/kinds/generate.py from Kubernetes {self.version}: do not edit.\n\n'
            "The descriptions are those of Kubernetes, Apache License 2.0.\n"
            '"""\n\nfrom __future__ import annotations\n\n'
            f"{''.join(imports)}\n__all__ = ({exported},)\n\n\n{body}"
        )

    def preferred(self) -> dict[str, str]:
        kinds: dict[str, str] = {}
        for served in self.served:
            kinds.setdefault(served.kind, module_of_api(served.object_api_version))
        return dict(sorted(kinds.items()))

    def render_index(self) -> str:
        resources = {
            (s.object_api_version, s.kind): (
                s.group,
                s.version,
                s.kind,
                s.plural,
                s.namespaced,
            )
            for s in sorted(self.served, key=lambda s: (s.object_api_version, s.kind))
            if not s.plural.endswith("/scale")
        }
        rows = "".join(f"    {key!r}: {value!r},\n" for key, value in resources.items())
        kinds = "".join(
            f"    {key!r}: {value!r},\n" for key, value in self.preferred().items()
        )
        return (
            f'"""Generated by tools/kinds/generate.py from Kubernetes {self.version}: do not edit."""\n\n'
            "from __future__ import annotations\n\nfrom typing import Final\n\n"
            "# The file of each kind's preferred version.\n"
            f"KINDS: Final[dict[str, str]] = {{\n{kinds}}}\n\n"
            "# By apiVersion and kind: group, version, kind, plural, namespaced.\n"
            f"RESOURCES: Final[dict[tuple[str, str], tuple[str, str, str, str, bool]]] = {{\n{rows}}}\n"
        )

    def stub(self) -> str:
        """Return __init__.pyi: what `from admit import …` gives, for type checkers."""
        sys.path.insert(0, str(ROOT / "src"))
        import admit

        homes = {**admit._HOMES}
        lines = [
            f"from {home} import {name} as {name}"
            for name, home in sorted(homes.items())
        ]
        lines += [
            f"from admit.kinds.{module} import {kind} as {kind}"
            for kind, module in self.preferred().items()
        ]
        return (
            "# Generated by tools/kinds/generate.py: do not edit.\n"
            "from admit._version import __version__ as __version__\n"
            + "\n".join(lines)
            + "\n"
        )


def code_of(body: str) -> str:
    """Return Python without its strings, to see which names it uses."""
    return re.sub(r'"""(?:.|\n)*?"""', "", body)


def parameters(**fields: str) -> dict[str, Any]:
    types = {
        "list": {"type": "array", "items": {"type": "string"}},
        "ints": {"type": "array", "items": {"type": "integer"}},
    }
    return {
        "type": "object",
        "properties": {k: types.get(v, {"type": v}) for k, v in fields.items()},
    }


# What CONNECT carries; only as query parameters in the OpenAPI documents.
# Source: k8s.io/api/core/v1/types.go.
_STREAMS = {
    "container": "string",
    "stdin": "boolean",
    "stdout": "boolean",
    "stderr": "boolean",
    "tty": "boolean",
}
CONNECT_SCHEMAS = {
    "PodExecOptions": parameters(**_STREAMS, command="list"),
    "PodAttachOptions": parameters(**_STREAMS),
    "PodPortForwardOptions": parameters(ports="ints"),
    "PodProxyOptions": parameters(path="string"),
    "ServiceProxyOptions": parameters(path="string"),
    "NodeProxyOptions": parameters(path="string"),
}


def load(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.source:
        return json.loads(Path(arguments.source).read_text())
    with ControlPlane() as cluster:
        return fetch(cluster.client.get)


def format_text(name: str, text: str) -> str:
    """Return a file as `make format` leaves it."""
    for command in (["check", "--select", "I", "--fix-only", "--quiet"], ["format"]):
        run = [sys.executable, "-m", "ruff", *command]
        run += ["--stdin-filename", str(KINDS / name), "-"]
        text = subprocess.run(
            run, input=text, capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
    return text


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--from", dest="source", metavar="FILE", help="documents that --save wrote"
    )
    parser.add_argument("--save", metavar="FILE", help="keep the documents")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a file differs"
    )
    arguments = parser.parse_args()
    documents = load(arguments)
    if arguments.save:
        Path(arguments.save).write_text(json.dumps(documents))
    generator = Generator(documents)
    targets = {
        KINDS / name: format_text(name, text)
        for name, text in generator.files().items()
    }
    targets[STUB] = format_text("__init__.pyi", generator.stub())
    stale = [path for path in KINDS.glob("*_v*.py") if path not in targets]
    changed = [
        p for p, text in targets.items() if not p.exists() or p.read_text() != text
    ]
    if arguments.check:
        for path in [*changed, *stale]:
            print(
                f"{path.relative_to(ROOT)} differs from Kubernetes {generator.version}; run make kinds"
            )
        return 1 if changed or stale else 0
    for path in stale:
        path.unlink()
    for path, text in targets.items():
        path.write_text(text)
    print(f"{len(targets)} files from Kubernetes {generator.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
