"""Debian packages, fetched with apt's own checks and unpacked without dpkg's database.

Only apt-get, dpkg-deb and Debian's own sources of this machine are used; nothing is
installed and no root is needed.
"""

from __future__ import annotations

import fnmatch
import io
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")

# Since bookworm these are links into /usr; some packages still carry the old paths.
MERGED = ("bin", "lib", "lib64", "sbin")


class ImageError(Exception):
    """The image cannot be made; the text says what to do."""


def check_suite(suite: str) -> None:
    """Refuse a machine whose packages are not those of the list."""
    release = Path("/etc/os-release")
    text = release.read_text() if release.is_file() else ""
    if f"VERSION_CODENAME={suite}" not in text.replace('"', "").split():
        raise ImageError(
            f"the image is made of Debian {suite}'s packages and this machine is "
            "another system; `docker build .` makes the same image anywhere"
        )


def fetch(packages: Sequence[str], folder: Path) -> list[Path]:
    """Fetch the newest version of each package; return the files in the same order."""
    source = next((file for file in SOURCES if Path(file).is_file()), None)
    if source is None:
        raise ImageError(f"apt has no sources: none of {', '.join(SOURCES)}")
    for name in ("state/lists/partial", "cache/archives/partial", "packages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    apt = (
        *("apt-get", "--quiet=2", "-o", f"Dir::State={folder}/state"),
        *("-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache={folder}/cache"),
        *("-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", "APT::Sandbox::User="),
    )
    kept = folder / "packages"
    try:
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "download", *packages], check=True, cwd=kept)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ImageError(f"apt cannot fetch the packages: {error}") from error
    return [_newest(kept, package) for package in packages]


def _newest(folder: Path, package: str) -> Path:
    """Older versions may lie there from an earlier run."""
    found = folder.glob(f"{package}_*.deb")
    return max(found, key=lambda file: (file.stat().st_ctime, file.name))


def unpack(package: Path, root: Path, without: Sequence[str]) -> None:
    """Write what a package holds below the root, but for what is not wanted.

    Its control file goes to var/lib/dpkg/status.d, where scanners of images look for
    what is installed.
    """
    content = _run("dpkg-deb", "--fsys-tarfile", str(package))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        wanted = list(_wanted(archive, without))
        # Debian 12's Python is older than the argument that says the same.
        archive.extraction_filter = getattr(tarfile, "tar_filter", _unfiltered)
        archive.extractall(root, wanted)
    status = root / "var/lib/dpkg/status.d" / package.name.partition("_")[0]
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_bytes(_run("dpkg-deb", "--field", str(package)))


def _wanted(
    archive: tarfile.TarFile, without: Sequence[str]
) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        path = member.name.removeprefix("./").rstrip("/")
        if path.partition("/")[0] in MERGED:
            path = f"usr/{path}"
        if member.isdir() or any(fnmatch.fnmatch(path, glob) for glob in without):
            continue
        if member.islnk():
            raise ImageError(f"{archive.name}: a hard link: {member.name}")
        member.name, member.uname, member.gname = path, "", ""
        member.mode &= 0o755
        yield member


def _unfiltered(member: tarfile.TarInfo, _path: str) -> tarfile.TarInfo:
    return member


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
