"""Resolve the dependencies of pyproject.toml into requirements/*.txt.

The files carry hashes and name no index, so that any mirror serves them. A release
must be a week old before it is taken: a bad upload is usually withdrawn by then.

    make lock
"""

from __future__ import annotations

import datetime as dt
import pathlib
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
COOL_DOWN = dt.timedelta(days=7)


def compile_lock(name: str, requirements: list[str], newest: str) -> None:
    """Write requirements/<name>.txt for every platform from Python 3.11 on."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as source:
        source.write("\n".join(requirements))
        source.flush()
        command = [
            *("uv", "pip", "compile", source.name, "--quiet", "--universal"),
            *("--python-version", "3.11", "--generate-hashes", "--no-header"),
            *("--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--upgrade", "--exclude-newer", newest, "--index-strategy"),
            *("unsafe-best-match", "-o", str(ROOT / "requirements" / f"{name}.txt")),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    newest = (dt.datetime.now(dt.UTC) - COOL_DOWN).strftime("%Y-%m-%d")
    compile_lock("run", run, newest)
    compile_lock("dev", run + groups["dev"], newest)
    compile_lock("bench", run + groups["bench"], newest)


if __name__ == "__main__":
    sys.exit(main())
