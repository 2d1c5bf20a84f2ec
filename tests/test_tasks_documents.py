from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks import documents
from admit._tasks.dialect import dump_yaml, load_yaml
from admit._tasks.documents import read_documents
from admit.errors import ConfigError
from tests.commands import POD, write

if TYPE_CHECKING:
    from pathlib import Path

# What kubectl makes of a bare word; tests/cluster/test_manifests.py asks it.
SCALARS: dict[str, Any] = {
    "y": True,
    "Yes": True,
    "on": True,
    "N": False,
    "off": False,
    "true": True,
    "yEs": "yEs",
    "~": None,
    "null": None,
    "": None,
    "1:30": "1:30",
    "2026-01-01": "2026-01-01",
    "014": 12,
    "0o14": 12,
    "08": 8,
    "0b11": 3,
    "0x1f": 31,
    "-0x10": -16,
    "+5": 5,
    "1_000": 1000,
    "1e3": 1000,
    "1.0": 1,
    "1.": 1,
    ".5": 0.5,
    "1.25": 1.25,
    ".": ".",
    "_1": "_1",
    "=": "=",
    "<<": "<<",
    "!!binary aGk=": "hi",
    "!!str 1": "1",
    '"yes"': "yes",
    "0b2": "0b2",
    "1.2.3": "1.2.3",
    "12e": "12e",
}


def read(text: str | bytes) -> list[dict[str, Any]]:
    data = text.encode() if isinstance(text, str) else text
    return [d.content for d in read_documents(["-"], stdin=io.BytesIO(data))]


@pytest.mark.parametrize(("word", "value"), SCALARS.items())
def test_a_bare_word_means_what_kubectl_makes_of_it(word: str, value: Any) -> None:
    found = read(f"apiVersion: v1\nkind: A\nx: {word}\n")[0]["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("word", [w for w, v in SCALARS.items() if isinstance(v, str)])
def test_a_written_string_is_read_as_that_string(word: str) -> None:
    assert [value for _, value in load_yaml(dump_yaml([word]))] == [word]


@pytest.mark.parametrize(
    ("key", "name"), [("y", "true"), ("1", "1"), ("1.5", "1.5"), ("014", "12")]
)
def test_keys_become_strings(key: str, name: str) -> None:
    content = read(f"apiVersion: v1\nkind: A\nx: {{{key}: z}}\n")[0]
    assert content["x"] == {name: "z"}


def test_numbers_beyond_64_bits_are_floats_as_in_go() -> None:
    text = '{"kind": "A", "apiVersion": "v1", "x": 99999999999999999999}'
    assert isinstance(read(text)[0]["x"], float)


def test_documents_lists_and_lists_of_a_kind_are_taken_apart(tmp_path: Path) -> None:
    write(
        tmp_path / "all.yaml",
        """
        # nothing yet
        ---
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Pod, metadata: {name: a}}
        - {apiVersion: v1, kind: PodList, items: [{metadata: {name: b}}]}
        ---
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: c}
        """,
    )
    found = read_documents([str(tmp_path / "all.yaml")])
    assert [d.content["metadata"]["name"] for d in found] == ["a", "b", "c"]
    assert [d.content["kind"] for d in found] == ["Pod"] * 3
    file = tmp_path / "all.yaml"
    assert [d.place for d in found] == [
        f"{file}:3 items[0]",
        f"{file}:3 items[1] items[0]",
        f"{file}:10",
    ]


def test_json_may_hold_several_values(tmp_path: Path) -> None:
    one = json.dumps({"apiVersion": "v1", "kind": "A"})
    file = write(tmp_path / "a.json", f"\n{one}\n\n{one}\n{{kind: B}}")
    with pytest.raises(ConfigError, match="not JSON"):
        read_documents([str(file)])
    assert len(read(f"{one}\n\n  {one}\n")) == 2


def test_a_flow_mapping_that_is_no_json_is_yaml() -> None:
    assert read("{kind: A, apiVersion: v1}") == [{"kind": "A", "apiVersion": "v1"}]


def test_aliases_and_merge_keys_are_written_out() -> None:
    content = read("apiVersion: v1\nkind: A\nb: &b {u: 1}\nc: {<<: *b, v: 2}\n")[0]
    assert content["c"] == {"u": 1, "v": 2}


def test_many_brackets_are_no_deep_nesting() -> None:
    content = read(f"apiVersion: v1\nkind: A\nx: [{', '.join(['[]'] * 1000)}]\n")[0]
    assert len(content["x"]) == 1000


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b"\xef\xbb\xbfkind: A\napiVersion: v1")[0]["kind"] == "A"


