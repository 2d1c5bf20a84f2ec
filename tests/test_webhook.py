from __future__ import annotations

from admit.webhook import (
    ClientConfig,
    MatchCondition,
    MutatingWebhook,
    Rule,
    ServiceReference,
    ValidatingWebhook,
    to_manifest,
)

RULE = Rule(
    api_groups=("",),
    api_versions=("v1",),
    operations=("CREATE",),
    resources=("pods",),
)


def test_every_default_of_the_api_server_is_written_out() -> None:
    webhook = ValidatingWebhook(
        name="a.b.c",
        client_config=ClientConfig(
            service=ServiceReference(name="s", namespace="n", path="/validate"),
            ca_bundle=b"PEM",
        ),
        rules=(RULE,),
    )
    assert to_manifest("x", (webhook,), {"a": "b"}) == {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "webhooks": [
            {
                "name": "a.b.c",
                "clientConfig": {
                    "service": {
                        "name": "s",
                        "namespace": "n",
                        "path": "/validate",
                        "port": 443,
                    },
                    "caBundle": "UEVN",
                },
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                        "scope": "*",
                    }
                ],
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "sideEffects": "None",
                "timeoutSeconds": 10,
                "admissionReviewVersions": ["v1", "v1beta1"],
            }
        ],
    }


def test_a_mutating_webhook_is_asked_again_after_others() -> None:
    webhook = MutatingWebhook(
        name="a.b.c",
        client_config=ClientConfig(url="https://a:1/mutate"),
        rules=(RULE,),
        match_conditions=(MatchCondition(name="c", expression="true"),),
    )
    manifest = to_manifest("x", (webhook,), {})
    assert manifest["kind"] == "MutatingWebhookConfiguration"
    (entry,) = manifest["webhooks"]
    assert entry["reinvocationPolicy"] == "IfNeeded"
    assert entry["matchConditions"] == [{"name": "c", "expression": "true"}]
    assert entry["clientConfig"] == {"url": "https://a:1/mutate"}
