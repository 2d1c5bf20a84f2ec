"""Policies whose files change while they decide."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks.events import Broken, Reloaded
from admit._tasks.load import load_policies
from admit._tasks.reload import Reloader
from admit._tasks.succession import Known, Succession, bridge, settle
from admit.errors import AdmitError, ClusterError, ConfigError, PolicyError
from tests.commands import write
from tests.configmap import mount
from tests.reviews import pod, review_body
from tests.server.running import Authority, Served, serving, wait_for
from tests.server.wire import connected, look, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from admit._tasks.load import Policies
    from admit._tasks.succession import Tell

LOOK_SECONDS = 0.02

HEAD = """
from admit import App, Deny, Pod
app = App("pod-labels", domain="example.com")
"""

SAYS = """
@app.validate
def say(pod: Pod) -> None:
    raise Deny("{}")
"""


def saying(text: str, more: str = "") -> str:
    return f"{HEAD}{SAYS.format(text)}{more}"


@dataclass
class Deciding:
    """A server whose policies come from a folder like a mounted ConfigMap."""

    served: Served
    folder: Path
    policies: Succession
    told: list[Any] = field(default_factory=list)

    def mount(self, text: str) -> Any:
        """Swap the file, and wait until it is known what became of it."""
        told = len(self.told)
        mount(self.folder, {"policies.py": text})
        wait_for(lambda: len(self.told) > told)
        return self.told[-1]

    def ask(self, path: str = "/validate") -> dict[str, Any]:
        with connected(self.served) as client:
            answer = client.ask(review_body(pod()), path)
        assert answer.status == 200, answer.body
        response: dict[str, Any] = answer.json["response"]
        return response

    def says(self, path: str = "/validate") -> str:
        """The message of a denial; empty for what is allowed."""
        return str(self.ask(path).get("status", {}).get("message", ""))

    def ready(self) -> tuple[int, str]:
        return look(self.served.health_port, "/readyz")

    def metric(self, name: str, **labels: str) -> float | None:
        found = scrape(look(self.served.health_port, "/metrics")[1])
        return found.get((name, tuple(sorted(labels.items()))))


@contextlib.contextmanager
def deciding(
    authority: Authority,
    folder: Path,
    text: str,
    tell: Tell | None = None,
    **options: Any,
) -> Iterator[Deciding]:
    policies = folder / "policies"
    mount(policies, {"policies.py": text})
    told: list[Any] = []
    with serving(authority, {}) as served:
        succession = Succession(
            Reloader(str(policies), look_seconds=LOOK_SECONDS),
            served.measures,
            served.lines,
            tell=tell or told.append,
        )
        stop = asyncio.Event()
        begun = threading.Event()

        async def work() -> None:
            async with succession.at_work(served.server, **options):
                begun.set()
                await stop.wait()

        future = asyncio.run_coroutine_threadsafe(work(), served.loop)
        begun.wait(20)
        try:
            yield Deciding(served, policies, succession, told)
        finally:
            served.loop.call_soon_threadsafe(stop.set)
            future.result(20)


@pytest.fixture
def running(authority: Authority, tmp_path: Path) -> Iterator[Deciding]:
    with deciding(authority, tmp_path, saying("one")) as running:
        yield running


def version_of(*, response: dict[str, Any]) -> str:
    return str(response["auditAnnotations"]["policies-version"])


def test_a_swapped_mount_decides_from_the_next_request_on(running: Deciding) -> None:
    assert running.says() == "one [say]"
    told = running.mount(saying("two"))
    assert isinstance(told, Reloaded)
    assert told.policies == 1
    assert running.says() == "two [say]"
    assert running.metric("admit_policies_reloads_total", result="loaded") == 1


def test_every_decision_says_its_version(running: Deciding) -> None:
    before = version_of(response=running.ask())
    name, _, hashed = before.partition("@")
    assert (name, len(hashed)) == ("pod-labels", 12)
    assert running.policies.current.version == hashed
    assert running.metric("admit_policies_info", app=name, version=hashed) == 1
    told = running.mount(saying("two"))
    after = version_of(response=running.ask())
    assert after == f"pod-labels@{told.version}" != before
    assert running.metric("admit_policies_info", app=name, version=hashed) is None
    assert running.metric("admit_policies_info", app=name, version=told.version) == 1
    wait_for(lambda: running.served.log.getvalue().count("review: deny") == 2)
    lines = [json.loads(line) for line in running.served.log.getvalue().splitlines()]
    reviews = [line["version"] for line in lines if line.get("kind") == "review"]
    assert reviews == [before, after]
    assert f"version {told.version}" in running.ready()[1]
    # The same files are the same version, wherever they are.
    assert running.mount(saying("one")).version == hashed


BROKEN = {
    "syntax": ("x = (", "policies.py:", "not valid Python"),
    "import": ("import nothing_like_it", "policies.py:", "install nothing_like_it"),
    "undefined": (
        saying("x").replace("Deny(", "Denny("),
        "policies.py:7",
        "did you mean Deny?",
    ),
    "duplicate": (saying("x") + SAYS.format("y"), "policies.py:", "two policies"),
    "no app": ("x = 1", "policies", "no App"),
    "signature": (
        saying("x").replace("pod: Pod", "pod: Pod, stranger"),
        "policies.py:",
        "stranger",
    ),
    "unregistrable": (
        saying("x").replace(
            "@app.validate",
            '@app.validate(namespaces=["a"], exempt_namespaces=["a"])',
        ),
        "policies.py:",
        "leaves none",
    ),
}


@pytest.mark.parametrize(("text", "place", "reason"), BROKEN.values(), ids=BROKEN)
def test_broken_ones_keep_the_old_and_say_so(
    text: str, place: str, reason: str, running: Deciding
) -> None:
    told = running.mount(text)
    assert isinstance(told, Broken)
    assert place in told.place
    assert running.says() == "one [say]"
    status, page = running.ready()
    assert status == 200
    assert "the new ones cannot be used" in page
    assert place in page
    assert reason in page
    assert running.metric("admit_policies_reloads_total", result="failed") == 1
    assert running.metric("admit_policies_stale") == 1
    (line,) = [
        json.loads(line)
        for line in running.served.log.getvalue().splitlines()
        if "policies not replaced" in line
    ]
    assert line["level"] == "error"
    assert place in line["place"]
    assert running.policies.current.version == line["version"]
    # What is mended decides.
    assert isinstance(running.mount(saying("mended")), Reloaded)
    assert running.says() == "mended [say]"
    assert "cannot be used" not in running.ready()[1]
    assert running.metric("admit_policies_stale") == 0


def test_what_is_in_flight_ends_with_the_policies_it_began_with(
    authority: Authority, tmp_path: Path
) -> None:
    slow = """
