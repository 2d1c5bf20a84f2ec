"""Who the pods are, and what they may do: to their own Secret and registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from admit.certs.service import SECRET_VERBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit.deployment.options import DeploymentOptions

__all__ = (
    "namespace",
    "registration_role",
    "secret_role",
    "service_account",
)

RBAC: Final = "rbac.authorization.k8s.io"

# list and watch hold for a name if the request selects it (metadata.name=…).
_KEEP_REGISTERED: Final = ["get", "list", "watch", "update", "patch"]

WEBHOOKS: Final = (
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
)


def namespace(options: DeploymentOptions) -> dict[str, Any]:
    """Return the Namespace, in which only pods of the strictest standard run."""
    standard = {
        f"pod-security.kubernetes.io/{mode}": "restricted"
        for mode in ("enforce", "audit", "warn")
    }
    labels = {**options.labels, **standard}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": options.namespace, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
    }


def service_account(options: DeploymentOptions) -> dict[str, Any]:
    """Return the ServiceAccount; pods that need its token ask for it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": options.metadata(),
        "automountServiceAccountToken": False,
    }


def secret_role(options: DeploymentOptions) -> tuple[dict[str, Any], ...]:
    """Return the Role for the certificate's Secret and for events, and its binding.

    `create` cannot be bound to a name: when it is asked for, there is none yet.
    """
    rules = [
        _rule("", ["secrets"], list(SECRET_VERBS), names=[options.secret_name]),
        _rule("", ["secrets"], ["create"]),
        _rule("events.k8s.io", ["events"], ["create", "patch"]),
    ]
    return _grant("Role", options.metadata(), rules, options)


def registration_role(
    options: DeploymentOptions, configurations: Sequence[str]
) -> tuple[dict[str, Any], ...]:
    """Return the ClusterRole for the release's own webhook configurations.

    `create` puts a deleted one back. It gives no power that `update` of one's own
    does not give already: that may name any resource and any address.

    Args:
        options: what runs in the cluster.
        configurations: their names.
    """
    rules = [
        _rule(
            "admissionregistration.k8s.io",
            list(WEBHOOKS),
            _KEEP_REGISTERED,
            names=sorted(set(configurations)),
        ),
        _rule("admissionregistration.k8s.io", list(WEBHOOKS), ["create"]),
    ]
    return _grant("ClusterRole", options.cluster_metadata(), rules, options)


def _rule(
    group: str, resources: list[str], verbs: list[str], *, names: Sequence[str] = ()
) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "apiGroups": [group],
        "resources": resources,
        "verbs": list(verbs),
    }
    if names:
        rule["resourceNames"] = list(names)
    return rule


def _grant(
    kind: str,
    metadata: dict[str, Any],
    rules: list[dict[str, Any]],
    options: DeploymentOptions,
) -> tuple[dict[str, Any], ...]:
    """Return a role, and the binding that gives it to the ServiceAccount."""
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": rules,
    }
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]},
        "subjects": [
            {
                "kind": "ServiceAccount",
                "name": options.name,
                "namespace": options.namespace,
            }
        ],
    }
    return role, binding
