from __future__ import annotations

import os
from pathlib import Path

import pytest

from admit.errors import ConfigError
from admit.testing import ControlPlane, assets_cache, find_assets, get_assets


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "admit" / "assets"


def make_assets(folder: Path, *, at: float = 0.0, without: str = "") -> Path:
    folder.mkdir(parents=True)
    for name in {"etcd", "kube-apiserver", "kubectl"} - {without}:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    os.utime(folder, (at, at))
    return folder


def test_the_cache_is_where_the_user_keeps_caches(cache: Path) -> None:
    assert assets_cache() == cache


def test_the_cache_is_below_the_home_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert assets_cache() == Path.home() / ".cache" / "admit" / "assets"


def test_without_any_assets_none_are_found_and_the_error_says_what_to_type() -> None:
    assert find_assets() is None
    with pytest.raises(ConfigError, match=r"make assets.*admit assets") as caught:
        get_assets()
    assert "kube-apiserver" in caught.value.message


def test_the_folder_used_last_is_taken_from_the_cache(cache: Path) -> None:
    make_assets(cache / "v1.38.0-envtest-linux-amd64", at=1000)
    newest = make_assets(cache / "v1.37.2-0a1b2c-linux-amd64", at=2000)
    make_assets(cache / "v1.36.0-envtest-linux-amd64", at=500)
    assert find_assets() == get_assets() == newest


def test_a_folder_that_is_still_being_built_is_not_taken(cache: Path) -> None:
    complete = make_assets(cache / "old", at=1000)
    make_assets(cache / "new", at=2000, without="kubectl")
    (cache / "new.lock").touch()
    assert find_assets() == complete


def test_the_environment_wins_over_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_assets(cache / "old")
    named = make_assets(tmp_path / "named")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(named))
    assert get_assets() == named


def test_an_argument_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(make_assets(tmp_path / "named")))
    given = make_assets(tmp_path / "given")
    assert get_assets(str(given)) == given


def test_an_incomplete_folder_in_the_environment_is_an_error_not_a_fallback(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_assets(cache / "complete")
    named = make_assets(tmp_path / "named", without="etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(named))
    with pytest.raises(ConfigError, match=r"KUBEBUILDER_ASSETS: .* hold etcd \("):
        find_assets()


def test_an_incomplete_argument_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not hold etcd, kube-apiserver"):
        get_assets(tmp_path)


def test_a_controller_manager_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    assets = make_assets(tmp_path / "envtest")
    with pytest.raises(ConfigError, match="kube-controller-manager"):
        ControlPlane(assets=assets, controller_manager=True)
