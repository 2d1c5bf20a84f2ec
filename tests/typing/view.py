"""Only has to type-check, under mypy and pyright; what is wrong is marked as such.

A mark on a line that is right is an error too, under both.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, assert_type

from admit.patch import Operation, apply, check_portable, decode, encode
from admit.view import List, Map, Quantity, Record, Struct, Time, raw


class Item(Struct):
    name: str | None
    size: Quantity | None
    made: Time | None
    tags: List[str]
    labels: Map[str]
    inner: Item
    items: List[Item]
    by_name: Map[Item]
    anything: Any


def read(item: Item) -> None:
    assert_type(item.name, str | None)
    assert_type(item.inner, Item)
    assert_type(item.inner.inner.size, Quantity | None)
    assert_type(item.items[0], Item)
    assert_type(item.items[1:], list[Item])
    assert_type([one.name for one in item.items], list[str | None])
    assert_type(item.by_name["a"].tags, List[str])
    assert_type(item.by_name.get("a"), Item | None)
    assert_type(item.labels.get("a", ""), str)
    assert_type(item.labels | {"b": "c"}, dict[str, Any])
    assert_type("a" in item.tags, bool)
    assert_type(raw(item), Any)


def write(item: Item) -> None:
    item.name = "a"
    item.name = None
    item.inner = {"name": "b"}
    item.inner = Item({"name": "b"})
    item.inner = item.items[0]
    item.inner = None
    item.items = [{"name": "c"}, item]
    item.items += [{"name": "c"}]
    item.items[0] = {"name": "d"}
    item.items[1:] = []
    item.items.extend(item.items)
    item.tags = ("a", "b")
    item.tags.sort(key=len, reverse=True)
    item.labels |= {"a": "b"}
    item.labels.update(a="b")
    item.by_name["a"] = {"name": "e"}
    item.by_name = {"a": {"name": "e"}}
    item.anything = {"x": [1, None]}
    item["unknown"] = 1.5
    del item.name, item["unknown"], item.items[0], item.labels["a"]


def compute(size: Quantity, made: Time) -> None:
    assert_type(size + "1Gi", Quantity)
    assert_type(1 + size, Quantity)
    assert_type(size * 1.5, Quantity)
    assert_type(size.value, Decimal)
    assert_type(size > "1Gi" and size >= 3, bool)
    assert_type(made.datetime, dt.datetime)
    assert_type(made - "2026-01-31T12:00:00Z", dt.timedelta)
    assert_type(made - dt.timedelta(1), Time)
    assert_type(made < dt.datetime.now(dt.UTC), bool)


def patch(record: Record) -> None:
    operations = record.operations()
    assert_type(operations, tuple[Operation, ...])
    assert_type(record.view(Item), Item)
    assert_type(encode(operations), bytes)
    assert_type(decode(b"[]"), tuple[Operation, ...])
    apply(record.document, [Operation("move", "/a", from_="/b")])
    check_portable(record.document, operations)


def refused(item: Item, size: Quantity) -> None:
    _ = item.nam  # type: ignore[attr-defined]
    _ = item.inner.itmes  # type: ignore[attr-defined]
    item.nam = "a"  # type: ignore[attr-defined]
    item.name = 3  # type: ignore[assignment]
    item.inner = "a"  # type: ignore[assignment]
    item.items = [1]  # type: ignore[list-item]
    item.items.append("a")  # type: ignore[arg-type]
    item.tags.append(3)  # type: ignore[arg-type]
    item.tags = {"a"}  # type: ignore[assignment]
    item.labels["a"] = 3  # type: ignore[assignment]
    _ = size * "2"  # type: ignore[operator]
    Operation("put", "/a")  # type: ignore[arg-type]
