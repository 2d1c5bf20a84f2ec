"""When a certificate expires, out of its DER.

Loading a cryptography library for one date would cost each worker 10 MB and a third of
the start; the date is the second time in the certificate's one SEQUENCE of two times.

Source: RFC 5280 section 4.1; X.690 for tags and lengths.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

__all__ = ("find_not_after",)

SEQUENCE: Final = 0x30
VERSION: Final = 0xA0
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18


def find_not_after(der: bytes) -> datetime | None:
    """Return when a certificate expires, or None if this is no certificate."""
    try:
        certificate = _take(der, SEQUENCE)[0]
        body = _take(certificate, SEQUENCE)[0]
        if body[0] == VERSION:
            body = _take(body, VERSION)[1]
        for _ in ("serial number", "signature algorithm", "issuer"):
            body = _take(body, body[0])[1]
        validity = _take(body, SEQUENCE)[0]
        not_after = _take(validity, validity[0])[1]
        return _read_time(not_after[0], _take(not_after, not_after[0])[0])
    except (IndexError, ValueError):
        return None


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Split into the content of the first element, and what follows it."""
    if data[0] != tag:
        raise ValueError("another element was expected")
    length, start = data[1], 2
    if length & 0x80:
        size = length & 0x7F
        start += size
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("cut short")
    return data[start:end], data[end:]


def _read_time(tag: int, text: bytes) -> datetime:
    """Read YYMMDDhhmmssZ or YYYYMMDDhhmmssZ; two digits mean 1950 to 2049."""
    digits = text.decode("ascii")
    if tag == UTC_TIME:
        digits = ("19" if digits >= "50" else "20") + digits
    elif tag != GENERALIZED_TIME:
        raise ValueError("no time")
    if len(digits) != len("YYYYMMDDhhmmssZ"):
        raise ValueError("no time as RFC 5280 has it")
    year, rest = int(digits[:4]), digits[4:-1]
    month, day, hour, minute, second = (
        int(rest[at : at + 2]) for at in range(0, len(rest), 2)
    )
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
