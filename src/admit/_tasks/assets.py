"""Fetch the official programs of a control plane, for `admit.testing` to run.

The index is the one that setup-envtest reads: for each Kubernetes release and
platform the address and SHA-512 of a tar.gz with etcd, kube-apiserver and kubectl.

Source: controller-runtime, tools/setup-envtest/remote/http_client.go; controller-tools,
envtest-releases.yaml and hack/envtest.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx2
import msgspec
import yaml

from admit.errors import ConfigError
from admit.testing.assets import REQUIRED, assets_cache, find_missing

if TYPE_CHECKING:
    from collections.abc import Iterable

INDEX_URL = (
    "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/"
    "envtest-releases.yaml"
)

# The index is 60 KB for 30 releases, an archive 100 MB, its programs 300 MB.
MAX_INDEX_BYTES = 4 * 1024 * 1024
MAX_ARCHIVE_BYTES = 1024 * 1024 * 1024
MAX_UNPACKED_BYTES = 4 * 1024 * 1024 * 1024
MAX_MEMBERS = 100

# For a connection, and between two pieces of an answer.
TIMEOUT_SECONDS = 30.0

# A release's file goes through one or two.
MAX_REDIRECTS = 5

# How many known versions an error lists.
LISTED_VERSIONS = 8

# Python's names of machines, and Go's.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}

VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(-[0-9A-Za-z.-]+)?", re.ASCII)
SHA512 = re.compile(r"[0-9a-f]{128}")

Progress = Callable[[int, int | None], None]


class Archive(msgspec.Struct, frozen=True, rename={"self_link": "selfLink"}):
    """One file of the index."""

    hash: str
    self_link: str


class Index(msgspec.Struct, frozen=True):
    """The index: release, file name, file."""

    releases: dict[str, dict[str, Archive]]


def _system() -> str:
    return platform.system().lower()


def _machine() -> str:
    machine = platform.machine().lower()
    return MACHINES.get(machine, machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsOptions:
    """What to fetch, from where, to where.

    Args:
        version: ``1.37.0`` with or without ``v``; ``1.37`` for its newest patch; None
            for the newest release. Pre-releases only by their full name.
        index_url: the index; addresses in it may be relative to it.
        cache: the folder to install below; None for the one `admit.testing` looks in.
        system: Go's name of an operating system.
        machine: Go's name of an architecture.
        on_progress: called with bytes so far, and bytes in all if that is known.
    """

    version: str | None = None
    index_url: str = INDEX_URL
    cache: Path | None = None
    system: str = field(default_factory=_system)
    machine: str = field(default_factory=_machine)
    on_progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsReport:
    """What is there now.

    Args:
        version: the Kubernetes release, ``v1.37.0``.
        folder: holds the programs.
        programs: their names.
        url: where the archive is; None if nobody had to look, because the full
            version was asked for and is there.
        size_bytes: how much was fetched; 0 if the folder was there before.
    """

    version: str
    folder: Path
    programs: tuple[str, ...]
    url: str | None
    size_bytes: int


def fetch_assets(options: AssetsOptions) -> AssetsReport:
    """Install the programs of a Kubernetes release, unless they are there already.

    The archive's checksum is verified before it is unpacked, and the folder appears
    when it is complete.

    Raises:
        ConfigError: the index or the archive cannot be had, is not what it should be,
            or has no such version; the message says which. Nothing is installed.
    """
    if options.version and not VERSION.fullmatch(options.version):
        raise ConfigError(f"{options.version!r} is no version", hint="like 1.37.0")
    cache = options.cache or assets_cache()
    exact = f"v{(options.version or '').removeprefix('v')}"
    folder = _folder(cache, exact, options)
    if not find_missing(folder, REQUIRED):
        return _report(exact, folder, url=None, size_bytes=0)
    version, archive = _choose(_fetch_index(options.index_url), options)
    url = urljoin(options.index_url, archive.self_link)
    folder, size_bytes = _folder(cache, version, options), 0
    if find_missing(folder, REQUIRED):
        try:
            size_bytes = _fetch(url, archive.hash, folder, options.on_progress)
        except OSError as error:
            raise ConfigError(f"cannot write below {cache}: {error}") from error
    return _report(version, folder, url=url, size_bytes=size_bytes)


def _report(
    version: str, folder: Path, *, url: str | None, size_bytes: int
) -> AssetsReport:
    # admit.testing takes the folder that was asked for last.
    os.utime(folder)
    programs = tuple(sorted(path.name for path in folder.iterdir()))
    return AssetsReport(
        version=version,
        folder=folder,
        programs=programs,
        url=url,
        size_bytes=size_bytes,
    )


def _folder(cache: Path, version: str, options: AssetsOptions) -> Path:
    return cache / f"{version}-envtest-{options.system}-{options.machine}"


def _fetch(url: str, sha512: str, folder: Path, on_progress: Progress | None) -> int:
    """Download, verify, unpack beside the folder, move into place; return the size."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
        file, programs = Path(temporary, "archive"), Path(temporary, "programs")
        size_bytes = _download(url, sha512, file, on_progress)
        _unpack(file, programs, place=url)
        _install(programs, folder)
    return size_bytes


