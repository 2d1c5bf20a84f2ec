from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from admit import (
    AdmissionRequest,
    AdmissionResponse,
    App,
    Audit,
    Deny,
    Deployment,
    Pod,
    Warn,
)
from admit.errors import ConfigError, HandlerError, PolicyError, ReviewError
from tests.reviews import ask, pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def decide(app: App, request: AdmissionRequest) -> AdmissionResponse:
    return asyncio.run(app(request))


def message_of(response: AdmissionResponse) -> str:
    return response.status.message if response.status else ""


def labelled() -> App:
    app = App("pod-labels", domain="example.com")

    @app.validate
    def require_app_label(pod: Pod) -> None:
        """Every pod names the app it belongs to."""
        if "app" not in pod.metadata.labels:
            raise Deny("Pod must have an app label")

    return app


def test_a_denial_names_its_policy_behind_the_message() -> None:
    response = decide(labelled(), ask(pod()))
    assert response.allowed is False
    assert response.status is not None
    assert response.status.message == "Pod must have an app label [require_app_label]"
    assert (response.status.code, response.status.reason) == (403, "Forbidden")


def test_nothing_said_is_allowed() -> None:
    response = decide(labelled(), ask(pod(app="web")))
    assert response.allowed
    assert response.status is None
    assert [(r.policy, r.verdict) for r in response.results] == [
        ("require_app_label", "allow")
    ]


def test_what_nobody_matches_is_allowed() -> None:
    request = ask(
        pod(),
        kind={"group": "", "version": "v1", "kind": "Secret"},
        resource={"group": "", "version": "v1", "resource": "secrets"},
    )
    assert decide(labelled(), request).results == ()


def test_edits_become_the_patch() -> None:
    app = App("defaults")

    @app.mutate
    def default_app_label(pod: Pod) -> None:
        pod.metadata.labels.setdefault("app", "my-app")

    response = decide(app, ask(pod()))
    assert [(o.op, o.path, o.value) for o in response.patch] == [
        ("add", "/metadata/labels", {"app": "my-app"})
    ]
    assert decide(app, ask(pod(app="web"))).patch == ()


def test_each_mutating_handler_sees_what_its_predecessors_left() -> None:
    app = App("chain")

    @app.mutate
    def first(pod: Pod) -> None:
        pod.metadata.labels["a"] = "1"

    @app.mutate
    def second(pod: Pod) -> None:
        pod.metadata.labels["b"] = pod.metadata.labels["a"] + "2"

    @app.validate
    def last(pod: Pod) -> None:
        raise Deny(pod.metadata.labels["b"])

    assert message_of(decide(app, ask(pod()))) == "12 [last]"


def test_all_denials_are_reported_together() -> None:
    app = App("many")

    @app.validate
    def one(pod: Pod) -> Iterator[Deny]:
        yield Deny("first", code=422, reason="Invalid")
        yield Deny("second\nwith detail")

    @app.validate
    async def two(pod: Pod) -> AsyncIterator[Deny]:
        yield Deny("third")
        raise Deny("fourth")

    @app.validate(blocking=True)
    def three(pod: Pod) -> Deny:
        return Deny("fifth")

    response = decide(app, ask(pod()))
    assert message_of(response).splitlines() == [
        "first [one]",
        "second [one]",
        "with detail",
        "third [two]",
        "fourth [two]",
        "fifth [three]",
    ]
    assert response.status is not None
    assert (response.status.code, response.status.reason) == (422, "Invalid")


def test_parameters_are_given_by_annotation() -> None:
    app = App("everything")
    seen: dict[str, Any] = {}

    @app.validate
    def all_of_them(
        pod: Pod,
        old: Pod | None,
        request: AdmissionRequest,
        warn: Warn,
        *,
        audit: Audit,
    ) -> None:
        seen.update(
            name=pod.metadata.name,
            old=old.metadata.labels["v"] if old else None,
            user=request.user_info.username,
        )
        warn("watch out")
        audit("note", "value")
        audit("note", "more")

    request = ask(pod(v="2"), old=pod(v="1"), operation="UPDATE")
    response = decide(app, request)
    assert seen == {"name": "web", "old": "1", "user": "ada"}
    assert response.warnings == ("watch out",)
    assert response.audit_annotations == {"note": "value, more"}
    decide(app, ask(pod(v="2")))
    assert seen["old"] is None


