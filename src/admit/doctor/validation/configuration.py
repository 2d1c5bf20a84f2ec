"""Validation: what the API server refuses of a webhook configuration, in its words.

What must live here: the rules of a create, in the API server's order. A change of what
is stored is judged more mildly (what was wrong before may stay).

Not here: whether a match condition compiles, because nobody evaluates CEL here.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go,
static_suffix.go; apiserver pkg/util/webhook/validation.go; v1.37.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from admit.doctor.validation.fields import (
    FieldError,
    Path,
    duplicate,
    invalid,
    required,
    too_many,
    unsupported,
)
from admit.doctor.validation.formats import (
    check_dns_label,
    check_label_key,
    check_port,
    check_subdomain,
)
from admit.doctor.validation.go_url import parse_url
from admit.doctor.validation.metadata import check_metadata, check_selector
from admit.doctor.validation.rules import check_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("REVIEW_VERSIONS", "STATIC_SUFFIX", "validate_configuration")

REVIEW_VERSIONS: Final = ("v1", "v1beta1")
STATIC_SUFFIX: Final = ".static.k8s.io"
TIMEOUTS: Final = range(1, 31)
CONDITIONS: Final = 64

_ENUMS: Final = (
    ("failurePolicy", ("Fail", "Ignore")),
    ("matchPolicy", ("Equivalent", "Exact")),
)
_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_FORM: Final = "; desired format: https://host[/path]"


def validate_configuration(
    content: dict[str, Any], *, static: bool = False
) -> tuple[FieldError, ...]:
    """Return why the API server would not create a configuration.

    Shapes: a configuration as `decode_configuration` gives it, without nulls.

    Args:
        content: of a Validating- or MutatingWebhookConfiguration.
        static: it is read from the API server's directory of static manifests, where
            its name may, and must, end as it does.
    """
    found = list(check_metadata(content.get("metadata", {})))
    seen: set[str] = set()
    for number, webhook in enumerate(content.get("webhooks", ())):
        path: Path = ("webhooks", number)
        found += _check_webhook(webhook, path)
        versions = webhook.get("admissionReviewVersions", [])
        found += _check_versions(versions, (*path, "admissionReviewVersions"))
        name = webhook.get("name", "")
        if name in seen:
            found.append(duplicate((*path, "name"), name))
        seen |= {name} - {""}
    name = content.get("metadata", {}).get("name", "")
    if name.endswith(STATIC_SUFFIX) and not static:
        text = (
            f'names ending with "{STATIC_SUFFIX}" are reserved for static manifest-'
            "based configurations and cannot be managed via the API"
        )
        found.append(invalid(("metadata", "name"), name, text))
    return tuple(dict.fromkeys(found))


def _check_webhook(webhook: dict[str, Any], path: Path) -> Iterator[FieldError]:
    yield from _check_name(webhook.get("name", ""), (*path, "name"))
    for number, rule in enumerate(webhook.get("rules", ())):
        yield from check_rule(rule, (*path, "rules", number))
    for name, known in _ENUMS:
        yield from _check_enum(webhook, path, name, known)
    if "sideEffects" not in webhook:
        text = f"must specify one of {', '.join(_SIDE_EFFECTS)}"
        yield required((*path, "sideEffects"), text)
    yield from _check_enum(webhook, path, "sideEffects", _SIDE_EFFECTS)
    timeout = webhook.get("timeoutSeconds")
    if timeout is not None and timeout not in TIMEOUTS:
        text = "the timeout value must be between 1 and 30 seconds"
        yield invalid((*path, "timeoutSeconds"), timeout, text)
    for name in ("namespaceSelector", "objectSelector"):
        yield from check_selector(webhook.get(name, {}), (*path, name))
    yield from _check_enum(webhook, path, "reinvocationPolicy", ("IfNeeded", "Never"))
    yield from _check_client(webhook.get("clientConfig", {}), (*path, "clientConfig"))
    conditions = webhook.get("matchConditions", [])
    yield from _check_conditions(conditions, (*path, "matchConditions"))


def _check_enum(
    webhook: dict[str, Any], path: Path, name: str, known: tuple[str, ...]
) -> Iterator[FieldError]:
    if webhook.get(name) not in {None, *known}:
        yield unsupported((*path, name), webhook[name], known)


def _check_name(name: str, path: Path) -> Iterator[FieldError]:
    wrong = check_subdomain(name)
    if not name:
        yield required(path)
    elif wrong:
        yield invalid(path, name, ",".join(wrong))
    elif name.count(".") < 2:
        text = "should be a domain with at least three segments separated by dots"
        yield invalid(path, name, text)


def _check_versions(versions: list[str], path: Path) -> Iterator[FieldError]:
    known = ", ".join(REVIEW_VERSIONS)
    if not versions:
        yield required(path, f"must specify one of {known}")
        return
    for number, version in enumerate(versions):
        if version in versions[:number]:
            yield invalid((*path, number), version, "duplicate version")
            continue
        for text in check_dns_label(version):
            yield invalid((*path, number), version, text)
    if not set(versions) & set(REVIEW_VERSIONS):
        yield invalid(path, versions, f"must include at least one of {known}")


def _check_client(client: dict[str, Any], path: Path) -> Iterator[FieldError]:
    if ("url" in client) == ("service" in client):
        yield required(path, "exactly one of url or service is required")
    elif "url" in client:
        yield from _check_url(client["url"], (*path, "url"))
    else:
        yield from _check_service(client["service"], (*path, "service"))


def _check_url(text: str, path: Path) -> Iterator[FieldError]:
    try:
        url = parse_url(text)
    except ValueError as error:
        yield required(path, f"url must be a valid URL: {error}{_FORM}")
        return
    if url.scheme != "https":
        detail = f"'https' is the only allowed URL scheme{_FORM}"
        yield invalid(path, url.scheme, detail)
    if not url.host:
        yield invalid(path, url.host, f"host must be specified{_FORM}")
    for part, value in (
        ("user information is", url.user),
        ("fragments are", url.fragment or None),
        ("query parameters are", url.query or None),
    ):
        if value is not None:
            yield invalid(path, value, f"{part} not permitted in the URL")


def _check_service(service: dict[str, Any], path: Path) -> Iterator[FieldError]:
    # The API server has the two mixed up: what it says of the name is the namespace's.
    if not service.get("namespace"):
        yield required((*path, "name"))
    if not service.get("name"):
        yield required((*path, "namespace"))
    port = service.get("port", 443)
    if wrong := check_port(port):
        yield invalid((*path, "port"), port, f"port is not valid: {', '.join(wrong)}")
    yield from _check_path(service.get("path", ""), (*path, "path"))


def _check_path(text: str, path: Path) -> Iterator[FieldError]:
    if text in {"", "/"}:
        return
    if text == "//":
        yield invalid(path, text, "segment[0] may not be empty")
        return
    if not text.startswith("/"):
        yield invalid(path, text, "must start with a '/'")
    # The first character is skipped, whatever it is (in Go a byte).
    rest = text.encode()[1:].decode(errors="replace")
    for number, segment in enumerate(rest.removesuffix("/").split("/")):
        if not segment:
            yield invalid(path, text, f"segment[{number}] may not be empty")
            continue
        for wrong in check_subdomain(segment):
            yield invalid(path, text, f"segment[{number}]: {wrong}")


def _check_conditions(
    conditions: list[dict[str, Any]], path: Path
) -> Iterator[FieldError]:
    if len(conditions) > CONDITIONS:
        yield too_many(path, len(conditions), CONDITIONS)
    seen: set[str] = set()
    for number, condition in enumerate(conditions):
        if not condition.get("expression", "").strip():
            yield required((*path, number, "expression"))
        name = condition.get("name", "")
        if not name:
            yield required((*path, number, "name"))
            continue
        for text in check_label_key(name):
            yield invalid((*path, number, "name"), name, text)
        if name in seen:
            yield duplicate((*path, number, "name"), name)
        seen.add(name)
