"""Pointers, operations, and the API server's dialect of JSON Patch."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest

from admit import patch
from admit.errors import PatchError, ReviewError
from admit.patch import Operation, apply, check_portable, decode, encode, join, same

MISSING = "missing value"
DOCUMENT: dict[str, Any] = {"a": 1, "l": [1, 2, 3], "m": None, "o": {"p": "é", "n": []}}


def operation(text: str) -> Operation:
    """Read ``add /a/b = 1`` or ``move /a -> /b``; the value is Python, or absent."""
    verb: Any
    verb, _, rest = text.partition(" ")
    if "->" in rest:
        source, _, path = rest.partition("->")
        return Operation(verb, path.strip(), from_=source.strip())
    path, equals, value = rest.partition("=")
    if not equals:
        return Operation(verb, path.strip())
    return Operation(verb, path.strip(), eval(value))


def changed(**members: Any) -> dict[str, Any]:
    return {**DOCUMENT, **members}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in DOCUMENT.items() if name != key}


# What applies: (operation, what DOCUMENT becomes). Each row was seen to do the same in
# the library that the API server uses.
APPLIES = [
    ("add /b = 2", changed(b=2)),
    ("add /a = None", changed(a=None)),
    ("add /a", changed(a=None)),
    ("add /o/q = [1]", changed(o={"p": "é", "n": [], "q": [1]})),
    ("add /l/0 = 0", changed(l=[0, 1, 2, 3])),
    ("add /l/3 = 4", changed(l=[1, 2, 3, 4])),
    ("add /l/- = 4", changed(l=[1, 2, 3, 4])),
    ("add /l/-1 = 4", changed(l=[1, 2, 3, 4])),
    ("add /l/-4 = 0", changed(l=[0, 1, 2, 3])),
    ("add /l/01 = 0", changed(l=[1, 0, 2, 3])),
    ("add /l/+1 = 0", changed(l=[1, 0, 2, 3])),
    ("add zz/b = 2", changed(b=2)),
    ("add /o/ = 2", changed(o={"p": "é", "n": [], "": 2})),
    ("remove /a", without("a")),
    ("remove /l/-1", changed(l=[1, 2])),
    ("remove /l/-3", changed(l=[2, 3])),
    ("replace  = {'x': 1}", {"x": 1}),
    ("replace  = [1]", [1]),
    ("replace /q = 1", changed(q=1)),
    ("replace /a", changed(a=None)),
    ("replace /l/-1 = 9", changed(l=[1, 2, 9])),
    ("replace /l/01 = 9", changed(l=[1, 9, 3])),
    ("move /a -> /l/-", {**without("a"), "l": [1, 2, 3, 1]}),
    ("move /l/0 -> /l/2", changed(l=[2, 3, 1])),
    ("copy /a -> /b", changed(b=1)),
    ("copy /q -> /b", changed(b=None)),
    ("copy /m -> /b", changed(b=None)),
    ("copy /o -> /o/n/0", changed(o={"p": "é", "n": [{"p": "é", "n": []}]})),
    ("test  = {'a': 1, 'l': [1, 2, 3], 'm': None, 'o': {'p': 'é', 'n': []}}", DOCUMENT),
    ("test /a = 1", DOCUMENT),
    ("test /m = None", DOCUMENT),
    ("test /q = None", DOCUMENT),
    ("test /q", DOCUMENT),
    ("test /l = [1, 2, 3]", DOCUMENT),
    ("test /o = {'n': [], 'p': 'é'}", DOCUMENT),
]


@pytest.mark.parametrize(("text", "expected"), APPLIES)
def test_an_operation_does_what_it_does_in_the_api_server(
    text: str, expected: Any
) -> None:
    before = copy.deepcopy(DOCUMENT)
    assert same(apply(DOCUMENT, [operation(text)]), expected)
    assert same(DOCUMENT, before)


# What does not apply: (operation, the message of the API server).
MISFITS = [
    ("add  = 1", f'add operation does not apply: doc is missing path: "": {MISSING}'),
    ("add b = 1", f'add operation does not apply: doc is missing path: "b": {MISSING}'),
    *(
        (f"add {path} = 1", f'add operation does not apply: doc is missing path: "{path}": {MISSING}')
        for path in ("/m/b", "/a/b", "/q/r", "/l/x/b", "/l/3/b", "/l/0/b")
    ),
    ("add /l/4 = 1", "error in add for path: '/l/4': Unable to access invalid index: 4: invalid index referenced"),
    ("add /l/-5 = 1", "error in add for path: '/l/-5': Unable to access invalid index: -5: invalid index referenced"),
    ("add /l/x = 1", "error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax"),
    ("add /l/1_0 = 1", "error in add for path: '/l/1_0': value was not a proper array index: '1_0': strconv.Atoi: parsing \"1_0\": invalid syntax"),
    ("add /l/9223372036854775808 = 1", "error in add for path: '/l/9223372036854775808': value was not a proper array index: '9223372036854775808': strconv.Atoi: parsing \"9223372036854775808\": value out of range"),
    ("remove ", f'remove operation does not apply: doc is missing path: "": {MISSING}'),
    ("remove /q", f"error in remove for path: '/q': Unable to remove nonexistent key: q: {MISSING}"),
    ("remove /q/r", f'remove operation does not apply: doc is missing path: "/q/r": {MISSING}'),
    ("remove /l/3", "error in remove for path: '/l/3': Unable to access invalid index: 3: invalid index referenced"),
    ("remove /l/-", "error in remove for path: '/l/-': strconv.Atoi: parsing \"-\": invalid syntax"),
    ("replace  = None", "replace operation value must be object or array: %!w(<nil>)"),
    ("replace  = 'x'", "replace operation value must be object or array: %!w(<nil>)"),
    ("replace ", "the API server panics: replace of '' has no value"),
    ("replace /m/q = 1", f"replace operation does not apply: doc is missing path: /m/q: {MISSING}"),
    ("replace /l/- = 1", f"replace operation does not apply: doc is missing key: /l/-: {MISSING}"),
    ("replace /l/3 = 1", f"replace operation does not apply: doc is missing key: /l/3: {MISSING}"),
    ("move /q -> /b", f"error in move for path: 'q': Unable to remove nonexistent key: q: {MISSING}"),
    ("move /q/r -> /b", f"move operation does not apply: doc is missing from path: /q/r: {MISSING}"),
    ("move /a -> /q/r", f"move operation does not apply: doc is missing destination path: /q/r: {MISSING}"),
    ("move /o -> /o/p", f"move operation does not apply: doc is missing destination path: /o/p: {MISSING}"),
    ("move /a -> /l/9", "error in move for path: '/l/9': Unable to access invalid index: 9: invalid index referenced"),
    ("move /a", f"move operation failed to decode from: operation, missing from field: {MISSING}"),
    ("copy /q/r -> /b", f"copy operation does not apply: doc is missing from path: /q/r: {MISSING}"),
    ("copy /l/3 -> /b", "error in copy for from: '/l/3': Unable to access invalid index: 3: invalid index referenced"),
    ("copy /a -> /q/r", f"copy operation does not apply: doc is missing destination path: /q/r: {MISSING}"),
    ("copy /a -> /l/9", "error while adding value during copy: Unable to access invalid index: 9: invalid index referenced"),
    ("copy /a", f"copy operation failed to decode from: operation, missing from field: {MISSING}"),
    ("test /a = 2", "testing value /a failed: test failed"),
    ("test /a", "testing value /a failed: test failed"),
    ("test /a = {}", "testing value /a failed: test failed"),
    ("TEST /a = 1", "Unexpected kind: TEST"),
    ("test  = None", "testing value  failed: test failed"),
    ("test ", "the API server panics: test of '' has no value"),
    ("test /l = [1, 2]", "testing value /l failed: test failed"),
    ("test /l = [1, 2, None]", "the API server panics: test of an array that holds null"),
    ("test /l/3 = 1", "error in test for path: '/l/3': Unable to access invalid index: 3: invalid index referenced"),
    ("test /q/r = 1", f"test operation does not apply: is missing path: /q/r: {MISSING}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISFITS)
def test_an_operation_that_does_not_fit_is_refused_in_the_api_servers_words(
    text: str, message: str
) -> None:
    before = copy.deepcopy(DOCUMENT)
    with pytest.raises(PatchError) as caught:
        apply(DOCUMENT, [Operation("add", "/new", 1), operation(text)])
    assert caught.value.message == message
    assert caught.value.index == 1
    assert caught.value.pointer == operation(text).path
    assert same(DOCUMENT, before), "all operations apply or none"


# (value in the document, value of the test, whether they are the same bytes)
TESTS = [
    (1, 1, True),
    (1, 1.0, False),
    (1.5, 1.5, True),
    (True, 1, False),
    (0, False, False),
    ([1], [1.0], False),
    ({"k": [{"n": 1}]}, {"k": [{"n": 1}]}, True),
    ({"k": 1}, {"k": True}, False),
    ({"k": None}, {"k": None}, True),
    ({"k": None}, {}, False),
    ("é", "é", True),
    ("\u007f\n", "\u007f\n", True),
    ("<", "<", False),
    (">", ">", False),
    ("&", "&", False),
    ("\u2028", "\u2028", False),
    ({"k": ["a&b"]}, {"k": ["a&b"]}, False),
    ({"&": 1}, {"&": 1}, True),
    (10**30, 10**30, True),
    ("", None, False),
    ([], {}, False),
]


@pytest.mark.parametrize(("found", "expected", "passes"), TESTS)
def test_a_test_compares_bytes(found: Any, expected: Any, *, passes: bool) -> None:
    operations = [Operation("test", "/v", expected)]
    if passes:
        assert apply({"v": found}, operations) == {"v": found}
    else:
        with pytest.raises(PatchError, match="testing value /v failed"):
            apply({"v": found}, operations)


@pytest.mark.parametrize(("found", "expected"), [([None], [None]), ([None], [1])])
def test_a_test_of_an_array_that_holds_null_says_that_the_api_server_panics(
    found: Any, expected: Any
) -> None:
    with pytest.raises(PatchError, match="panics"):
        apply({"v": found}, [Operation("test", "/v", expected)])


def test_what_is_not_on_the_path_is_shared_and_what_is_gets_copied() -> None:
    document: dict[str, Any] = {
        "on": {"way": [{"x": 1}, {"y": 1}]},
        "off": {"z": [1]},
    }
    result = apply(document, [Operation("add", "/on/way/0/new", 1)])
    assert result["off"] is document["off"]
    assert result["on"]["way"][1] is document["on"]["way"][1]
    assert result["on"]["way"][0] == {"x": 1, "new": 1}
    assert document == {"on": {"way": [{"x": 1}, {"y": 1}]}, "off": {"z": [1]}}


class Counted(list[int]):
    """An array that counts its copies."""

    copies = 0

    def copy(self) -> Counted:
        Counted.copies += 1
        return Counted(self)


def test_what_is_written_to_again_and_again_is_copied_once() -> None:
    operations = [Operation("add", "/l/-", n) for n in range(100)]
    assert len(apply({"l": Counted()}, operations)["l"]) == 100
    assert Counted.copies == 1


def test_reading_operations_copy_nothing() -> None:
    document = {"a": {"b": [1]}}
    assert apply(document, [Operation("test", "/a/b", [1])]) is document
    assert apply(document, []) is document


def test_the_value_of_an_operation_is_not_changed_by_a_later_one() -> None:
    value: dict[str, Any] = {"inner": []}
    operations = [
        Operation("add", "/a", value),
        Operation("add", "/b", value),
        Operation("add", "/a/inner/0", 1),
        Operation("replace", "", {"r": value}),
        Operation("add", "/r/inner/0", 2),
    ]
    assert apply({}, operations[:3]) == {"a": {"inner": [1]}, "b": {"inner": []}}
    assert apply({}, operations) == {"r": {"inner": [2]}}
    assert value == {"inner": []}


def test_a_copy_is_a_value_of_its_own() -> None:
    operations = [
        Operation("add", "/a/x", 1),
        Operation("copy", "/b", from_="/a"),
        Operation("add", "/b/y", 1),
        Operation("add", "/a/z", 1),
    ]
    assert apply({"a": {}}, operations) == {
        "a": {"x": 1, "z": 1},
        "b": {"x": 1, "y": 1},
    }


COPY_LIMIT_BYTES = 3 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "copies", "fits"),
    [
        ("x" * (COPY_LIMIT_BYTES - 2), 1, True),
        ("x" * (COPY_LIMIT_BYTES - 1), 1, False),
        ("x" * (COPY_LIMIT_BYTES // 2 - 2), 2, True),
        ("x" * (COPY_LIMIT_BYTES // 2 - 1), 2, False),
        # Go writes these as six bytes each.
        ("<" * (COPY_LIMIT_BYTES // 6 - 1), 1, True),
        ("<" * (COPY_LIMIT_BYTES // 6), 1, False),
        ("\u2028" * (COPY_LIMIT_BYTES // 6), 1, False),
    ],
    ids=range(7),
)
def test_what_copies_add_is_bounded(text: str, copies: int, *, fits: bool) -> None:
    operations = [Operation("copy", f"/{n}", from_="/a") for n in range(copies)]
    if fits:
        assert len(apply({"a": text}, operations)) == 1 + copies
    else:
        with pytest.raises(PatchError, match="exceeding the limit 3145728"):
            apply({"a": text}, operations)


def test_a_copy_of_null_counts_nothing() -> None:
    operations = [Operation("copy", f"/{n}", from_="/q") for n in range(10)]
    text = "x" * (COPY_LIMIT_BYTES - 2)
    whole = [*operations, Operation("copy", "/b", from_="/a")]
    assert len(apply({"a": text}, whole)) == 12


# (parts, pointer): read in both directions.
POINTERS = [
    ((), ""),
    (("a",), "/a"),
    (("",), "/"),
    (("a/b", "m~n"), "/a~1b/m~0n"),
    (("~1", "/~"), "/~01/~1~0"),
    (
        ("metadata", "annotations", "example.com/x"),
        "/metadata/annotations/example.com~1x",
    ),
    (("é", " ", '"'), '/é/ /"'),
    (("", ""), "//"),
]


@pytest.mark.parametrize(("parts", "pointer"), POINTERS)
def test_a_pointer_is_written_and_read(parts: tuple[str, ...], pointer: str) -> None:
    assert join(parts) == pointer
    assert patch.split(pointer) == parts


def test_an_index_is_a_part_of_a_pointer() -> None:
    assert join(("spec", "containers", 0)) == "/spec/containers/0"


def test_a_pointer_starts_with_a_slash() -> None:
    with pytest.raises(ValueError, match="'a/b' is no JSON pointer"):
        patch.split("a/b")


# (bytes, operations): read in both directions.
CODEC = [
    (b"[]", ()),
    (b'[{"op":"add","path":"/a","value":1}]', (Operation("add", "/a", 1),)),
    (b'[{"op":"add","path":"/a","value":null}]', (Operation("add", "/a", None),)),
    (b'[{"op":"remove","path":"/a~1b"}]', (Operation("remove", "/a~1b"),)),
    (
        b'[{"op":"move","path":"/a","from":"/b"},{"op":"test","path":"","value":{}}]',
        (Operation("move", "/a", from_="/b"), Operation("test", "", {})),
    ),
    (
        '[{"op":"replace","path":"/é","value":"<\u2028"}]'.encode(),
        (Operation("replace", "/é", "<\u2028"),),
    ),
]


@pytest.mark.parametrize(("data", "operations"), CODEC)
def test_a_patch_is_read_and_written(
    data: bytes, operations: tuple[Operation, ...]
) -> None:
    assert decode(data) == operations
    assert encode(operations) == data


def test_null_is_a_patch_of_no_operations() -> None:
    assert decode(b"null") == ()


def test_members_that_no_operation_has_are_ignored() -> None:
    data = b'[{"op":"remove","path":"/a","comment":"x"}]'
    assert decode(data) == (Operation("remove", "/a"),)


# (bytes, place of the error)
UNREADABLE = [
    (b'{"op":"add"}', "patch"),
    (b"", "patch"),
    (b"[", "patch"),
    (b'[{"op":"add","path":"/a","value":"\xff"}]', "patch"),
    (b'[{"op":"add","path":"/a","value":NaN}]', "patch"),
    (b'[{"op":"add","path":"/a","value":' + b"[" * 100_000, "patch"),
    (b"[null]", "patch[0]"),
    (b'[{"op":"add","path":"/a"},{"op":"add"}]', "patch[1]"),
    (b'[{"path":"/a"}]', "patch[0]"),
    (b'[{"op":"ADD","path":"/a"}]', "patch[0].op"),
    (b'[{"op":"patch","path":"/a"}]', "patch[0].op"),
    (b'[{"op":"add","path":1}]', "patch[0].path"),
    (b'[{"op":"move","path":"/a","from":null}]', "patch[0].from"),
]


@pytest.mark.parametrize(("data", "place"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_bytes_that_are_no_patch_are_refused_with_their_place(
    data: bytes, place: str
) -> None:
    with pytest.raises(ReviewError) as caught:
        decode(data)
    assert caught.value.place == place
    assert caught.value.message


# (one, other, whether they are the same JSON)
SAME = [
    (1, 1, True),
    (1, 1.0, False),
    (1, True, False),
    (None, False, False),
    ("1", 1, False),
    ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, True),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
    ({"a": 1}, {"a": 1.0}, False),
    ({"a": None}, {}, False),
    ([1, 2], [1], False),
    ([], {}, False),
]


@pytest.mark.parametrize(("one", "other", "expected"), SAME)
def test_sameness_looks_at_types(one: Any, other: Any, *, expected: bool) -> None:
    assert same(one, other) is expected
    assert same(other, one) is expected


# (operation on DOCUMENT, what the two readers of it disagree on; None: nothing)
PORTABLE = [
    ("add /b = 1", None),
    ("add /o/q = 1", None),
    ("add /l/3 = 1", None),
    ("add /l/0 = 1", None),
    ("remove /l/2", None),
    ("replace /a = None", None),
    ("add /l/- = 1", "the index is read differently"),
    ("add /l/-1 = 1", "the index is read differently"),
    ("add /l/01 = 1", "the index is read differently"),
    ("remove /l/+1", "the index is read differently"),
    ("replace /q = 1", "replace of a key that is not there"),
    ("replace  = {}", "the root is read differently"),
    ("add zz/b = 1", "the root is read differently"),
    ("add /b~ = 1", "the escape is read differently"),
    ("add /b~2 = 1", "the escape is read differently"),
    ("add /b~01 = 1", None),
    ("add /b", "a value that is missing, or too much"),
    ("remove /a = 1", "a value that is missing, or too much"),
    ("test /a = 1", "test is read differently"),
    ("copy /a -> /b", "copy is read differently"),
]


@pytest.mark.parametrize(("text", "difference"), PORTABLE)
def test_what_the_rfc_and_the_api_server_read_differently_is_found(
    text: str, difference: str | None
) -> None:
    found = check_portable(DOCUMENT, [Operation("add", "/new", 1), operation(text)])
    expected = [] if difference is None else [(difference, 1)]
    assert [(error.message, error.index) for error in found] == expected


def test_an_index_on_the_way_is_read_differently_too() -> None:
    document = {"l": [{"a": 1}, {"a": 1}]}
    (found,) = check_portable(document, [Operation("remove", "/l/-1/a")])
    assert found.message == "the index is read differently"
    assert check_portable(document, [Operation("remove", "/l/1/a")]) == ()


def test_a_patch_that_does_not_apply_is_not_portable_either() -> None:
    operations = [Operation("add", "/b", 1), Operation("remove", "/q/r")]
    with pytest.raises(PatchError, match="missing path") as caught:
        check_portable(DOCUMENT, operations)
    assert (caught.value.index, caught.value.pointer) == (1, "/q/r")


def test_an_index_of_many_digits_is_no_work() -> None:
    digits = "9" * (sys.get_int_max_str_digits() + 1)
    with pytest.raises(PatchError, match="value out of range"):
        apply([1], [Operation("remove", f"/{digits}")])
    with pytest.raises(PatchError, match="value out of range"):
        apply([1], [Operation("remove", "/-9223372036854775809")])
    zeros = "0" * (sys.get_int_max_str_digits() + 1)
    assert apply([1], [Operation("remove", f"/{zeros}")]) == []


def test_the_modules_names_are_those_it_promises() -> None:
    assert all(hasattr(patch, name) for name in patch.__all__)