def test_on_delete_the_object_is_the_one_that_goes() -> None:
    app = App("guard")

    @app.validate(operations=["DELETE"])
    def keep(pod: Pod) -> None:
        raise Deny(f"{pod.metadata.name} stays")

    request = ask(None, old=pod(), operation="DELETE")
    assert message_of(decide(app, request)) == "web stays [keep]"


def test_editing_on_delete_or_while_validating_is_the_authors_error() -> None:
    app = App("wrong")

    @app.mutate(operations=["CREATE", "DELETE"])
    def edits(pod: Pod) -> None:
        pod.metadata.labels["a"] = "b"

    with pytest.raises(HandlerError, match="edits failed: PolicyError"):
        decide(app, ask(None, old=pod(), operation="DELETE"))
    looking = App("looking")

    @looking.validate
    def looks(pod: Pod) -> None:
        pod.metadata.labels["a"] = "b"

    with pytest.raises(HandlerError, match="looks failed: PolicyError"):
        decide(looking, ask(pod()))


def raises_key_error(pod: Pod) -> None:
    raise KeyError(pod.metadata.name)


def raises_misspelt(pod: Pod) -> None:
    _ = pod.spec.contaners  # type: ignore[attr-defined]


def returns_false(pod: Pod) -> bool:
    return False


def yields_text(pod: Pod) -> Iterator[str]:
    yield "no"


def labels_with_a_set(pod: Pod) -> None:
    pod.metadata.labels = {1, 2}  # type: ignore[assignment]


BUGS: list[tuple[Callable[..., Any], str, str]] = [
    (raises_key_error, "policy raises_key_error failed: KeyError", "KeyError"),
    (raises_misspelt, "containers", "AttributeError"),
    (returns_false, "policy returns_false answered with a bool", "BadAnswer"),
    (yields_text, "policy yields_text answered with a str", "BadAnswer"),
]


def test_a_private_class_of_admit_is_told_by_its_public_name() -> None:
    app = App("buggy")
    app.mutate(labels_with_a_set)
    with pytest.raises(HandlerError) as caught:
        decide(app, ask(pod()))
    assert "labels_with_a_set failed: TypeError" in caught.value.message
    assert caught.value.reason == "TypeError"


@pytest.mark.parametrize(("function", "message", "reason"), BUGS)
def test_a_bug_in_a_handler_is_a_failed_call_with_a_place(
    function: Callable[..., Any], message: str, reason: str
) -> None:
    app = App("buggy")
    app.validate(function)
    with pytest.raises(HandlerError) as caught:
        decide(app, ask(pod()))
    assert message in caught.value.message
    assert "web" not in caught.value.message
    assert caught.value.reason == reason
    assert caught.value.place is not None
    assert caught.value.place.startswith(__file__)


def test_the_place_of_a_bug_is_the_line_that_raised() -> None:
    app = App("buggy")
    app.validate(raises_key_error)
    with pytest.raises(HandlerError) as caught:
        decide(app, ask(pod()))
    line = raises_key_error.__code__.co_firstlineno + 1
    assert caught.value.place == f"{__file__}:{line}"


def test_an_object_of_the_wrong_shape_is_the_callers_fault() -> None:
    with pytest.raises(ReviewError):
        decide(labelled(), ask({"metadata": {"labels": ["app"]}}))


# Ratchet


def test_on_update_a_denial_that_the_old_object_earns_is_a_warning() -> None:
    request = ask(pod(v="2"), old=pod(v="1"), operation="UPDATE")
    response = decide(labelled(), request)
    assert response.allowed
    assert response.warnings == (
        "Pod must have an app label [require_app_label], as before",
    )


def test_on_update_a_new_violation_is_denied() -> None:
    request = ask(pod(v="2"), old=pod(app="web"), operation="UPDATE")
    assert not decide(labelled(), request).allowed


