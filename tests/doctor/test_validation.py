"""Validation without an API server; what the real one says: tests/cluster/test_lint.py."""

from __future__ import annotations

from typing import Any

import pytest

from admit.doctor.validation import decode_configuration, validate_configuration
from admit.doctor.validation.formats import marshal, quote
from admit.doctor.validation.go_url import GoURL, parse_url
from tests.doctor.configurations import (
    ACCEPTED,
    INVALID,
    INVALID_MUTATING,
    UNDECODABLE,
    VALID,
    change,
)


def errors(content: dict[str, Any], *, static: bool = False) -> list[str]:
    decoded = decode_configuration(content)
    assert decoded.wrong == []
    return [str(e) for e in validate_configuration(decoded.content, static=static)]


@pytest.mark.parametrize("changes", INVALID)
def test_what_is_invalid_is_refused(changes: dict[str, Any]) -> None:
    assert errors(change(changes))
    assert errors(change(changes, mutating=True))


@pytest.mark.parametrize("changes", INVALID_MUTATING)
def test_a_mutating_webhook_has_a_member_more(changes: dict[str, Any]) -> None:
    assert errors(change(changes, mutating=True))
    assert errors(change(changes)) == []


@pytest.mark.parametrize("changes", UNDECODABLE)
def test_a_wrong_type_is_not_decoded(changes: dict[str, Any]) -> None:
    assert decode_configuration(change(changes)).wrong


@pytest.mark.parametrize("changes", [{}, *ACCEPTED])
def test_what_is_strange_is_accepted(changes: dict[str, Any]) -> None:
    assert errors(change(changes)) == []


def test_an_error_reads_as_the_api_server_writes_it() -> None:
    changes = {
        "webhooks.0.failurePolicy": "Retry",
        "webhooks.0.rules.0.resources": ["*", "pods"],
        "webhooks.0.timeoutSeconds": 31,
    }
    assert errors(change(changes)) == [
        (
            'webhooks[0].rules[0].resources: Invalid value: ["*","pods"]: if \'*\' is '
            "present, must not specify other resources without subresources"
        ),
        (
            'webhooks[0].failurePolicy: Unsupported value: "Retry": supported values: '
            '"Fail", "Ignore"'
        ),
        (
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be "
            "between 1 and 30 seconds"
        ),
    ]


def test_an_error_has_the_reason_that_a_status_gives() -> None:
    decoded = decode_configuration(change({"webhooks.0.name": ""}))
    (error,) = validate_configuration(decoded.content)
    assert (error.reason, error.message) == ("FieldValueRequired", "Required value")


def test_a_static_manifest_may_have_the_reserved_name() -> None:
    named = change({"metadata.name": "a.static.k8s.io"})
    assert errors(named, static=True) == []
    assert "are reserved for static manifest" in errors(named)[0]


@pytest.mark.parametrize("generate", ["a", "a-", "a.b-"])
def test_a_name_may_be_generated(generate: str) -> None:
    generated = change({"metadata": {"generateName": generate}})
    assert errors(generated) == []


def test_a_name_or_what_to_generate_it_from_is_there() -> None:
    assert errors(change({"metadata": {}})) == [
        "metadata.name: Required value: name or generateName is required"
    ]
    assert errors(change({"metadata": {"generateName": "Ab-"}}))


def test_unknown_fields_are_told_and_dropped() -> None:
    decoded = decode_configuration(change({"webhooks.0.rules.0.verbs": ["*"]}))
    assert decoded.unknown == [("webhooks", 0, "rules", 0, "verbs")]
    assert decoded.content == VALID


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://a", GoURL("https", "a")),
        (
            "HTTPS://A:1/b%2Fc?d=e#f%20g",
            GoURL("https", "A:1", None, "/b/c", "d=e", "f g"),
        ),
        ("https://u:p%40@a", GoURL("https", "a", "u:p%40")),
        ("https://[fe80::1%25en0]:1", GoURL("https", "[fe80::1%25en0]:1")),
        ("///a", GoURL("", "", None, "///a")),
        ("postgres://a,b:1", GoURL("postgres", "a,b:1")),
        ("x://a:1:2", GoURL("x", "a:1:2")),
        ("mailto:a?", GoURL("mailto")),
        ("https://ü%C3%BC", GoURL("https", "üü")),
    ],
)
def test_a_url_is_taken_apart_as_go_does(text: str, parts: GoURL) -> None:
    assert parse_url(text) == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (":a", 'parse ":a": missing protocol scheme'),
        ("https://a:b", 'parse "https://a:b": invalid port ":b" after host'),
        ("https://a#%", 'parse "https://a#%": invalid URL escape "%"'),
        (
            "https://a\n",
            'parse "https://a\\n": net/url: invalid control character in URL',
        ),
        ("https://[::1", "parse \"https://[::1\": missing ']' in host"),
        ("https://%zz", 'parse "https://%zz": invalid URL escape "%zz"'),
        ("https://%41", 'parse "https://%41": invalid URL escape "%41"'),
        ("https://u\u00fc@a", 'parse "https://uü@a": net/url: invalid userinfo'),
    ],
)
def test_what_go_does_not_take_apart(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^parse") as caught:
        parse_url(text)
    assert str(caught.value) == said


def test_values_are_written_as_go_writes_them() -> None:
    assert quote('a"\t\x01\u200b\U000e0001é') == '"a\\"\\t\\x01\\u200b\\U000e0001é"'
    assert marshal(["<a>", "&", "é"]) == '["\\u003ca\\u003e","\\u0026","é"]'
