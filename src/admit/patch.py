"""JSON Patch as values, applied as the API server applies it.

What lives here: RFC 6901 pointers, RFC 6902 operations, and the dialect of the library
inside the API server, which is not RFC 6902: it replaces keys that are not there,
copies from keys that are not there, takes an index of -1. `apply` does the same, so
that what applies here applies there; `check_portable` names what the two disagree on,
which admit never sends. What this file must not know: views, reviews.

Source: RFC 6901, RFC 6902; gopkg.in/evanphx/json-patch.v4 patch.go (v4.13).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from admit.errors import PatchError, ReviewError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = (
    "JSON",
    "Operation",
    "apply",
    "check_portable",
    "decode",
    "encode",
    "join",
    "same",
    "split",
)

JSON: TypeAlias = Any
"""A JSON value: dict, list, str, int, float, bool or None."""

# Bytes that all copy operations of one patch may add; the API server's limit
# (apiserver pkg/endpoints/handlers/rest.go sets it to 3 MiB).
COPY_LIMIT_BYTES: Final = 3 * 1024 * 1024

Verb: TypeAlias = Literal["add", "remove", "replace", "move", "copy", "test"]


class Operation(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"from_": "from"}
):
    """One step of a patch: ``{"op": "add", "path": "/a/b", "value": 1}``.

    Shapes: `value` is absent (UNSET, not None) where an operation has none; `from_` is
    there with move and copy only.
    """

    op: Verb
    path: str
    value: JSON = msgspec.UNSET
    from_: str | msgspec.UnsetType = msgspec.UNSET


_decoder: Final = msgspec.json.Decoder(tuple[Operation, ...])
_encoder: Final = msgspec.json.Encoder()


def join(parts: Iterable[str | int]) -> str:
    """Write a pointer: ``("a/b", 0)`` becomes ``/a~1b/0``. No parts: the root."""
    return "".join(
        "/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts
    )


def split(pointer: str) -> tuple[str, ...]:
    """Read a pointer as RFC 6901 does; the reverse of `join`.

    Raises:
        ValueError: it does not start with a slash.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer: it must start with '/'")
    return tuple(map(_unescape, pointer[1:].split("/")))


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def decode(data: bytes) -> tuple[Operation, ...]:
    """Read a patch.

    Raises:
        ReviewError: the bytes are not a list of operations; ``place`` is the path.
    """
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        raise ReviewError(reason, place=f"patch{path.strip('`$')}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReviewError(f"not a JSON Patch: {error}", place="patch") from None


def encode(operations: Sequence[Operation]) -> bytes:
    """Write a patch as compact JSON."""
    return _encoder.encode(operations)


def same(one: JSON, other: JSON) -> bool:
    """Tell whether two JSON values are the same; ``1``, ``1.0``, ``True`` differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def apply(document: JSON, operations: Sequence[Operation]) -> JSON:
    """Return a document with the operations applied in order.

    Shapes: any JSON value. The document passed in is not changed, parts that no
    operation touches are shared with it; either all operations apply or none.

    Raises:
        PatchError: operation number ``index`` does not fit at ``pointer``. The message
            is the API server's own where it has one.

    Source: RFC 6902 section 5 and the library named above. The API server answers 500
    to a patch that does not fit whatever failurePolicy says (mutating/dispatcher.go).
    """
    working = _Working(document)
    for index, operation in enumerate(operations):
        try:
            working.run(operation)
        except _MisfitError as misfit:
            raise PatchError(str(misfit), index=index, pointer=operation.path) from None
    return working.root


class _MisfitError(Exception):
    """An operation does not fit; `apply` says which."""


class _Working:
    """A document under change: what is written to is copied once, the rest shared."""

    def __init__(self, root: JSON) -> None:
        self.root = root
        self._own: dict[
            int, JSON
        ] = {}  # keeps the copies alive, so that ids stay theirs
        self._copied_bytes = 0

    def run(self, operation: Operation) -> None:
        match operation.op:
            case "add":
                container, key = self._locate(operation.path, "add")
                self._add(container, key, operation.path, _value_of(operation))
            case "remove":
                self._remove(operation.path, "remove", operation.path)
            case "replace":
                self._replace(operation)
            case "move":
                source = _source_of(operation)
                value = self._remove(source, "move", source.rpartition("/")[2])
                container, key = self._locate(operation.path, "move")
                self._add(container, key, operation.path, value)
            case "copy":
                self._copy(operation)
            case "test":
                self._test(operation)

    def _locate(self, path: str, verb: str, what: str = "path") -> tuple[JSON, str]:
        """Return the container of the last part of a path, ours to change, and it."""
        container, key = self._find(path, own=True)
        if container is None:
            quoted = f'"{path}"' if verb in {"add", "remove", "move"} else path
            raise _MisfitError(
                f"{verb} operation does not apply: doc is missing {what}: {quoted}: "
                "missing value"
            )
        return container, key

    def _find(self, path: str, *, own: bool) -> tuple[JSON, str]:
        """Walk to the container of a path; None where there is none.

        What stands before the first slash is not looked at, as in the API server.
        """
        parts = path.split("/")
        if len(parts) < 2:
            return None, ""
        if own:
            self.root = self._owned(self.root)
        node = self.root
        for part in parts[1:-1]:
            child = _child(node, _unescape(part))
            if not isinstance(child, dict | list):
                return None, ""
            if own:
                child = self._put_owned(node, _unescape(part), child)
            node = child
        if not isinstance(node, dict | list):
            return None, ""
        return node, _unescape(parts[-1])

    def _put_owned(self, node: JSON, part: str, child: JSON) -> JSON:
        owned = self._owned(child)
        if owned is not child:
            node[part if isinstance(node, dict) else _index(part, len(node))] = owned
        return owned

    def _owned(self, node: JSON) -> JSON:
        if id(node) in self._own or not isinstance(node, dict | list):
            return node
        mine = node.copy()
        self._own[id(mine)] = mine
        return mine

    def _add(self, container: JSON, key: str, path: str, value: JSON) -> None:
        if isinstance(container, dict):
            container[key] = value
            return
        if key == "-":
            container.append(value)
            return
        index = _to_int(key, path, "add")
        if index < 0:
            # -1 appends: the library counts from the end of the longer list.
            index += len(container) + 1
        if not 0 <= index <= len(container):
            raise _MisfitError(
                f"error in add for path: '{path}': Unable to access invalid index: "
                f"{key}: invalid index referenced"
            )
        container.insert(index, value)

    def _remove(self, path: str, verb: str, named: str) -> JSON:
        container, key = self._locate(
            path, verb, "from path" if verb == "move" else "path"
        )
        if isinstance(container, dict):
            if key not in container:
                raise _MisfitError(
                    f"error in {verb} for path: '{named}': Unable to remove "
                    f"nonexistent key: {key}: missing value"
                )
            return container.pop(key)
        index = _to_int(key, named, verb)
        if not -len(container) <= index < len(container):
            raise _MisfitError(
                f"error in {verb} for path: '{named}': Unable to access invalid index: "
                f"{key}: invalid index referenced"
            )
        return container.pop(index)

    def _replace(self, operation: Operation) -> None:
        path, value = operation.path, operation.value
        if not path:
            if value is msgspec.UNSET:
                raise _MisfitError("the API server panics: replace of '' has no value")
            if not isinstance(value, dict | list):
                raise _MisfitError("replace operation value must be object or array")
            self.root = value
            return
        container, key = self._locate(path, "replace")
        if isinstance(container, dict):
            container[key] = _value_of(operation)  # a missing key too
            return
        index = None if key == "-" else _to_int(key, path, "replace")
        if index is None or not -len(container) <= index < len(container):
            raise _MisfitError(
                f"replace operation does not apply: doc is missing key: {path}: "
                "missing value"
            )
        container[index] = _value_of(operation)

    def _copy(self, operation: Operation) -> None:
        source = _source_of(operation)
        container, key = self._find(source, own=False)
        if container is None:
            raise _MisfitError(
                f"copy operation does not apply: doc is missing from path: {source}: "
                "missing value"
            )
        value = _child(container, key)
        if value is None and isinstance(container, list) and not _fits(key, container):
            raise _MisfitError(
                f"error in copy for from path: '{source}': Unable to access invalid "
                f"index: {key}: invalid index referenced"
            )
        self._copied_bytes += len(_encoder.encode(value))
        if self._copied_bytes > COPY_LIMIT_BYTES:
            raise _MisfitError(f"copies exceed {COPY_LIMIT_BYTES} bytes")
        target, target_key = self._locate(operation.path, "copy")
        self._add(target, target_key, operation.path, copy.deepcopy(value))

    def _test(self, operation: Operation) -> None:
        path, expected = operation.path, operation.value
        if expected is msgspec.UNSET:
            expected = None
        if not path:
            found = self.root
        else:
            container, key = self._find(path, own=False)
            if container is None:
                raise _MisfitError(
                    f"test operation does not apply: is missing path: {path}: "
                    "missing value"
                )
            found = _child(container, key)
        if _panics(found, expected):
            raise _MisfitError("the API server panics: test of a list that holds null")
        if not _same_bytes(found, expected):
            raise _MisfitError(f"testing value {path} failed: test failed")


def _value_of(operation: Operation) -> JSON:
    """The value, null where there is none; a copy is made when it is written to."""
    return None if operation.value is msgspec.UNSET else operation.value


def _source_of(operation: Operation) -> str:
    if isinstance(operation.from_, msgspec.UnsetType):
        raise _MisfitError(
            f"{operation.op} operation failed to decode from: missing value"
        )
    return operation.from_


def _child(node: JSON, part: str) -> JSON:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and _fits(part, node):
        return node[_index(part, len(node))]
    return None


def _fits(part: str, node: list[JSON]) -> bool:
    try:
        return -len(node) <= int(part) < len(node)
    except ValueError:
        return False


def _index(part: str, length: int) -> int:
    index = int(part)
    return index + length if index < 0 else index


def _to_int(key: str, path: str, verb: str) -> int:
    """Read an index as Go's Atoi does: a sign and leading zeros pass."""
    digits = key[1:] if key[:1] in {"+", "-"} else key
    if not (digits.isascii() and digits.isdigit()):
        raise _MisfitError(
            f"error in {verb} for path: '{path}': strconv.Atoi: parsing \"{key}\": "
            "invalid syntax"
        )
    return int(key)


def _same_bytes(one: JSON, other: JSON) -> bool:
    """Compare as the API server does: scalars by how they are written."""
    return same(one, other)


def _panics(found: JSON, expected: JSON) -> bool:
    return (
        isinstance(found, list)
        and isinstance(expected, list)
        and len(found) == len(expected)
        and None in found
    )


def check_portable(operations: Sequence[Operation], document: JSON) -> None:
    """Refuse what RFC 6902 and the API server do not agree on.

    Operations are add, remove and replace of what is there, with plain indices.

    Raises:
        PatchError: an operation that one of the two would refuse or read otherwise.
    """
    for index, operation in enumerate(operations):
        problem = _find_difference(operation, document)
        if problem:
            raise PatchError(problem, index=index, pointer=operation.path)
        document = apply(document, operations[index : index + 1])


def _find_difference(operation: Operation, document: JSON) -> str | None:
    if operation.op not in {"add", "remove", "replace"}:
        return f"{operation.op} is read differently"
    if not operation.path.startswith("/"):
        return "the root is read differently"
    if (operation.op == "remove") != (operation.value is msgspec.UNSET):
        return "a value that is missing, or too much"
    *parents, last = split(operation.path)
    node = document
    for part in parents:
        if isinstance(node, list) and not _is_plain(part):
            return "the index is read differently"
        node = _child(node, part)
    if isinstance(node, list) and not _is_plain(last):
        return "the index is read differently"
    if isinstance(node, dict) and operation.op == "replace" and last not in node:
        return "replace of a key that is not there"
    return None


def _is_plain(part: str) -> bool:
    return part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")
