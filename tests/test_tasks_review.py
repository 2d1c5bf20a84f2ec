from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks.requests import Wish
from admit._tasks.review import ObjectReport, ReviewOptions, review
from admit.errors import ConfigError
from tests.commands import POD, POLICIES, write
from tests.reviews import review_body

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
from admit import AdmissionRequest, App, Audit, Deny, Namespace, Pod, Resource, Warn

app = App("app", domain="example.com")

"""


def run(
    folder: Path, policies: str, pod: str = POD, **options: Any
) -> tuple[ObjectReport, ...]:
    source = write(folder / "policies.py", policies)
    file = write(folder / "pod.yaml", pod)
    files = options.pop("files", (str(file),))
    return review(ReviewOptions(source=str(source), files=files, **options))


def one(folder: Path, policies: str, pod: str = POD, **options: Any) -> ObjectReport:
    (report,) = run(folder, policies, pod, **options)
    return report


def said(report: ObjectReport) -> list[tuple[str, str]]:
    return [(result.policy, result.verdict) for result in report.policies]


def test_validating_webhooks_see_what_mutating_ones_left(tmp_path: Path) -> None:
    report = one(tmp_path, POLICIES)
    assert report.allowed
    assert report.object is not None
    assert report.object["metadata"]["labels"] == {"app": "my-app"}
    assert [(o.op, o.path) for o in report.patch] == [("add", "/metadata/labels")]
    assert said(report) == [
        ("default_app_label", "mutate"),
        ("require_app_label", "allow"),
    ]


def test_a_denial_reads_as_the_client_gets_it(tmp_path: Path) -> None:
    report = one(tmp_path, POLICIES, wish=Wish(namespace="raw"))
    assert not report.allowed
    assert report.status.message == (
        'admission webhook "validate.app.example.com" denied the request: '
        "Pod must have an app label [require_app_label]"
    ).replace("validate.app", "validate.pod-labels")
    assert (report.status.reason, report.status.code) == ("Forbidden", 403)


def test_several_mutating_webhooks_run_in_turn_and_the_first_refusal_ends_it(
    tmp_path: Path,
) -> None:
    policies = f"""{HEAD}
@app.mutate
def first(pod: Pod) -> None:
    pod.metadata.labels["a"] = "1"

@app.mutate(path="/second")
def second(pod: Pod) -> None:
    if pod.metadata.name == "bad":
        raise Deny("no")
    pod.metadata.labels["b"] = pod.metadata.labels["a"]

@app.validate
def never(pod: Pod) -> None: ...
"""
    report = one(tmp_path, policies)
    assert report.object is not None
    assert report.object["metadata"]["labels"] == {"a": "1", "b": "1"}
    refused = one(tmp_path, policies, POD.replace("name: web\nspec", "name: bad\nspec"))
    assert refused.status.message.endswith("denied the request: no [second]")
    assert said(refused) == [("first", "mutate"), ("second", "deny")]


def test_a_mutating_webhook_is_asked_again_when_a_later_one_changed_the_object(
    tmp_path: Path,
) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
@app.mutate
def follows(pod: Pod) -> None:
    if pod.metadata.labels.get("late") == "1":
        pod.metadata.labels["followed"] = "1"

@app.mutate(path="/late")
def late(pod: Pod) -> None:
    pod.metadata.labels["late"] = "1"
""",
    )
    assert said(report) == [
        ("follows", "allow"),
        ("late", "mutate"),
        ("follows", "mutate"),
        ("late", "mutate"),  # the object changed behind it, too
    ]
    assert report.object is not None
    assert report.object["metadata"]["labels"] == {"late": "1", "followed": "1"}


def test_all_validating_webhooks_are_asked_and_the_first_refusal_is_shown(
    tmp_path: Path,
) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
@app.validate
def first(pod: Pod, audit: Audit, warn: Warn) -> None:
    audit("seen", "1")
    warn("careful")
    raise Deny("one")

@app.validate(path="/second")
def second(pod: Pod, audit: Audit, warn: Warn) -> None:
    audit("seen", "2")
    warn("careful")
    warn("again")
    raise Deny("two", code=422, reason="Invalid")
""",
    )
    assert report.status.message.endswith("one [first]")
    assert any("refused too" in note and "two" in note for note in report.notes)
    assert report.warnings == ("careful", "again")
    assert report.audit_annotations == {
        "validate.app.example.com/seen": "1",
        "second.app.example.com/seen": "2",
    }


@pytest.mark.parametrize(
    ("policy", "allowed", "says"),
    [
        ("Fail", False, 'Internal error occurred: failed calling webhook "'),
        ("Ignore", True, "failurePolicy Ignore lets it pass: failed calling webhook"),
    ],
)
def test_a_failed_call_is_what_failure_policy_says(
    tmp_path: Path, policy: str, *, allowed: bool, says: str
) -> None:
    report = one(
        tmp_path,
        f"""{HEAD.replace('.com")', f'.com", failure_policy="{policy}")')}
@app.validate
def broken(pod: Pod) -> None:
    raise KeyError("secret")