def _fetch_index(url: str) -> Index:
    with _opened(url) as response:
        data = b"".join(_limited(response, MAX_INDEX_BYTES, url))
    try:
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return msgspec.convert(yaml.load(data, loader), Index)  # noqa: S506 - safe
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"not an index of envtest archives: {reason}",
            place=url,
            hint="give the address of an envtest-releases.yaml",
        ) from error


def _choose(index: Index, options: AssetsOptions) -> tuple[str, Archive]:
    """Return the newest version that matches and has an archive for the platform."""
    suffix = f"-{options.system}-{options.machine}.tar.gz"
    known = {
        version: archive
        for version, archives in index.releases.items()
        for name, archive in archives.items()
        if VERSION.fullmatch(version) and name == f"envtest-{version}{suffix}"
    }
    newest_first = sorted(known, key=_sort_key, reverse=True)
    for version in newest_first:
        if _matches(version, options.version):
            return version, known[version]
    listed = ", ".join(newest_first[:LISTED_VERSIONS]) or "none"
    raise ConfigError(
        f"no archive of Kubernetes {options.version or ''}".rstrip()
        + f" for {options.system}/{options.machine}",
        place=options.index_url,
        hint=f"the newest there are: {listed}",
    )


def _matches(version: str, wanted: str | None) -> bool:
    wanted = (wanted or "").removeprefix("v")
    version = version.removeprefix("v")
    if version == wanted:
        return True
    return "-" not in version and (not wanted or version.startswith(f"{wanted}."))


def _sort_key(version: str) -> tuple[int, int, int, bool, str]:
    found = VERSION.fullmatch(version)
    major, minor, patch, extra = found.groups() if found else ("0", "0", "0", None)
    return int(major), int(minor), int(patch or 0), not extra, extra or ""


def _download(url: str, sha512: str, file: Path, on_progress: Progress | None) -> int:
    """Write an archive to a file; return its size once the checksum is verified."""
    if not SHA512.fullmatch(sha512):
        raise ConfigError("the index has no SHA-512 for this archive", place=url)
    digest, size = hashlib.sha512(), 0
    with _opened(url) as response, file.open("wb") as sink:
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdecimal() else None
        for chunk in _limited(response, MAX_ARCHIVE_BYTES, url):
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if on_progress is not None:
                on_progress(size, total)
    if digest.hexdigest() != sha512:
        raise ConfigError(
            f"wrong checksum: the index says sha512 {sha512[:16]}…, the archive has "
            f"{digest.hexdigest()[:16]}…",
            place=url,
            hint="fetch again; if it stays, the mirror is not to be trusted",
        )
    return size


@contextmanager
def _opened(url: str) -> Iterator[httpx2.Response]:
    hint = "check the address, the network and HTTPS_PROXY"
    try:
        with (
            httpx2.Client(
                # As it is: an archive is not to be unpacked on the way.
                headers={"Accept-Encoding": "identity"},
                timeout=TIMEOUT_SECONDS,
                follow_redirects=True,
                max_redirects=MAX_REDIRECTS,
            ) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != 200:
                code = f"{response.status_code} {response.reason_phrase}".rstrip()
                raise ConfigError(f"HTTP {code}", place=url, hint=hint)
            yield response
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise ConfigError(f"cannot fetch: {reason}", place=url, hint=hint) from error


def _limited(response: httpx2.Response, limit: int, url: str) -> Iterator[bytes]:
    size = 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > limit:
            raise ConfigError(f"larger than {limit} bytes", place=url)
        yield chunk


def _unpack(file: Path, folder: Path, *, place: str) -> None:
    """Take the programs out of an archive; where they go is not the archive's choice.

    Only regular files with the names we know are written; a link, a device or a path
    that leaves the archive's own folder makes the whole archive suspect.
    """
    folder.mkdir()
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in _checked(archive, place):
                name = PurePosixPath(member.name).name
                source = archive.extractfile(member)
                if name in REQUIRED and source is not None:
                    _write(source, folder / name)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ConfigError(f"cannot unpack: {error}", place=place) from error
    if missing := find_missing(folder, REQUIRED):
        raise ConfigError(f"the archive lacks {', '.join(missing)}", place=place)


def _checked(archive: Iterable[tarfile.TarInfo], place: str) -> Iterator[Any]:
    size = 0
    for number, member in enumerate(archive, 1):
        path = PurePosixPath(member.name)
        is_plain = member.isreg() or member.isdir()
        if not is_plain or path.is_absolute() or ".." in path.parts:
            raise ConfigError(
                f"the archive is refused: {member.name!r} is a link, a device or "
                "outside its folder",
                place=place,
            )
        size += member.size
        if size > MAX_UNPACKED_BYTES or number > MAX_MEMBERS:
            raise ConfigError("the archive is refused: it is too large", place=place)
        yield member


def _write(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    path.chmod(0o755)


def _install(programs: Path, folder: Path) -> None:
    """Move the complete folder to its place; another run may have been faster."""
    if folder.exists() and find_missing(folder, REQUIRED):
        shutil.rmtree(folder)
    if not folder.exists():
        programs.rename(folder)
