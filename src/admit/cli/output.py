"""How results and errors are written: text for people, JSON for programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from admit.errors import AdmitError

__all__ = ("clean", "show_error", "show_json", "show_note", "show_place")

# What a terminal would obey: a message may quote what a stranger wrote.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Return text that a terminal only shows."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def show_json(value: Any) -> None:
    """Write a value as JSON that a person can read too."""
    import msgspec  # noqa: PLC0415 - `admit --help` needs none

    data = msgspec.json.format(msgspec.json.encode(value), indent=2)
    click.echo(data.decode())


def show_note(text: str) -> None:
    """Tell a person something beside the result, on standard error."""
    click.echo(f"{click.style('note:', fg='cyan')} {clean(text)}", err=True)


def show_error(error: AdmitError) -> None:
    """Write message, place and hint to standard error."""
    label = click.style("error:", fg="red", bold=True)
    click.echo(f"{label} {clean(error.message)}", err=True)
    show_place(error.place, error.hint, err=True)


def show_place(place: str | None, hint: str | None, *, err: bool = False) -> None:
    """Write where something is and what to do next, below what it is."""
    for name, text in (("at", place), ("hint", hint)):
        if text:
            first, _, rest = clean(text).partition("\n")
            line = click.style(f"  {name}:", bold=True)
            click.echo(f"{line} {first}", err=err)
            if rest:
                click.echo(rest.rstrip(), err=err)
