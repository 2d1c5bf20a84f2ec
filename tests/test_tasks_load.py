from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from admit._tasks.load import load_policies, read_modes, split_modes
from admit.errors import AdmitError, ConfigError, PolicyError
from tests.commands import POLICIES, write

if TYPE_CHECKING:
    from pathlib import Path


def app(name: str, *, path: str = "", policy: str = "check") -> str:
    options = f'(path="{path}")' if path else ""
    return (
        "from admit import App, Pod\n"
        f"app = App({name!r}, domain='example.com')\n"
        f"@app.validate{options}\n"
        f"def {policy}(pod: Pod) -> None: ...\n"
    )


def test_a_file_is_loaded_with_its_routes(tmp_path: Path) -> None:
    file = write(tmp_path / "policies.py", POLICIES)
    policies = load_policies(str(file))
    assert [one.name for one in policies.apps] == ["pod-labels"]
    assert {path: e.webhook_name for path, e in policies.routes.items()} == {
        "/mutate": "mutate.pod-labels.example.com",
        "/validate": "validate.pod-labels.example.com",
    }
    assert policies.files == (file,)
    assert policies.mounted[0].configuration_name == "pod-labels.example.com"


def test_a_file_may_define_several_apps_and_use_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "neighbour.py", "REGISTRY = 'example.com'\n")
    write(
        tmp_path / "many.py",
        """
        from admit import App, Pod
        from neighbour import REGISTRY

        one = App("one")
        two = App("two")

        @one.validate
        @two.mutate
        def check(pod: Pod) -> None: ...
        """,
    )
    policies = load_policies(str(tmp_path / "many.py"))
    assert sorted(policies.routes) == ["/mutate", "/validate"]
    assert policies.files == (tmp_path / "many.py", tmp_path / "neighbour.py")


def test_of_a_folder_every_python_file_is_loaded(tmp_path: Path) -> None:
    write(tmp_path / "a.py", app("a", path="/a"))
    write(tmp_path / "b-c.py", app("b", path="/b"))
    for name in ("_private.py", "test_a.py", "a_test.py", "conftest.py", "sub/c.py"):
        write(tmp_path / name, "raise RuntimeError\n")
    write(tmp_path / "latest.py", app("c", path="/c"))
    policies = load_policies(str(tmp_path))
    assert [one.name for one in policies.apps] == ["a", "b", "c"]


def test_one_app_may_stretch_over_the_files_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "main.py", "from admit import App\napp = App('whole')\n")
    for name in ("naming", "security"):
        write(
            tmp_path / f"{name}.py",
            f"""
            from admit import Pod
            from main import app

            @app.validate
            def {name}(pod: Pod) -> None: ...
            """,
        )
    policies = load_policies(str(tmp_path))
    assert [h.name for h in policies.apps[0].handlers] == ["naming", "security"]


def test_files_of_a_package_import_each_other_relatively(tmp_path: Path) -> None:
    write(tmp_path / "rules/__init__.py", "")
    write(tmp_path / "rules/names.py", "NAME = 'relative'\n")
    write(tmp_path / "rules/pods.py", "from .names import NAME\n" + app("x"))
    for source in (tmp_path / "rules", tmp_path / "rules/pods.py"):
        assert load_policies(str(source)).apps[0].name == "x"


def test_a_module_is_named_with_its_attribute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "pkg_of_policies/__init__.py", "")
    inner = write(tmp_path / "pkg_of_policies/inner.py", app("inner"))
    monkeypatch.chdir(tmp_path)
    policies = load_policies("pkg_of_policies.inner:app")
    assert policies.apps[0].name == "inner"
    assert inner in policies.files
    assert load_policies(f"{inner}:app").apps[0].name == "inner"


def test_loading_again_reads_what_changed_even_in_the_same_second(
    tmp_path: Path,
) -> None:
    write(tmp_path / "helper.py", "NAME = 'aaa'\n")
    file = write(
        tmp_path / "policies.py",
        "from helper import NAME\n" + app("x").replace("'x'", "NAME"),
    )
    assert load_policies(str(file)).apps[0].name == "aaa"
    write(tmp_path / "helper.py", "NAME = 'bbb'\n")
    assert load_policies(str(file)).apps[0].name == "bbb"
    assert not list(tmp_path.rglob("*.pyc"))


def test_helpers_in_a_folder_without_init_are_read_again_too(tmp_path: Path) -> None:
    write(tmp_path / "helpers_of_x/names.py", "NAME = 'aaa'\n")
    text = "from helpers_of_x.names import NAME\n" + app("x").replace("'x'", "NAME")
    file = write(tmp_path / "policies.py", text)
    assert load_policies(str(file)).apps[0].name == "aaa"
    write(tmp_path / "helpers_of_x/names.py", "NAME = 'bbb'\n")
    assert load_policies(str(file)).apps[0].name == "bbb"