def test_of_a_folder_yaml_and_json_files_count(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "README.md", "sub/c.json"):
        text = POD if not name.endswith("json") else '{"kind":"A","apiVersion":"v1"}'
        write(tmp_path / name, text)
    flat = read_documents([str(tmp_path)])
    assert [d.source for d in flat] == [
        str(tmp_path / "a.yaml"),
        str(tmp_path / "b.yml"),
    ]
    deep = read_documents([str(tmp_path)], recursive=True)
    assert deep[-1].source == str(tmp_path / "sub/c.json")


BOMB = (
    "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
        for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    + "kind: A\napiVersion: v1\n"
)

WRONG: list[tuple[str | bytes, str, str]] = [
    ("kind: A\napiVersion: v1\nx: {a: 1\n", "STDIN:4:1", "not YAML"),
    ("kind: A\n\tapiVersion: v1\n", "STDIN:2:1", "tab"),
    ("kind: A\napiVersion: v1\nx: !foo y\n", "STDIN:3:4", "not YAML"),
    ("kind: A\napiVersion: v1\nx: !!python/name:os.system\n", "STDIN:3:4", "not YAML"),
    ("kind: A\napiVersion: v1\nx: !!int y\n", "STDIN:1", "not YAML"),
    ("kind: A\napiVersion: v1\nx: !!timestamp 2026-01-01\n", "STDIN:1", "no date"),
    ("kind: A\napiVersion: v1\nx: .inf\n", "STDIN:1", "no inf"),
    ("kind: A\napiVersion: v1\n? [a]\n: b\n", "STDIN:3:3", "unhashable"),
    ("kind: A\napiVersion: v1\n~: b\n", "STDIN:1", "cannot be a key"),
    (b"kind: A\n\x00", "STDIN:1", "control characters"),
    (b"kind: A\nx: \xff", "STDIN:2", "UTF-8"),
    ('{"kind": "A", "apiVersion": "v1", "x": NaN}', "STDIN:1", "no nan"),
    ('{"kind": "A", "apiVersion": "v1", "x": 1e999}', "STDIN:1", "no inf"),
    ('{"kind": "A", "apiVersion": "v1", "x": "\\ud800"}', "STDIN:1", "UTF-8"),
    ('{"kind": "A"', "STDIN:1:13", "not JSON"),
    ("- a\n- b\n", "STDIN:1", "expected an object, got a list"),
    ("hello\n", "STDIN:1", "expected an object, got text"),
    ("apiVersion: v1\n", "STDIN:1", "no kind"),
    ("kind: A\n", "STDIN:1", "no apiVersion"),
    ("kind: 3\napiVersion: v1\n", "STDIN:1", "no kind"),
    ("kind: List\napiVersion: v1\nitems: [3]\n", "STDIN:1", "got a number"),
    ("kind: List\napiVersion: v1\nitems: [{a: 1}]\n", "STDIN:1 items[0]", "no kind"),
    ("[" * 100_000, "STDIN", "nested too deeply"),
    ("- " * 100_000, "STDIN", "nested too deeply"),
    ('{"a":' * 100_000, "STDIN", "nested too deeply"),
    ("a: &a [*a]\n", "STDIN", "nested too deeply"),
    (BOMB, "STDIN:1", "more than 2000000 values"),
]


@pytest.mark.parametrize(("text", "place", "says"), WRONG)
def test_what_is_no_manifest_is_refused_with_its_place(
    text: str | bytes, place: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.place == place
    assert says in caught.value.message


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        read(b" " * (documents.FILE_LIMIT_BYTES + 1))


def test_missing_files_and_empty_places_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_documents([str(tmp_path / "none.yaml")])
    with pytest.raises(ConfigError, match=r"no \.json"):
        read_documents([str(tmp_path)])
    with pytest.raises(ConfigError, match="no objects in -"):
        read("# nothing\n")
