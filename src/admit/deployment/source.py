"""Where pods find the policies: a ConfigMap that is mounted, or their image."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - a field's type
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("CONFIG_MAP_LIMIT_BYTES", "Source", "read_source")

# Where the policies are mounted, and where an image of one's own has them.
FOLDER: Final = "/policies"

# What the values of a ConfigMap may be long together (kubernetes
# pkg/apis/core/validation, ValidateConfigMap: MaxSecretSize).
CONFIG_MAP_LIMIT_BYTES: Final = 1024 * 1024

# apimachinery pkg/util/validation, IsConfigMapKey.
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_IN_IMAGE: Final = "build an image that has them and give --policies-in image --image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What `admit serve` is given in a pod, and the files that are mounted for it.

    Args:
        argument: a file or folder in the pod, or ``module:app``.
        data: the ConfigMap's data, text by key; empty if the image has the policies.
        paths: where below the folder a key's file is, if any is not directly in it.
    """

    argument: str
    data: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """How long the ConfigMap's values are together."""
        return sum(len(text.encode()) for text in self.data.values())


def read_source(source: str, files: Iterable[Path], *, in_image: bool) -> Source:
    """Return where pods find what was loaded here.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        files: every file that was imported for it.
        in_image: whether the image has them: ``module:app`` under that name, a file or
            folder in ``/policies``.

    Raises:
        ConfigError: they do not fit into a ConfigMap.
    """
    path = Path(source).absolute()
    is_folder = path.is_dir()
    if not is_folder and path.suffix != ".py":
        return _by_name(source, in_image=in_image)
    root = path if is_folder else path.parent
    argument = FOLDER if is_folder else f"{FOLDER}/{path.name}"
    if in_image:
        return Source(argument=argument)
    data: dict[str, str] = {}
    paths: dict[str, str] = {}
    for file in sorted(files):
        inner = _below(root, file)
        key = ".".join(inner.parts)
        if key in data:
            raise ConfigError(
                f"{inner} and {paths[key]} would have one key in the ConfigMap",
                place=str(file),
                hint="rename one of them",
            )
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"{key!r} can be no key of a ConfigMap",
                place=str(file),
                hint="letters, digits, '-', '_' and '.'; at most 253",
            )
        data[key], paths[key] = _read(file), str(inner)
    is_flat = all(key == inner for key, inner in paths.items())
    made = Source(argument=argument, data=data, paths={} if is_flat else paths)
    if made.size_bytes > CONFIG_MAP_LIMIT_BYTES:
        raise ConfigError(
            f"the policies are {made.size_bytes:,} bytes, and a ConfigMap holds "
            f"{CONFIG_MAP_LIMIT_BYTES:,}",
            place=source,
            hint=f"{_IN_IMAGE} IMAGE",
        )
    return made


def _by_name(source: str, *, in_image: bool) -> Source:
    if not in_image:
        raise ConfigError(
            "a module has no files that a ConfigMap could hold",
            place=source,
            hint=f"{_IN_IMAGE} IMAGE; or name a file or a folder",
        )
    return Source(argument=source)


def _below(root: Path, file: Path) -> PurePosixPath:
    try:
        return PurePosixPath(file.relative_to(root).as_posix())
    except ValueError:
        raise ConfigError(
            f"it is imported, but is not below {root}",
            place=str(file),
            hint=f"put it beside the policies; or {_IN_IMAGE} IMAGE",
        ) from None


def _read(file: Path) -> str:
    try:
        # Newlines as they are: what runs there is what was loaded here.
        return file.read_bytes().decode()
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", place=str(file)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            "a ConfigMap holds text in UTF-8", place=str(file), hint="save it as UTF-8"
        ) from error
