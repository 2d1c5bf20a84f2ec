"""The container image: what is written is an OCI image, the same from the same files.

That it runs is seen on the node (tests/node); that it has all it needs, by `make image`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripts import import_script

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def oci() -> Any:
    return import_script("image", "oci")


@pytest.fixture(scope="module")
def build() -> Any:
    return import_script("image", "build")


def _write_root(root: Path) -> list[list[Path]]:
    (root / "bin").mkdir(parents=True)
    (root / "bin/run").write_text("#!/bin/true\n")
    (root / "bin/run").chmod(0o700)
    (root / "bin/again").symlink_to("run")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "data").write_bytes(b"x" * 1000)
    (root / "data").chmod(0o600)
    below = sorted(path for path in root.rglob("*") if path.name != "data")
    return [below, [root / "data"]]


def _write(oci: Any, folder: Path) -> bytes:
    layers = _write_root(folder / "root")
    image = oci.Image("admit", "1.2", "amd64", "1970-01-01T00:00:00Z", {"User": "7:7"})
    size = oci.write_archive(folder / "image.tar", image, folder / "root", layers)
    content = (folder / "image.tar").read_bytes()
    assert size == len(content)
    return content


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()


def test_same_files_same_bytes(oci: Any, tmp_path: Path) -> None:
    assert _write(oci, tmp_path / "one") == _write(oci, tmp_path / "two")


def test_every_blob_is_what_its_descriptor_says(oci: Any, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(_write(oci, tmp_path))) as archive:

        def read_blob(descriptor: dict[str, Any]) -> bytes:
            content = _read(archive, f"blobs/{descriptor['digest'].replace(':', '/')}")
            assert len(content) == descriptor["size"]
            found = hashlib.sha256(content).hexdigest()
            assert descriptor["digest"] == f"sha256:{found}"
            return content

        (described,) = json.loads(_read(archive, "index.json"))["manifests"]
        annotations = described["annotations"]
        assert annotations["io.containerd.image.name"] == "docker.io/library/admit:1.2"
        manifest = json.loads(read_blob(described))
        config = json.loads(read_blob(manifest["config"]))
        assert config["config"] == {"User": "7:7"}
        layers = [gzip.decompress(read_blob(layer)) for layer in manifest["layers"]]
        digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        assert config["rootfs"]["diff_ids"] == digests


def test_files_belong_to_root_and_nobody_else_may_write(
    oci: Any, tmp_path: Path
) -> None:
    layers = _write_root(tmp_path / "root")
    paths = [path for layer in layers for path in layer]
    with tarfile.open(fileobj=io.BytesIO(oci._pack(tmp_path / "root", paths))) as tar:
        found = {m.name: (m.uid, m.gid, m.mtime, oct(m.mode)) for m in tar}
        assert tar.getmember("bin/again").linkname == "run"
    assert found == {
        "bin": (0, 0, 0, "0o755"),
        "bin/again": (0, 0, 0, "0o755"),
        "bin/run": (0, 0, 0, "0o755"),
        "data": (0, 0, 0, "0o644"),
        "tmp": (0, 0, 0, "0o1777"),
    }


def test_runs_as_the_dockerfile_says(build: Any) -> None:
    config = build.describe("1.2").config
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/admit"]
    assert config["Cmd"] == ["--help"]
    assert config["ExposedPorts"] == {"8080/tcp": {}, "8443/tcp": {}}
    assert "PATH=/usr/bin" in config["Env"]
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2"
    assert config["Labels"]["org.opencontainers.image.title"] == "admit"


def test_a_machine_of_another_suite_is_refused() -> None:
    debian = import_script("image", "debian")
    with pytest.raises(debian.ImageError, match=r"`docker build \.`"):
        debian.check_suite("slink")
