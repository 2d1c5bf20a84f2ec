"""A file that is nowhere on a disk: OpenSSL reads certificates and keys by path only.

Python's ssl gives OpenSSL paths and no bytes. A memfd has a path for as long as this
process has it open, belongs to nobody else, and is gone with the process; so a key is
never written where a backup, another container or the next owner of a disk finds it.

Source: memfd_create(2), dup2(2), proc(5).
"""

from __future__ import annotations

import os
import sys

from admit.errors import ConfigError

__all__ = ("MemoryFile",)


class MemoryFile:
    """A path whose content is replaced at once, empty at first.

    Raises:
        ConfigError: this system has no such files (operator's fault).
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise ConfigError(
                "certificates are made on Linux alone",
                place="--certs self",
                hint="--cert-file and --key-file",
            )
        self._number = os.memfd_create("admit")
        self.path = f"/proc/self/fd/{self._number}"

    def replace(self, content: bytes) -> None:
        """Let the path lead to this content; who reads the old one reads on in it."""
        number = os.memfd_create("admit")
        try:
            with os.fdopen(number, "wb", closefd=False) as file:
                file.write(content)
            os.dup2(number, self._number, inheritable=False)
        finally:
            os.close(number)

    def close(self) -> None:
        """Forget it."""
        os.close(self._number)
