"""New objects and the old ones that belong to them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from admit._tasks.documents import Document

__all__ = ("DEFAULT_NAMESPACE", "pair_up")

# Where kubectl puts an object that does not say.
DEFAULT_NAMESPACE: Final = "default"


def pair_up(
    documents: Sequence[Document], olds: Sequence[Document]
) -> dict[int, dict[str, Any]]:
    """Return the old object of each document, by the document's number.

    They have the same kind, namespace and name; one of each may differ in namespace,
    which --namespace may still give.

    Raises:
        ConfigError: an old object belongs to no document; its file and line.
    """
    compared = slice(None)
    if len(documents) == 1 and len(olds) == 1:
        compared = slice(3)
    news = [_identity(new.content)[compared] for new in documents]
    pairs: dict[int, dict[str, Any]] = {}
    for old in olds:
        identity = _identity(old.content)
        if identity[compared] not in news:
            group, kind, name, namespace = identity
            raise ConfigError(
                f"the old {f'{kind}.{group}'.rstrip('.')} {name} in {namespace} "
                "belongs to none of the objects",
                place=f"--old {old.place}",
                hint="kind, namespace and name must be those of an object of -f",
            )
        for number, new in enumerate(news):
            if new == identity[compared]:
                pairs[number] = copy.deepcopy(old.content)
    return pairs


def _identity(content: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    namespace = metadata.get("namespace") or DEFAULT_NAMESPACE
    group, _, _ = str(content["apiVersion"]).rpartition("/")
    return group, str(content["kind"]), str(metadata.get("name")), str(namespace)
