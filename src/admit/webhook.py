"""Webhook configurations as values, with every default of the API server written out.

What lives here: `admissionregistration.k8s.io/v1` as types, and their plain form. A
configuration that leaves defaults to the server shows a difference for ever in GitOps
tools, so `to_manifest` writes them all. What this file must not know: apps, clusters.

Source: k8s.io/api/admissionregistration/v1/types.go; the defaults are in kubernetes
pkg/apis/admissionregistration/v1/defaults.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "ClientConfig",
    "LabelSelector",
    "MatchCondition",
    "MutatingWebhook",
    "Requirement",
    "Rule",
    "ServiceReference",
    "StoredWebhook",
    "ValidatingWebhook",
    "Webhook",
    "read_webhook",
    "to_manifest",
)

API_VERSION: Final = "admissionregistration.k8s.io/v1"

# Seconds that a webhook may take: the API server accepts 1 to 30 and defaults to 10.
TIMEOUT_MIN: Final = 1
TIMEOUT_MAX: Final = 30
TIMEOUT_DEFAULT: Final = 10

FailurePolicy = Literal["Fail", "Ignore"]


class _Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Kubernetes' spelling outside, Python's inside."""


class Rule(_Value, frozen=True):
    """Which requests: operations on resources, as RuleWithOperations."""

    api_groups: tuple[str, ...]
    api_versions: tuple[str, ...]
    operations: tuple[str, ...]
    resources: tuple[str, ...]
    scope: Literal["*", "Cluster", "Namespaced"] = "*"


class Requirement(_Value, frozen=True, omit_defaults=True):
    """One term of a label selector; `values` only with In and NotIn."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(_Value, frozen=True, omit_defaults=True):
    """Terms that all hold; without terms it selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class MatchCondition(_Value, frozen=True):
    """A CEL expression that the API server evaluates before it calls."""

    name: str
    expression: str


class ServiceReference(_Value, frozen=True):
    """A Service in the cluster; its TLS name is ``<name>.<namespace>.svc``."""

    name: str
    namespace: str
    path: str
    port: int = 443


class ClientConfig(_Value, frozen=True, omit_defaults=True):
    """Where the webhook is: one of `url` and `service`; `ca_bundle` is PEM bytes."""

    url: str | None = None
    service: ServiceReference | None = None
    ca_bundle: bytes | None = None


class Webhook(_Value, frozen=True):
    """One entry of a configuration; each field as the API names it."""

    name: str
    client_config: ClientConfig
    rules: tuple[Rule, ...]
    failure_policy: FailurePolicy = "Fail"
    match_policy: Literal["Equivalent", "Exact"] = "Equivalent"
    namespace_selector: LabelSelector = LabelSelector()
    object_selector: LabelSelector = LabelSelector()
    side_effects: Literal["None", "NoneOnDryRun"] = "None"
    timeout_seconds: int = TIMEOUT_DEFAULT
    admission_review_versions: tuple[str, ...] = ("v1", "v1beta1")
    match_conditions: tuple[MatchCondition, ...] = ()


class ValidatingWebhook(Webhook, frozen=True):
    """An entry of a ValidatingWebhookConfiguration."""


class MutatingWebhook(Webhook, frozen=True):
    """An entry of a MutatingWebhookConfiguration.

    It is asked again when a later webhook changed the object, so that the order of
    webhooks does not decide what is left unfixed.
    """

    reinvocation_policy: Literal["Never", "IfNeeded"] = "IfNeeded"


def to_manifest(
    name: str, webhooks: tuple[Webhook, ...], labels: dict[str, str]
) -> dict[str, Any]:
    """Return the configuration of webhooks of one kind, ready for YAML or JSON.

    Shapes: ``{"apiVersion", "kind", "metadata", "webhooks"}``; `ca_bundle` is base64.
    """
    kind = "Mutating" if isinstance(webhooks[0], MutatingWebhook) else "Validating"
    # Through JSON, so that what a tuple holds here is a list there.
    entries = msgspec.json.decode(msgspec.json.encode(webhooks))
    for entry in entries:
        if not entry["matchConditions"]:
            del entry["matchConditions"]  # the one list the server leaves out if empty
    return {
        "apiVersion": API_VERSION,
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name, "labels": labels},
        "webhooks": entries,
    }


class StoredWebhook(_Value, frozen=True):
    """An entry of anybody's configuration, whoever wrote it, defaults filled in.

    Wider than `Webhook`: what older API servers accepted is still stored.
    """

    name: str = ""
    client_config: dict[str, Any] = {}
    rules: tuple[Rule, ...] = ()
    failure_policy: str = "Fail"
    match_policy: str = "Equivalent"
    namespace_selector: LabelSelector = LabelSelector()
    object_selector: LabelSelector = LabelSelector()
    side_effects: str = ""
    timeout_seconds: int = TIMEOUT_DEFAULT
    admission_review_versions: tuple[str, ...] = ()
    match_conditions: tuple[MatchCondition, ...] = ()
    reinvocation_policy: str = "Never"


def read_webhook(entry: Mapping[str, Any]) -> StoredWebhook:
    """Read an entry of a configuration, such as a cluster or a file holds.

    Shapes: a member of ``webhooks`` as JSON; what is absent or null has its default,
    what is unknown here is ignored.

    Raises:
        ConfigError: a member is of the wrong type, or is what no API server accepts.
    """
    try:
        return msgspec.convert(_without_nulls(entry), StoredWebhook)
    except msgspec.ValidationError as error:
        raise ConfigError(f"not a webhook: {error}") from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
