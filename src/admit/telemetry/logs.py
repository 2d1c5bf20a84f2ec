"""How log lines look: JSON for machines, one readable line at a terminal.

Lines about reviews can come by the thousand each second. They take a short way past
the logging library (`Lines.say`), and all lines of one turn of the event loop are
written at once. Everything else is logged as usual, and looks the same.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TextIO, TypeAlias

import msgspec

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ("Lines", "Sayer", "configure_logs")

LogFormat: TypeAlias = Literal["auto", "json", "text"]

# Workers write to one pipe. It takes 4,096 bytes whole (POSIX PIPE_BUF, on Linux); more
# may be cut by another's line. Lines about reviews are ASCII but for names.
WRITE_CHARACTERS: Final = 4000

_LEVELS: Final = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}
_encoder: Final = msgspec.json.Encoder(enc_hook=str)
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


class Sayer(Protocol):
    """Writes lines about reviews; `Lines` is one."""

    def hears(self, level: int) -> bool:
        """Whether lines of this level are written."""
        ...

    def say(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        """Write a line."""
        ...


def configure_logs(
    format: LogFormat = "auto",
    *,
    level: str = "info",
    stream: TextIO | None = None,
) -> Lines:
    """Send admit's log lines to a stream, standard error by default.

    Args:
        format: json, text, or auto: text at a terminal, else json.
        level: debug (allowed reviews too), info, warning or error.
        stream: where lines go.
    """
    out = stream or sys.stderr
    as_text = format == "text" or (format == "auto" and out.isatty())
    logger = logging.getLogger("admit")
    for before in tuple(logger.handlers):
        logger.removeHandler(before)
    lines = Lines(out, as_text=as_text)
    lines.setLevel(level.upper())
    logger.addHandler(lines)
    logger.setLevel(level.upper())
    logger.propagate = False
    return lines


class Lines(logging.Handler):
    """Writes log lines to a stream.

    Args:
        stream: where they go.
        as_text: for a person, not as JSON.
    """

    def __init__(self, stream: TextIO, *, as_text: bool) -> None:
        super().__init__()
        self._stream = stream
        self._join = _join_text if as_text else _join_json
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[str] = []

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what `say` is told at the end of each turn of this loop."""
        self._loop = loop

    def hears(self, level: int) -> bool:
        """Whether lines of this level are written."""
        return level >= self.level

    def say(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        """Write a line; from the loop's thread, if there is a loop."""
        if not self._waiting and self._loop is not None:
            self._loop.call_soon(self.flush)
        self._waiting.append(self._join(time.time(), level, message, fields))
        if self._loop is None:
            self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record of the logging library, from any thread."""
        fields: dict[str, Any] = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__  # its text may quote
        text = self._join(record.created, record.levelno, record.getMessage(), fields)
        self._write(text)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            with self.lock:  # type: ignore[union-attr] # set by Handler
                for text in _join_lines(waiting):
                    self._write(text)

    def _write(self, text: str) -> None:
        """Nobody is left to tell when the stream has gone: serving goes on."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return


def _join_lines(lines: Iterable[str]) -> Iterator[str]:
    """Join lines to texts that a pipe takes whole."""
    joined = ""
    for line in lines:
        if joined and len(joined) + len(line) > WRITE_CHARACTERS:
            yield joined
            joined = ""
        joined += line
    yield joined


def _join_json(
    created: float, level: int, message: str, fields: Mapping[str, Any]
) -> str:
    """Write one JSON object: time, level, message, then the fields."""
    try:
        said, rest = _encoder.encode(message).decode(), _encoder.encode(fields).decode()
    except UnicodeEncodeError:  # a file name that is no UTF-8
        said, rest = json.dumps(message), json.dumps(fields, default=str)
    at = f"{_to_second(int(created))}.{int(created % 1 * 1000):03}Z"
    head = f'{{"time":"{at}","level":"{_LEVELS.get(level, "info")}","message":{said}'
    return f"{head},{rest[1:]}\n" if fields else f"{head}}}\n"


@functools.lru_cache(maxsize=4)
def _to_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _join_text(
    created: float, level: int, message: str, fields: Mapping[str, Any]
) -> str:
    """Write ``12:04:31 INFO  message  key=value``, control characters escaped."""
    at = time.strftime("%H:%M:%S", time.localtime(created))
    parts = [f"{at} {_LEVELS.get(level, 'info').upper():7} {message}"]
    for name, value in fields.items():
        if name != "kind" and value not in _EMPTY:
            parts.append(f"{name}={_show(value)}")
    return "  ".join(parts) + "\n"


def _show(value: Any) -> str:
    """Write a value in one word, quoted where it would not be one."""
    if isinstance(value, list):
        return ",".join(_show(item) for item in value)
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)