def test_another_folders_module_of_the_same_name_is_not_mistaken(
    tmp_path: Path,
) -> None:
    for name in ("one", "two"):
        write(tmp_path / name / "helper.py", f"NAME = '{name}'\n")
        write(
            tmp_path / name / "policies.py",
            "from helper import NAME\n" + app("x").replace("'x'", "NAME"),
        )
    for name in ("one", "two", "one"):
        source = tmp_path / name / "policies.py"
        assert load_policies(str(source)).apps[0].name == name
    assert str(tmp_path / "two") not in sys.path


def test_what_somebody_else_imported_under_the_name_is_not_mistaken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mine/namesake.py", app("mine"))
    write(tmp_path / "yours/namesake.py", "YOURS = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "yours"))
    yours = importlib.import_module("namesake")
    file = tmp_path / "mine/namesake.py"
    assert load_policies(str(file)).apps[0].name == "mine"
    sys.modules["namesake"] = yours
    write(file, "1 / 0\n")
    with pytest.raises(PolicyError):
        load_policies(str(file))
    assert sys.modules.pop("namesake") is yours


def test_a_load_that_fails_leaves_the_modules_as_they_were(tmp_path: Path) -> None:
    file = write(tmp_path / "policies.py", app("x"))
    load_policies(str(file))
    before, path = sys.modules["policies"], list(sys.path)
    sys.modules.pop("colorsys", None)
    write(
        tmp_path / "policies.py",
        "import brand_new, colorsys\nraise ValueError('no')\n",
    )
    write(tmp_path / "brand_new.py", "")
    with pytest.raises(PolicyError, match="ValueError: no"):
        load_policies(str(file))
    assert sys.modules["policies"] is before
    assert "brand_new" not in sys.modules
    assert "colorsys" in sys.modules  # nobody's policy
    assert sys.path == path


BROKEN = [
    ("x = (\n", PolicyError, "policies.py:1", "was never closed"),
    ("x = '\0'\n", PolicyError, "policies.py:1", "null bytes"),
    ("import nothing_like_it\n", PolicyError, "policies.py:1", "nothing_like_it"),
    ("from admit import Podd\n", PolicyError, "policies.py:1", "Podd"),
    ("x = 1\n\n1 / 0\n", PolicyError, "policies.py:3", "ZeroDivisionError"),
    ("import sys\nsys.exit('bye')\n", PolicyError, "policies.py:2", "SystemExit: bye"),
    ("from admit import App\nApp('Bad')\n", PolicyError, "policies.py:2", "lower-case"),
    (app("x").replace(": Pod", ""), PolicyError, "policies.py:3", "no annotation"),
    ("def f():\n  import re\n  re.compile('(')\nf()\n", PolicyError, ":3", "missing )"),
    ("x = 1\n", ConfigError, "policies.py", "no App"),
    ("from admit import App\napp = App('x')\n", ConfigError, "policies.py", "no pol"),
]


@pytest.mark.parametrize(("text", "kind", "place", "says"), BROKEN)
def test_what_does_not_load_is_told_with_file_and_line(
    tmp_path: Path, text: str, kind: type[AdmitError], place: str, says: str
) -> None:
    file = write(tmp_path / "policies.py", text)
    with pytest.raises(kind) as caught:
        load_policies(str(file))
    assert (caught.value.place or "").endswith(place)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("from admit import Podd\n", "did you mean Pod?"),
        ("from json import nothing\n", "is the name spelt as it is there?"),
        ("import nothing_like.it\n", "install nothing_like where admit is installed"),
    ],
)
def test_an_import_that_fails_has_a_hint(tmp_path: Path, text: str, hint: str) -> None:
    file = write(tmp_path / "policies.py", text)
    with pytest.raises(PolicyError) as caught:
        load_policies(str(file))
    assert hint in (caught.value.hint or "")


def test_a_module_that_took_a_policys_name_meanwhile_stays(tmp_path: Path) -> None:
    write(tmp_path / "a/one.py", app("x"))
    write(tmp_path / "b/two.py", app("y"))
    load_policies(str(tmp_path / "a/one.py"))
    other = sys.modules["one"] = ModuleType("one")
    load_policies(str(tmp_path / "b/two.py"))
    assert sys.modules.pop("one") is other


