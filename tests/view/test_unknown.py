from __future__ import annotations

from typing import Any

import pytest

from admit.kinds import get_kind
from admit.view.unknown import find_unknown_fields


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}}}, []),
        ({"spec": {"contianers": []}}, [("spec.contianers", "containers")]),
        (
            {"spec": {"containers": [{}, {"imagee": "a", "zzzzz": 1}]}},
            [
                ("spec.containers[1].imagee", "image"),
                ("spec.containers[1].zzzzz", None),
            ],
        ),
        ({"spec": 3, "metadata": []}, []),
        ({"spec": {"containers": {"imagee": 1}}}, []),
        ({"metadata": {"managedFields": [{"fieldsV1": {"f:x": {}}}]}}, []),
        ({"metadat": {}}, [("metadat", "metadata")]),
    ],
)
def test_what_a_kind_does_not_have_is_found_with_the_nearest_field(
    document: dict[str, Any], found: list[tuple[str, str | None]]
) -> None:
    assert list(find_unknown_fields(get_kind("Pod"), document)) == found


def test_a_crds_schema_holds_what_its_kind_declares() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "x", "not": {}}}}
    crd = {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}
    assert list(find_unknown_fields(get_kind("CustomResourceDefinition"), crd)) == []
