from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from admit._tasks.kinds import write_kinds
from admit.testing import wait_until
from tests.scripts import import_script

if TYPE_CHECKING:
    import pytest

    from admit.testing import ControlPlane


GADGET = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.kinds.example.com"},
    "spec": {
        "group": "kinds.example.com",
        "scope": "Cluster",
        "names": {"plural": "gadgets", "kind": "Gadget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "size": {"type": "integer"},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


def test_the_generated_files_are_those_of_this_api_server(
    cluster: ControlPlane,
) -> None:
    generator = import_script("kinds", "generate")
    version, wanted = generator.generate(cluster.client.get)
    differences = generator.find_differences(wanted)
    assert not differences, f"run make kinds: they differ from Kubernetes {version}"


def test_what_somebody_installed_is_no_built_in_kind(cluster: ControlPlane) -> None:
    generator = import_script("kinds", "generate")
    client = cluster.client
    crd = client.create(GADGET)
    path = "/openapi/v3/apis/kinds.example.com/v1"
    wait_until(
        lambda: client.send("GET", path).code == 200, what="its OpenAPI document"
    )
    documents = generator.read_documents(client.get)
    client.delete(crd)
    assert "Deployment" in {type_.kind for type_ in documents.types}
    assert "Gadget" not in {type_.kind for type_ in documents.types}


def test_documents_that_were_saved_give_the_same_files(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    generator = import_script("kinds", "generate")
    live = generator.generate(generator.saving(cluster.client.get, tmp_path))
    assert generator.generate(generator.from_folder(tmp_path)) == live


def test_a_crd_as_the_api_server_stores_it_becomes_a_class_for_its_objects(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cluster.client
    crd = client.create(GADGET)
    gadget = {
        "apiVersion": "kinds.example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "a"},
        "spec": {"size": 3, "port": "http"},
    }
    wait_until(
        lambda: client.send("GET", "/apis/kinds.example.com/v1/gadgets").code == 200,
        what="the API server to serve gadgets",
    )
    stored = client.create(gadget)
    file = tmp_path / "crd.json"
    file.write_text(json.dumps(client.get(crd)))
    client.delete(crd)
    (tmp_path / "gadget_kinds.py").write_text(write_kinds([str(file)]).text)
    monkeypatch.syspath_prepend(str(tmp_path))
    gadgets: Any = importlib.import_module("gadget_kinds")
    view = gadgets.Gadget(stored)
    assert not gadgets.Gadget.__resource__.namespaced
    assert view.metadata.uid
    assert (view.spec.size, view.spec.port) == (3, "http")
