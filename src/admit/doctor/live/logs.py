"""Failed calls in the API server's logs, grouped by webhook and reason.

Source: apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go;
annotations in the audit log: the same files, ``failed-open...``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from admit.doctor.live.snapshot import Call

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("read_log",)

# Characters of a line that are looked at: an audit event with its bodies has a few
# hundred thousand.
LINE: Final = 4 * 1024 * 1024

# Different reasons that are kept: texts with addresses in them differ.
MOST: Final = 1000

_FAILED: Final = re.compile(
    r'failed calling webhook "(?P<name>[^"]+)"(?:: (?P<why>.*))?'
)
_OPEN: Final = "failing open"

# What differs from call to call.
_VARYING: Final = (
    (re.compile(r"\d+\.\d+\.\d+\.\d+:\d+->"), ""),
    (re.compile(r"current time \S+ is"), "current time is"),
)


class _Failure(NamedTuple):
    webhook: str
    reason: str
    ignored: bool


def read_log(lines: TextIO, *, audit: bool) -> tuple[Call, ...]:
    """Return each different failure in a log, with how often it is there."""
    source = "audit log" if audit else "API server log"
    counts: Counter[_Failure] = Counter()
    while line := lines.readline(LINE):
        for failure in _read_audit(line) if audit else _read_line(line):
            if failure in counts or len(counts) < MOST:
                counts[failure] += 1
    return tuple(
        Call(one.webhook, one.reason, source, count, ignored=one.ignored)
        for one, count in counts.most_common()
    )


def _read_line(line: str) -> Iterator[_Failure]:
    found = _FAILED.search(line.replace('\\"', '"'))
    if found:
        reason = (found["why"] or "no further details").strip().rstrip('"')
        yield _Failure(found["name"], _settle(reason), _OPEN in line)


def _read_audit(line: str) -> Iterator[_Failure]:
    if "failed" not in line:
        return
    try:
        event = json.loads(line)
        annotations = event.get("annotations") or {}
        message = str((event.get("responseStatus") or {}).get("message", ""))
    except (ValueError, AttributeError):
        return
    for key, webhook in annotations.items():
        if key.startswith("failed-open.") and isinstance(webhook, str):
            yield _Failure(webhook, "failed open", ignored=True)
    yield from _read_line(message)


def _settle(reason: str) -> str:
    for pattern, text in _VARYING:
        reason = pattern.sub(text, reason)
    return reason
