"""Formats of names and labels, with the API server's own texts for what is wrong.

Each function returns the texts; none means that the value is right.

Source: apimachinery pkg/util/validation/validation.go and
pkg/api/validate/content/{kube,errors}.go.
"""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = (
    "check_dns_label",
    "check_label_key",
    "check_label_value",
    "check_port",
    "check_subdomain",
    "marshal",
    "quote",
)

SUBDOMAIN_BYTES: Final = 253
LABEL_BYTES: Final = 63
PORTS: Final = range(1, 65536)

_DNS_1123: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_DNS_1123}(\.{_DNS_1123})*"
_DNS_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = f"({_KEY})?"

_KEY_TEXT: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character"
)


def check_subdomain(value: str) -> list[str]:
    """Check a DNS-1123 subdomain: what most objects may be called."""
    found = []
    if len(value.encode()) > SUBDOMAIN_BYTES:
        found.append(f"must be no more than {SUBDOMAIN_BYTES} characters")
    text = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
        "characters, '-' or '.', and must start and end with an alphanumeric character"
    )
    if not re.fullmatch(_SUBDOMAIN, value):
        found.append(_explain(text, _SUBDOMAIN, "example.com"))
    return found


def check_dns_label(value: str) -> list[str]:
    """Check a DNS-1035 label, which a version is."""
    found = []
    if len(value.encode()) > LABEL_BYTES:
        found.append(f"must be no more than {LABEL_BYTES} characters")
    text = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
        "start with an alphabetic character, and end with an alphanumeric character"
    )
    if not re.fullmatch(_DNS_1035, value):
        found.append(_explain(text, _DNS_1035, "my-name", "abc-123"))
    return found


def check_label_key(value: str) -> list[str]:
    """Check a label's key, which is what Kubernetes calls a qualified name."""
    prefix, slash, name = value.rpartition("/")
    explained = _explain(_KEY_TEXT, _KEY, "MyName", "my.name", "123-abc")
    if "/" in prefix:
        more = (
            "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
        return [f"a valid label key {explained} {more}"]
    found = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        # The longest name is said in bytes here, in characters elsewhere.
        found += [
            f"prefix part {text.replace(' characters', ' bytes', 1)}"
            if text.startswith("must be no more")
            else f"prefix part {text}"
            for text in check_subdomain(prefix)
        ]
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > LABEL_BYTES:
        found.append(f"name part must be no more than {LABEL_BYTES} bytes")
    if not re.fullmatch(_KEY, name):
        found.append(f"name part {explained}")
    return found


def check_label_value(value: str) -> list[str]:
    """Check a label's value."""
    found = []
    if len(value.encode()) > LABEL_BYTES:
        found.append(f"must be no more than {LABEL_BYTES} bytes")
    text = f"a valid label must be an empty string or {_KEY_TEXT.removeprefix('must ')}"
    if not re.fullmatch(_VALUE, value):
        found.append(_explain(text, _VALUE, "MyValue", "my_value", "12345"))
    return found


def check_port(value: int) -> list[str]:
    """Check a port's number."""
    return [] if value in PORTS else ["must be between 1 and 65535, inclusive"]


def _explain(text: str, regex: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{regex}')"


_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}


def quote(text: str) -> str:
    """Quote a string as Go's ``%q`` does."""
    return f'"{"".join(map(_escape, text))}"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def marshal(value: object) -> str:
    """Write JSON as Go's encoding/json does: compact, nothing that HTML would read."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