def test_of_several_denials_only_the_new_ones_refuse() -> None:
    app = App("images")

    @app.validate
    def no_latest(pod: Pod) -> Iterator[Deny]:
        for key in pod.metadata.labels:
            yield Deny(f"{key} is bad")

    request = ask(pod(a="", b=""), old=pod(a=""), operation="UPDATE")
    response = decide(app, request)
    assert message_of(response) == "b is bad [no_latest]"
    assert response.warnings == ("a is bad [no_latest], as before",)


def test_a_policy_may_say_no_to_the_ratchet() -> None:
    app = App("strict")

    @app.validate(ratchet=False)
    def never(pod: Pod) -> None:
        raise Deny("no")

    assert not decide(app, ask(pod(), old=pod(), operation="UPDATE")).allowed


def test_a_policy_on_the_transition_is_not_excused() -> None:
    app = App("transition")

    @app.validate
    def no_relabel(pod: Pod, old: Pod | None) -> None:
        if old and pod.metadata.labels["v"] != old.metadata.labels["v"]:
            raise Deny("labels stay")

    request = ask(pod(v="2"), old=pod(v="1"), operation="UPDATE")
    assert not decide(app, request).allowed


def test_a_policy_that_fails_on_the_old_object_excuses_nothing() -> None:
    app = App("old")

    @app.validate
    def needs_app(pod: Pod) -> None:
        if pod.metadata.labels["app"] != "web":
            raise Deny("no")

    request = ask(pod(app="x"), old=pod(), operation="UPDATE")
    assert not decide(app, request).allowed


def test_what_a_policy_says_of_the_old_object_is_not_told() -> None:
    app = App("old")

    @app.validate
    def versions(pod: Pod, warn: Warn, audit: Audit) -> Iterator[Deny]:
        version = pod.metadata.labels["v"]
        warn(f"saw {version}")
        audit("version", version)
        yield Deny(f"not {version}")

    response = decide(app, ask(pod(v="2"), old=pod(v="1"), operation="UPDATE"))
    assert message_of(response) == "not 2 [versions]"
    assert response.warnings == ("saw 2",)
    assert response.audit_annotations == {"version": "2"}


def test_an_object_that_is_leaving_may_lose_its_finalizers() -> None:
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    request = ask(leaving, old=pod(app="web"), operation="UPDATE")
    assert decide(labelled(), request).results == ()


# Modes


def moded(mode: str) -> App:
    app = App("modes")

    @app.validate
    def no(pod: Pod) -> None:
        raise Deny("not good\nat all")

    @app.mutate
    def adds(pod: Pod) -> None:
        pod.metadata.labels["a"] = "b"

    app.override_modes({"no": mode, "adds": mode})  # type: ignore[dict-item]
    return app


def test_in_mode_warn_nothing_is_refused_or_changed_but_the_user_is_told() -> None:
    response = decide(moded("warn"), ask(pod()))
    assert response.allowed
    assert response.patch == ()
    assert response.warnings == (
        "would change /metadata/labels [adds]",
        "not good [no] at all",
    )


def test_in_mode_audit_only_the_audit_log_is_told() -> None:
    response = decide(moded("audit"), ask(pod()))
    assert response.allowed
    assert response.patch == ()
    assert response.warnings == ()
    assert response.audit_annotations == {
        "no": "not good\nat all",
        "adds": "would change /metadata/labels",
    }


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_mode_moves_no_path_and_leaves_the_failure_policy(mode: str) -> None:
    """What is registered still fits when the mode is changed at deployment."""
    registered, served = (
        [(one.path, one.webhook_name, one.failure_policy) for one in app.endpoints()]
        for app in (moded("enforce"), moded(mode))
    )
    assert {failure_policy for _, _, failure_policy in served} == {"Fail"}
    assert served == registered


def test_a_mode_for_a_policy_that_is_not_there_is_an_operators_error() -> None:
    with pytest.raises(ConfigError, match="no policy 'typo'") as caught:
        labelled().override_modes({"typo": "warn"})
    assert caught.value.hint == "there are require_app_label"


