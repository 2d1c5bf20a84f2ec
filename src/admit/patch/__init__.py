"""JSON Patch as values, applied as the API server applies it.

RFC 6901 pointers, RFC 6902 operations, and the dialect of the library inside the API
server, which is not RFC 6902. What applies here applies there; `check_portable` finds
what the two disagree on, which admit never sends.
"""

from __future__ import annotations

from admit.patch.dialect import apply
from admit.patch.operation import (
    JSON,
    Operation,
    Verb,
    decode,
    encode,
    join,
    same,
    split,
)
from admit.patch.portable import check_portable

__all__ = (
    "JSON",
    "Operation",
    "Verb",
    "apply",
    "check_portable",
    "decode",
    "encode",
    "join",
    "same",
    "split",
)
