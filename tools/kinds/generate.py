"""Write src/admit/kinds from the OpenAPI documents of the real API server.

    make kinds                                    # starts an API server (make assets)
    python tools/kinds/generate.py --save FOLDER  # keep its documents
    python tools/kinds/generate.py --from FOLDER  # read them instead of a server's
    python tools/kinds/generate.py --check        # say what differs, write nothing

The top-level name of a kind (`from admit import Event`) is that of its newest stable
version; where groups share a name, the core's, then that of apps, then of batch.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from files import write_files
from served import from_folder, read_documents, saving

from admit.testing import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from served import Get

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src" / "admit"

# Generated files: those that are no longer written are removed.
GENERATED = "kinds/*_v[0-9]*.py"


# For ruff, a module whose file is not written yet is not ours.
OURS = 'lint.isort.known-first-party = ["admit"]'


def format_files(texts: dict[str, str]) -> dict[str, str]:
    """Return the files as `make format` leaves them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in texts.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        for command in (["check", "--select=I", "--fix-only"], ["format"]):
            run = [sys.executable, "-m", "ruff", *command, "--quiet", "--no-cache"]
            run += [f"--config={ROOT / 'pyproject.toml'}", f"--config={OURS}", name]
            subprocess.run(run, check=True, cwd=ROOT)
        return {path: (folder / path).read_text() for path in texts}


def find_differences(wanted: dict[str, str]) -> list[str]:
    """Return the paths of files that are missing, differ, or should not be there."""
    found = {
        str(file.relative_to(PACKAGE)): file.read_text()
        for file in [*PACKAGE.glob(GENERATED), *(PACKAGE / path for path in wanted)]
        if file.exists()
    }
    return sorted(
        path
        for path in found.keys() | wanted.keys()
        if found.get(path) != wanted.get(path)
    )


def generate(get: Get) -> tuple[str, dict[str, str]]:
    """Return the version of Kubernetes, and the generated files by their paths."""
    documents = read_documents(get)
    return documents.version, format_files(write_files(documents))


@contextlib.contextmanager
def open_source(folder: Path | None) -> Iterator[Get]:
    if folder is not None:
        yield from_folder(folder)
        return
    with ControlPlane() as cluster:
        yield cluster.client.get


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="source", metavar="FOLDER", type=Path)
    parser.add_argument("--save", metavar="FOLDER", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with open_source(arguments.source) as get:
        reader = saving(get, arguments.save) if arguments.save else get
        version, wanted = generate(reader)
    differences = find_differences(wanted)
    for path in differences:
        print(f"src/admit/{path} differs from Kubernetes {version}")
        if arguments.check:
            continue
        file = PACKAGE / path
        if path in wanted:
            file.write_text(wanted[path])
        else:
            file.unlink()
    what_next = "; run make kinds" if arguments.check and differences else ""
    print(f"{len(wanted)} files, {len(differences)} differ{what_next}")
    return 1 if arguments.check and differences else 0


if __name__ == "__main__":
    sys.exit(main())