def test_all_broken_files_of_a_folder_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a.py", "x = (\n")
    write(tmp_path / "b.py", app("fine"))
    write(tmp_path / "c.py", "1 / 0\n")
    with pytest.raises(PolicyError) as caught:
        load_policies(str(tmp_path))
    assert "2 files cannot be loaded" in caught.value.message
    assert f"{tmp_path / 'a.py'}:1" in caught.value.message
    assert f"{tmp_path / 'c.py'}:1" in caught.value.message


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("none.py", "cannot be read: No such file"),
        ("none.py:app", "cannot be read: No such file"),
        ("none", "neither"),
        ("empty", "no Python files"),
        ("no_such_module_at_all:app", "there is no module no_such_module_at_all"),
        ("json:loads", "loads is a function, not an App"),
        ("json:nothing", "nothing is nothing, not an App"),
        ("a.b.py", "has no '.'"),
        ("json.py", "the name json is taken"),
        ("two.py:one", "one is a int, not an App"),
    ],
)
def test_what_cannot_be_loaded_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, says: str
) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "a.b.py", app("x"))
    write(tmp_path / "json.py", app("x"))
    write(tmp_path / "two.py", app("x") + "one = 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_policies(source)
    assert says in caught.value.message


def test_apps_with_the_same_default_path_get_their_names_in_front(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.py", app("a"))
    write(tmp_path / "b.py", app("b"))
    write(tmp_path / "c.py", app("c", path="/validate-pods"))
    routes = load_policies(str(tmp_path)).routes
    assert {path: e.webhook_name for path, e in routes.items()} == {
        "/a/validate": "validate.a.example.com",
        "/b/validate": "validate.b.example.com",
        "/validate-pods": "validate-pods.c.example.com",
    }


def test_a_default_path_gives_way_to_one_that_somebody_wrote(tmp_path: Path) -> None:
    write(tmp_path / "a.py", app("a"))
    write(tmp_path / "b.py", app("b", path="/validate"))
    assert sorted(load_policies(str(tmp_path)).routes) == ["/a/validate", "/validate"]


def test_apps_that_were_given_one_path_are_refused_with_both_places(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.py", app("a", path="/pods", policy="first"))
    write(tmp_path / "b.py", app("b", path="/pods"))
    with pytest.raises(ConfigError) as caught:
        load_policies(str(tmp_path))
    assert caught.value.place == f"{tmp_path / 'b.py'}:3"
    assert f"first at {tmp_path / 'a.py'}:3 has it" in caught.value.message


def test_paths_that_make_one_webhook_name_are_refused(tmp_path: Path) -> None:
    second = app("x", path="/a/b", policy="second").partition("@")[2]
    file = write(tmp_path / "policies.py", app("x", path="/a-b") + f"@{second}")
    with pytest.raises(ConfigError, match=r"the webhook name a-b\.x\."):
        load_policies(str(file))


def test_apps_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.py", app("same"))
    write(tmp_path / "b.py", app("same"))
    with pytest.raises(ConfigError, match="two apps are named same") as caught:
        load_policies(str(tmp_path))
    assert caught.value.place == str(tmp_path / "b.py")


def test_modes_are_overridden_in_every_app_that_has_the_policy(tmp_path: Path) -> None:
    write(tmp_path / "a.py", app("a", policy="shared"))
    write(tmp_path / "b.py", app("b", policy="shared"))
    policies = load_policies(str(tmp_path), modes={"shared": "warn"})
    assert [one.handlers[0].mode for one in policies.apps] == ["warn", "warn"]
    assert policies.routes["/a/validate"].handlers[0].mode == "warn"


def test_a_mode_for_nobody_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.py", app("a"))
    with pytest.raises(ConfigError) as caught:
        load_policies(str(tmp_path), modes={"checc": "warn"})
    assert caught.value.hint == "did you mean check? there are check"


def test_modes_are_read_from_text() -> None:
    assert split_modes(" a=warn, b=audit\n,") == ["a=warn", "b=audit"]
    assert read_modes(["a=warn", "b=audit"], place="--mode") == {
        "a": "warn",
        "b": "audit",
    }
    for wrong in ("a", "a=", "=warn", "a=strict"):
        with pytest.raises(ConfigError, match="is not NAME=MODE"):
            read_modes([wrong], place="--mode")


def test_idle_threads_of_blocking_policies_end(tmp_path: Path) -> None:
    file = write(
        tmp_path / "policies.py",
        app("x").replace("@app.validate", "@app.validate(blocking=True)"),
    )
    policies = load_policies(str(file))
    policies.close()  # none were started
    threads = policies.apps[0].running.threads
    assert threads.submit(int).result() == 0
    policies.close()
    with pytest.raises(RuntimeError):
        threads.submit(int)
