"""Trust: caBundle, and a serving certificate against it.

The API server looks at caBundle when it calls, not when it is stored: what is wrong
with it is found by the first request.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import re
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from admit.doctor.validation.go_url import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from admit.doctor.context import Context
    from admit.doctor.findings import Entry, Finding

__all__ = ("check_trust", "names_of", "read_certificates", "server_name")

# Time to issue another authority and have it in use everywhere.
SOON: Final = dt.timedelta(days=30)

# Who fills caBundle in once the configuration is in a cluster.
INJECTED: Final = (
    "admission.gke.io/inject-ca",
    "cert-manager.io/inject-apiserver-ca",
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "service.beta.openshift.io/inject-cabundle",
)

_PEM: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)

# Certificates in one bundle that are looked at.
MOST: Final = 200


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text; what is none is left out, as Go does."""
    found = []
    for block in _PEM.findall(pem)[:MOST]:
        try:
            found.append(x509.load_pem_x509_certificate(block))
        except ValueError:
            continue
    return found


def check_trust(entry: Entry, context: Context) -> Iterator[Finding]:
    """Check the address of a webhook and whom the API server trusts there."""
    client = entry.webhook.client_config
    yield from _check_host(entry, client)
    text = client.get("caBundle", "")
    pem = base64.b64decode(text.replace("\n", "").replace("\r", ""))
    at = ("clientConfig", "caBundle") if "caBundle" in client else ("clientConfig",)
    if not pem.strip():
        yield from _check_missing(entry, client, pem, at)
        return
    bundle = read_certificates(pem)
    if not bundle:
        reason = "it holds no certificate in PEM"
        if pem.startswith(b"LS0tLS1CRUdJTi"):
            reason = "it is PEM in base64 twice"
        yield entry.find("ca-not-pem", reason, *at)
        return
    yield from _check_dates(entry, bundle, context, at)
    if context.serving_certificate:
        for reason in _check_serving(entry, bundle, context):
            yield entry.find("certificate-mismatch", reason, *at)


def _check_missing(
    entry: Entry, client: dict[str, Any], pem: bytes, at: tuple[str, ...]
) -> Iterator[Finding]:
    if "service" not in client and not pem:
        return  # a URL's certificate may be signed by anybody the system trusts
    by = next((a for a in INJECTED if a in entry.configuration.annotations), "")
    reason = "caBundle is blank" if pem else "there is no caBundle"
    if by:
        reason += f"; {by} has it filled in"
    yield entry.find("ca-missing", reason, *at)


def _check_dates(
    entry: Entry,
    bundle: Sequence[x509.Certificate],
    context: Context,
    at: tuple[str, ...],
) -> Iterator[Finding]:
    """One certificate that is good is enough: a rotation leaves the old one there."""
    last = max(bundle, key=lambda certificate: certificate.not_valid_after_utc)
    end = last.not_valid_after_utc
    date = f"{end:%Y-%m-%d}"
    if end <= context.now:
        yield entry.find("ca-expired", f"it has expired on {date}", *at)
    elif end - context.now < SOON:
        yield entry.find("ca-expires-soon", f"it expires on {date}", *at)


def server_name(client: dict[str, Any]) -> str:
    """Return the name that the API server asks the certificate for."""
    service = client.get("service")
    if service:
        return f"{service.get('name', '')}.{service.get('namespace', '')}.svc"
    try:
        host = parse_url(client.get("url", "")).host
    except ValueError:
        return ""
    return re.sub(r":[0-9]*$", "", host).strip("[]")


def _check_host(entry: Entry, client: dict[str, Any]) -> Iterator[Finding]:
    if "service" in client or entry.configuration.static:
        return
    name = server_name(client)
    try:
        local = ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = name == "localhost" or name.endswith(".localhost")
    if local:
        reason = f"{name} is the API server's own machine"
        yield entry.find("local-url", reason, "clientConfig", "url")


def _check_serving(
    entry: Entry, bundle: Sequence[x509.Certificate], context: Context
) -> Iterator[str]:
    chain = read_certificates(context.serving_certificate)
    if not chain:
        yield "the serving certificate holds no certificate in PEM"
        return
    leaf = chain[0]
    name = server_name(entry.webhook.client_config)
    names = names_of(leaf)
    if not any(_covers(known, name) for known in names):
        yield f"it is for {', '.join(names) or 'no name'}, not for {name}"
    if not leaf.not_valid_before_utc <= context.now < leaf.not_valid_after_utc:
        yield (
            f"it is valid from {leaf.not_valid_before_utc:%Y-%m-%d} to "
            f"{leaf.not_valid_after_utc:%Y-%m-%d}"
        )
    if not _is_signed(leaf, chain[1:], bundle):
        yield f"no certificate in caBundle has signed it ({_issuer(leaf)} has)"


def names_of(leaf: x509.Certificate) -> list[str]:
    """Go reads the subject alternative names, and never the common name."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []
    names = found.value
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def _covers(known: str, name: str) -> bool:
    known, name = known.lower(), name.lower()
    if known.startswith("*."):
        return name.partition(".")[2] == known[2:]
    return known == name


def _is_signed(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    bundle: Sequence[x509.Certificate],
) -> bool:
    """Walk from the leaf to a certificate of the bundle."""
    if leaf in bundle:
        return True
    at = leaf
    for _ in range(len(others) + 1):
        if any(_has_signed(authority, at) for authority in bundle):
            return True
        issuers = [other for other in others if _has_signed(other, at)]
        if not issuers:
            return False
        at = issuers[0]
    return False


def _has_signed(authority: x509.Certificate, other: x509.Certificate) -> bool:
    try:
        other.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _issuer(leaf: x509.Certificate) -> str:
    return leaf.issuer.rfc4514_string() or "nobody"
