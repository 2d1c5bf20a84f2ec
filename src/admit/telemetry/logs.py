"""How log lines look: JSON for machines, one readable line at a terminal."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("JsonFormatter", "TextFormatter", "configure_logs")

LogFormat: TypeAlias = Literal["auto", "json", "text"]

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


def configure_logs(
    format: LogFormat = "auto",
    *,
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Send admit's log lines to a stream, standard error by default.

    Args:
        format: json, text, or auto: text at a terminal, else json.
        level: debug (allowed reviews too), info, warning or error.
        stream: where lines go.
    """
    stream = sys.stderr if stream is None else stream
    as_text = format == "text" or (format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    logger = logging.getLogger("admit")
    for before in tuple(logger.handlers):
        logger.removeHandler(before)
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line = {
            "time": _to_time(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **_get_fields(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """``12:04:31 INFO  message  key=value key=value``: control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        parts = [f"{at} {record.levelname:7} {record.getMessage()}"]
        for name, value in _get_fields(record).items():
            if name != "kind" and value not in _EMPTY:
                parts.append(f"{name}={_show(value)}")
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(f"error={record.exc_info[0].__name__}")
        return "  ".join(parts)


def _get_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields


def _show(value: Any) -> str:
    """Write a value in one word, quoted where it would not be one."""
    if isinstance(value, list):
        return ",".join(_show(item) for item in value)
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _to_time(created: float) -> str:
    milliseconds = int(created % 1 * 1000)
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(created))}.{milliseconds:03}Z"
    )
