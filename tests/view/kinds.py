"""A small kind that the tests of the view look at documents as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit.patch import apply, check_portable, same
from admit.view import List, Map, Quantity, Record, Struct, Time, raw

if TYPE_CHECKING:
    from admit.patch import Operation


class Variable(Struct):
    name: str | None
    value: str | None


class Limits(Struct):
    memory: Quantity | None


class Box(Struct):
    name: str | None
    image: str | None
    args: List[str]
    env: List[Variable]
    limits: Limits
    privileged: bool | None
    port: int | str | None
    weight: float | None


class Metadata(Struct):
    name: str | None
    labels: Map[str]
    created: Time | None


class Spec(Struct):
    nodeName: str | None
    boxes: List[Box]
    named: Map[Box]
    numbers: List[int]
    grid: List[List[int]]
    anything: Any
    from_: Map[str]
    ref_: str | None
    x_kubernetes_foo: bool | None


class Thing(Struct):
    metadata: Metadata
    spec: Spec


class Edit:
    """A record of a document, and the document as it was."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.pristine = document
        self.record = Record(raw(Thing(document)))
        self.thing = self.record.view(Thing)

    def patch(self) -> list[tuple[Any, ...]]:
        """Return the operations as tuples, after it was seen that they do the edits."""
        operations = self.record.operations()
        assert same(apply(self.pristine, operations), self.record.document)
        assert check_portable(self.pristine, operations) == ()
        return [as_tuple(operation) for operation in operations]


def as_tuple(operation: Operation) -> tuple[Any, ...]:
    if operation.op == "remove":
        return ("remove", operation.path)
    return (operation.op, operation.path, operation.value)
