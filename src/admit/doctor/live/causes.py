"""Causes: every finding that needs a cluster, and the API server's words for it.

A cause says what is wrong in a sentence, and what to type. The words are patterns: Go's
texts change a little with its versions (apiserver pkg/util/webhook, crypto/tls, net).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from admit.doctor.catalogue import Severity

__all__ = ("CAUSES", "Cause", "classify")


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that can be wrong.

    Args:
        id: stable, in lower case.
        severity: at worst.
        cause: in a sentence.
        remedy: a command; filled in are ``{namespace}`` and ``{service}``, ``{name}``
            (``validating/x``, as admit takes it), ``{resource}`` and ``{object}`` (as
            kubectl does).
        words: patterns of the reason that the API server gives for a failed call.
        link: where it is explained.
    """

    id: str
    severity: Severity
    cause: str
    remedy: str
    words: tuple[str, ...] = ()
    link: str = (
        "https://kubernetes.io/docs/reference/access-authn-authz/"
        "extensible-admission-controllers/#contacting-the-webhook"
    )


_OPEN: Final = "admit failopen {name} --for 30m --reason TEXT"
_SLICES: Final = (
    "kubectl -n {namespace} get endpointslices "
    "-l kubernetes.io/service-name={service}; until it is back: " + _OPEN
)

_METRICS: Final = "https://kubernetes.io/docs/reference/instrumentation/metrics/"
_PRACTICE: Final = (
    "https://kubernetes.io/docs/concepts/cluster-administration/"
    "admission-webhooks-good-practices/"
)

