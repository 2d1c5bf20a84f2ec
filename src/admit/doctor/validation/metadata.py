"""Validation of metadata and of label selectors.

Source: apimachinery pkg/api/validation/objectmeta.go and
pkg/apis/meta/v1/validation/validation.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from admit.doctor.validation.fields import (
    FieldError,
    Path,
    forbidden,
    invalid,
    required,
    too_long,
)
from admit.doctor.validation.formats import (
    check_label_key,
    check_label_value,
    check_subdomain,
    marshal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("check_metadata", "check_selector")

# Bytes of all annotations together.
ANNOTATIONS_BYTES: Final = 256 * 1024

_WITH_VALUES: Final = ("In", "NotIn")
_WITHOUT_VALUES: Final = ("Exists", "DoesNotExist")


def check_metadata(metadata: dict[str, Any]) -> Iterator[FieldError]:
    """Check the metadata of an object that has no namespace.

    A name that the API server would generate is not checked.
    """
    generate, name = metadata.get("generateName", ""), metadata.get("name", "")
    if generate:
        # A dash at its end is followed by letters.
        masked = f"{generate[:-2]}a" if generate[1:].endswith("-") else generate
        for text in check_subdomain(masked):
            yield invalid(("metadata", "generateName"), generate, text)
    elif not name:
        yield required(("metadata", "name"), "name or generateName is required")
    for text in check_subdomain(name) if name else ():
        yield invalid(("metadata", "name"), name, text)
    yield from _check_labels(metadata.get("labels", {}), ("metadata", "labels"))
    yield from _check_annotations(metadata.get("annotations", {}))
    for number, owner in enumerate(metadata.get("ownerReferences", ())):
        yield from _check_owner(owner, ("metadata", "ownerReferences", number))
    for finalizer in metadata.get("finalizers", ()):
        for text in check_label_key(finalizer):
            yield invalid(("metadata", "finalizers"), finalizer, text)


def _check_labels(labels: dict[str, str], path: Path) -> Iterator[FieldError]:
    for key, value in labels.items():
        for text in check_label_key(key):
            yield invalid(path, key, text)
        for text in check_label_value(value):
            yield invalid(path, value, text)


def _check_annotations(annotations: dict[str, str]) -> Iterator[FieldError]:
    path = ("metadata", "annotations")
    for key in annotations:
        for text in check_label_key(key.lower()):
            yield invalid(path, key, text)
    size = sum(len(key.encode()) + len(v.encode()) for key, v in annotations.items())
    if size > ANNOTATIONS_BYTES:
        yield too_long(path, ANNOTATIONS_BYTES)


def _check_owner(owner: dict[str, Any], path: Path) -> Iterator[FieldError]:
    version = owner.get("apiVersion", "")
    if version and (version.count("/") > 1 or version.endswith("/")):
        text = "must be <group>/<version> or <version>"
        yield invalid((*path, "apiVersion"), version, text)
    for name in ("apiVersion", "kind", "name", "uid"):
        if not owner.get(name):
            yield required((*path, name), "must not be empty")


def check_selector(selector: dict[str, Any], path: Path) -> Iterator[FieldError]:
    """Check a label selector."""
    labels = selector.get("matchLabels", {})
    yield from _check_labels(labels, (*path, "matchLabels"))
    for number, term in enumerate(selector.get("matchExpressions", ())):
        yield from _check_term(term, (*path, "matchExpressions", number))


def _check_term(term: dict[str, Any], path: Path) -> Iterator[FieldError]:
    operator, values = term.get("operator", ""), term.get("values", [])
    if operator in _WITH_VALUES:
        if not values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            yield required((*path, "values"), text)
    elif operator in _WITHOUT_VALUES:
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield forbidden((*path, "values"), text)
    else:
        # Of a type of its own in Go, so it is written as JSON.
        yield FieldError(
            (*path, "operator"),
            "Invalid value",
            marshal(operator),
            "not a valid selector operator",
        )
    for text in check_label_key(term.get("key", "")):
        yield invalid((*path, "key"), term.get("key", ""), text)
    for number, value in enumerate(values):
        for text in check_label_value(value):
            yield invalid((*path, "values", number), value, text)
