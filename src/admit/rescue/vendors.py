"""Who keeps a webhook configuration as it is, and how to make them stop for a while.

What lives here: how known controllers are recognised by what they leave on a
configuration, what they put back, and the switch that their documentation names. Only
one that is an annotation on the configuration itself can be set along with the change;
the others are told to the operator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("VENDORS", "Vendor", "find_vendors")


@dataclass(frozen=True, slots=True)
class Vendor:
    """A controller that writes webhook configurations.

    Args:
        name: for ``--vendor`` and for people.
        names: the start of its configurations' names.
        label: one that it sets; the value is empty where any will do.
        manager: the start of its name in managedFields.
        undoes: what it does to a configuration that was opened; empty for nothing.
        stop: what to type so that it does not; empty where nothing is needed.
        switches: annotations on the configuration that make it stand down.
        source: where that is documented.
    """

    name: str
    names: tuple[str, ...] = ()
    label: tuple[str, str] = ("", "")
    manager: str = ""
    undoes: str = ""
    stop: str = ""
    switches: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def wrote(self, configuration: Mapping[str, Any]) -> bool:
        """Tell whether a configuration bears its marks."""
        metadata = configuration.get("metadata") or {}
        labels = metadata.get("labels") or {}
        key, value = self.label
        return (
            metadata.get("name", "").startswith(self.names or "\0")
            or (key in labels and value in {"", labels[key]})
            or (self.manager != "" and self._manages(metadata))
        )

    def _manages(self, metadata: Mapping[str, Any]) -> bool:
        return any(
            str(entry.get("manager", "")).startswith(self.manager)
            for entry in metadata.get("managedFields") or ()
        )


VENDORS: Final = (
    Vendor(
        "kyverno",
        names=("kyverno-",),
        label=("webhook.kyverno.io/managed-by", "kyverno"),
        undoes="writes its configurations again within seconds",
        stop="kubectl -n kyverno scale deployment kyverno-admission-controller "
        "--replicas 0",
        source="https://kyverno.io/docs/troubleshooting/",
    ),
    Vendor(
        "gatekeeper",
        names=("gatekeeper-",),
        label=("gatekeeper.sh/system", "yes"),
        source="https://open-policy-agent.github.io/gatekeeper/website/docs/emergency/",
    ),
    Vendor(
        "kubewarden",
        names=("clusterwide-", "namespaced-"),
        label=("app.kubernetes.io/part-of", "kubewarden"),
        undoes="writes the configuration of each policy again",
        stop="kubectl -n kubewarden scale deployment kubewarden-controller "
        "--replicas 0",
        source="https://docs.kubewarden.io/",
    ),
    Vendor(
        "cert-manager",
        names=("cert-manager-webhook",),
        label=("app.kubernetes.io/instance", "cert-manager"),
        source="https://cert-manager.io/docs/concepts/webhook/",
    ),
    Vendor(
        "istio",
        names=("istio-",),
        label=("app", "istiod"),
        manager="pilot-discovery",
        undoes="sets failurePolicy back to Fail in its validating configurations",
        stop="kubectl -n istio-system scale deployment istiod --replicas 0",
        source="https://istio.io/latest/docs/ops/configuration/mesh/webhook/",
    ),
    Vendor(
        "aks-admissions-enforcer",
        manager="admissionsenforcer",
        undoes="puts its own namespaceSelector terms back",
        switches={"admissions.enforcer/disabled": "true"},
        source="https://learn.microsoft.com/azure/aks/faq",
    ),
    Vendor(
        "flux",
        label=("kustomize.toolkit.fluxcd.io/name", ""),
        manager="kustomize-controller",
        undoes="applies what is in Git again, every few minutes",
        switches={"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        source="https://github.com/fluxcd/kustomize-controller/pull/484",
    ),
    Vendor(
        "helm-controller",
        label=("helm.toolkit.fluxcd.io/name", ""),
        undoes="upgrades the release again if drift detection is on",
        stop="flux suspend helmrelease NAME",
        source="https://fluxcd.io/flux/components/helm/helmreleases/",
    ),
    Vendor(
        "argo-cd",
        manager="argocd-",
        undoes="applies what is in Git again where selfHeal is on",
        stop="argocd app set APP --sync-policy none",
        source="https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/",
    ),
    Vendor(
        "admit",
        label=("app.kubernetes.io/managed-by", "admit"),
        source="it reads the note and leaves the configuration alone",
    ),
)


def find_vendors(configuration: Mapping[str, Any]) -> tuple[Vendor, ...]:
    """Return who writes a configuration, as far as its marks tell."""
    return tuple(vendor for vendor in VENDORS if vendor.wrote(configuration))