""",
    )
    assert report.allowed is allowed
    text = " ".join([report.status.message, *report.notes])
    assert says in text
    assert "failed to call webhook: admit: policy broken failed: KeyError at" in text
    assert "secret" not in text
    assert report.status.code == (200 if allowed else 500)


def test_a_mutating_webhook_that_fails_open_leaves_the_object(tmp_path: Path) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
@app.mutate(failure_policy="Ignore")
def broken(pod: Pod) -> None:
    pod.metadata.labels["a"] = "b"
    raise KeyError
""",
    )
    assert report.allowed
    assert report.patch == ()


def test_a_deadline_that_passes_is_a_failed_call(tmp_path: Path) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
import asyncio

@app.validate(timeout_seconds=1)
async def slow(pod: Pod) -> None:
    await asyncio.sleep(60)
""",
    )
    assert "policy slow was still running at the deadline" in report.status.message


def test_what_is_stored_reaches_validating_policies(tmp_path: Path) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
@app.mutate
def before(pod: Pod, request: AdmissionRequest) -> None:
    assert request.name == "" and not pod.metadata.uid

@app.validate
def after(pod: Pod, request: AdmissionRequest) -> None:
    assert pod.metadata.uid and pod.metadata.creationTimestamp
    raise Deny(f"{{request.name}} {{pod.metadata.name}}")
""",
        POD.replace("name: web\nspec", "generateName: web-\nspec"),
    )
    assert report.status.message.endswith("web-xxxxx web-xxxxx [after]")
    assert report.object is not None
    assert "uid" not in report.object["metadata"]


def test_when_counts_as_true_with_a_note(tmp_path: Path) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
@app.validate(when="request.name == 'other'")
def only_other(pod: Pod) -> None: ...
""",
    )
    assert said(report) == [("only_other", "allow")]
    assert "only_other: `when` is not evaluated here" in report.notes[0]


def test_nobody_is_asked_where_the_configuration_does_not_look(tmp_path: Path) -> None:
    report = one(tmp_path, POLICIES, wish=Wish(namespace="kube-system"))
    assert report.allowed
    assert report.policies == ()
    assert report.notes[-1] == "no policy looks at it"
    assert "does not look into the namespace kube-system" in report.notes[0]


def test_what_a_cluster_needs_to_start_is_not_asked_of_wildcards(
    tmp_path: Path,
) -> None:
    policies = f"""{HEAD}
@app.validate(resources=["*/*"])
def everything(any: Resource) -> None:
    raise Deny("no")
"""
    node = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n"
    lease = "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: a}\n"
    for text in (node, lease):
        report = one(tmp_path, policies, text)
        assert report.allowed
        assert "a cluster needs this to start" in report.notes[0]
    as_api_server = Wish(user="system:apiserver")
    assert one(tmp_path, policies, wish=as_api_server).allowed
    assert not one(tmp_path, policies).allowed


def test_an_object_that_is_deleted_passes_without_a_patch(tmp_path: Path) -> None:
    report = one(
        tmp_path,
        f"""{HEAD}
@app.validate(operations=["DELETE"])
def keep(pod: Pod) -> None:
    raise Deny(f"{{pod.metadata.name}} stays")
""",
        wish=Wish(operation="DELETE"),
    )
    assert report.status.message.endswith("web stays [keep]")
    assert report.object is None


def test_an_update_is_compared_with_the_stored_object(tmp_path: Path) -> None:
    old = write(tmp_path / "old.yaml", POD)
    report = one(
        tmp_path, POLICIES, old_files=(str(old),), wish=Wish(operation="UPDATE")
    )
    assert report.allowed
    ratcheted = one(
        tmp_path,
        POLICIES,
        old_files=(str(old),),
        wish=Wish(operation="UPDATE", namespace="raw"),
    )
    assert ratcheted.allowed
    assert ratcheted.warnings == (
        "Pod must have an app label [require_app_label], as before",
    )


def test_an_object_without_metadata_is_reviewed_as_it_is(tmp_path: Path) -> None:
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": 3}
    text = review_body(document).decode()
    report = one(tmp_path, f"{HEAD}@app.validate\ndef x(pod: Pod): ...\n", text)
    assert report.allowed
    assert report.object == document


def test_every_object_that_makes_no_request_is_told(tmp_path: Path) -> None:
    nameless = "apiVersion: v1\nkind: Pod\n"
    review_of_nothing = "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n"
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, POLICIES, f"{nameless}---\n{review_of_nothing}")
    assert "2 objects cannot be reviewed" in caught.value.message
    assert "pod.yaml:4 $.request: the review asks nothing" in caught.value.message
    with pytest.raises(ConfigError, match=r"metadata\.name is missing"):
        run(tmp_path, POLICIES, nameless)


def test_apps_are_asked_in_the_order_of_their_configurations_names(
    tmp_path: Path,
) -> None:
    for name in ("zebra", "aardvark"):
        write(
            tmp_path / f"folder/a_{name[::-1]}.py",
            f"""
            from admit import App, Pod

            app = App("{name}", domain="example.com")

            @app.mutate
            def {name}(pod: Pod) -> None: ...
            """,
        )
    file = write(tmp_path / "pod.yaml", POD)
    (report,) = review(
        ReviewOptions(source=str(tmp_path / "folder"), files=(str(file),))
    )
    assert [policy for policy, _ in said(report)] == ["aardvark", "zebra"]
