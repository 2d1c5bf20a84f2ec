"""Options that several commands have, so that they mean the same everywhere."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from admit._handler import Mode

__all__ = (
    "NearChoice",
    "debug_option",
    "modes_option",
    "output_option",
    "policies_argument",
)

_Command = TypeVar("_Command", bound="Callable[..., Any]")


class NearChoice(click.Choice[str]):
    """One of a few words; of a misspelt one says what is near."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words, case_sensitive=False)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return what click says, and the nearest word."""
        message = super().get_invalid_choice_message(value, ctx)
        words = {word.lower(): word for word in self.choices}
        near = difflib.get_close_matches(str(value).lower(), words, n=1)
        return f"{message} Did you mean {words[near[0]]!r}?" if near else message


def policies_argument(command: _Command) -> _Command:
    """Take POLICIES."""
    return click.argument("policies", metavar="POLICIES")(command)


def output_option(*formats: str) -> Callable[[_Command], _Command]:
    """Take ``-o``; the first format is the default."""
    formats = formats or ("text", "json")
    return click.option(
        "-o",
        "--output",
        type=NearChoice(formats),
        default=formats[0],
        show_default=True,
        help="How the result is written.",
    )


def debug_option(command: _Command) -> _Command:
    """Take ``--debug`` behind the command too, where one adds it."""
    from admit.cli.root import set_debug  # noqa: PLC0415 - root imports the commands

    return click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=set_debug,
        help="Show tracebacks of errors.",
    )(command)


def _read_modes(
    _ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, Mode]:
    from admit._tasks.load import MODES_VARIABLE, read_modes, split_modes  # noqa: PLC0415 - not for --help

    said = split_modes(os.environ.get(MODES_VARIABLE, ""))
    return {
        **read_modes(said, place=MODES_VARIABLE),
        **read_modes(value, place="--mode"),
    }


def modes_option(command: _Command) -> _Command:
    """Take ``--mode NAME=warn``, and the same from the environment."""
    return click.option(
        "--mode",
        "modes",
        metavar="NAME=MODE",
        multiple=True,
        callback=_read_modes,
        help="Let a policy enforce, warn or audit, whatever the code says. May be "
        "repeated; ADMIT_MODES holds several, with commas.",
    )(command)
