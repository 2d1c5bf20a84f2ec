"""The parts of `admit dev` that need no API server; tests/cluster/test_dev.py has one."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from admit import App, Deny, Pod
from admit._tasks.events import Broken, Decided, Ready, Reloaded, Starting, Watched
from admit._tasks.sources import Sources
from admit.cli import dev
from admit.errors import HandlerError, PolicyError
from tests.commands import write
from tests.reviews import ask, pod

if TYPE_CHECKING:
    from pathlib import Path

    from admit._tasks.events import Event

app = App("app", domain="example.com", timeout_seconds=1)


@app.validate(path="/check")
async def check(pod: Pod, warn: Any) -> None:
    do = pod.metadata.labels.get("do")
    warn("careful")
    if do == "deny":
        raise Deny("no")
    if do == "break":
        raise KeyError
    if do == "sleep":
        await asyncio.sleep(60)


@app.mutate
def label(pod: Pod) -> None:
    pod.metadata.labels["a"] = "b"


def decide(path: str, do: str) -> Decided:
    """What is told of a review that ends, in whatever way."""
    told: list[Event] = []
    (endpoint,) = [e for e in app.endpoints() if e.path == path]
    watched = Watched(endpoint, told.append)

    async def run() -> None:
        async with asyncio.timeout(0.05):
            await watched(ask(pod(do=do)))

    try:
        asyncio.run(run())
    except (HandlerError, TimeoutError):
        assert do in {"break", "sleep"}
    (event,) = told
    assert isinstance(event, Decided)
    return event


@pytest.mark.parametrize(
    ("path", "do", "verdict", "message", "policies"),
    [
        ("/check", "", "allow", "", []),
        ("/mutate", "", "mutate", "", ["label"]),
        ("/check", "deny", "deny", "no [check]", ["check"]),
        ("/check", "break", "error", "policy check failed: KeyError", ["check"]),
        ("/check", "sleep", "timeout", "", ["check"]),
    ],
)
def test_each_way_to_end_is_told(
    path: str, do: str, verdict: str, message: str, policies: list[str]
) -> None:
    event = decide(path, do)
    assert (event.verdict, event.policies) == (verdict, policies)
    assert message in event.message
    assert event.webhook == f"{path[1:]}.app.example.com"
    assert (event.operation, event.resource, event.name) == ("CREATE", "pods", "web")
    assert (event.namespace, event.user) == ("default", "ada")


SHOWN: list[tuple[Event, list[str]]] = [
    (Starting(assets="/a"), ["Starting a control plane from /a ..."]),
    (
        Ready(
            kubeconfig="/k",
            kubectl="/a/kubectl",
            kubectl_on_path=False,
            api_server="https://127.0.0.1:1",
            webhook="https://127.0.0.1:2",
            webhooks=["a.b.c"],
        ),
        [
            "Ready: https://127.0.0.1:1 asks a.b.c",
            "In another terminal:",
            "",
            "  export KUBECONFIG=/k",
            "  /a/kubectl run web --image=nginx",
            "",
            "Save the policies to reload them; Ctrl-C stops and removes everything.",
        ],
    ),
    (
        Decided(
            webhook="a.b.c",
            operation="UPDATE",
            resource="nodes/status",
            namespace="",
            name="",
            user="ada",
            verdict="deny",
            message="no\nand \x1b why",
            warnings=["careful"],
            policies=["x", "y"],
            dry_run=True,
            duration_seconds=0.00123,
        ),
        [
            "deny UPDATE nodes/status (new) (dry run) [x, y] 1.2 ms",
            "         no",
            "         and \\x1b why",
            "         Warning: careful",
        ],
    ),
    (Reloaded(policies=3, version="1a2b"), ["reloaded; policies in use: 3"]),
    (
        Broken.of(PolicyError("wrong", place="p:1", hint="do")),
        [
            "not reloaded; the policies stay as they were",
            "error: wrong",
            "  at: p:1",
            "  hint: do",
        ],
    ),
]


@pytest.mark.parametrize(("event", "lines"), SHOWN)
def test_each_event_is_shown(
    event: Event, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dev._show(event)
    captured = capsys.readouterr()
    shown = (captured.out + captured.err).splitlines()
    shown[0] = re.sub(r"^\d\d:\d\d:\d\d ", "", shown[0])
    assert shown == lines


def test_kubectl_on_the_path_is_named_shortly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dev._show(
        Ready(
            kubeconfig="/k",
            kubectl="/a/kubectl",
            kubectl_on_path=True,
            api_server="",
            webhook="",
            webhooks=[],
        )
    )
    shown = capsys.readouterr().out
    assert "\n  kubectl run web" in shown
    assert "(kubectl of the API server's version: /a/kubectl)" in shown


def touch(file: Path, text: str) -> Path:
    """Write a file so that it differs even within the clock's grain."""
    write(file, text)
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + len(text) * 1000))
    return file


def looks(sources: Sources) -> list[bool]:
    return [sources.have_changed() for _ in range(3)]


def test_a_change_counts_once_it_has_settled(tmp_path: Path) -> None:
    file = touch(tmp_path / "policies.py", "a")
    sources = Sources(str(file), [file])
    assert looks(sources) == [False, False, False]
    touch(file, "ab")
    assert not sources.have_changed()
    touch(file, "abc")  # still being written
    assert looks(sources) == [False, True, False]
    file.unlink()
    assert looks(sources) == [False, True, False]


def test_new_files_of_a_folder_count(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.py", "a")
    folder, alone = Sources(str(tmp_path), [file]), Sources(str(file), [file])
    touch(tmp_path / "b.py", "b")
    assert looks(folder) == [False, True, False]
    assert looks(alone) == [False, False, False]


def test_after_a_failure_neighbours_count_too(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.py", "import b")
    sources = Sources(str(file), [file])
    sources.begin()
    touch(tmp_path / "b.py", "b")
    assert looks(sources) == [False, True, False]
    sources.watch([file])
    touch(tmp_path / "b.py", "bb")
    assert looks(sources) == [False, False, False]
