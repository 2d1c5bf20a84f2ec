"""What a webhook adds to a create, seen through a real API server.

One connection sends `POST pods?dryRun=All` to three namespaces in turn: no webhook
matches the first, admit's the second, the controller-runtime one the third. Alone:

    python bench/apiserver.py
"""

from __future__ import annotations

import base64
import gc
import http.client
import json
import ssl
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import reviews
import yaml
from builds import MissingError, issue_certificates
from servers import SERVERS, started

from admit.errors import AdmitError
from admit.testing import ControlPlane, find_assets

if TYPE_CHECKING:
    from servers import Running

# Creates in each namespace that are measured, and before that.
CREATES = 1000
WARMUP = 100

# The label of a namespace that says which webhook matches it.
LABEL = "bench"
NONE = "none"
WEBHOOKS = ("admit", "controller-runtime")


@dataclass(frozen=True, slots=True)
class Creates:
    """How long creates took in one namespace, in the order of the requests."""

    webhook: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def measure_creates(folder: Path, count: int = CREATES) -> dict[str, Any]:
    """Return the median seconds of a create by webhook, and what each adds.

    Shape: ``{"creates": 1000, "median_seconds": {"none": …, "admit": …, …},
    "added_seconds": {"admit": …, "controller-runtime": …}}``.

    Raises:
        MissingError: no assets, or a server did not start.
    """
    if find_assets() is None:
        raise MissingError("no kube-apiserver here; `make assets` builds it")
    certificates = issue_certificates(folder)
    servers = [server for server in SERVERS if server.name in WEBHOOKS]
    with ExitStack() as stack:
        running = [
            stack.enter_context(started(s, certificates, folder, pin=False))
            for s in servers
        ]
        try:
            cluster = stack.enter_context(ControlPlane())
            configurations = [_configuration(one) for one in running]
            for name in (NONE, *WEBHOOKS):
                cluster.client.create(_namespace(name))
            probe = _probe(cluster)
            stack.enter_context(cluster.registered(*configurations, probe=probe))
        except AdmitError as error:
            raise MissingError(str(error)) from error
        measured = _create_in_turn(_connect(cluster, folder), count)
    return _summarize(measured)


def _summarize(measured: list[Creates]) -> dict[str, Any]:
    medians = {one.webhook: one.median for one in measured}
    added = {name: medians[name] - medians[NONE] for name in WEBHOOKS}
    return {
        "creates": len(measured[0].seconds),
        "median_seconds": medians,
        "added_seconds": added,
    }


def render_creates(found: dict[str, Any]) -> str:
    """The medians, and the difference that the target is about."""
    lines = [
        f"{found['creates']} dry-run creates in each namespace, real API server",
        f"{'webhook':20}{'median ms':>11}{'added ms':>10}",
    ]
    for name, seconds in found["median_seconds"].items():
        added = found["added_seconds"].get(name)
        text = f"{name:20}{seconds * 1e3:11.3f}"
        lines.append(text + (f"{added * 1e3:10.3f}" if added is not None else ""))
    return "\n".join(lines)


def _namespace(webhook: str) -> dict[str, Any]:
    metadata = {"name": f"bench-{webhook}", "labels": {LABEL: webhook}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _configuration(running: Running) -> dict[str, Any]:
    """What users apply, but for the selector of the namespace."""
    place, name = running.place, running.server.name
    bundle = base64.b64encode(place.certificates.ca_file.read_bytes()).decode()
    webhook = {
        "name": f"{name}.bench.example.com",
        "clientConfig": {
            "url": f"https://127.0.0.1:{place.port}/validate",
            "caBundle": bundle,
        },
        "namespaceSelector": {"matchLabels": {LABEL: name}},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["pods"],
            }
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"bench-{name}"},
        "webhooks": [webhook],
    }


def _pod(webhook: str) -> dict[str, Any]:
    """The pod as its controller sends it: what the API server adds is not there."""
    document = reviews.pod()
    del document["status"]
    metadata = document["metadata"]
    for added in ("uid", "creationTimestamp", "managedFields"):
        del metadata[added]
    metadata["namespace"] = f"bench-{webhook}"
    return document


def _probe(cluster: ControlPlane) -> Any:
    def send() -> None:
        for webhook in WEBHOOKS:
            cluster.client.create(_pod(webhook), dry_run=True)

    return send


def _connect(cluster: ControlPlane, folder: Path) -> http.client.HTTPSConnection:
    """One plain connection as the admin; a client library's own time is not wanted."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    user = config["users"][0]["user"]
    authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(authority).decode("ascii")
    )
    pair = folder / "admin.pem"
    parts = (user["client-certificate-data"], user["client-key-data"])
    pair.write_bytes(b"".join(base64.b64decode(part) for part in parts))
    context.load_cert_chain(pair)
    address = urlsplit(cluster.url)
    return http.client.HTTPSConnection(
        address.hostname or "", address.port, timeout=30, context=context
    )


def _create_in_turn(
    connection: http.client.HTTPSConnection, count: int
) -> list[Creates]:
    names = (NONE, *WEBHOOKS)
    bodies = {name: json.dumps(_pod(name)).encode() for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    gc.disable()
    for number in range(WARMUP + count):
        # Who comes first changes, so that nobody always follows the same one.
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(_create(connection, name, bodies[name]))
    gc.enable()
    connection.close()
    return [Creates(name, seconds[WARMUP:]) for name, seconds in taken.items()]


def _create(
    connection: http.client.HTTPSConnection, webhook: str, body: bytes
) -> float:
    path = f"/api/v1/namespaces/bench-{webhook}/pods?dryRun=All"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    start = time.perf_counter()
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    taken = time.perf_counter() - start
    if answer.status != 201:
        raise RuntimeError(f"create in bench-{webhook}: {answer.status} {text[:300]!r}")
    return taken


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="admit-bench-") as temporary:
        try:
            found = measure_creates(Path(temporary))
        except MissingError as error:
            sys.exit(f"not measured: {error}")
    print(render_creates(found))


if __name__ == "__main__":
    main()
