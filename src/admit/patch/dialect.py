"""The dialect of the library inside the API server, which is not RFC 6902.

It replaces keys that are not there, copies from keys that are not there, takes an index
of -1 or +01, does not look at what stands before a pointer's first slash, and panics
in places. Each function here has its twin there, in its order and with its messages.

Source: gopkg.in/evanphx/json-patch.v4 patch.go, v4.13.0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from admit.errors import PatchError
from admit.patch.operation import unescape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.patch.operation import JSON, Operation

__all__ = ("apply",)

# Bytes that all copy operations of one patch may add; the API server's limit
# (apiserver pkg/server/config.go).
COPY_LIMIT_BYTES: Final = 3 * 1024 * 1024

_CONTAINERS: Final = (dict, list)
_INDEX: Final = re.compile(r"([+-]?)0*([0-9]+)")
# Go's encoder writes these six bytes long, so that JSON can stand in HTML.
_GO_ESCAPED: Final = re.compile("[<>&\u2028\u2029]")
_encode: Final = msgspec.json.Encoder().encode


def apply(document: JSON, operations: Sequence[Operation]) -> JSON:
    """Return a document with the operations applied in order, as the API server does.

    Shapes: an object or array. The document passed in is not changed, parts that no
    operation touches are shared with it; either all operations apply or none.

    A `test` compares bytes there: the document as Go writes it, the value as `encode`
    does, so that ``1`` is not ``1.0`` and text with any of ``<>&`` is never the same.

    Raises:
        PatchError: operation number ``index`` does not fit at ``pointer``. The message
            is the API server's own; where it would panic, it says so.

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
        # By identity; it keeps the copies alive, so that an id stays its container's.
        self._own: dict[int, JSON] = {}
        self._copied_bytes = 0

    def run(self, operation: Operation) -> None:
        match operation.op:
            case "add":
                self._add(operation)
            case "remove":
                self._remove(operation)
            case "replace":
                self._replace(operation)
            case "move":
                self._move(operation)
            case "copy":
                self._copy(operation)
            case "test":
                self._test(operation)
            case unknown:
                raise _MisfitError(f"Unexpected kind: {unknown}")

    def _add(self, operation: Operation) -> None:
        path = operation.path
        container, key = self._find(path, own=True)
        if container is None:
            raise _MisfitError(
                f'add operation does not apply: doc is missing path: "{path}": '
                "missing value"
            )
        try:
            _put(container, key, _value_of(operation))
        except _MisfitError as misfit:
            raise _MisfitError(f"error in add for path: '{path}': {misfit}") from None

    def _remove(self, operation: Operation) -> None:
        path = operation.path
        container, key = self._find(path, own=True)
        if container is None:
            raise _MisfitError(
                f'remove operation does not apply: doc is missing path: "{path}": '
                "missing value"
            )
        try:
            _take(container, key)
        except _MisfitError as misfit:
            raise _MisfitError(
                f"error in remove for path: '{path}': {misfit}"
            ) from None

    def _replace(self, operation: Operation) -> None:
        path, value = operation.path, operation.value
        if not path:
            if value is msgspec.UNSET:
                raise _MisfitError("the API server panics: replace of '' has no value")
            if not isinstance(value, _CONTAINERS):
                raise _MisfitError(
                    "replace operation value must be object or array: %!w(<nil>)"
                )
            self.root = value
            return
        container, key = self._find(path, own=True)
        if container is None:
            raise _MisfitError(
                f"replace operation does not apply: doc is missing path: {path}: "
                "missing value"
            )
        if isinstance(container, dict):
            container[key] = _value_of(operation)  # a missing key too
            return
        try:
            container[_index(container, key)] = _value_of(operation)
        except _MisfitError:
            raise _MisfitError(
                f"replace operation does not apply: doc is missing key: {path}: "
                "missing value"
            ) from None

    def _move(self, operation: Operation) -> None:
        source, path = _source_of(operation), operation.path
        container, key = self._find(source, own=True)
        if container is None:
            raise _MisfitError(
                f"move operation does not apply: doc is missing from path: {source}: "
                "missing value"
            )
        try:
            value = _take(container, key)
        except _MisfitError as misfit:
            raise _MisfitError(f"error in move for path: '{key}': {misfit}") from None
        container, key = self._find_destination(operation)
        try:
            _put(container, key, value)
        except _MisfitError as misfit:
            raise _MisfitError(f"error in move for path: '{path}': {misfit}") from None

    def _copy(self, operation: Operation) -> None:
        source = _source_of(operation)
        container, key = self._find(source, own=False)
        if container is None:
            raise _MisfitError(
                f"copy operation does not apply: doc is missing from path: {source}: "
                "missing value"
            )
        try:
            value = _get(container, key)
        except _MisfitError as misfit:
            raise _MisfitError(
                f"error in copy for from: '{source}': {misfit}"
            ) from None
        container, key = self._find_destination(operation)
        value, size = _duplicate(value)
        self._copied_bytes += size
        if self._copied_bytes > COPY_LIMIT_BYTES:
            raise _MisfitError(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied_bytes}, exceeding the limit {COPY_LIMIT_BYTES}"
            )
        try:
            _put(container, key, value)
        except _MisfitError as misfit:
            raise _MisfitError(
                f"error while adding value during copy: {misfit}"
            ) from None

    def _test(self, operation: Operation) -> None:
        path, found = operation.path, self.root
        if path:
            container, key = self._find(path, own=False)
            if container is None:
                raise _MisfitError(
                    f"test operation does not apply: is missing path: {path}: "
                    "missing value"
                )
            try:
                found = _get(container, key)
            except _MisfitError as misfit:
                raise _MisfitError(
                    f"error in test for path: '{path}': {misfit}"
                ) from None
        elif operation.value is msgspec.UNSET:
            raise _MisfitError("the API server panics: test of '' has no value")
        if not _same_bytes(found, _value_of(operation)):
            raise _MisfitError(f"testing value {path} failed: test failed")

    def _find_destination(self, operation: Operation) -> tuple[JSON, str]:
        container, key = self._find(operation.path, own=True)
        if container is None:
            raise _MisfitError(
                f"{operation.op} operation does not apply: doc is missing destination "
                f"path: {operation.path}: missing value"
            )
        return container, key

    def _find(self, path: str, *, own: bool) -> tuple[JSON, str]:
        """Return the container of a path's last part, and that part; or None.

        With `own` the containers on the way are ours to change.
        """
        _, *parts = path.split("/")  # what stands before the first slash is ignored
        if not parts:
            return None, ""
        last = unescape(parts.pop())
        if own:
            self.root = self._owned(self.root)
        node = self.root
        for part in map(unescape, parts):
            try:
                child = _get(node, part)
            except _MisfitError:
                return None, ""
            if not isinstance(child, _CONTAINERS):
                return None, ""
            if own:
                child = self._owned(child)
                node[part if isinstance(node, dict) else _index(node, part)] = child
            node = child
        return node, last

    def _owned(self, node: JSON) -> JSON:
        if id(node) in self._own:
            return node
        mine = node.copy()
        self._own[id(mine)] = mine
        return mine


