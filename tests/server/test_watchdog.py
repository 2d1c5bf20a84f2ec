"""Who holds the event loop is named: in the log, with a stack, and in a metric."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from admit import App, Pod
from tests.reviews import pod, review_body
from tests.server.reviewers import Stub, hold_the_loop
from tests.server.running import Authority, Served, endpoints_of, serving, wait_for
from tests.server.wire import connected

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED = review_body(pod(app="web"))


def held_lines(served: Served) -> list[dict[str, Any]]:
    lines = map(json.loads, served.log.getvalue().splitlines())
    return [line for line in lines if line.get("kind") == "loop held"]


def make_app(rest: Callable[[], None]) -> App:
    app = App("slow", domain="example.com")

    @app.validate
    def think_hard(pod: Pod) -> None:
        rest()

    return app


def test_a_policy_that_holds_the_loop_is_named_once_with_its_stack(
    authority: Authority,
) -> None:
    app = make_app(lambda: time.sleep(0.4))
    with serving(authority, endpoints_of(app)) as served, connected(served) as client:
        assert client.ask(ALLOWED).status == 200
        wait_for(lambda: served.counts.held["think_hard"] == 1)
        (line,) = held_lines(served)
        assert line["policy"] == "think_hard"
        assert any("think_hard" in entry for entry in line["stack"])
        assert client.ask(ALLOWED).status == 200
        wait_for(lambda: served.counts.held["think_hard"] == 2)


def test_many_short_calls_are_not_one_long_one(authority: Authority) -> None:
    app = make_app(lambda: time.sleep(0.002))
    with serving(authority, endpoints_of(app)) as served, connected(served) as client:
        for _ in range(100):
            assert client.ask(ALLOWED).status == 200
        assert not held_lines(served)


def test_something_async_that_blocks_is_shown_by_its_stack(
    authority: Authority,
) -> None:
    with (
        serving(authority, {"/validate": Stub(hold_the_loop)}) as served,
        connected(served) as client,
    ):
        assert client.ask(ALLOWED).status == 200
        wait_for(lambda: served.counts.held[""] >= 1)
        line = held_lines(served)[0]
        assert line["policy"] == ""
        assert any("hold_the_loop" in entry for entry in line["stack"])
