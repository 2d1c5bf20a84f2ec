"""`make demo`: the tutorial's webhook, asked over TLS as the API server asks.

Starts `admit serve` with a certificate of a throw-away authority, sends it some
reviews, shows each question and answer, and says what to try next. Exits with 1 if an
answer is not what the tutorial says.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import signal
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import trustme
import yaml
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.syntax import Syntax

from admit.patch import apply
from admit.review import decode_response

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICIES = Path(__file__).parent / "policies.py"
STOP_SECONDS = 30.0
NEXT = """\
  [bold].venv/bin/admit review examples/tutorial/policies.py -f examples/tutorial/bad.yaml[/bold]
      what kubectl would say, without a cluster
  [bold]make test[/bold]
      all tests that need no API server
  [bold]make assets[/bold], then [bold].venv/bin/admit dev examples/tutorial/policies.py[/bold]
      a real API server on this machine, with these two policies (needs Go, once)
  [bold]docs/start.md[/bold]
      ten minutes to a denied pod"""
console = Console(highlight=False)


def pod(name: str, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if labels:
        metadata["labels"] = labels
    containers = [{"name": "web", "image": "nginx:1.29"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": containers},
    }


def review(uid: str, object: dict[str, Any]) -> dict[str, Any]:
    """An AdmissionReview as the API server sends it when a pod is created."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": uid,
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": object["metadata"]["name"],
            "namespace": "default",
            "operation": "CREATE",
            "userInfo": {"username": "ada", "groups": ["system:authenticated"]},
            "object": object,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }


@contextlib.contextmanager
def webhook(folder: Path) -> Iterator[httpx2.Client]:
    """Run the server as a user does; give a client that trusts its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    command = [
        *(sys.executable, "-m", "admit", "serve", str(POLICIES)),
        *("--cert-file", str(folder / "tls.crt")),
        *("--key-file", str(folder / "tls.key")),
        *("--host", "127.0.0.1", "--port", "0", "--health-port", "none"),
        *("--output", "json"),
    ]
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    try:
        address = read_address(process, log)
        trusted = ssl.create_default_context(cafile=folder / "ca.pem")
        with httpx2.Client(base_url=address, verify=trusted) as client:
            yield client
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)


def read_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return where the server is, which it says as soon as it can decide."""
    said = b""
    for line in process.stdout or ():
        said += line
        if line.startswith(b"}"):
            return f"https://localhost:{json.loads(said)['port']}"
    sys.exit(f"the server did not start:\n{log.read_text()}")


def show(title: str, text: str, language: str) -> None:
    console.print(f"[bold]{title}[/bold]")
    coloured = Syntax("", language, theme="ansi_dark").highlight(text.rstrip())
    for line in coloured.split("\n"):
        console.print("    ", line, sep="", soft_wrap=True)


def to_yaml(object: dict[str, Any]) -> list[str]:
    return yaml.safe_dump(object, sort_keys=False).splitlines()


def ask(client: httpx2.Client, step: Step, uid: str) -> bool:
    """Send one review, show it and its answer; tell whether it is as expected."""
    console.print(Rule(step.title, align="left"))
    show(f"POST {step.path}", "\n".join(to_yaml(step.object)), "yaml")
    http = client.post(f"{step.path}?timeout=10s", json=review(uid, step.object))
    console.print(f"[bold]HTTP {http.status_code}[/bold]", end="  ")
    answer = decode_response(http.content)
    message = answer.status.message if answer.status else ""
    if answer.allowed:
        console.print("[green]allowed[/green]")
    else:
        console.print(f"[red]denied[/red]: {escape(message)}")
    changed = apply(step.object, answer.patch)
    if answer.patch:
        before, after = to_yaml(step.object), to_yaml(changed)
        diff = list(difflib.unified_diff(before, after, lineterm="", n=1))[3:]
        show("the patch makes of it", "\n".join(diff), "diff")
    console.print()
    return (answer.allowed, message, changed) == step[-3:]


class Step(NamedTuple):
    """One question and what the tutorial says is the answer."""

    title: str
    path: str
    object: dict[str, Any]
    allowed: bool
    message: str
    changed: dict[str, Any]


STEPS = (
    Step(
        "1. A pod that names its app is allowed",
        "/validate-pods",
        pod("web", app="web"),
        True,
        "",
        pod("web", app="web"),
    ),
    Step(
        "2. A pod that does not is denied",
        "/validate-pods",
        pod("nameless"),
        False,
        "Pod must have an app label [require_app_label]",
        pod("nameless"),
    ),
    Step(
        "3. A pod that names no environment gets one",
        "/mutate-pods",
        pod("web", app="web"),
        True,
        "",
        pod("web", app="web", environment="production"),
    ),
    Step(
        "4. One without any labels gets it too",
        "/mutate-pods",
        pod("bare"),
        True,
        "",
        pod("bare", environment="production"),
    ),
)


def main() -> int:
    show("The policies", POLICIES.read_text().split("\n\n\n", 1)[1], "python")
    console.print()
    with tempfile.TemporaryDirectory() as folder, webhook(Path(folder)) as client:
        console.print(
            f"[bold]admit serve examples/tutorial/policies.py[/bold] answers at "
            f"{client.base_url},\nwith a certificate that the client verifies.\n"
        )
        right = [ask(client, step, f"demo-{i}") for i, step in enumerate(STEPS, 1)]
    if not all(right):
        console.print("[red]An answer is not what the tutorial says.[/red]")
        return 1
    console.print(Rule("What to try next", align="left"))
    console.print(NEXT, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
