from __future__ import annotations

import contextlib
import io
import json
import sys
from types import ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from admit._tasks.kinds import write_kinds
from admit.errors import ConfigError
from admit.kinds import check_kind
from admit.view import Struct, raw

KEYS = st.one_of(
    st.sampled_from(
        [
            "from",
            "None",
            "bool",
            "int",
            "List",
            "Any",
            "kind",
            "$ref",
            "a-b",
            "x_",
            "spec",
        ]
    ),
    st.text(max_size=8),
)
TYPES = st.sampled_from(
    ["string", "integer", "number", "boolean", "object", "array", ""]
)
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES,
        "description": st.text(max_size=40),
        "enum": st.lists(st.text(max_size=5), max_size=3),
        "format": st.sampled_from(["date-time", "byte"]),
        "x-kubernetes-int-or-string": st.booleans(),
        "x-kubernetes-embedded-resource": st.booleans(),
        "x-kubernetes-preserve-unknown-fields": st.booleans(),
    },
)


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(KEYS, inner, max_size=4),
            "items": inner,
            "additionalProperties": inner | st.booleans(),
            "allOf": st.lists(inner, max_size=2),
        },
    )
    return st.builds(lambda details, more: {**details, **more}, DETAILS, parts)


SCHEMAS = st.recursive(DETAILS, nest, max_leaves=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=10,
)


def make_crd(kind: str, schema: Any) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": "things"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"group": "example.com", "names": names, "versions": [version]},
    }


def write(crd: dict[str, Any]) -> str:
    data = json.dumps(crd).encode()
    return write_kinds(["-"], stdin=io.BytesIO(data)).text


@settings(max_examples=300, deadline=None)
@given(SCHEMAS)
def test_any_schema_becomes_classes_whose_every_field_can_be_read(schema: Any) -> None:
    module = ModuleType("things_of_a_test")
    sys.modules[module.__name__] = module
    try:
        exec(compile(write(make_crd("Thing", schema)), "things", "exec"), vars(module))
        kind = module.Thing
        check_kind(kind)
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Struct):
                view = found({})
                for name in dir(view):
                    assert not raw(getattr(view, name))
    finally:
        del sys.modules[module.__name__]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_to_a_crd_is_the_operators_error_or_none(
    data: st.DataObject,
) -> None:
    crd = make_crd("Thing", data.draw(SCHEMAS))
    place: Any = crd
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    with contextlib.suppress(ConfigError):
        compile(write(crd), "things", "exec")
