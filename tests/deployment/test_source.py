from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admit.deployment import CONFIG_MAP_LIMIT_BYTES, read_source
from admit.errors import ConfigError
from tests.commands import write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_served_as_a_file_with_what_it_imports(tmp_path: Path) -> None:
    files = [write(tmp_path / name, f"# {name}\n") for name in ("b.py", "a.py")]
    source = read_source(str(tmp_path / "a.py"), files, in_image=False)
    assert source.argument == "/policies/a.py"
    assert list(source.data.items()) == [("a.py", "# a.py\n"), ("b.py", "# b.py\n")]
    assert source.paths == {}
    assert source.size_bytes == 14


def test_a_folder_is_served_as_a_folder_packages_included(tmp_path: Path) -> None:
    files = [
        write(tmp_path / name, "") for name in ("a.py", "lib/__init__.py", "lib/b.py")
    ]
    source = read_source(str(tmp_path), files, in_image=False)
    assert source.argument == "/policies"
    assert source.paths == {
        "a.py": "a.py",
        "lib.__init__.py": "lib/__init__.py",
        "lib.b.py": "lib/b.py",
    }
    assert sorted(source.data) == sorted(source.paths)


def test_newlines_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"# \xc3\xa9\r\n")
    assert read_source(str(file), [file], in_image=False).data == {"a.py": "# é\r\n"}


@pytest.mark.parametrize(
    ("source", "argument"),
    [
        ("a.py", "/policies/a.py"),
        (".", "/policies"),
        ("guard.apps:app", "guard.apps:app"),
    ],
)
def test_an_image_has_them_in_policies_or_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, argument: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = read_source(source, [tmp_path / "a.py"], in_image=True)
    assert (found.argument, found.data) == (argument, {})


def test_a_module_does_not_fit_into_a_config_map() -> None:
    with pytest.raises(ConfigError, match="module has no files") as caught:
        read_source("guard.apps:app", [], in_image=False)
    assert "--policies-in image" in str(caught.value.hint)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_config_map_is_bounded(tmp_path: Path, more: int, *, fits: bool) -> None:
    file = tmp_path / "a.py"
    # Bytes count, not characters.
    file.write_text("é" * (CONFIG_MAP_LIMIT_BYTES // 2) + "x" * more, encoding="utf-8")
    if fits:
        assert read_source(str(file), [file], in_image=False).data
        return
    with pytest.raises(
        ConfigError, match=r"1,048,577 bytes.* holds 1,048,576"
    ) as caught:
        read_source(str(file), [file], in_image=False)
    assert "--policies-in image" in str(caught.value.hint)


def test_two_files_cannot_share_a_key(tmp_path: Path) -> None:
    files = [write(tmp_path / name, "") for name in ("a/b.py", "a.b.py")]
    with pytest.raises(ConfigError, match=r"a.b.py .* one key"):
        read_source(str(tmp_path), files, in_image=False)


def test_a_file_that_can_be_no_key_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "größe.py", "")
    with pytest.raises(ConfigError, match="can be no key") as caught:
        read_source(str(file), [file], in_image=False)
    assert caught.value.place == str(file)


def test_what_is_imported_from_elsewhere_cannot_be_mounted(tmp_path: Path) -> None:
    file = write(tmp_path / "inner" / "a.py", "")
    other = write(tmp_path / "b.py", "")
    with pytest.raises(ConfigError, match="not below") as caught:
        read_source(str(file), [file, other], in_image=False)
    assert caught.value.place == str(other)


def test_text_is_utf8_and_files_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"# -*- coding: latin-1 -*-\n# \xe9\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_source(str(file), [file], in_image=False)
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_source(str(file), [file], in_image=False)