# Filters


def filtered(**options: Any) -> App:
    app = App("filtered")

    @app.validate(**options)
    def no(pod: Pod) -> None:
        raise Deny("no")

    return app


FILTERS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({"operations": ["UPDATE"]}, {}, False),
    ({"namespaces": ["default", "x"]}, {}, True),
    ({"namespaces": ["x"]}, {}, False),
    ({"exempt_namespaces": ["default"]}, {}, False),
    ({"exempt_namespaces": ["x"]}, {}, True),
    ({"labels": "app=web"}, {}, True),
    ({"labels": "app!=web"}, {}, False),
    ({"resources": ["pods/exec"]}, {"subResource": "exec"}, True),
    ({"resources": ["pods/exec"]}, {}, False),
    ({"resources": ["*/*"]}, {"subResource": "status"}, False),
    ({"resources": ["pods/status"]}, {"subResource": "status"}, True),
    ({"resources": ["*"]}, {}, True),
    ({"resources": ["deployments.apps"]}, {}, False),
]


@pytest.mark.parametrize(("options", "members", "asked"), FILTERS)
def test_a_handler_is_asked_only_about_what_it_matches(
    options: dict[str, Any], members: dict[str, Any], *, asked: bool
) -> None:
    response = decide(filtered(**options), ask(pod(app="web"), **members))
    assert response.allowed != asked


def test_labels_of_the_old_object_count_too() -> None:
    request = ask(pod(), old=pod(app="web"), operation="UPDATE")
    app = filtered(labels="app=web", ratchet=False)
    assert not decide(app, request).allowed


def test_several_kinds_are_told_apart() -> None:
    app = App("both")

    @app.validate
    def named(object: Pod | Deployment) -> None:
        raise Deny(type(object).__name__)

    deployment = ask(
        {"metadata": {}},
        kind={"group": "apps", "version": "v1", "kind": "Deployment"},
        resource={"group": "apps", "version": "v1", "resource": "deployments"},
    )
    assert message_of(decide(app, ask(pod()))) == "Pod [named]"
    assert message_of(decide(app, deployment)) == "Deployment [named]"


def test_an_endpoint_forgets_targets_before_it_grows_without_bound() -> None:
    (endpoint,) = labelled().endpoints()
    for number in range(1000):
        resource = {"group": "", "version": "v1", "resource": f"r{number}"}
        assert not endpoint.matches(ask(pod(), resource=resource))
    assert len(endpoint._known) == 256
    assert endpoint.matches(ask(pod()))


# Endpoints


def test_handlers_with_one_failure_policy_and_timeout_share_a_call() -> None:
    app = App("grouped", domain="example.com")

    @app.validate
    def a(pod: Pod) -> None: ...

    @app.validate
    def b(deployment: Deployment) -> None: ...

    @app.validate(failure_policy="Ignore", timeout_seconds=3)
    def c(pod: Pod) -> None: ...

    @app.validate(when="request.userInfo.username != 'root'")
    def not_root(pod: Pod) -> None: ...

    @app.mutate
    async def d(pod: Pod) -> None: ...

    @app.validate(path="/validate-pods")
    def e(pod: Pod) -> None: ...

    rows = [
        (x.path, x.webhook_name, [h.name for h in x.handlers], x.suspends)
        for x in app.endpoints()
    ]
    assert rows == [
        ("/mutate", "mutate.grouped.example.com", ["d"], True),
        ("/validate", "validate.grouped.example.com", ["a", "b"], False),
        (
            "/validate/ignore-3s",
            "validate-ignore-3s.grouped.example.com",
            ["c"],
            False,
        ),
        (
            "/validate/not-root",
            "validate-not-root.grouped.example.com",
            ["not_root"],
            False,
        ),
        ("/validate-pods", "validate-pods.grouped.example.com", ["e"], False),
    ]


