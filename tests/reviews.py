"""Requests as the API server sends them, for every test that needs one."""

from __future__ import annotations

import itertools
import json
from typing import Any

from admit.review import (
    AdmissionRequest,
    Review,
    decode_review,
    encode_review,
)

_uids = itertools.count(1)


def pod(**labels: str) -> dict[str, Any]:
    """A pod named web with these labels (none: no `labels` member at all)."""
    metadata: dict[str, Any] = {"name": "web", "namespace": "default"}
    if labels:
        metadata["labels"] = labels
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]},
    }


def review_body(
    object: Any = None,
    *,
    old: Any = None,
    operation: str = "CREATE",
    version: str = "v1",
    **members: Any,
) -> bytes:
    """The bytes of a review of a pod, or of what `members` say instead."""
    request = {
        "uid": f"uid-{next(_uids)}",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "web",
        "namespace": "default",
        "operation": operation,
        "userInfo": {"username": "ada", "groups": ["system:authenticated"]},
        "object": object,
        "oldObject": old,
        "dryRun": False,
        "options": None,
        **members,
    }
    review = {
        "kind": "AdmissionReview",
        "apiVersion": f"admission.k8s.io/{version}",
        "request": request,
    }
    return json.dumps(review).encode()


def ask(object: Any = None, **members: Any) -> AdmissionRequest:
    """The request of `review_body`, decoded."""
    return decode_review(review_body(object, **members)).request


__all__ = ("Review", "ask", "encode_review", "pod", "review_body")