def _get(container: JSON, key: str) -> JSON:
    """Return what is at a key, None where there is none."""
    if isinstance(container, dict):
        return container.get(key)
    return container[_index(container, key)]


def _put(container: JSON, key: str, value: JSON) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        try:
            number = _atoi(key)
        except _MisfitError as misfit:
            raise _MisfitError(
                f"value was not a proper array index: '{key}': {misfit}"
            ) from None
        # -1 appends: the library counts from the end of the longer array.
        container.insert(_within(number, len(container) + 1), value)


def _take(container: JSON, key: str) -> JSON:
    if isinstance(container, list):
        return container.pop(_index(container, key))
    if key not in container:
        raise _MisfitError(f"Unable to remove nonexistent key: {key}: missing value")
    return container.pop(key)


def _index(container: list[JSON], key: str) -> int:
    return _within(_atoi(key), len(container))


def _within(number: int, length: int) -> int:
    if not -length <= number < length:
        raise _MisfitError(
            f"Unable to access invalid index: {number}: invalid index referenced"
        )
    return number + length if number < 0 else number


def _atoi(key: str) -> int:
    """Read an index as Go's strconv.Atoi does: a sign and leading zeros pass."""
    reason = "invalid syntax"
    found = _INDEX.fullmatch(key)
    if found is not None:
        sign, digits = found.groups()
        number = int(sign + digits[:20])  # 20 digits are out of range already
        if -(2**63) <= number < 2**63:
            return number
        reason = "value out of range"
    raise _MisfitError(f'strconv.Atoi: parsing "{key}": {reason}')


def _value_of(operation: Operation) -> JSON:
    return None if operation.value is msgspec.UNSET else operation.value


def _source_of(operation: Operation) -> str:
    if isinstance(operation.from_, msgspec.UnsetType):
        raise _MisfitError(
            f"{operation.op} operation failed to decode from: operation, missing from "
            "field: missing value"
        )
    return operation.from_


def _duplicate(value: JSON) -> tuple[JSON, int]:
    """Return a copy of a value, and its bytes as Go writes it; null counts nothing."""
    if value is None:
        return None, 0
    encoded = _encode(value)
    escapes = _GO_ESCAPED.findall(encoded.decode())
    size = len(encoded) + sum(6 - len(char.encode()) for char in escapes)
    return msgspec.json.decode(encoded), size


def _same_bytes(one: JSON, other: JSON) -> bool:
    """Compare a value of the document with a test's, scalars by their bytes."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _same_bytes(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same_elements, one, other))
    return bool(one == other) and not (type(one) is str and _GO_ESCAPED.search(one))


def _same_elements(one: JSON, other: JSON) -> bool:
    if one is None or other is None:
        raise _MisfitError("the API server panics: test of an array that holds null")
    return _same_bytes(one, other)
