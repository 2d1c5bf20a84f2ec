from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from admit._tasks import assets
from admit._tasks.assets import AssetsOptions, AssetsReport, fetch_assets
from admit.errors import ConfigError
from admit.testing import find_assets
from tests.web import Page, Web, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = dict.fromkeys(("etcd", "kube-apiserver", "kubectl"), b"#!/bin/sh\n")
PREFIX = "controller-tools/envtest/"
VERSIONS = ("v1.9.0", "v1.36.2", "v1.37.0", "v1.37.1", "v1.38.0-beta.0")


def member(
    name: str, data: bytes = b"", **fields: Any
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o4777
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def envtest(**changes: bytes | None) -> list[tuple[tarfile.TarInfo, bytes]]:
    folders = [
        member(name, type=tarfile.DIRTYPE) for name in ("controller-tools", PREFIX)
    ]
    programs = PROGRAMS | {name.replace("_", "-"): b for name, b in changes.items()}
    files = [
        member(PREFIX + n, data) for n, data in programs.items() if data is not None
    ]
    return folders + files


def archive_of(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Mirror:
    """Serves an index and its archives in the official layout."""

    def __init__(self, web: Web, folder: Path) -> None:
        self.web = web
        self.folder = folder
        self.releases: dict[str, Any] = {}
        for version in VERSIONS:
            self.add(version, archive_of(envtest()))

    def add(self, version: str, archive: bytes, **changes: Any) -> Page:
        name = f"envtest-{version}-linux-amd64.tar.gz"
        link = f"{self.web.url}/releases/download/envtest-{version}/{name}"
        entry = {"hash": hashlib.sha512(archive).hexdigest(), "selfLink": link}
        self.releases[version] = {name: entry | changes}
        self.set_index({"releases": self.releases})
        page = Page(archive)
        self.web.pages["GET " + link.removeprefix(self.web.url)] = page
        return page

    def set_index(self, index: Any) -> None:
        self.web.pages["GET /index.yaml"] = Page(json.dumps(index).encode())

    def options(self, **changes: Any) -> AssetsOptions:
        options: dict[str, Any] = {
            "index_url": f"{self.web.url}/index.yaml",
            "cache": self.folder,
            "system": "linux",
            "machine": "amd64",
        }
        return AssetsOptions(**options | changes)

    def refuses(self, **changes: Any) -> str:
        """Fetch in vain: the error; nothing may be left behind."""
        with pytest.raises(ConfigError) as caught:
            fetch_assets(self.options(**changes))
        assert list(self.folder.glob("*")) == []
        assert list(self.folder.glob(".*")) == []
        return str(caught.value)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with served() as web:
        yield Mirror(web, tmp_path / "assets")


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (None, "v1.37.1"),
        ("1.37", "v1.37.1"),
        ("v1.36", "v1.36.2"),
        ("1.37.0", "v1.37.0"),
        ("v1.37.0", "v1.37.0"),
        ("1.38.0-beta.0", "v1.38.0-beta.0"),
    ],
)
def test_the_newest_release_that_was_asked_for_is_installed(
    mirror: Mirror, asked: str | None, got: str
) -> None:
    report = fetch_assets(mirror.options(version=asked))
    assert report.version == got
    assert report.folder == mirror.folder / f"{got}-envtest-linux-amd64"
    assert report.programs == ("etcd", "kube-apiserver", "kubectl")
    assert report.url
    assert report.url.endswith(f"/envtest-{got}-linux-amd64.tar.gz")
    assert report.size_bytes == len(archive_of(envtest()))
    for name, data in PROGRAMS.items():
        assert (report.folder / name).read_bytes() == data
        assert (report.folder / name).stat().st_mode & 0o7777 == 0o755


