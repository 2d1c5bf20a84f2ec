"""HTTP replies as bytes. The heads are joined once a second, not once a reply."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Final

__all__ = ("CONTINUE", "JSON", "TEXT", "Heads")

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# Seconds after which the API server asks again when it is told 503: client-go does so
# up to 10 times inside the webhook's own timeout (rest/with_retry.go). A review that is
# shed here may meet another replica, or this one a second later; without the header it
# would be lost at once. It never waits longer than for a slow webhook.
RETRY_AFTER_SECONDS: Final = 1

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


class Heads:
    """The heads of replies up to the length of the body, by what they depend on.

    `ok` is the most frequent one: 200, JSON, connection kept.
    """

    __slots__ = ("_heads", "_second", "ok")

    def __init__(self) -> None:
        self.ok = b""
        self._heads: dict[tuple[int, bytes, bytes, bool], bytes] = {}
        self._second = 0
        self.refresh()

    def refresh(self) -> None:
        """Take the time of now into the Date header."""
        second = int(time.time())
        if second == self._second:
            return
        self._second = second
        self._heads.clear()
        self.ok = self.get(200)

    def get(
        self,
        status: int,
        content_type: bytes = JSON,
        *,
        allow: bytes = b"",
        keep: bool = True,
    ) -> bytes:
        """Return a head; the length of the body and an empty line have to follow."""
        key = (status, content_type, allow, keep)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = self._join(status, content_type, allow, keep=keep)
        return head

    def _join(
        self, status: int, content_type: bytes, allow: bytes, *, keep: bool
    ) -> bytes:
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
            b"Date: " + _to_date(self._second),
            b"Content-Type: " + content_type,
        ]
        if allow:
            lines.append(b"Allow: " + allow)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append(b"Retry-After: %d" % RETRY_AFTER_SECONDS)
        if not keep:
            lines.append(b"Connection: close")
        lines.append(b"Content-Length: ")
        return b"\r\n".join(lines)


def _to_date(second: int) -> bytes:
    """Write a time as HTTP does; strftime would write the locale's names.

    Source: RFC 9110 section 5.6.7.
    """
    t = time.gmtime(second)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    ).encode()
