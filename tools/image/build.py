"""Make the container image of admit, without a container daemon and without root.

    make image                           build/admit-VERSION.tar, an OCI archive
    python tools/image/build.py --root DIR   the files alone, as the Dockerfile wants them

What it holds stands in contents.toml. The result is tried before it is written: the
image's own interpreter loads every module in it, from nowhere else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import debian
from oci import Image, write_archive

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent

ARCHITECTURES = {
    "x86_64": ("amd64", "ld-linux-x86-64.so.2"),
    "aarch64": ("arm64", "ld-linux-aarch64.so.1"),
}

# The C library of Debian bookworm; wheels may want an older one.
GLIBC = range(36, 16, -1)

# The user of the Dockerfile; no file belongs to it.
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n"
    "admit:x:65532:65532:admit:/nonexistent:/sbin/nologin\n",
    "etc/group": "root:x:0:\nadmit:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}

LAUNCHER = """\
#!/usr/bin/python{python}
import sys

from admit.cli import main

sys.exit(main())
"""


def build(root: Path) -> list[list[Path]]:
    """Write the image's files below a root; return them by layer."""
    contents = tomllib.loads((HERE / "contents.toml").read_text())
    python = contents["python"]
    site = root / f"usr/local/lib/python{python}/dist-packages"
    layers: list[list[Path]] = []

    def end_layer(name: str) -> None:
        seen = {path for layer in layers for path in layer}
        layers.append([path for path in root.rglob("*") if path not in seen])
        size = sum(p.lstat().st_size for p in layers[-1] if p.is_file())
        print(f"{name}: {len(layers[-1])} files, {size / 1e6:.1f} MB", flush=True)

    debian.check_suite(contents["suite"])
    _lay_out(root)
    for package in debian.fetch(contents["packages"], _cache()):
        debian.unpack(package, root, contents["without"])
    _compile(root, python, root / f"usr/lib/python{python}")
    end_layer("Debian packages")
    _install(python, site)
    _compile(root, python, site)
    end_layer("wheels")
    zipfile.ZipFile(_build_wheel(root.parent)).extractall(site)
    launcher = root / "usr/bin/admit"
    launcher.write_text(LAUNCHER.format(python=python))
    launcher.chmod(0o755)
    _compile(root, python, site / "admit")
    end_layer("admit")
    _run_inside(root, python, site, str(HERE / "inside.py"), str(root))
    return layers


def _lay_out(root: Path) -> None:
    for name in debian.MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "policies", "etc"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    for name, text in ACCOUNTS.items():
        (root / name).write_text(text)


def _cache() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache or Path.home() / ".cache").absolute() / "admit" / "image"


def _install(python: str, site: Path) -> None:
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
    _pip(
        *("install", "--no-compile", "--target", str(site)),
        *("--requirement", "requirements/run.txt", "--require-hashes"),
        *("--only-binary", ":all:", "--python-version", python),
        *(f"--platform={name}" for name in (*platforms, f"manylinux2014_{machine}")),
    )
    shutil.rmtree(site / "bin")  # scripts of this machine's interpreter


def _build_wheel(folder: Path) -> str:
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    return str(next(folder.glob("admit-*.whl")))


def _pip(*arguments: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", *quiet, *arguments]
    subprocess.run(command, check=True, cwd=PROJECT)


def _compile(root: Path, python: str, folder: Path) -> None:
    """The root file system is read-only: what is not compiled now is at every start."""
    _run_inside(
        *(root, python, folder, "-m", "compileall", "-qq"),
        *("--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/"),
        str(folder),
    )


def _run_inside(root: Path, python: str, site: Path, *arguments: str) -> None:
    """Run the image's interpreter with the image's libraries, here."""
    loader = next((root / "usr/lib").glob(f"*/{_architecture()[1]}"))
    libraries = loader.parent
    subprocess.run(
        [
            *(str(loader), "--inhibit-cache", "--library-path", str(libraries)),
            *(str(root / f"usr/bin/python{python}"), "-B", *arguments),
        ],
        check=True,
        env={
            "PYTHONHOME": str(root / "usr"),
            "PYTHONPATH": str(site),
            "PYTHONHASHSEED": "0",  # sets in compiled files have one order
        },
    )


def _architecture() -> tuple[str, str]:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise debian.ImageError(f"no image for {machine}: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine]


def describe(version: str) -> Image:
    """Return how the image runs: as the Dockerfile says."""
    dockerfile = (PROJECT / "Dockerfile").read_text()
    _, _, last_stage = dockerfile.rpartition("\nFROM ")
    config: dict[str, Any] = {
        "Labels": {"org.opencontainers.image.version": version},
        "ExposedPorts": {},
    }
    for line in last_stage.splitlines():
        instruction, _, value = line.partition(" ")
        match instruction:
            case "USER":
                config["User"] = value
            case "ENTRYPOINT" | "CMD":
                config[instruction.capitalize()] = json.loads(value)
            case "ENV":
                config["Env"] = shlex.split(value)
            case "EXPOSE":
                config["ExposedPorts"] |= {f"{port}/tcp": {} for port in value.split()}
            case "LABEL":
                pairs = (pair.split("=", 1) for pair in shlex.split(value))
                config["Labels"] |= dict(pairs)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    return Image(
        name="admit",
        tag=version,
        architecture=_architecture()[0],
        created=f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
        config=config,
    )


def main() -> int:
    """Make the image; say where it is and how large."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="write the files here, no archive")
    parser.add_argument("--tag", help="instead of the version")
    arguments = parser.parse_args()
    version = arguments.tag or _read_version()
    try:
        with tempfile.TemporaryDirectory() as folder:
            root: Path = arguments.root or Path(folder) / "root"
            root.mkdir(parents=True)
            layers = build(root)
            if arguments.root:
                return 0
            file = PROJECT / "build" / f"admit-{version}.tar"
            file.parent.mkdir(exist_ok=True)
            size = write_archive(file, describe(version), root, layers)
    except (debian.ImageError, subprocess.CalledProcessError) as error:
        sys.exit(f"image: {error}")
    print(f"admit:{version} in {file.relative_to(PROJECT)}: {size / 1e6:.1f} MB")
    return 0


def _read_version() -> str:
    text = (PROJECT / "src/admit/_version.py").read_text()
    names: dict[str, str] = {}
    exec(text, names)
    return names["__version__"]


if __name__ == "__main__":
    sys.exit(main())