def test_handlers_that_cannot_share_a_path_are_refused_and_forgotten() -> None:
    app = App("clash")

    @app.validate(path="/x")
    def a(pod: Pod) -> None: ...

    with pytest.raises(PolicyError, match="cannot share the path /x"):

        @app.mutate(path="/x")
        def b(pod: Pod) -> None: ...

    assert [handler.name for handler in app.handlers] == ["a"]


def test_two_policies_of_one_name_are_refused() -> None:
    app = labelled()
    with pytest.raises(PolicyError, match="two policies are named require_app_label"):

        @app.validate
        def require_app_label(pod: Pod) -> None: ...


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "Pod_Labels"}, "lower-case"),
        ({"name": "a", "domain": "local"}, "two labels"),
        ({"name": "a", "failure_policy": "fail"}, "Fail or Ignore"),
        ({"name": "a", "timeout_seconds": 31}, "1 to 30"),
    ],
)
def test_an_app_that_kubernetes_would_refuse_is_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        App(**arguments)


def test_a_class_or_lambda_result_is_no_handler() -> None:
    with pytest.raises(PolicyError, match="is no function"):
        App("x").validate(int)


def test_an_app_says_what_it_is() -> None:
    assert repr(labelled()) == "App('pod-labels', 1 policies)"


# Async handlers


async def raises_async(pod: Pod) -> None:
    raise KeyError(pod.metadata.name)


async def returns_true(pod: Pod) -> bool:
    return True


async def yields_numbers(pod: Pod) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (raises_async, "KeyError"),
        (returns_true, "BadAnswer"),
        (yields_numbers, "BadAnswer"),
    ],
)
def test_a_bug_in_an_async_handler_is_a_failed_call_too(
    function: Callable[..., Any], reason: str
) -> None:
    app = App("buggy")
    app.validate(function)
    with pytest.raises(HandlerError) as caught:
        decide(app, ask(pod()))
    assert caught.value.reason == reason


def test_an_async_handler_may_return_its_denial() -> None:
    app = App("returning")

    @app.validate
    async def no(pod: Pod) -> Deny:
        return Deny("no")

    assert message_of(decide(app, ask(pod()))) == "no [no]"


def test_an_async_handler_that_reads_a_wrong_shape_is_the_callers_fault() -> None:
    app = App("reading")

    @app.validate
    async def reads(pod: Pod) -> None:
        _ = pod.metadata.labels["app"]

    with pytest.raises(ReviewError):
        decide(app, ask({"metadata": {"labels": "app"}}))


def test_an_audit_annotation_that_would_be_dropped_is_the_authors_error() -> None:
    app = App("auditing")

    @app.validate
    def notes(pod: Pod, audit: Audit) -> None:
        audit("a/b", "c")

    with pytest.raises(HandlerError, match="not a qualified name"):
        decide(app, ask(pod()))


def test_a_denied_mutation_is_not_followed_by_validation() -> None:
    app = App("stops")

    @app.mutate
    def refuses(pod: Pod) -> None:
        raise Deny("first")

    @app.validate
    def unreached(pod: Pod) -> None:
        raise Deny("second")

    response = decide(app, ask(pod()))
    assert message_of(response) == "first [refuses]"
    assert response.patch == ()


def test_a_mutation_that_would_change_nothing_says_nothing() -> None:
    app = App("quiet")

    @app.mutate(mode="warn")
    def adds(pod: Pod) -> None:
        pod.metadata.labels.setdefault("app", "x")

    assert decide(app, ask(pod(app="web"))).warnings == ()


def test_an_entry_has_each_rule_once() -> None:
    app = App("rules")

    @app.validate
    def a(pod: Pod) -> None: ...

    @app.validate
    def b(pod: Pod) -> None: ...

    (endpoint,) = app.endpoints()
    assert endpoint.rules == app.handlers[0].rules


def test_an_unknown_kind_of_a_union_is_read_as_the_first() -> None:
    app = App("union")

    @app.validate(resources=["*"])
    def named(object: Pod | Deployment) -> None:
        raise Deny(type(object).__name__)

    request = ask(pod(), kind={"group": "x", "version": "v1", "kind": "Other"})
    assert message_of(decide(app, request)) == "Pod [named]"