def test_what_was_fetched_is_what_a_control_plane_finds(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    newest = fetch_assets(mirror.options(cache=None)).folder
    assert find_assets() == newest
    os.utime(newest, (0, 0))
    older = fetch_assets(mirror.options(cache=None, version="1.36")).folder
    assert find_assets() == older


def test_a_release_that_is_there_is_not_fetched_again(mirror: Mirror) -> None:
    fetch_assets(mirror.options())
    again = fetch_assets(mirror.options())
    assert again.size_bytes == 0
    assert again.version == "v1.37.1"
    assert len(mirror.web.asked) == 3


def test_a_full_version_that_is_there_needs_no_network(mirror: Mirror) -> None:
    fetch_assets(mirror.options(version="1.37.0"))
    mirror.web.pages.clear()
    again = fetch_assets(mirror.options(version="1.37.0"))
    assert (again.url, again.size_bytes) == (None, 0)


def test_of_two_fetches_at_once_one_installs(mirror: Mirror) -> None:
    reports: list[AssetsReport] = []

    def fetch_another(*_: object) -> None:
        reports.append(fetch_assets(mirror.options()))

    reports.append(fetch_assets(mirror.options(on_progress=fetch_another)))
    assert len({report.folder for report in reports}) == 1
    assert len(list(mirror.folder.iterdir())) == 1


def test_an_incomplete_folder_is_replaced(mirror: Mirror) -> None:
    folder = mirror.folder / "v1.37.1-envtest-linux-amd64"
    folder.mkdir(parents=True)
    (folder / "etcd").touch()
    assert fetch_assets(mirror.options()).folder == folder
    assert (folder / "etcd").read_bytes() == PROGRAMS["etcd"]


def test_progress_is_told_in_bytes(mirror: Mirror) -> None:
    told: list[tuple[int, int | None]] = []
    report = fetch_assets(
        mirror.options(on_progress=lambda done, total: told.append((done, total)))
    )
    assert told[-1] == (report.size_bytes, report.size_bytes)


def test_an_address_may_be_relative_to_the_index(mirror: Mirror) -> None:
    data = archive_of(envtest())
    mirror.add("v1.40.0", data, selfLink="files/a.tar.gz")
    mirror.web.pages["GET /files/a.tar.gz"] = Page(data)
    assert fetch_assets(mirror.options()).url == f"{mirror.web.url}/files/a.tar.gz"


def test_a_redirect_is_followed(mirror: Mirror) -> None:
    data = archive_of(envtest())
    page = mirror.add("v1.40.0", data)
    page.code, page.headers = 302, [("Location", "/elsewhere")]
    mirror.web.pages["GET /elsewhere"] = Page(data)
    assert fetch_assets(mirror.options()).version == "v1.40.0"


def test_other_files_of_an_archive_are_left_out(mirror: Mirror) -> None:
    mirror.add("v1.40.0", archive_of([*envtest(), member(PREFIX + "README")]))
    assert "README" not in fetch_assets(mirror.options()).programs


def test_an_unknown_version_is_refused_with_those_there_are(mirror: Mirror) -> None:
    error = mirror.refuses(version="1.20")
    assert "no archive of Kubernetes 1.20 for linux/amd64" in error
    assert "v1.38.0-beta.0, v1.37.1, v1.37.0, v1.36.2, v1.9.0" in error


def test_an_unknown_platform_is_refused(mirror: Mirror) -> None:
    error = mirror.refuses(system="plan9", machine="mips")
    assert "no archive of Kubernetes for plan9/mips" in error
    assert "none" in error


@pytest.mark.parametrize("version", ["latest", "1", "1.37.x", "../1.37.0", "1.37.0/"])
def test_what_is_no_version_is_refused_before_anything_is_asked(
    mirror: Mirror, version: str
) -> None:
    assert "is no version" in mirror.refuses(version=version)
    assert mirror.web.asked == []


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b"", "Expected `object`, got `null`"),
        (b"releases:\n", "Expected `object`, got `null` - at `$.releases`"),
        (b"<html>", "Expected `object`, got `str`"),
        (b"releases: [", "parsing a flow"),
        (b"\x00", "not allowed"),
        (b"releases: {v1.37.0: {a.tar.gz: {hash: 1}}}", "got `int` - at `$.releases"),
        (b"releases: {v1.37.0: {a.tar.gz: {hash: a}}}", "selfLink"),
    ],
)
def test_what_is_no_index_is_refused_with_the_place(
    mirror: Mirror, index: bytes, reason: str
) -> None:
    mirror.web.pages["GET /index.yaml"] = Page(index)
    error = mirror.refuses()
    assert f"{mirror.web.url}/index.yaml: not an index of envtest archives" in error
    assert reason in error


def test_an_endless_index_is_refused(mirror: Mirror) -> None:
    mirror.web.pages["GET /index.yaml"] = Page(b" " * (assets.MAX_INDEX_BYTES + 1))
    assert "larger than" in mirror.refuses()


def test_a_wrong_checksum_is_refused(mirror: Mirror) -> None:
    mirror.add("v1.40.0", archive_of(envtest()), hash="0" * 128)
    assert "wrong checksum: the index says sha512 0000000000000000…" in mirror.refuses()


@pytest.mark.parametrize("hash", ["", "abc", "0" * 64])
def test_an_index_without_a_checksum_is_refused(mirror: Mirror, hash: str) -> None:
    mirror.add("v1.40.0", archive_of(envtest()), hash=hash)
    assert "no SHA-512" in mirror.refuses()


