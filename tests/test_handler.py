from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from admit import AdmissionRequest, App, Deny, Namespace, Pod, Resource
from admit._handler.options import Keywords, Options
from admit.errors import PolicyError
from admit.webhook import Rule

if TYPE_CHECKING:
    from collections.abc import Callable


def no_annotation(pod): ...  # type: ignore[no-untyped-def]


def no_kind(pod: str) -> None: ...


def nothing() -> None: ...


def two_objects(a: Pod, b: Pod) -> None: ...


def optional_object(pod: Pod | None) -> None: ...


def certain_old(pod: Pod, old: Pod) -> None: ...


def any_number(*pods: Pod) -> None: ...


def only_request(request: AdmissionRequest) -> None: ...


def mixed_union(pod: Pod | str) -> None: ...


WRONG: list[tuple[Callable[..., Any], str]] = [
    (no_annotation, "no annotation"),
    (no_kind, "no_kind(pod: str) is no kind"),
    (nothing, "no parameter is one kind"),
    (two_objects, "both ask for the object"),
    (optional_object, "the object is never None"),
    (certain_old, "there is no old object on CREATE"),
    (any_number, "name each parameter"),
    (only_request, "no parameter is one kind"),
    (mixed_union, "is no kind"),
]


@pytest.mark.parametrize(("function", "message"), WRONG)
def test_a_wrong_signature_is_refused_with_file_and_line(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        App("x").validate(function)
    assert message in caught.value.message
    assert caught.value.place == f"{__file__}:{function.__code__.co_firstlineno}"
    assert caught.value.hint


def test_an_annotation_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(PolicyError, match="cannot be read") as caught:

        @App("x").validate
        def unknown(pod: Podd) -> None: ...  # type: ignore[name-defined] # noqa: F821

    assert "outside TYPE_CHECKING" in (caught.value.hint or "")


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"operations": "CREATE"}, "takes a list"),
    ({"operations": []}, "never be asked"),
    ({"operations": ["CREAT"]}, "CONNECT; did you mean 'CREATE'?"),
    ({"mode": "wran"}, "audit; did you mean 'warn'?"),
    ({"operations": ["PATCH"]}, "operations='PATCH' is none of CREATE, UPDATE"),
    ({"resources": ["Pods"]}, "resources='Pods' is not RESOURCE"),
    ({"mode": "off"}, "mode='off' is none of enforce, warn, audit"),
    ({"failure_policy": "fail"}, "failure_policy='fail' is none of Fail, Ignore"),
    ({"timeout_seconds": 0}, "timeout_seconds=0 is none of 1 to 30"),
    ({"timeout_seconds": 2.5}, "timeout_seconds=2.5 is none of 1 to 30"),
    ({"path": "validate"}, "must look like /validate-pods"),
    ({"path": "/a/"}, "must look like /validate-pods"),
    ({"path": "/a_b"}, "must look like /validate-pods"),
    ({"labels": "a in b"}, "not a label selector"),
    ({"name": "no spaces"}, "cannot name a policy"),
    ({"namespace": ["x"]}, "no such option: namespace"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:

        @App("x").validate(**options)
        def policy(pod: Pod) -> None: ...

    assert message in caught.value.message


def test_an_async_function_does_not_block() -> None:
    with pytest.raises(PolicyError, match="does not block"):

        @App("x").validate(blocking=True)
        async def policy(pod: Pod) -> None: ...


def rules_of(**options: Any) -> tuple[Rule, ...]:
    app = App("x")

    @app.validate(**options)
    def policy(pod: Pod) -> None: ...

    return app.handlers[0].rules


def rule(resource: str, **changes: Any) -> Rule:
    fields: dict[str, Any] = {
        "api_groups": ("",),
        "api_versions": ("v1",),
        "operations": ("CREATE", "UPDATE"),
        "resources": (resource,),
        "scope": "*",
    }
    return Rule(**fields | changes)


def test_a_bare_handler_asks_for_its_kind_on_create_and_update() -> None:
    assert rules_of() == (rule("pods", scope="Namespaced"),)


def test_a_cluster_scoped_kind_says_so() -> None:
    app = App("x")

    @app.validate(operations=["DELETE"])
    def policy(namespace: Namespace) -> None: ...

    assert app.handlers[0].rules == (
        rule("namespaces", scope="Cluster", operations=("DELETE",)),
    )


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("pods", rule("pods")),
        ("pods/ephemeralcontainers", rule("pods/ephemeralcontainers")),
        (
            "deployments.apps/scale",
            rule("deployments/scale", api_groups=("apps",), api_versions=("*",)),
        ),
        ("*.apps", rule("*", api_groups=("apps",), api_versions=("*",))),
        ("*.*", rule("*", api_groups=("*",), api_versions=("*",))),
        ("*/*", rule("*/*")),
    ],
)
def test_resources_are_named_as_kubectl_names_them(
    resource: str, expected: Rule
) -> None:
    assert rules_of(resources=[resource]) == (expected,)


def test_a_handler_may_ask_for_the_request_alone() -> None:
    app = App("x")

    @app.validate(resources=["pods/exec"], operations=["CONNECT"])
    def policy(request: AdmissionRequest) -> None: ...

    (only,) = app.handlers[0].rules
    assert only.api_groups == ("",)


def test_resource_means_any_kind_that_the_options_name() -> None:
    app = App("x")

    @app.validate(resources=["*"])
    def everything(object: Resource) -> None: ...

    @app.validate(resources=["services", "deployments.apps"])
    def some(object: Resource) -> None: ...

    everything_, some_ = app.handlers
    assert [rule.api_groups for rule in everything_.rules] == [("*",)]
    assert [rule.api_groups for rule in some_.rules] == [("",), ("apps",)]
    with pytest.raises(PolicyError, match="no parameter is one kind"):

        @app.validate
        def nothing_named(object: Resource) -> None: ...


def test_a_handler_is_described_by_its_docstring() -> None:
    app = App("x")

    @app.validate(name="other-name")
    def policy(pod: Pod) -> None:
        """Say it shortly.

        And then at length.
        """

    (handler,) = app.handlers
    assert (handler.name, handler.description) == ("other-name", "Say it shortly.")


@pytest.mark.parametrize("message", ["", "  ", None])
def test_a_denial_without_a_message_is_an_authors_error(message: Any) -> None:
    with pytest.raises(PolicyError, match="needs a message"):
        Deny(message)


@pytest.mark.parametrize("code", [200, 399, 600])
def test_a_denial_has_an_error_code(code: int) -> None:
    with pytest.raises(PolicyError, match=f"code {code}"):
        Deny("no", code=code)


def test_a_denial_can_always_be_written() -> None:
    assert Deny("a\ud800b").message == "a?b"


def test_the_decorators_take_what_options_have() -> None:
    fields = {field.name: field.type for field in dataclasses.fields(Options)}
    assert Keywords.__annotations__.keys() == fields.keys()
    for name, annotation in Keywords.__annotations__.items():
        assert annotation.__forward_arg__ == fields[name], name
