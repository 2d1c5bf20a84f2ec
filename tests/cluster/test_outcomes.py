"""Rows of the outcome table that are failed calls, as the person at kubectl sees them."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.driving import kubectl_apply, pod
from tests.serving import manifests, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit.testing import ControlPlane

POLICIES = """
import asyncio
from admit import App, Pod

app = App("outcomes", domain="example.com")


@app.validate(labels="test=raises", path="/raises")
def raises(pod: Pod) -> None:
    raise KeyError(pod.metadata.name)


@app.validate(labels="test=ignored", path="/ignored", failure_policy="Ignore")
def ignored(pod: Pod) -> None:
    raise KeyError(pod.metadata.name)


@app.validate(labels="test=waits", path="/waits", timeout_seconds=1)
async def waits(pod: Pod) -> None:
    await asyncio.sleep(20)


@app.validate(labels="test=busy", path="/busy", timeout_seconds=30)
async def busy(pod: Pod) -> None:
    await asyncio.sleep(14)


@app.validate(path="/probe", labels="test=probe")
def probe(pod: Pod) -> None: ...
"""

# `admit serve` has no option for how many may wait at once.
ONE_AT_A_TIME = """
import argparse, json
from admit._tasks.serve import Order, serve
from admit.server import ServeOptions

parser = argparse.ArgumentParser()
for name in ("serve", "policies"):
    parser.add_argument(name)
for name in ("cert-file", "key-file", "host", "port", "health-port", "o", "endpoint-delay"):
    parser.add_argument(f"--{name}" if len(name) > 1 else f"-{name}")
given = parser.parse_args()
options = ServeOptions(
    cert_file=given.cert_file,
    key_file=given.key_file,
    host=given.host,
    port=int(given.port),
    health_port=None,
    in_flight=1,
    endpoint_delay_seconds=0.0,
)


def started(serving):
    print(json.dumps({"port": serving.port}, indent=1), flush=True)


serve(Order(source=given.policies, options=options), started)
"""


@pytest.fixture(scope="module")
def failing(
    cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("outcomes")
    policies = folder / "policies.py"
    policies.write_text(POLICIES)
    narrow = folder / "narrow.py"
    narrow.write_text(ONE_AT_A_TIME)
    with (
        served(policies, folder, program=(sys.executable, str(narrow))) as server,
        cluster.registered(*manifests(policies, server), probe=labelled("probe")),
    ):
        yield cluster


def labelled(test: str, name: str = "") -> dict[str, Any]:
    return pod(name or f"o-{test}", "default", metadata={"labels": {"test": test}})


def refused(webhook: str, reason: str) -> str:
    return (
        'Error from server (InternalError): error when creating "STDIN": Internal '
        f'error occurred: failed calling webhook "{webhook}.outcomes.example.com": '
        f"failed to call webhook: {reason}"
    )


def test_a_policy_that_raised_is_named_with_its_line(
    failing: ControlPlane, tmp_path: Path
) -> None:
    said, why = kubectl_apply(failing, labelled("raises"))
    expected = refused("raises", "admit: policy raises failed: KeyError at ")
    assert why.startswith(expected)
    assert why.endswith("policies.py:10")
    assert said == ""


def test_under_ignore_the_request_goes_on(failing: ControlPlane) -> None:
    said = kubectl_apply(failing, labelled("ignored"), "--dry-run=server")
    assert said == ("pod/o-ignored created (server dry run)", "")


def test_a_policy_that_was_late_is_named(failing: ControlPlane) -> None:
    _, why = kubectl_apply(failing, labelled("waits"))
    late = "admit: policy waits was still running at the deadline"
    assert why == refused("waits", late)


def test_too_many_at_once_is_said_after_ten_tries(failing: ControlPlane) -> None:
    """The API server tries again each second, as Retry-After says, ten times."""
    said: list[str] = []

    def create(number: int) -> None:
        said.append("".join(kubectl_apply(failing, labelled("busy", f"busy-{number}"))))

    creating = [threading.Thread(target=create, args=(n,)) for n in range(2)]
    for thread in creating:
        thread.start()
    for thread in creating:
        thread.join()
    many = refused("busy", "admit: too many reviews at once")
    refusal, made = sorted(said)
    assert refusal == many
    assert made in {"pod/busy-0 created", "pod/busy-1 created"}