def test_a_truncated_download_is_refused(mirror: Mirror) -> None:
    page = mirror.add("v1.40.0", archive_of(envtest()))
    page.length = len(page.body) + 1000
    assert "cannot fetch: peer closed connection" in mirror.refuses()


def test_an_answer_that_is_no_archive_is_refused(mirror: Mirror) -> None:
    mirror.add("v1.40.0", b"<html>")
    assert "cannot unpack: not a gzip file" in mirror.refuses()


def test_an_archive_that_ends_early_is_refused(mirror: Mirror) -> None:
    whole = archive_of(envtest(etcd=os.urandom(100_000)))
    mirror.add("v1.40.0", whole[: len(whole) // 2])
    assert "cannot unpack" in mirror.refuses()


def test_a_broken_archive_is_refused(mirror: Mirror) -> None:
    header = archive_of(envtest())[:10]
    mirror.add("v1.40.0", header + b"\xff" * 1000)
    assert "Error -3 while decompressing" in mirror.refuses()


@pytest.mark.parametrize("code", [404, 500, 503])
def test_an_error_of_the_server_is_refused_with_the_address(
    mirror: Mirror, code: int
) -> None:
    page = mirror.add("v1.40.0", archive_of(envtest()))
    page.code = code
    error = mirror.refuses()
    assert f"linux-amd64.tar.gz: HTTP {code} " in error
    assert "HTTPS_PROXY" in error


def test_a_server_that_is_not_there_is_refused(mirror: Mirror) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = mirror.refuses(index_url=f"http://127.0.0.1:{port}/index.yaml")
    assert "cannot fetch" in error


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://[", "no address"])
def test_an_address_that_is_none_is_refused(mirror: Mirror, url: str) -> None:
    assert "cannot fetch" in mirror.refuses(index_url=url)


def test_a_circle_of_redirects_is_refused(mirror: Mirror) -> None:
    mirror.web.pages["GET /index.yaml"] = Page(
        b"", 302, [("Location", f"{mirror.web.url}/index.yaml")]
    )
    assert "cannot fetch" in mirror.refuses()


@pytest.mark.parametrize(
    "evil",
    [
        member("../../etcd", b"evil"),
        member("/usr/bin/etcd", b"evil"),
        member(PREFIX + "../../../etcd", b"evil"),
        member(PREFIX + "etcd", type=tarfile.SYMTYPE, linkname="/bin/sh"),
        member(PREFIX + "etcd", type=tarfile.LNKTYPE, linkname="../../etcd"),
        member(PREFIX + "etcd", type=tarfile.CHRTYPE),
        member(PREFIX + "etcd", type=tarfile.FIFOTYPE),
    ],
    ids=["parent", "absolute", "inside", "symbolic", "hard", "device", "pipe"],
)
def test_an_archive_that_reaches_out_of_its_folder_is_refused(
    mirror: Mirror, evil: tuple[tarfile.TarInfo, bytes], tmp_path: Path
) -> None:
    mirror.add("v1.40.0", archive_of([*envtest(), evil]))
    error = mirror.refuses()
    assert f"the archive is refused: {evil[0].name!r} is a link" in error
    assert not list(tmp_path.rglob("etcd"))


def test_an_archive_without_a_program_is_refused(mirror: Mirror) -> None:
    mirror.add("v1.40.0", archive_of(envtest(kubectl=None)))
    assert "the archive lacks kubectl" in mirror.refuses()


def test_an_archive_of_many_files_is_refused(mirror: Mirror) -> None:
    many = [member(f"{PREFIX}{n}") for n in range(assets.MAX_MEMBERS + 1)]
    mirror.add("v1.40.0", archive_of(envtest() + many))
    assert "too large" in mirror.refuses()


def test_an_archive_that_claims_to_be_huge_is_refused(mirror: Mirror) -> None:
    info, _ = member(PREFIX + "etcd")
    info.size = assets.MAX_UNPACKED_BYTES + 1
    mirror.add("v1.40.0", gzip.compress(info.tobuf()))
    assert "too large" in mirror.refuses()


def test_a_cache_that_cannot_be_written_is_said(mirror: Mirror, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=f"cannot write below {file}"):
        fetch_assets(mirror.options(cache=file / "assets"))


def test_the_platform_is_this_machine_in_the_words_of_go() -> None:
    options = AssetsOptions()
    assert options.system in {"linux", "darwin"}
    assert options.machine in {"amd64", "arm64"}
