"""The certificate: read from files, and read again when their content changes.

A new pair is used by the next handshake; open connections keep what they have. A pair
that cannot be used changes nothing: the old one stays, and log, readiness page and
metric say so.

The folders are watched, and the files read every few seconds too: a watch misses what
happens further up. They are compared by content, because the kubelet swaps a symbolic
link above them and neither their names nor, always, their times change.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from admit.errors import CertificateError
from admit.server.clients import require_certificate
from admit.server.der import find_not_after
from admit.server.touched import watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.server.counts import Counts

__all__ = ("Certificate", "Pair", "load_pair")

log: Final = logging.getLogger("admit.server")

# Bytes of a PEM file that are read: a chain of a dozen certificates has 30 KiB.
FILE_LIMIT_BYTES: Final = 1024 * 1024

# Seconds between something happening to the files and a look at them.
SETTLE_SECONDS: Final = 0.1

# How often a pair is read again when it changes while it is being read.
TRIES: Final = 3


class Pair(NamedTuple):
    """A certificate in use.

    Args:
        context: makes handshakes.
        digest: of the content of both files.
        not_after: when the certificate expires.
    """

    context: ssl.SSLContext
    digest: bytes
    not_after: datetime


def load_pair(cert_file: str, key_file: str, client_ca_file: str = "") -> Pair:
    """Read a certificate and its key, and whose certificates clients have to show.

    Only TLS 1.2 and newer; HTTP/1.1 alone is offered, since over HTTP/2 the API server
    would keep one connection to one replica (kubernetes issue 75791).

    Raises:
        CertificateError: a file is missing, unreadable or no PEM, or they do not
            belong together (operator's fault).
    """
    files = tuple(file for file in (cert_file, key_file, client_ca_file) if file)
    for _ in range(TRIES):
        digest, (leaf, *_, last) = _read(*files)
        not_after = _get_not_after(leaf, cert_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(cert_file, key_file, password=_refuse_password)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            problem = _explain(error)
        else:
            problem = ""
        # OpenSSL reads paths only: make sure that it read what was looked at.
        if _read(*files)[0] == digest:
            break
    else:
        raise CertificateError("the files keep changing", place=cert_file)
    if problem:
        raise CertificateError(
            f"certificate and key cannot be used: {problem}",
            place=cert_file,
            hint=f"the key is read from {key_file}",
        )
    if client_ca_file:
        try:
            require_certificate(context, last)
        except ValueError as error:
            raise CertificateError(
                f"the authorities of clients cannot be used: {error}",
                place=client_ca_file,
            ) from error
    return Pair(context, digest, not_after)


def _read(*files: str) -> tuple[bytes, list[bytes]]:
    """Return the digest of all files, and what is in each."""
    contents = []
    for file in files:
        try:
            with Path(file).open("rb") as stream:
                contents.append(stream.read(FILE_LIMIT_BYTES))
        except OSError as error:
            raise CertificateError(
                error.strerror or "cannot be read", place=file
            ) from error
    joined = b"".join(hashlib.sha256(content).digest() for content in contents)
    return joined, contents


def _get_not_after(pem: bytes, place: str) -> datetime:
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    _, found, rest = pem.partition(begin)
    body, closed, _ = rest.partition(end)
    if not (found and closed):
        raise CertificateError("there is no certificate in the file", place=place)
    try:
        text = (begin + body + end).decode("ascii")
        not_after = find_not_after(ssl.PEM_cert_to_DER_cert(text))
    except ValueError:
        not_after = None
    if not_after is None:
        raise CertificateError("the certificate is damaged", place=place)
    return not_after


def _refuse_password() -> str:
    """Do not ask at a terminal that is not there."""
    raise ValueError("the key is protected by a password")


def _explain(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "no PEM").replace("_", " ").lower()
        return "they do not belong together" if "mismatch" in reason else reason
    return str(error)


class Certificate:
    """The pair in use, and what is wrong with the one that should replace it.

    Attributes:
        context: for the next handshake; None until a pair could be read.
        problem: why the files cannot be used now; None if they are in use.
    """

    def __init__(
        self,
        cert_file: str,
        key_file: str,
        counts: Counts,
        *,
        client_ca_file: str = "",
    ) -> None:
        self._files = tuple(f for f in (cert_file, key_file, client_ca_file) if f)
        self._counts = counts
        self._pair: Pair | None = None
        self._broken = b""
        self.problem: CertificateError | None = None

    @property
    def context(self) -> ssl.SSLContext | None:
        """The context for the next handshake."""
        return None if self._pair is None else self._pair.context

    @property
    def detail(self) -> str:
        """One line for the readiness page."""
        if self._pair is None:
            return f"no certificate: {self.problem or 'not read yet'}"
        until = f"valid until {self._pair.not_after:%Y-%m-%dT%H:%M:%SZ}"
        if self._pair.not_after <= datetime.now(UTC):
            until = f"EXPIRED: {until}"
        if self.problem is not None:
            return f"{until}; the new one cannot be used: {self.problem}"
        return until

    def load(self) -> bool:
        """Look at the files; return whether another pair is now in use.

        Blocks on files. What is broken is said once, not at every look.
        """
        try:
            digest, _ = _read(*self._files)
            if self._pair is not None and digest == self._pair.digest:
                self.problem = None
                return False
            pair = load_pair(*self._files)
        except CertificateError as error:
            self._keep(error)
            return False
        replaced = self._pair is not None
        self._pair, self.problem = pair, None
        self._counts.certificate_expiry = pair.not_after.timestamp()
        log.info(
            "certificate %s, %s",
            "replaced" if replaced else "loaded",
            self.detail,
            extra={"fields": {"kind": "certificate", "file": self._files[0]}},
        )
        return True

    def _keep(self, error: CertificateError) -> None:
        if self.problem is not None and str(self.problem) == str(error):
            return
        self.problem = error
        self._counts.certificate_failures += 1
        log.error(
            "certificate not %s: %s",
            "loaded" if self._pair is None else "replaced",
            error,
            extra={"fields": {"kind": "certificate", "file": self._files[0]}},
        )

    async def watch(self, seconds: float, changed: Callable[[], None]) -> None:
        """Look at the files for ever, and say when another pair is in use.

        At once when something happens in their folders, and now and then whatever a
        watch has missed.
        """
        folders = {str(Path(file).parent) for file in self._files}
        with watching(folders) as touched:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await touched.wait()
                        # Certificate and key may be written one after the other.
                        await asyncio.sleep(SETTLE_SECONDS)
                touched.clear()
                if await asyncio.to_thread(self.load):
                    changed()
