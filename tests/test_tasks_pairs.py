from __future__ import annotations

import pytest

from admit._tasks.pairs import pair_up
from admit.errors import ConfigError
from tests.test_tasks_requests import documents, minimal


def test_new_and_old_objects_are_paired() -> None:
    one, other = minimal("Pod", name="a"), minimal("Pod", name="b")
    elsewhere = one.replace("name: a", "name: a, namespace: raw")
    alone = pair_up(documents(one), documents(elsewhere))
    assert alone[0]["metadata"]["namespace"] == "raw"
    both = pair_up(documents(one, other), documents(other))
    assert {i: old["metadata"]["name"] for i, old in both.items()} == {1: "b"}


@pytest.mark.parametrize(
    ("news", "old", "says"),
    [
        (["a"], minimal("Pod", name="b"), "the old Pod b in default"),
        (["a"], minimal("Deployment", "apps/v1", "a"), "the old Deployment.apps a in"),
        (["a", "b"], minimal("Pod", name="c"), "the old Pod c in default"),
        (
            ["a", "b"],
            minimal("Pod", name="a, namespace: raw"),
            "the old Pod a in raw belongs to none of the objects",
        ),
    ],
)
def test_an_old_object_that_belongs_to_nothing_is_refused(
    news: list[str], old: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        pair_up(
            documents(*(minimal("Pod", name=name) for name in news)), documents(old)
        )
    assert caught.value.place == "--old STDIN:1"
