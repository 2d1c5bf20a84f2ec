"""A path whose content is in memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from admit.certs.memory import MemoryFile
from admit.errors import ConfigError


def test_the_content_is_replaced_and_old_readers_read_on() -> None:
    file = MemoryFile()
    path = Path(file.path)
    assert path.read_bytes() == b""
    file.replace(b"one, and long")
    with path.open("rb") as reader:
        assert reader.read(3) == b"one"
        file.replace(b"two")
        assert reader.read() == b", and long"
    assert path.read_bytes() == b"two"
    assert str(path.readlink()).startswith("/memfd:")
    file.close()
    assert not path.is_file()


def test_a_child_does_not_inherit_it() -> None:
    file = MemoryFile()
    file.replace(b"key")
    assert not os.get_inheritable(int(file.path.rpartition("/")[2]))
    file.close()


def test_a_system_without_such_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="on Linux alone"):
        MemoryFile()
