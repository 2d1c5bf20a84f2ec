"""Shapes: which fields a webhook configuration has, and of what type.

What the API server's decoder does before anything is validated: a value of the wrong
type is refused, a field that it does not know is dropped (kubectl refuses it), null is
the same as absent.

Source: k8s.io/api/admissionregistration/v1/types.go.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from admit.doctor.validation.fields import Path

__all__ = ("Decoded", "decode_configuration")

_STRINGS: Final = [str]
_LABELS: Final = {"*": str}
_OWNER: Final = {
    **dict.fromkeys(("apiVersion", "kind", "name", "uid"), str),
    **dict.fromkeys(("controller", "blockOwnerDeletion"), bool),
}
_METADATA: Final = {
    **dict.fromkeys(("name", "generateName", "namespace", "selfLink", "uid"), str),
    **dict.fromkeys(("resourceVersion", "creationTimestamp", "deletionTimestamp"), str),
    **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), int),
    "labels": _LABELS,
    "annotations": _LABELS,
    "ownerReferences": [_OWNER],
    "finalizers": _STRINGS,
    "managedFields": None,
}
_SELECTOR: Final = {
    "matchLabels": _LABELS,
    "matchExpressions": [{"key": str, "operator": str, "values": _STRINGS}],
}
_RULE: Final = {
    **dict.fromkeys(("operations", "apiGroups", "apiVersions", "resources"), _STRINGS),
    "scope": str,
}
_CLIENT: Final = {
    "url": str,
    "service": {"name": str, "namespace": str, "path": str, "port": int},
    "caBundle": bytes,
}
_WEBHOOK: Final = {
    **dict.fromkeys(("name", "failurePolicy", "matchPolicy", "sideEffects"), str),
    "clientConfig": _CLIENT,
    "rules": [_RULE],
    "namespaceSelector": _SELECTOR,
    "objectSelector": _SELECTOR,
    "timeoutSeconds": int,
    "admissionReviewVersions": _STRINGS,
    "matchConditions": [{"name": str, "expression": str}],
}
_MUTATING: Final = {**_WEBHOOK, "reinvocationPolicy": str}

_NAMES: Final = {str: "a string", int: "an integer", bool: "a boolean"}
_ZEROS: Final = {str: "", int: 0, bool: False, bytes: ""}

# All integers of a configuration but the generation are int32.
_INT32: Final = range(-(2**31), 2**31)


@dataclass(slots=True)
class Decoded:
    """A configuration as the API server understands it.

    Args:
        content: without nulls and without what is not known.
        wrong: (path, text) of what has the wrong type: refused with a 400.
        unknown: paths that the API server does not know.
    """

    content: dict[str, Any] = field(default_factory=dict)
    wrong: list[tuple[Path, str]] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)


def decode_configuration(content: dict[str, Any]) -> Decoded:
    """Decode a Validating- or MutatingWebhookConfiguration."""
    mutating = content["kind"] == "MutatingWebhookConfiguration"
    shape = {
        "apiVersion": str,
        "kind": str,
        "metadata": _METADATA,
        "webhooks": [_MUTATING if mutating else _WEBHOOK],
    }
    decoded = Decoded()
    decoded.content = _decode(content, shape, (), decoded)
    return decoded


def _decode(value: Any, shape: Any, path: Path, decoded: Decoded) -> Any:
    """Return the value of a shape; note what is wrong with it."""
    match shape:
        case dict():
            return _decode_object(value, shape, path, decoded)
        case list():
            return _decode_list(value, shape[0], path, decoded)
        case None:
            return value
    if value is None:
        return _ZEROS[shape]
    if shape is bytes:
        return _decode_bytes(value, path, decoded)
    right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    if right and shape is int and path[-1] != "generation":
        right = value in _INT32
    if not right:
        return _refuse(value, _NAMES[shape], path, decoded, _ZEROS[shape])
    return value


def _refuse(value: Any, wanted: str, path: Path, decoded: Decoded, zero: Any) -> Any:
    names = {dict: "an object", list: "a list", bool: "a boolean", str: "a string"}
    got = names.get(type(value), "a number")
    decoded.wrong.append((path, f"expected {wanted}, got {got}"))
    return zero


def _decode_object(value: Any, shape: Any, path: Path, decoded: Decoded) -> Any:
    if value is None:
        return {}
    if not isinstance(value, dict):
        return _refuse(value, "an object", path, decoded, {})
    found = {}
    for name, item in value.items():
        inner = shape.get(name, shape.get("*", decoded))
        if inner is decoded:
            decoded.unknown.append((*path, name))
        elif item is not None or "*" in shape:
            found[name] = _decode(item, inner, (*path, name), decoded)
    return found


def _decode_list(value: Any, shape: Any, path: Path, decoded: Decoded) -> Any:
    if not isinstance(value, list):
        return _refuse(value, "a list", path, decoded, [])
    return [
        _decode(item, shape, (*path, number), decoded)
        for number, item in enumerate(value)
    ]


def _decode_bytes(value: Any, path: Path, decoded: Decoded) -> Any:
    if not isinstance(value, str):
        return _refuse(value, "a string of base64", path, decoded, "")
    try:
        # Go skips line breaks, and nothing else.
        plain = value.replace("\n", "").replace("\r", "")
        base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        decoded.wrong.append((path, "expected base64, which this is not"))
        return ""
    return value
