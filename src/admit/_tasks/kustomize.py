"""A Kustomize base: the objects of a release, to be patched from outside."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from admit._tasks.dialect import dump_yaml
from admit._tasks.folder import MARK, write_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from admit._tasks.deployment import Release

__all__ = ("name_files", "write_kustomize")


def write_kustomize(release: Release, folder: Path) -> tuple[Path, ...]:
    """Write the base; return the files.

    Shapes: ``kustomization.yaml`` and ``KIND.yaml``, or ``KIND-NAME.yaml`` where there
    are several of a kind.

    Raises:
        ConfigError: a file cannot be written.
    """
    objects = (*release.objects, *release.configurations)
    files = name_files(objects)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": files,
        # As they are listed: what registers the webhooks comes last.
        "sortOptions": {"order": "fifo"},
    }
    contents = {"kustomization.yaml": kustomization}
    contents |= dict(zip(files, objects, strict=True))
    return write_folder(
        folder,
        {file: f"# {MARK}\n{dump_yaml([c])}" for file, c in contents.items()},
    )


def name_files(objects: Sequence[dict[str, Any]]) -> list[str]:
    """Return a file name for each object, unlike all others."""
    counts = Counter(content["kind"] for content in objects)
    return [
        f"{content['kind'].lower()}.yaml"
        if counts[content["kind"]] == 1
        else f"{content['kind'].lower()}-{content['metadata']['name']}.yaml"
        for content in objects
    ]
