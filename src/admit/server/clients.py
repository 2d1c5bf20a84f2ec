"""Who may ask on the review port: by certificate, by the names in it, by token.

A certificate that no authority of ours signed, or none at all, ends the handshake. A
name or token that is not ours is answered when the headers are there: nothing of the
body is looked at, and the connection closes.

By default the API server shows neither: it has to be configured to
(https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/,
authenticate API servers).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from admit._exchange import failure
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from admit._exchange import Reply
    from admit.server.counts import Counts

__all__ = ("REFUSALS", "Clients", "find_refusal", "require_certificate")

log: Final = logging.getLogger("admit.server")

# Why somebody may not ask; the label of a metric.
REFUSALS: Final = (
    "no certificate",
    "unknown authority",
    "expired",
    "other certificate",
    "name",
    "no token",
    "wrong token",
)

# What OpenSSL says of a certificate (include/openssl/x509_vfy.h).
_VERIFY_REFUSALS: Final = {
    9: "expired",  # not yet valid
    10: "expired",
    18: "unknown authority",  # signed by itself
    19: "unknown authority",
    20: "unknown authority",
    21: "unknown authority",
}

# Kinds of subject alternative names that are compared, as Python calls them.
_NAME_KINDS: Final = frozenset({"DNS", "URI", "IP Address", "email"})

# Bytes of a token file that are read, and characters that a token has at least: as many
# random ones cannot be guessed.
FILE_LIMIT_BYTES: Final = 64 * 1024
TOKEN_LENGTH: Final = 16

_SCHEME: Final = b"bearer "


def require_certificate(context: ssl.SSLContext, authorities: bytes) -> None:
    """Take only clients with a certificate that one of these signed.

    Any of them is trusted as it stands, also one that another signed, as Go does.

    Args:
        context: of the server.
        authorities: certificates in PEM.

    Raises:
        ValueError: there is no certificate, or one is damaged.
    """
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except ssl.SSLError as error:
        raise ValueError((error.reason or "no PEM").replace("_", " ").lower()) from None
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # A ticket would stand for a certificate that may have expired since.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def find_refusal(error: OSError) -> str:
    """Return why a handshake refuses a client; empty for other faults."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_REFUSALS.get(error.verify_code, "other certificate")
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return "no certificate" if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE" else ""


class Clients:
    """Who may ask.

    Args:
        names: one of them has to be the certificate's common name or among its
            subject alternative names; none for any certificate.
        token_file: has the tokens that may be shown, one a line; empty for none.
        counts: `refused` is raised, by reason.

    Attributes:
        needs_token: whether a request has to show a token.
        problem: why the token file cannot be used now; None if it is in use.
    """

    def __init__(self, names: Iterable[str], token_file: str, counts: Counts) -> None:
        self._names = frozenset(names)
        self._file = token_file
        self.needs_token = bool(token_file)
        self._counts = counts
        self._tokens: tuple[bytes, ...] = ()
        self._content = b""
        self.problem: ConfigError | None = None

    @property
    def is_ready(self) -> bool:
        """Whether anybody can show the right token."""
        return not self._file or bool(self._tokens)

    @property
    def detail(self) -> str:
        """One line for the readiness page."""
        if self.problem is None:
            return ""
        kept = "the new tokens cannot be used" if self._tokens else "no tokens"
        return f"{kept}: {self.problem}"

    def check_certificate(self, certificate: Any) -> Reply | None:
        """Refuse a certificate by its names.

        Args:
            certificate: as `ssl.SSLSocket.getpeercert` gives it.
        """
        if not self._names or self._names & set(_find_names(certificate)):
            return None
        return self._refuse(
            "name",
            "wrong client",
            "the client certificate has none of the names that may ask",
        )

    def check_token(self, authorization: bytes) -> Reply | None:
        """Refuse a request by its Authorization header."""
        scheme, token = authorization[:7], authorization[7:].strip()
        if scheme.lower() != _SCHEME or not token:
            return self._refuse("no token", "no token", "show a bearer token")
        given = hashlib.sha256(token).digest()
        known = False
        for each in self._tokens:  # all of them, each in constant time
            known |= hmac.compare_digest(given, each)
        if known:
            return None
        return self._refuse("wrong token", "no token", "the bearer token is not known")

    def refuse(self, reason: str) -> None:
        """Count a client that may not ask."""
        self._counts.refused[reason] += 1

    def _refuse(self, reason: str, outcome: Any, message: str) -> Reply:
        self.refuse(reason)
        return failure(outcome, message)

    def load(self) -> None:
        """Read the token file, if it changed. Blocks. What is broken is said once."""
        if not self._file:
            return
        try:
            content = _read(self._file)
            if content == self._content:
                self.problem = None
                return
            tokens = _to_tokens(content, self._file)
        except ConfigError as error:
            if str(error) != str(self.problem or ""):
                log.error("tokens not loaded: %s", error)  # noqa: TRY400 - it has no more
            self.problem = error
            return
        self._content, self._tokens, self.problem = content, tokens, None
        log.info("tokens loaded, %d may be shown", len(tokens))

    async def watch(self, seconds: float, changed: Callable[[], None]) -> None:
        """Look at the file for ever."""
        while self._file:
            await asyncio.sleep(seconds)
            before = self.is_ready, self.detail
            await asyncio.to_thread(self.load)
            if before != (self.is_ready, self.detail):
                changed()


def _find_names(certificate: Any) -> Iterable[str]:
    for part in (certificate or {}).get("subject", ()):
        for kind, value in part:
            if kind == "commonName":
                yield value
    for kind, value in (certificate or {}).get("subjectAltName", ()):
        if kind in _NAME_KINDS:
            yield value


def _read(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            return stream.read(FILE_LIMIT_BYTES)
    except OSError as error:
        raise ConfigError(error.strerror or "cannot be read", place=file) from error


def _to_tokens(content: bytes, place: str) -> tuple[bytes, ...]:
    """Return the digests of the tokens: what is compared has one length."""
    tokens = [line.strip() for line in content.splitlines() if line.strip()]
    if not tokens:
        raise ConfigError("there is no token in the file", place=place)
    for number, token in enumerate(tokens, 1):
        if len(token) < TOKEN_LENGTH or b" " in token or not token.isascii():
            raise ConfigError(
                f"token {number} is none: {TOKEN_LENGTH} characters or more, in ASCII, "
                "without spaces",
                place=place,
                hint="for example: openssl rand -hex 32",
            )
    return tuple(hashlib.sha256(token).digest() for token in tokens)
