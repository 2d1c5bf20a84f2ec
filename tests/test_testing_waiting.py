from __future__ import annotations

import pytest

from admit.errors import ClusterError
from admit.testing import wait_until


def test_what_the_predicate_returns_is_returned() -> None:
    answers = iter(["", None, "there"])
    assert wait_until(lambda: next(answers), what="it") == "there"


def test_an_error_of_the_cluster_means_not_yet() -> None:
    answers = iter([False, True])

    def look() -> bool:
        if not next(answers):
            raise ClusterError("not served")
        return True

    assert wait_until(look, what="it")


def test_the_end_of_patience_says_what_was_waited_for_and_the_last_answer() -> None:
    def look() -> bool:
        raise ClusterError("not served", place="GET /x")

    with pytest.raises(ClusterError, match=r"waited 0.1 s for it; .*GET /x: not serv"):
        wait_until(look, what="it", seconds=0.1)
    with pytest.raises(ClusterError, match=r"^waited 0 s for it$"):
        wait_until(lambda: 0, what="it", seconds=0)


def test_another_error_is_not_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, what="it")
