from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from admit.errors import ReviewError
from admit.patch import Operation
from admit.review import (
    AdmissionRequest,
    AdmissionResponse,
    GroupVersionKind,
    GroupVersionResource,
    Review,
    Status,
    UserInfo,
    check_audit_key,
    decode_response,
    decode_review,
    encode_response,
    encode_review,
    fit_warnings,
)
from tests.reviews import ask, pod, review_body

FULL: dict[str, Any] = {
    "kind": "AdmissionReview",
    "apiVersion": "admission.k8s.io/v1",
    "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "subResource": "scale",
        "requestKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "requestResource": {
            "group": "apps",
            "version": "v1",
            "resource": "deployments",
        },
        "requestSubResource": "scale",
        "name": "web",
        "namespace": "team",
        "operation": "UPDATE",
        "userInfo": {
            "username": "admin",
            "uid": "014fbff9a07c",
            "groups": ["system:authenticated", "admins"],
            "extra": {"scopes": ["a", "b"]},
        },
        "object": {"kind": "Scale", "spec": {"replicas": 2}},
        "oldObject": {"kind": "Scale", "spec": {"replicas": 1}},
        "dryRun": True,
        "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"},
    },
}


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_every_field_survives_both_directions(version: str) -> None:
    wire = {**FULL, "apiVersion": f"admission.k8s.io/{version}"}
    review = decode_review(json.dumps(wire).encode())
    assert json.loads(encode_review(review)) == wire


def test_every_field_has_its_python_name() -> None:
    request = decode_review(json.dumps(FULL).encode()).request
    assert request.kind == GroupVersionKind("autoscaling", "v1", "Scale")
    assert request.resource == GroupVersionResource("apps", "v1", "deployments")
    assert request.sub_resource == request.request_sub_resource == "scale"
    assert request.user_info == UserInfo(
        "admin",
        "014fbff9a07c",
        ["system:authenticated", "admins"],
        {"scopes": ["a", "b"]},
    )
    assert request.dry_run is True
    assert request.object == FULL["request"]["object"]
    assert request.old_object == FULL["request"]["oldObject"]
    assert request.options == FULL["request"]["options"]


def test_what_the_api_server_always_sends_is_always_written() -> None:
    review = Review(
        "admission.k8s.io/v1", AdmissionRequest(uid="u", operation="CONNECT")
    )
    request = json.loads(encode_review(review))["request"]
    assert {
        name: request[name] for name in ("object", "oldObject", "options", "dryRun")
    } == {"object": None, "oldObject": None, "options": None, "dryRun": False}


def test_the_object_stays_raw_until_it_is_read() -> None:
    request = ask([1])
    assert bytes(request.raw_object) == b"[1]"
    with pytest.raises(ReviewError, match="expected an object or null") as caught:
        _ = request.object
    assert caught.value.place == "$.request.object"


@pytest.mark.parametrize("text", [b"\xff", b"\\ud800", b"\\uD800x"])
def test_text_that_is_none_is_refused_although_nobody_reads_it(text: bytes) -> None:
    body = review_body(pod()).replace(b'"nginx:1.29"', b'"' + text + b'"')
    with pytest.raises(ReviewError, match="not JSON"):
        decode_review(body)


def test_text_beyond_ascii_is_text() -> None:
    body = review_body(pod()).replace(b"nginx:1.29", "é \\ud83d\\ude00".encode())
    document = decode_review(body).request.object
    assert document is not None
    assert document["spec"]["containers"][0]["image"] == "é 😀"


def test_the_object_is_decoded_once() -> None:
    request = ask(pod())
    assert request.object is request.object


@pytest.mark.parametrize("operation", ["DELETE", "CREATE"])
def test_an_absent_object_is_none(operation: str) -> None:
    assert ask(None, operation=operation).object is None


WRONG: list[tuple[str, bytes, str, str]] = [
    ("empty", b"", "$", "not JSON"),
    ("truncated", review_body(pod())[:-9], "$", "not JSON"),
    ("trailing garbage", review_body(pod()) + b"}", "$", "not JSON"),
    ("an array", b"[]", "$", "Expected `object`"),
    ("a number", b"1", "$", "Expected `object`"),
    ("NaN", b'{"kind": NaN}', "$", "not JSON"),
    ("lone surrogate", b'{"kind": "\\ud800"}', "$", "not JSON"),
    ("invalid UTF-8", b'{"kind": "\xff"}', "$", "invalid UTF-8"),
    ("invalid UTF-8 key", b'{"\xff": 1}', "$", "invalid UTF-8"),
    ("100,000 arrays deep", b"[" * 100_000, "$", ""),
    ("100,000 objects deep", b'{"a":' * 100_000, "$", "nested too deeply"),
    ("no kind", b"{}", "$.kind", "got no apiVersion, no kind"),
    (
        "another kind",
        b'{"kind": "Pod", "apiVersion": "v1"}',
        "$.kind",
        "got v1, Pod",
    ),
    (
        "another version",
        review_body(pod(), version="v2"),
        "$.apiVersion",
        "got admission.k8s.io/v2, AdmissionReview",
    ),
    (
        "no request",
        b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
        "$.request",
        "asks nothing",
    ),
    (
        "no uid",
        review_body(pod()).replace(b'"uid"', b'"udi"'),
        "$.request",
        "missing required field `uid`",
    ),
    ("empty uid", review_body(pod(), uid=""), "$.request.uid", "has no uid"),
    ("uid a number", review_body(pod(), uid=1), "$.request.uid", "Expected `str`"),
    (
        "unknown operation",
        review_body(pod(), operation="PATCH"),
        "$.request.operation",
        "Invalid enum value 'PATCH'",
    ),
    (
        "groups not a list",
        review_body(pod(), userInfo={"groups": {}}),
        "$.request.userInfo.groups",
        "Expected `array`",
    ),
    (
        "kind a string",
        review_body(pod(), kind="Pod"),
        "$.request.kind",
        "Expected `object`",
    ),
    ("dryRun text", review_body(pod(), dryRun="no"), "$.request.dryRun", "`bool"),
]


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [row[1:] for row in WRONG],
    ids=[row[0] for row in WRONG],
)
def test_bytes_that_are_no_review_have_a_place(
    body: bytes, place: str, message: str
) -> None:
    with pytest.raises(ReviewError) as caught:
        decode_review(body)
    assert caught.value.place == place
    assert message in caught.value.message
    assert caught.value.owner == "caller"


