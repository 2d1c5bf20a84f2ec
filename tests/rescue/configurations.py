"""Random valid webhook configurations, as an API server accepts and stores them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LABEL = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
WORDS = st.text("aZ é/~: '\"{}", max_size=12)

RULES = st.fixed_dictionaries(
    {
        "operations": st.one_of(
            st.just(["*"]),
            st.lists(
                st.sampled_from(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
                min_size=1,
                unique=True,
            ),
        ),
        "apiGroups": st.sampled_from([[""], ["apps"], ["*"], ["", "batch"]]),
        "apiVersions": st.sampled_from([["v1"], ["*"], ["v1", "v1beta1"]]),
        "resources": st.sampled_from(
            [["pods"], ["*"], ["pods", "pods/exec"], ["deployments"], ["*/*"]]
        ),
    },
    optional={"scope": st.sampled_from(["*", "Cluster", "Namespaced"])},
)

REQUIREMENTS = st.one_of(
    st.builds(
        lambda key, values, operator: {
            "key": key,
            "operator": operator,
            "values": values,
        },
        LABEL,
        st.lists(LABEL, min_size=1, max_size=3, unique=True),
        st.sampled_from(["In", "NotIn"]),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        LABEL,
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)

SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(LABEL, LABEL, max_size=2),
        "matchExpressions": st.lists(REQUIREMENTS, max_size=2),
    },
)

CLIENTS = st.one_of(
    st.builds(lambda host: {"url": f"https://{host}.example.com/x"}, LABEL),
    st.builds(
        lambda name, namespace, port: {
            "service": {"name": name, "namespace": namespace, "port": port}
        },
        LABEL,
        LABEL,
        st.integers(1, 65535),
    ),
)

ENTRIES = st.fixed_dictionaries(
    {
        "clientConfig": CLIENTS,
        "sideEffects": st.sampled_from(["None", "NoneOnDryRun"]),
        "admissionReviewVersions": st.sampled_from([["v1"], ["v1", "v1beta1"]]),
    },
    optional={
        "rules": st.lists(RULES, max_size=3),
        "failurePolicy": st.sampled_from(["Fail", "Ignore"]),
        "matchPolicy": st.sampled_from(["Exact", "Equivalent"]),
        "namespaceSelector": SELECTORS,
        "objectSelector": SELECTORS,
        "timeoutSeconds": st.integers(1, 30),
        "matchConditions": st.lists(
            st.builds(
                lambda name, user: {
                    "name": name,
                    "expression": f"request.userInfo.username != {user!r}",
                },
                LABEL,
                LABEL,
            ),
            max_size=2,
            unique_by=lambda condition: condition["name"],
        ),
    },
)


@st.composite
def configurations(draw: st.DrawFn, kind: str = "") -> dict[str, Any]:
    """Draw a Validating- or MutatingWebhookConfiguration."""
    kinds = [kind] if kind else ["Mutating", "Validating"]
    prefix = draw(st.sampled_from(kinds))
    names = draw(st.lists(LABEL, max_size=4, unique=True))
    webhooks = [{"name": f"{n}.example.com", **draw(ENTRIES)} for n in names]
    if prefix == "Mutating":
        for webhook in webhooks:
            policy = draw(st.sampled_from(["", "Never", "IfNeeded"]))
            if policy:
                webhook["reinvocationPolicy"] = policy
    metadata: dict[str, Any] = {"name": f"{draw(LABEL)}.{draw(LABEL)}"}
    for member in ("labels", "annotations"):
        values = LABEL if member == "labels" else WORDS
        if draw(st.booleans()):
            metadata[member] = draw(st.dictionaries(LABEL, values, max_size=3))
    found: dict[str, Any] = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{prefix}WebhookConfiguration",
        "metadata": metadata,
    }
    if draw(st.booleans()) or webhooks:
        found["webhooks"] = webhooks
    return found
