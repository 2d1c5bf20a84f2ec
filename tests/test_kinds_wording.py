from __future__ import annotations

import ast
from types import new_class

import pytest

from admit.kinds.wording import (
    describe,
    first_sentence,
    to_class_name,
    to_field_name,
    to_singular,
)
from admit.view import Struct
from admit.view.struct import own_fields


@pytest.mark.parametrize(
    ("key", "attribute"),
    [
        ("replicas", "replicas"),
        ("type", "type"),
        ("from", "from_"),
        ("not", "not_"),
        ("None", "None_"),
        ("$ref", "ref_"),
        ("$schema", "schema_"),
        ("x-kubernetes-map-type", "x_kubernetes_map_type"),
        ("x-kubernetes-odd_one", None),
        ("x_kubernetes_map_type", None),
        ("with-hyphen", None),
        ("with space", None),
        ("1st", None),
        ("", None),
        ("_private", None),
        ("trailing_", None),
        ("größe", None),
        ("ﬁ", None),
    ],
)
def test_json_names_become_attributes(key: str, attribute: str | None) -> None:
    assert to_field_name(key) == attribute
    if attribute is not None:
        body = {"__annotations__": {attribute: "str | None"}}
        fields = own_fields(
            new_class("Holder", (Struct,), None, lambda ns: ns.update(body))
        )
        assert fields[attribute].json_name == key


@pytest.mark.parametrize(
    ("text", "name"),
    [("CronTab", "CronTab"), ("My-Kind", "MyKind"), ("from_", "From"), ("a_b", "AB")],
)
def test_kinds_and_fields_become_names_of_classes(text: str, name: str) -> None:
    assert to_class_name(text) == name


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("steps", "step"),
        ("policies", "policy"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("databases", "database"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("access", "access"),
        ("env", "env"),
        ("ties", "tie"),
    ],
)
def test_what_one_element_is_called(several: str, one: str) -> None:
    assert to_singular(several) == one


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("One thing. Another thing.", "One thing."),
        ("No dot at the end", "No dot at the end"),
        ('List of "names" e.g. These. More.', 'List of "names" e.g. These.'),
        ("Deprecated. Use another. It is gone.", "Deprecated. Use another."),
        ("Of v1.2 or newer. More.", "Of v1.2 or newer."),
        ("Over\ntwo lines.\nMore.", "Over two lines."),
        ("The policy:\n- one\n- two", "The policy:"),
        ("First\n\nSecond.", "First"),
        ("How.\n\nPossible enum values:\n - `A`", "How."),
        ("Bare\nPossible enum values: x", "Bare"),
    ],
)
def test_the_first_sentence_says_most(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def test_an_essay_is_cut_between_words() -> None:
    cut = first_sentence("words " * 1000)
    assert len(cut) <= 404
    assert cut.endswith("words ...")


def test_the_values_of_an_enumeration_are_told() -> None:
    schema = {"description": "How to run.", "enum": ["Allow", "", 3]}
    assert describe(schema) == ['    """How to run. One of: Allow, \'\', 3."""']
    assert describe({"enum": ["A"]}) == ['    """One of: A."""']
    assert describe({}) == []


@pytest.mark.parametrize(
    "text",
    [
        'It is "quoted"',
        '"""',
        'a"""\nimport os\n"""',
        "back\\slash",
        "ends with a backslash\\",
        "\\N{nothing}",
        "nul \x00 and \x1b[31m and \u2028 and \udcff",
        "'''",
    ],
)
def test_a_description_is_a_docstring_and_nothing_else(text: str) -> None:
    (line,) = describe({"description": text})
    (node,) = ast.parse(line.strip()).body
    assert isinstance(node, ast.Expr)
    assert isinstance(node.value, ast.Constant)
    assert line.isprintable()


def test_long_descriptions_are_wrapped() -> None:
    lines = describe({"description": "word " * 40})
    assert len(lines) > 1
    assert all(line.startswith("    ") and len(line) <= 88 for line in lines)
