"""The AdmissionReviews of the benchmark: one 5 KB pod as the API server sends it."""

from __future__ import annotations

import json
from pathlib import Path

# What the load generator replaces by each request's own uid.
UID = "00000000-0000-4000-8000-000000000000"

POD_FILE = Path(__file__).parent / "data" / "pod.json"


def pod(*, labelled: bool = True) -> dict:
    """The pod of a ReplicaSet, with or without its app label."""
    document = json.loads(POD_FILE.read_text())
    if not labelled:
        labels = document["metadata"]["labels"]
        # Another label of the same length, so that both reviews weigh the same.
        labels["run"] = labels.pop("app")
    return document


def review(*, labelled: bool) -> bytes:
    """The CREATE of that pod by its controller, members in the API server's order."""
    document = pod(labelled=labelled)
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    controller = "system:serviceaccount:kube-system:replicaset-controller"
    request = {
        "uid": UID,
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": document["metadata"]["name"],
        "namespace": document["metadata"]["namespace"],
        "operation": "CREATE",
        "userInfo": {
            "username": controller,
            "uid": "5d1b1f6e-94a8-4a6e-8b1b-0f6f7c1f2a3b",
            "groups": [
                "system:serviceaccounts",
                "system:serviceaccounts:kube-system",
                "system:authenticated",
            ],
        },
        "object": document,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    whole = {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": request,
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def write_reviews(folder: Path) -> tuple[Path, Path]:
    """Write the review to be allowed and the one to be denied; return both paths."""
    allowed, denied = folder / "allowed.json", folder / "denied.json"
    allowed.write_bytes(review(labelled=True))
    denied.write_bytes(review(labelled=False))
    return allowed, denied
