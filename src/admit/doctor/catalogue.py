"""The catalogue: every finding there is. The reference page and the tests read it.

An id is stable: it is written into suppressions and dashboards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ("CATALOGUE", "SEVERITIES", "Check", "Severity", "is_at_least")

Severity = Literal["error", "warning", "info"]

# From the worst on.
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


def is_at_least(severity: Severity, least: Severity) -> bool:
    """Tell whether a severity is as bad as another, or worse."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(least)


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding.

    Args:
        id: stable, in lower case.
        severity: at worst; a finding may be milder where less is sure.
        title: in a few words.
        why: what happens, in a sentence.
        hint: what to do.
        link: where Kubernetes explains it.
    """

    id: str
    severity: Severity
    title: str
    why: str
    hint: str
    link: str


_DOCS: Final = "https://kubernetes.io/docs"
_WEBHOOKS: Final = (
    f"{_DOCS}/reference/access-authn-authz/extensible-admission-controllers/"
)
_PRACTICE: Final = (
    f"{_DOCS}/concepts/cluster-administration/admission-webhooks-good-practices/"
)
_REMOVED: Final = (
    f"{_DOCS}/reference/using-api/deprecation-guide/#webhook-resources-v122"
)
_RULES: Final = f"{_WEBHOOKS}#matching-requests-rules"
_CONTACT: Final = f"{_WEBHOOKS}#contacting-the-webhook"

_CHECKS: Final = (
    # What the API server refuses.
    Check(
        "rejected",
        "error",
        "The API server refuses it",
        "The configuration cannot be created; the reason is the API server's own text.",
        "write what the text asks for",
        f"{_WEBHOOKS}#webhook-configuration",
    ),
    Check(
        "wrong-type",
        "error",
        "A value has the wrong type",
        "The API server cannot decode the configuration and answers 400.",
        "write the value with the type that the field has",
        f"{_WEBHOOKS}#webhook-configuration",
    ),
    Check(
        "unknown-field",
        "warning",
        "A field that the API does not have",
        "kubectl refuses it; other clients have it dropped without a word.",
        "correct the spelling, or remove it",
        f"{_WEBHOOKS}#webhook-configuration",
    ),
    Check(
        "removed-version",
        "error",
        "A version that is no longer served",
        "admissionregistration.k8s.io/v1beta1 is gone since Kubernetes 1.22; its "
        "defaults were others.",
        "write admissionregistration.k8s.io/v1, and failurePolicy, timeoutSeconds, "
        "sideEffects and admissionReviewVersions with it",
        _REMOVED,
    ),
    Check(
        "static-manifest",
        "error",
        "Not possible in a static manifest",
        "The API server does not start with it, or keeps the last good set.",
        "use clientConfig.url, and a name of its own that ends in .static.k8s.io",
        _WEBHOOKS,
    ),
    # What can keep a cluster from working.
    Check(
        "blocks-itself",
        "error",
        "The webhook stands before its own pods",
        "When it is down, failurePolicy Fail refuses what would bring it up again.",
        "exclude its namespace in namespaceSelector, by kubernetes.io/metadata.name",
        _PRACTICE,
    ),
    Check(
        "blocks-leases",
        "error",
        "The webhook stands before leases",
        "Nodes and leaders renew leases every few seconds; when the webhook is down "
        "or slow, nodes become NotReady and controllers lose their lead.",
        "name the resources that are meant instead of '*', or exclude "
        "kube-node-lease and kube-system in namespaceSelector",
        _PRACTICE,
    ),
    Check(
        "blocks-nodes",
        "error",
        "The webhook stands before nodes",
        "When it is down, nodes cannot join or report; namespaceSelector does not "
        "help, for nodes have no namespace.",
        "name the resources that are meant instead of '*', or set scope: Namespaced",
        _PRACTICE,
    ),
    Check(
        "blocks-kube-system",
        "warning",
        "The webhook stands before kube-system's pods",
        "When it is down, DNS, the network and what else a cluster needs to start "
        "cannot be created.",
        "exclude kube-system in namespaceSelector, by kubernetes.io/metadata.name",
        _PRACTICE,
    ),
    Check(
        "matches-events",
        "warning",
        "The webhook is called for events",
        "Events are written by everybody all the time; each costs a call.",
        "name the resources that are meant instead of '*'",
        _PRACTICE,
    ),
    Check(
        "catch-all-rule",
        "warning",
        "A rule covers everything",
        "What is installed tomorrow is covered too, and waits for the webhook.",
        "name the API groups and resources that are meant",
        _RULES,
    ),
    # Time.
    Check(
        "timeouts-exceed-request",
        "warning",
        "Time-outs add up past the request's own",
        "The API server gives a write 34 seconds for all webhooks together; then it "
        "fails, whatever failurePolicy says.",
        "shorten timeoutSeconds: mutating webhooks are called one after another",
        f"{_WEBHOOKS}#timeouts",
    ),
    Check(
        "ignore-with-long-timeout",
        "warning",
        "Ignored, but only after a long wait",
        "When the webhook hangs, each request waits the whole time before it passes.",
        "set timeoutSeconds to 5 or less",
        f"{_WEBHOOKS}#timeouts",
    ),
    # Gaps.
    Check(
        "self-grantable-selector",
        "warning",
        "An object can exempt itself",
        "Whoever may write the label decides whether the webhook is asked.",
        "select by kubernetes.io/metadata.name, or guard the label by another policy",
        f"{_WEBHOOKS}#matching-requests-objectselector",
    ),
    Check(
        "missing-subresources",
        "warning",
        "Pods can be changed past the webhook",
        "A pod's containers change through subresources that no rule covers.",
        "add pods/ephemeralcontainers and pods/resize, with UPDATE",
        _RULES,
    ),
    Check(
        "exact-match-policy",
        "info",
        "Other versions pass unseen",
        "matchPolicy Exact sees only the versions that the rules name; the same "
        "object can be written through another one.",
        "remove matchPolicy: Equivalent is the default",
        f"{_WEBHOOKS}#matching-requests-matchpolicy",
    ),
    Check(
        "no-reinvocation",
        "info",
        "Not asked again after later changes",
        "What a later webhook adds to the pod (a sidecar) is not seen by this one.",
        "set reinvocationPolicy: IfNeeded, and make the webhook idempotent",
        f"{_WEBHOOKS}#reinvocation-policy",
    ),
    Check(
        "side-effects-undeclared",
        "warning",
        "Dry run is refused",
        "Without sideEffects None or NoneOnDryRun every dry-run request that matches "
        "fails: kubectl diff, server-side checks.",
        "have no side effects on dry run, and set sideEffects",
        f"{_WEBHOOKS}#side-effects",
    ),
    # What does not mean what it seems to.
    Check(
        "never-called",
        "warning",
        "The webhook is never called",
        "Its rules cover nothing.",
        "add rules, or remove the webhook",
        _RULES,
    ),
    Check(
        "excluded-resource",
        "warning",
        "A rule without effect",
        "The API server never sends these resources to webhooks.",
        "remove the resource from the rule",
        _RULES,
    ),
    Check(
        "unknown-resource",
        "warning",
        "A resource that Kubernetes does not have",
        "The rule covers nothing: resources are plurals in lower case.",
        "write the plural, as in kubectl api-resources",
        _RULES,
    ),
    Check(
        "subresource-wildcard",
        "info",
        "A wildcard that covers the resource too",
        "'pods/*' is the pods and all their subresources, not the subresources alone.",
        "name the subresources if only they are meant",
        _RULES,
    ),
    Check(
        "order-dependent-resources",
        "warning",
        "Accepted in this order only",
        "The API server refuses the same resources in another order; a tool that "
        "sorts lists breaks it.",
        "remove what the wildcard covers already",
        _RULES,
    ),
    Check(
        "selector-ignored",
        "warning",
        "namespaceSelector does nothing here",
        "What has no namespace is never filtered by namespaceSelector.",
        "use objectSelector or matchConditions, or leave the selector out",
        f"{_WEBHOOKS}#matching-requests-namespaceselector",
    ),
    Check(
        "selector-excludes-connect",
        "warning",
        "CONNECT never matches",
        "What is sent on CONNECT (exec, attach, port-forward) has no labels, so a "
        "webhook with objectSelector never sees it.",
        "put CONNECT into a webhook without objectSelector",
        f"{_WEBHOOKS}#matching-requests-objectselector",
    ),
    Check(
        "condition-on-namespace",
        "warning",
        "namespaceObject is always null",
        "It is filled for ValidatingAdmissionPolicies only; in a webhook's condition "
        "it compiles and then fails.",
        "use namespaceSelector",
        f"{_WEBHOOKS}#matching-requests-matchconditions",
    ),
    Check(
        "only-v1beta1",
        "warning",
        "Only the old review version",
        "admission.k8s.io/v1beta1 reviews are sent by old API servers' grace.",
        "answer v1, and put it first into admissionReviewVersions",
        f"{_WEBHOOKS}#webhook-request-and-response",
    ),
    Check(
        "duplicate-webhook-name",
        "warning",
        "Two webhooks have the same name",
        "Metrics, audit annotations and errors do not say which one it was.",
        "give each webhook a name of its own",
        f"{_WEBHOOKS}#webhook-configuration",
    ),
    Check(
        "duplicate-configuration",
        "warning",
        "The same configuration twice",
        "The one that is applied last wins.",
        "remove one of them",
        f"{_WEBHOOKS}#webhook-configuration",
    ),
    Check(
        "trailing-slash",
        "info",
        "The path arrives without its last slash",
        "The API server cleans the path of a service before it calls.",
        "write the path without it",
        _CONTACT,
    ),
    # Trust.
    Check(
        "ca-missing",
        "info",
        "No caBundle",
        "Without one the API server trusts its own system's authorities, which have "
        "not signed a cluster's service.",
        "have it injected (cert-manager, admit) before the webhook is needed",
        _CONTACT,
    ),
    Check(
        "ca-not-pem",
        "error",
        "caBundle holds no certificate",
        "The API server accepts any bytes here, and fails at each call.",
        "put the PEM of the authority's certificate there, in base64 once",
        _CONTACT,
    ),
    Check(
        "ca-expired",
        "error",
        "caBundle has expired",
        "No certificate can be verified with it; every call fails.",
        "issue a new authority, and bundle the old with the new while both are used",
        _CONTACT,
    ),
    Check(
        "ca-expires-soon",
        "warning",
        "caBundle expires soon",
        "Every call fails from then on.",
        "issue a new authority, and bundle the old with the new while both are used",
        _CONTACT,
    ),
    Check(
        "certificate-mismatch",
        "error",
        "The serving certificate does not fit",
        "The API server refuses the connection: it verifies the name, the dates and "
        "who signed.",
        "issue a certificate for the name below, signed by an authority in caBundle",
        _CONTACT,
    ),
    Check(
        "local-url",
        "warning",
        "The URL points to the API server's own machine",
        "It works only where the webhook runs beside every API server.",
        "use clientConfig.service",
        _CONTACT,
    ),
)

CATALOGUE: Final = {check.id: check for check in _CHECKS}
