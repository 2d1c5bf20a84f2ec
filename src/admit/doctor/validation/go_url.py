"""URLs as Go's net/url takes them apart, because the API server does.

Source: Go's src/net/url/url.go (1.26).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote as percent_encode
from urllib.parse import unquote

from admit.doctor.validation.formats import quote

__all__ = ("GoURL", "parse_url")

_UNRESERVED: Final = "-_.~"
_IN_HOST: Final = frozenset("!$&'()*+,;=:[]<>\"" + _UNRESERVED)
_IN_USER: Final = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):")
_PORT: Final = re.compile(r"(?::[0-9]*)?")
_PERCENT: Final = re.compile("%")
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class GoURL:
    """The parts that the API server looks at; `user` is None if there is no ``@``."""

    scheme: str = ""
    host: str = ""
    user: str | None = None
    path: str = ""
    query: str = ""
    fragment: str = ""


def parse_url(text: str) -> GoURL:
    """Take a URL apart.

    Raises:
        ValueError: Go would not; the message is Go's.
    """
    before, _, fragment = text.partition("#")
    try:
        parsed = _parse(before)
    except ValueError as error:
        raise ValueError(f"parse {quote(before)}: {error}") from None
    try:
        _check_escapes(fragment)
    except ValueError as error:
        raise ValueError(f"parse {quote(text)}: {error}") from None
    return GoURL(*parsed, fragment=unquote(fragment))


def _parse(text: str) -> tuple[str, str, str | None, str, str]:
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("net/url: invalid control character in URL")
    if text.startswith(":"):
        raise ValueError("missing protocol scheme")
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    rest = text[found.end() :] if found else text
    if rest.endswith("?") and rest.count("?") == 1:
        rest, query = rest[:-1], ""
    else:
        rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return scheme, "", None, "", query
        if ":" in rest.partition("/")[0]:
            raise ValueError("first path segment in URL cannot contain colon")
    host, user = "", None
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        host, user = _parse_authority(scheme, authority)
        rest = slash + rest
    _check_escapes(rest)
    return scheme, host, user, unquote(rest), query


def _parse_authority(scheme: str, authority: str) -> tuple[str, str | None]:
    userinfo, at, host = authority.rpartition("@")
    host = _parse_host(scheme, host)
    if not at:
        return host, None
    if not _IN_USER.fullmatch(userinfo):
        raise ValueError("net/url: invalid userinfo")
    _check_escapes(userinfo)
    parts = [
        percent_encode(unquote(part), safe=f"{_UNRESERVED}$&+,;=")
        for part in userinfo.split(":", 1)
    ]
    return host, ":".join(parts)


def _parse_host(scheme: str, host: str) -> str:
    bracket = host.rfind("[")
    if bracket > 0:
        raise ValueError("invalid IP-literal")
    if bracket == 0:
        return _parse_literal(host)
    if ":" in host:
        strict = scheme in {"http", "https"}
        at = host.index(":") if strict else host.rindex(":")
        _check_port(host[at:])
    _check_host(host)
    return unquote(host)


def _parse_literal(host: str) -> str:
    close = host.rfind("]")
    if close < 0:
        raise ValueError("missing ']' in host")
    _check_port(host[close + 1 :])
    name = host[1:close]
    address, _, _ = name.partition("%25")
    _check_host(address)
    try:
        version = ipaddress.ip_address(unquote(address)).version
    except ValueError:
        text = f"invalid host: ParseAddr({quote(name)}): unable to parse IP"
        raise ValueError(text) from None
    if version == 4:
        raise ValueError("invalid IP-literal")
    return host


def _check_port(text: str) -> None:
    if not _PORT.fullmatch(text):
        raise ValueError(f"invalid port {quote(text)} after host")


def _check_escapes(text: str) -> None:
    for found in _PERCENT.finditer(text):
        if not _ESCAPE.match(text, found.start()):
            bad = text[found.start() : found.start() + 3]
            raise ValueError(f"invalid URL escape {quote(bad)}")


def _check_host(host: str) -> None:
    """Only what is not ASCII may be escaped in a host."""
    position = 0
    while position < len(host):
        character = host[position]
        if character == "%":
            bad = host[position : position + 3]
            if not _ESCAPE.match(host, position):
                raise ValueError(f"invalid URL escape {quote(bad)}")
            if int(bad[1], 16) < 8 and bad != "%25":
                raise ValueError(f"invalid URL escape {quote(bad)}")
            position += 3
            continue
        plain = character.isalnum() or character in _IN_HOST
        if character.isascii() and not plain:
            raise ValueError(f"invalid character {quote(character)} in host name")
        position += 1
