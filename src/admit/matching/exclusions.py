"""Exclusions: requests that no webhook sees, whatever its rules say.

Source: apiserver pkg/admission/plugin/webhook/generic/webhook.go; kubernetes
pkg/kubeapiserver/admission/exclusion/resources.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from admit.matching.attributes import Attributes

__all__ = ("CONFIGURATION_KINDS", "VIRTUAL", "find_exclusion", "is_virtual")

GROUP: Final = "admissionregistration.k8s.io"

# A webhook on these could keep itself from ever being mended.
CONFIGURATION_KINDS: Final = (
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
)

# (group, resource), in every version: questions that are answered and never stored.
VIRTUAL: Final = (
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
)

# Since then virtual resources are excluded (ExcludeAdmissionWebhookVirtualResources).
VIRTUAL_EXCLUDED_SINCE: Final = (1, 37)


def is_virtual(group: str, resource: str) -> bool:
    """Tell whether a resource is a question that is never stored."""
    return (group, resource) in VIRTUAL


def find_exclusion(
    attributes: Attributes,
    *,
    static: bool = False,
    version: tuple[int, int] = VIRTUAL_EXCLUDED_SINCE,
) -> str | None:
    """Return why no webhook sees a request; None if one may.

    Args:
        attributes: of the request.
        static: the webhook is of a static manifest, not of the API.
        version: of Kubernetes: major, minor.
    """
    group, resource = attributes.group, attributes.resource
    if is_virtual(group, resource) and version >= VIRTUAL_EXCLUDED_SINCE:
        return f"the API server never sends {attributes.target} to webhooks"
    configures = attributes.kind in CONFIGURATION_KINDS
    if attributes.kind_group == GROUP and configures and not static:
        return f"webhooks never see a {attributes.kind}"
    return None
