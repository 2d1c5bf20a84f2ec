"""What every test of the command line needs: policies, manifests, a way to run."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from admit.cli.root import root

POLICIES = """
from admit import App, Deny, Pod

app = App("pod-labels", domain="example.com")


@app.validate
def require_app_label(pod: Pod) -> None:
    if "app" not in pod.metadata.labels:
        raise Deny("Pod must have an app label")


@app.mutate(exempt_namespaces=["raw"])
def default_app_label(pod: Pod) -> None:
    pod.metadata.labels.setdefault("app", "my-app")
"""

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: nginx:1.29
"""


def write(file: Path, text: str) -> Path:
    """Write a file, dedented, and return it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return file


def invoke(*arguments: object, input: str | bytes | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(root, [str(a) for a in arguments], input=input)


def ask(*arguments: object, input: str | bytes | None = None) -> list[dict[str, Any]]:
    """Run `admit review -o json` and return its list."""
    result = invoke("review", *arguments, "-o", "json", input=input)
    assert result.exit_code in {0, 1}, result.output
    reports: list[dict[str, Any]] = json.loads(result.stdout)
    return reports