@pytest.mark.parametrize("value", [[], "text", 1, True])
def test_an_object_that_is_none_has_a_place(value: object) -> None:
    with pytest.raises(ReviewError, match="expected an object or null") as caught:
        _ = ask(value).object
    assert caught.value.place == "$.request.object"


def test_an_object_nested_too_deeply_has_a_place() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    body = review_body(0).replace(b'"object": 0', b'"object": ' + deep)
    with pytest.raises(ReviewError, match="nested too deeply"):
        _ = decode_review(body).request.object


def test_of_duplicate_keys_the_last_one_counts() -> None:
    body = review_body(pod(), name="first").replace(
        b'"name": "first"', b'"name": "first", "name": "last"'
    )
    assert decode_review(body).request.name == "last"


def test_unknown_members_are_ignored_and_keys_are_case_sensitive() -> None:
    request = ask(pod(), Name="other", shoeSize=43)
    assert request.name == "web"


def test_large_numbers_keep_their_value() -> None:
    body = review_body({"n": 0}).replace(b'"n": 0', b'"n": 123456789012345678901234')
    document = decode_review(body).request.object
    assert document == {"n": 123456789012345678901234}


def test_an_allowed_answer_is_short() -> None:
    answer = encode_response("admission.k8s.io/v1", "u-1", AdmissionResponse())
    assert json.loads(answer) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": True},
    }


def test_a_denied_answer_says_so_and_carries_no_patch() -> None:
    response = AdmissionResponse(
        allowed=False,
        status=Status("no", "Forbidden", 403),
        patch=(Operation("remove", "/spec"),),
        warnings=("careful",),
        audit_annotations={"why": "because"},
    )
    wire = json.loads(encode_response("admission.k8s.io/v1beta1", "u-1", response))
    assert wire == {
        "apiVersion": "admission.k8s.io/v1beta1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u-1",
            "allowed": False,
            "status": {"message": "no", "reason": "Forbidden", "code": 403},
            "warnings": ["careful"],
            "auditAnnotations": {"why": "because"},
        },
    }


def test_patch_and_type_come_together_in_base64() -> None:
    response = AdmissionResponse(patch=(Operation("add", "/a", "é<>&"),))
    wire = json.loads(encode_response("admission.k8s.io/v1", "u", response))["response"]
    assert wire["patchType"] == "JSONPatch"
    patch = json.loads(base64.b64decode(wire["patch"], validate=True))
    assert patch == [{"op": "add", "path": "/a", "value": "é<>&"}]


def test_an_answer_is_read_back() -> None:
    response = AdmissionResponse(
        patch=(Operation("add", "/a", None),),
        warnings=("w",),
        audit_annotations={"k": "v"},
    )
    body = encode_response("admission.k8s.io/v1", "u", response)
    assert decode_response(body) == response


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(ReviewError) as caught:
        decode_response(b'{"apiVersion": "v1", "kind": "Status"}')
    assert caught.value.place == "$"


WARNINGS: list[tuple[list[str], tuple[str, ...]]] = [
    (["one", "two"], ("one", "two")),
    (["same", "same"], ("same",)),
    (["", "  "], ()),
    (["two\nlines\tand\x00more"], ("two lines and more",)),
    (["caf\u00e9 \ud800 end"], ("caf\u00e9   end",)),
    (["x" * 4096], ("x" * 4096,)),
    (["x" * 4097], ("x" * 255 + "…",)),
]


@pytest.mark.parametrize(("given", "sent"), WARNINGS)
def test_warnings_are_such_as_reach_the_user(
    given: list[str], sent: tuple[str, ...]
) -> None:
    assert fit_warnings(given) == sent


def test_too_many_warnings_end_with_how_many_more() -> None:
    fitted = fit_warnings([f"{number:03d}" + "x" * 300 for number in range(40)])
    assert fitted[-1] == "and 25 more warnings"
    assert sum(map(len, fitted)) <= 4096


@pytest.mark.parametrize("key", ["a", "require_app_label", "a.b-c_d", "A" * 63])
def test_good_audit_keys_pass(key: str) -> None:
    assert check_audit_key(key) is None


@pytest.mark.parametrize("key", ["", "a/b", "-a", "a-", "a b", "é", "A" * 64])
def test_audit_keys_that_the_api_server_drops_are_named(key: str) -> None:
    problem = check_audit_key(key)
    assert problem is not None
    assert repr(key) in problem


def test_values_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ask(pod()).uid = "other"  # type: ignore[misc]
    assert msgspec.structs.replace(ask(pod()), uid="other").uid == "other"
