"""Names that a policy uses and nobody defines: found before the first review.

Python finds them when the line runs, which may be the one review in a thousand. The
functions are not called: what a policy does with an invented object proves nothing.
"""

from __future__ import annotations

import builtins
import difflib
import dis
import inspect
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from admit.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from admit._handler import Handler

__all__ = ("check_names",)


def check_names(handlers: Iterable[Handler]) -> None:
    """Refuse handlers that would end with a NameError.

    Raises:
        PolicyError: a name is defined nowhere; its policy, file and line.
    """
    for handler in handlers:
        function = inspect.unwrap(handler.function)
        if isinstance(function, FunctionType):
            _check(handler.name, function)


def _check(policy: str, function: FunctionType) -> None:
    """Look at a function and those inside it, but not at those that it calls."""
    known = vars(builtins).keys() | function.__globals__.keys()
    if any("NameError" in code.co_names for code in _walk(function.__code__)):
        return  # it knows
    for code in _walk(function.__code__):
        for name, line in _find_globals(code):
            if name in known or name in _find_set_later(function):
                continue
            near = difflib.get_close_matches(name, known, 1)
            raise PolicyError(
                f"{policy}: the name {name} is defined nowhere",
                place=f"{code.co_filename}:{line}",
                hint=f"did you mean {near[0]}?" if near else "is an import missing?",
            )


def _walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)


def _find_globals(code: CodeType) -> Iterator[tuple[str, int]]:
    """Return the module's names that are read, and in which lines."""
    line = code.co_firstlineno
    for instruction in dis.get_instructions(code):
        where = instruction.positions
        line = (where.lineno if where is not None else None) or line
        if instruction.opname == "LOAD_GLOBAL":
            yield str(instruction.argval), line


def _find_set_later(function: FunctionType) -> set[str]:
    """Return what functions of the module set by `global`, when they are called."""
    return {
        str(instruction.argval)
        for value in function.__globals__.values()
        if isinstance(value, FunctionType) and value.__globals__ is function.__globals__
        for code in _walk(value.__code__)
        for instruction in dis.get_instructions(code)
        if instruction.opname == "STORE_GLOBAL"
    }