@app.validate(path="/slow", blocking=True)
def wait(pod: Pod) -> None:
    import os, time
    open({begun!r}, "w").close()
    while not os.path.exists({go!r}):
        time.sleep(0.01)
    raise Deny("{says}")
"""
    begun, go = tmp_path / "begun", tmp_path / "go"
    before = slow.format(begun=str(begun), go=str(go), says="old")
    after = slow.format(begun=str(begun), go=str(go), says="new")
    with (
        deciding(authority, tmp_path, saying("one", before)) as running,
        connected(running.served) as client,
    ):
        asked = threading.Thread(
            target=lambda: answers.append(client.ask(review_body(pod()), "/slow"))
        )
        answers: list[Any] = []
        asked.start()
        wait_for(begun.exists)
        version = running.policies.current.version
        assert isinstance(running.mount(saying("two", after)), Reloaded)
        running.served.loop.call_soon_threadsafe(settle)
        assert running.says() == "two [say]"
        go.touch()
        asked.join(20)
        response = answers[0].json["response"]
        assert response["status"]["message"] == "old [wait]"
        assert version_of(response=response) == f"pod-labels@{version}"
        assert running.says("/slow") == "new [wait]"
        # Both are counted: the numbers of a webhook go on.
        found = scrape(look(running.served.health_port, "/metrics")[1])
        key = (
            ("operation", "CREATE"),
            ("verdict", "deny"),
            ("webhook", "slow.pod-labels.example.com"),
        )
        assert found["admit_reviews_total", key] == 2


def test_what_no_policy_wants_any_more_is_allowed_not_lost(
    authority: Authority, tmp_path: Path
) -> None:
    more = SAYS.format("no").replace("validate", 'validate(path="/gone")')
    more = more.replace("say(", "other(")
    with deciding(authority, tmp_path, saying("one", more)) as running:
        assert running.says("/gone") == "no [other]"
        told = running.mount(saying("two"))
        response = running.ask("/gone")
        assert response["allowed"] is True
        assert version_of(response=response) == f"pod-labels@{told.version}"


MOVED = saying("moved").replace("@app.validate", "@app.validate(timeout_seconds=5)")


def test_a_policy_that_moves_is_asked_at_both_paths_until_registered(
    authority: Authority, tmp_path: Path
) -> None:
    registered = threading.Event()
    seen: list[str] = []

    async def follow(policies: Policies) -> None:
        seen.append(policies.version)
        await asyncio.to_thread(registered.wait)

    with deciding(authority, tmp_path, saying("one"), follow=follow) as running:
        told = running.mount(MOVED)
        assert running.says("/validate/fail-5s") == "moved [say]"
        assert running.says("/validate") == "moved [say]"
        registered.set()
        wait_for(lambda: running.says("/validate") == "")
        assert running.says("/validate/fail-5s") == "moved [say]"
        assert seen[-1] == told.version


def test_without_registration_the_bridge_stays(
    authority: Authority, tmp_path: Path
) -> None:
    async def follow(_: Policies) -> None:
        raise ClusterError("away")

    with deciding(authority, tmp_path, saying("one"), follow=follow) as running:
        running.mount(MOVED)
        wait_for(
            lambda: "registration does not follow" in running.served.log.getvalue()
        )
        assert running.says("/validate") == "moved [say]"


def test_a_condition_is_never_bridged(tmp_path: Path) -> None:
    """The API server alone evaluates it: asked without, a policy would do too much."""
    text = saying("x").replace("@app.validate", '@app.validate(when="false")')
    before = load_policies(str(write(tmp_path / "policies.py", saying("x")))).routes
    known = {path: Known(endpoint) for path, endpoint in before.items()}
    after = load_policies(str(write(tmp_path / "policies.py", text))).routes
    assert list(after) == ["/validate/say"]
    assert bridge(known, after) == after


def test_100_reloads_leave_nothing_behind(running: Deciding) -> None:
    gone: list[weakref.ref[Any]] = []
    modules = len(sys.modules)
    for number in range(100):
        gone += [
            weakref.ref(value)
            for name, value in vars(sys.modules["policies"]).items()
            if name in {"app", "say", "also"}
        ]
        more = SAYS.format("more").replace("say(", "also(")
        more = more.replace("validate", f'validate(path="/path-{number}")')
        told = running.mount(saying(f"{number}", more) if number % 10 else "x = (")
        assert isinstance(told, Reloaded if number % 10 else Broken)
        assert running.says()  # the paths that are asked keep what they found
    told = running.mount(saying("last"))
    running.served.run(asyncio.to_thread(settle))
    gc.unfreeze()
    assert [ref() for ref in gone if ref() is not None] == []
    assert len(sys.modules) == modules
    assert running.says() == "last [say]"
    # Of what they were called only the paths are left, which are still answered.
    assert len(running.served.server.counts.left) == 91
    assert list(running.served.measures.policies) == ["say"]


def test_files_that_change_while_they_are_loaded_are_loaded_again(
    tmp_path: Path,
) -> None:
    """One half of each version would be a policy that nobody wrote."""
    swap = "import pathlib\nfile = pathlib.Path(__file__).parent / 'helper.py'\n"
    swap += "file.write_text(file.read_text() + '# more')\n"
    write(tmp_path / "helper.py", "x = 1\n")
    write(tmp_path / "policies.py", "import helper\n" + saying("x"))
    reloader = Reloader(str(tmp_path))
    with pytest.raises(ConfigError, match="no App"):
        Reloader(str(tmp_path / "helper.py")).load()
    assert [app.name for app in reloader.load().apps] == ["pod-labels"]
    write(tmp_path / "policies.py", swap + saying("x"))
    with pytest.raises(ConfigError, match="keep changing"):
        reloader.load()


def test_an_import_that_takes_long_holds_nothing_up(
    running: Deciding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admit._tasks.reload.SLOW_SECONDS", 0.05)
    go = tmp_path / "go"
    waiting = "import pathlib, time\n"
    waiting += f"while not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.01)\n"
    mount(running.folder, {"policies.py": waiting + saying("two")})
    wait_for(lambda: "still being imported" in running.served.log.getvalue())
    assert running.says() == "one [say]"
    go.touch()
    wait_for(lambda: bool(running.told))
    assert running.says() == "two [say]"


def test_looking_survives_what_nobody_expected(
    authority: Authority, tmp_path: Path
) -> None:
    told: list[Any] = []

    def tell(event: Any) -> None:
        told.append(event)
        if len(told) == 1:
            raise ValueError

    with deciding(authority, tmp_path, saying("one"), tell=tell) as running:
        mount(running.folder, {"policies.py": saying("two")})
        wait_for(lambda: len(told) == 2)
        assert "ValueError inside admit" in told[1].message
        mount(running.folder, {"policies.py": saying("three")})
        wait_for(lambda: len(told) == 3)
        assert running.says() == "three [say]"


def test_what_is_broken_in_an_unusual_way_is_a_policy_error(tmp_path: Path) -> None:
    text = "class Odd:\n    @property\n    def __class__(self):\n        1 / 0\n"
    source = write(tmp_path / "policies.py", saying("x") + text + "odd = Odd()\n")
    with pytest.raises(AdmitError) as error:
        Reloader(str(source)).load()
    assert isinstance(error.value, PolicyError)
    assert "ZeroDivisionError" in str(error.value)


@pytest.mark.parametrize(
    "body",
    [
        "    return later",
        "    global cache\n    cache = 1\n    print(cache)",
        "    try:\n        unknown\n    except NameError:\n        pass",
        "    return [x for x in (lambda y: y)([1])]",
        "    class A:\n        b = 1\n        c = b\n    print(__file__)",
    ],
)
def test_names_that_exist_at_last_are_no_mistake(body: str, tmp_path: Path) -> None:
    text = saying("x") + f"@app.validate(path='/y')\ndef y(pod: Pod):\n{body}\n"
    source = write(tmp_path / "policies.py", text + "later = None\n")
    assert len(load_policies(str(source)).routes) == 2


@pytest.mark.parametrize(
    "body",
    [
        "    if 0:\n        unknown()",
        "    return [unknown for _ in pod.metadata.labels]",
        "    return lambda: unknown",
    ],
)
def test_a_name_that_is_nowhere_is_found_with_its_line(
    body: str, tmp_path: Path
) -> None:
    text = (
        saying("x")
        + f"@app.validate(path='/y')\ndef y(pod: Pod):\n    x = pod\n{body.replace('if 0', 'if x')}\n"
    )
    source = write(tmp_path / "policies.py", text)
    with pytest.raises(
        PolicyError, match="y: the name unknown is defined nowhere"
    ) as e:
        load_policies(str(source))
    line = next(
        n for n, t in enumerate(source.read_text().splitlines(), 1) if "unknown" in t
    )
    assert e.value.place == f"{source}:{line}"