_CAUSES: Final = (
    # What stands behind the webhook; the first that is true explains the others.
    Cause(
        "namespace-gone",
        "error",
        "The namespace of the webhook's Service is not there: it was uninstalled and "
        "its configuration left behind",
        "admit disable {name} --reason 'left behind'",
    ),
    Cause(
        "service-missing",
        "error",
        "There is no such Service",
        "kubectl -n {namespace} get services; or admit disable {name} --reason TEXT",
        (r'service "[^"]*" not found',),
    ),
    Cause(
        "service-port-missing",
        "error",
        "The Service does not have the port that the configuration names",
        "kubectl -n {namespace} get service {service} -o jsonpath={{.spec.ports}}",
        (r"no service port \d+ found",),
    ),
    Cause(
        "no-endpoints",
        "error",
        "No pod of the webhook is ready",
        _SLICES,
        (r"no endpoints available for service",),
    ),
    Cause(
        "service-not-routable",
        "error",
        "The API server cannot route to a Service of this type",
        "kubectl -n {namespace} get service {service} -o yaml",
        (r'cannot route to service with ClusterIP "None"', r"unsupported service type"),
    ),
    # Trust.
    Cause(
        "tls-expired",
        "error",
        "The certificate that the webhook serves is not valid now",
        "kubectl -n {namespace} delete pods of the webhook once its Secret is renewed; "
        "until then: " + _OPEN,
        (r"x509: certificate has expired or is not yet valid",),
    ),
    Cause(
        "tls-expires-soon",
        "warning",
        "The certificate that the webhook serves expires soon; nobody has renewed it",
        "kubectl -n {namespace} get secrets,certificates: who renews it?",
    ),
    Cause(
        "tls-wrong-name",
        "error",
        "The certificate that the webhook serves is for other names",
        "issue one for {service}.{namespace}.svc; until then: " + _OPEN,
        (
            r"x509: certificate is (?:not )?valid for",
            r"x509: certificate relies on legacy Common Name field",
            r"x509: certificate is not valid for any names",
            r"x509: cannot validate certificate for",
        ),
    ),
    Cause(
        "tls-unknown-authority",
        "error",
        "The certificate that the webhook serves is not signed by what is in caBundle: "
        "one of them was replaced without the other",
        "kubectl get {resource} {object} "
        "-o jsonpath={{.webhooks[*].clientConfig.caBundle}} and the Secret's ca.crt "
        "should be the same; until then: " + _OPEN,
        (
            r"x509: certificate signed by unknown authority",
            r"x509: .*(?:is not authorized|name constraint)",
        ),
    ),
    Cause(
        "tls-not-spoken",
        "error",
        "What answers there does not speak TLS",
        "kubectl -n {namespace} get service {service} -o yaml: is targetPort the one "
        "with TLS?",
        (
            r"server gave HTTP response to HTTPS client",
            r"first record does not look like a TLS handshake",
            r"tls: (?:handshake failure|protocol version|internal error)",
        ),
    ),
    Cause(
        "client-refused",
        "error",
        "The webhook wants a client certificate that the API server does not have",
        "kube-apiserver --admission-control-config-file names one for "
        "{service}.{namespace}.svc",
        (
            r"tls: (?:certificate required|bad certificate|unknown certificate)",
            r"remote error: tls:",
            r"asked for the client to provide credentials",
        ),
    ),
    Cause(
        "ca-unusable",
        "error",
        "caBundle cannot be read, so the API server cannot even try",
        "kubectl get {resource} {object} "
        "-o jsonpath={{.webhooks[*].clientConfig.caBundle}}",
        (r"could not get REST client: unable to load root certificates",),
    ),
    # The way there.
    Cause(
        "name-unknown",
        "error",
        "The API server's machine does not know the host",
        "use clientConfig.service, or a name that the control plane can look up",
        (r"no such host", r"server misbehaving"),
    ),
    Cause(
        "call-refused",
        "error",
        "Nobody listens at the address",
        _SLICES,
        (r"connect: connection refused",),
    ),
    Cause(
        "unreachable",
        "error",
        "The API server has no way there: a firewall, a network policy, or a control "
        "plane outside of the pods' network",
        "let the control plane reach the webhook's port; until then: " + _OPEN,
        (
            r"i/o timeout",
            r"no route to host",
            r"network is unreachable",
            r"TLS handshake timeout",
        ),
    ),
    Cause(
        "call-timeout",
        "error",
        "The webhook does not answer within timeoutSeconds: it hangs, or is far too "
        "slow",
        "kubectl -n {namespace} logs of its pods; until then: " + _OPEN,
        (r"context deadline exceeded", r"Client\.Timeout exceeded"),
    ),
    Cause(
        "connection-cut",
        "error",
        "The connection ends before there is an answer: it crashes, or something "
        "between cuts it",
        "kubectl -n {namespace} logs --previous of its pods; until then: " + _OPEN,
        (r": EOF$", r"connection reset by peer", r"broken pipe"),
    ),
    # What it answers.
    Cause(
        "http-error",
        "error",
        "The webhook answers with an error instead of a decision",
        "kubectl -n {namespace} logs of its pods; until then: " + _OPEN,
        (
            r"an error on the server",
            r"currently unable to handle the request",
            r"too many requests",
            r"unable to return a response in the time allotted",
        ),
    ),
    Cause(
        "wrong-path",
        "error",
        "There is a server, but nothing at this path",
        "kubectl get {resource} {object} -o jsonpath={{.webhooks[*].clientConfig}}",
        (
            r"could not find the requested resource",
            r"does not allow this method",
            r"stopped after 10 redirects",
        ),
    ),
    Cause(
        "garbage-answer",
        "error",
        "What it answers is no AdmissionReview, or not one to this request",
        "kubectl -n {namespace} logs of its pods: versions of webhook and cluster?",
        (
            r"received invalid webhook response",
            r"converting \(\S+\) to",
            r"couldn't get version/kind",
            r"unexpected end of JSON input",
            r"0-length response",
            r"invalid character .* looking for",
            r"no kind \"",
            r"cannot unmarshal",
        ),
    ),
    Cause(
        "review-version",
        "error",
        "The API server speaks none of the review versions that it names",
        "kubectl get {resource} {object} "
        "-o jsonpath={{.webhooks[*].admissionReviewVersions}}",
        (r"could not create admission objects",),
    ),
    Cause(
        "side-effects-unset",
        "error",
        "sideEffects is not set, so dry runs fail",
        "set sideEffects: None or NoneOnDryRun",
        (r"Webhook SideEffects is nil",),
    ),
    Cause(
        "condition-error",
        "error",
        "A match condition cannot be evaluated, so requests are refused",
        "kubectl get {resource} {object} -o jsonpath={{.webhooks[*].matchConditions}}",
        (r"resulted in error:", r"compilation failed", r"running out of cost budget"),
    ),
    Cause(
        "call-failed",
        "error",
        "The API server cannot call it",
        _OPEN,
        (r"",),
    ),
    # What the API server counted.
    Cause(
        "failed-before",
        "warning",
        "Calls have failed; the number does not say when",
        "admit doctor --api-server-log FILE says when and why",
        link=_METRICS,
    ),
    Cause(
        "failed-open",
        "warning",
        "Requests went through that nobody looked at",
        "admit doctor --audit-log FILE says which: annotation failed-open...",
        link=_METRICS,
    ),
    Cause(
        "condition-errors",
        "warning",
        "A match condition fails for some requests: they are refused, or skipped "
        "where failurePolicy is Ignore",
        "kubectl get {resource} {object} -o jsonpath={{.webhooks[*].matchConditions}}",
        link=_METRICS,
    ),
    Cause(
        "call-slow",
        "warning",
        "It is slow: not far from timeoutSeconds, and every write waits for it",
        "kubectl -n {namespace} top pods; CPU limits and few replicas are the usual "
        "causes",
        link=_METRICS,
    ),
    # The cluster as a whole, and what somebody has opened.
    Cause(
        "cold-start-deadlock",
        "error",
        "Once everything is down, it does not come up again by itself",
        "exclude by namespaceSelector what the chain names; in an emergency: "
        "admit rescue open --reason TEXT",
        link=_PRACTICE,
    ),
    Cause(
        "open",
        "info",
        "Somebody has taken it out of the way",
        "admit restore {name}",
        link=_PRACTICE,
    ),
    Cause(
        "open-overdue",
        "error",
        "It was taken out of the way for a time that is over, and still is",
        "admit restore {name}",
        link=_PRACTICE,
    ),
    Cause(
        "note-broken",
        "warning",
        "The note that says how to close it was edited by hand",
        "admit restore {name} --from FILE",
        link=_PRACTICE,
    ),
)

CAUSES: Final = {cause.id: cause for cause in _CAUSES}

_WORDS: Final = tuple(
    (cause, re.compile("|".join(cause.words))) for cause in _CAUSES if cause.words
)


def classify(reason: str) -> Cause:
    """Return the cause behind the API server's reason for a failed call."""
    return next(cause for cause, words in _WORDS if words.search(reason))
