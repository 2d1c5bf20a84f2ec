"""A TLS handshake with a webhook from here, verified as the API server verifies.

What is reached from here and what the API server reaches are two networks: a webhook
that cannot be reached from here may do very well. What is served is the same.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from admit.doctor.live.backends import key_of
from admit.doctor.live.snapshot import Call
from admit.doctor.trust import names_of, server_name
from admit.doctor.validation.go_url import parse_url

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from admit.doctor.findings import Entry
    from admit.doctor.live.snapshot import Backend

__all__ = ("Handshake", "shake_hands")

# What is near answers at once; what is not reachable from here does not answer at all.
SECONDS: Final = 3.0
TOGETHER: Final = 20

# OpenSSL's codes (x509_vfy.h), and Go's words for the same.
_WORDS: Final = {
    9: "certificate has expired or is not yet valid",
    10: "certificate has expired or is not yet valid",
    18: "certificate signed by unknown authority",
    19: "certificate signed by unknown authority",
    20: "certificate signed by unknown authority",
    21: "certificate signed by unknown authority",
    62: "certificate is valid for other names",
    64: "certificate is valid for other names",
}


@dataclass(frozen=True, slots=True)
class Handshake:
    """What is served, as seen from here.

    Args:
        call: the verdict as the API server would word it; its reason is empty where
            the certificate is trusted.
        not_after: when the leaf expires, UTC.
        names: of the leaf.
    """

    call: Call
    not_after: dt.datetime
    names: tuple[str, ...]


async def shake_hands(
    entries: Sequence[Entry], backends: Mapping[str, Backend]
) -> dict[str, Handshake]:
    """Return the handshakes that came about, by ``host:port name``; one for each."""
    slots = asyncio.Semaphore(TOGETHER)

    async def shake(entry: Entry, host: str, port: int) -> Handshake | None:
        async with slots:
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                return await asyncio.wait_for(_shake(entry, host, port), SECONDS * 2)
        return None

    wanted = {
        entry.webhook.name: (entry, *address)
        for entry in entries
        if (address := _find_address(entry, backends)) is not None
    }
    found = await asyncio.gather(*(shake(*one) for one in wanted.values()))
    return {
        name: handshake
        for name, handshake in zip(wanted, found, strict=True)
        if handshake is not None
    }


def _find_address(
    entry: Entry, backends: Mapping[str, Backend]
) -> tuple[str, int] | None:
    client = entry.webhook.client_config
    backend = backends.get(key_of(entry))
    if backend is not None and backend.service is not None:
        address = (backend.service.get("spec") or {}).get("clusterIP", "")
        if address in {"", "None"}:
            return None
        return address, client["service"].get("port", 443)
    try:
        host = parse_url(client.get("url", "")).host
    except ValueError:
        return None
    name, _, port = host.rpartition(":")
    if port.isdecimal():
        return name.strip("[]"), int(port)
    return (host.strip("[]"), 443) if host else None


async def _shake(entry: Entry, host: str, port: int) -> Handshake:
    """Look at the leaf first, then verify it: a verdict alone says too little."""
    name = server_name(entry.webhook.client_config)
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    der = await _connect(host, port, name, anyone)
    leaf = x509.load_der_x509_certificate(der)
    reason = ""
    try:
        await _connect(host, port, name, _trust(entry))
    except ssl.SSLCertVerificationError as error:
        words = _WORDS.get(error.verify_code, error.verify_message)
        names = ", ".join(names_of(leaf)) or "no name"
        reason = (
            f"x509: {words} (it is for {names}, valid until "
            f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M:%SZ})"
        )
    call = Call(entry.webhook.name, reason, "handshake from here")
    return Handshake(call, leaf.not_valid_after_utc, tuple(names_of(leaf)))


async def _connect(host: str, port: int, name: str, context: ssl.SSLContext) -> bytes:
    """Return the leaf that is served."""
    connecting = asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    _, writer = await asyncio.wait_for(connecting, SECONDS)
    try:
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found
    finally:
        writer.transport.abort()  # all was said


def _trust(entry: Entry) -> ssl.SSLContext:
    """Trust what is in caBundle, and this machine's authorities where it is empty."""
    text = entry.webhook.client_config.get("caBundle") or ""
    pem = base64.b64decode(text).decode("ascii", "replace")
    return ssl.create_default_context(cadata=pem or None)
