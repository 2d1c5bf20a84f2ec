"""What lint refuses, and in which words, is what the real API server does."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from admit.doctor import Configuration, Context, lint
from admit.doctor.validation import (
    decode_configuration,
    show_path,
    validate_configuration,
)
from tests.doctor.configurations import (
    ACCEPTED,
    INVALID,
    INVALID_MUTATING,
    UNDECODABLE,
    change,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.testing import ControlPlane

INVALID_AT_LEAST = 150
COMBINED, SEED = 200, 5

PATH = "/apis/admissionregistration.k8s.io/v1"
Causes = set[tuple[str, str, str]]


def ask(
    cluster: ControlPlane, configuration: dict[str, Any]
) -> tuple[int, Causes, str]:
    plural = f"{configuration['kind'].lower()}s"
    answer = cluster.client.send(
        "POST", f"{PATH}/{plural}", configuration, params={"dryRun": "All"}
    )
    details = answer.body.get("details") or {}
    causes = {
        (cause["reason"], cause["field"], cause["message"])
        for cause in details.get("causes", ())
    }
    return answer.code, causes, answer.body.get("message", "")


def predict(configuration: dict[str, Any]) -> tuple[int, Causes]:
    decoded = decode_configuration(configuration)
    if decoded.wrong:
        return 400, set()
    errors = validate_configuration(decoded.content)
    causes = {(e.reason, show_path(e.path), e.message) for e in errors}
    return (422 if errors else 201), causes


def combine() -> Iterator[dict[str, Any]]:
    """Several mistakes in one configuration."""
    chance = random.Random(SEED)
    for number in range(COMBINED):
        changes: dict[str, Any] = {}
        for one in chance.sample(INVALID, chance.randint(2, 4)):
            changes |= one
        # A change may have taken away where another one goes.
        with contextlib.suppress(KeyError, TypeError, IndexError):
            yield change(changes, mutating=bool(number % 2))


def cases() -> list[dict[str, Any]]:
    return [
        *combine(),
        *(
            change(changes, mutating=mutating)
            for changes in (*INVALID, *UNDECODABLE, *ACCEPTED)
            for mutating in (False, True)
        ),
        *(change(changes, mutating=True) for changes in INVALID_MUTATING),
    ]


def test_lint_refuses_what_the_api_server_refuses(
    cluster: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    codes, causes, differences = Counter[int](), 0, []
    for configuration in cases():
        code, said, message = ask(cluster, configuration)
        codes[code] += 1
        causes += len(said)
        predicted = predict(configuration)
        if predicted != (code, said if code == 422 else set()):
            ours = sorted(predicted[1] - said)
            differences.append(f"{predicted[0]} {ours} for {code} {message}")
    with capsys.disabled():
        print(
            f"\nlint: {codes.total()} configurations, answers {dict(codes)}, "
            f"{causes} causes, {len(differences)} differences"
        )
        print("".join(f"  {line}\n" for line in differences), end="")
    assert len(INVALID) >= INVALID_AT_LEAST
    assert codes[422] >= 2 * len(INVALID)
    assert codes[201] == 2 * len(ACCEPTED)
    assert not differences


EXCLUDED: list[tuple[list[str], list[str]]] = [
    (["authentication.k8s.io"], ["tokenreviews"]),
    (["authorization.k8s.io"], ["subjectaccessreviews", "localsubjectaccessreviews"]),
    (["authentication.k8s.io"], ["selfsubjectreviews", "tokenreviews"]),
    (["authorization.k8s.io"], ["*"]),
    (["*"], ["tokenreviews"]),
    (["", "authentication.k8s.io"], ["pods", "tokenreviews"]),
    (["apps"], ["deployments"]),
]


@pytest.mark.parametrize(("groups", "resources"), EXCLUDED)
def test_lint_warns_of_rules_without_effect_as_the_api_server_does(
    cluster: ControlPlane, groups: list[str], resources: list[str]
) -> None:
    rule = {"apiGroups": groups, "resources": resources}
    whole = change({f"webhooks.0.rules.0.{k}": v for k, v in rule.items()})
    answer = cluster.client.send(
        "POST",
        f"{PATH}/validatingwebhookconfigurations",
        whole,
        params={"dryRun": "All"},
    )
    assert answer.code == 201
    found = lint([Configuration.read(whole, 0)], Context())
    ours = [finding.reason for finding in found if finding.id == "excluded-resource"]
    assert sorted(ours) == sorted(answer.warnings)
