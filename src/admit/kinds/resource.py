"""Resource: a kind with group, version and plural; and how to declare your own."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from admit.errors import PolicyError
from admit.kinds.meta_v1 import ObjectMeta
from admit.view import Map, Quantity, Struct
from admit.view.fields import Scalar

if TYPE_CHECKING:
    from admit.view.fields import Reader

__all__ = ("Resource", "ResourceList", "ResourceType")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """Where a kind is served.

    Args:
        group: empty for the core; of the resource, which for a kind that is only sent
            to a subresource is not the group in its apiVersion.
        version: as in URLs.
        kind: the singular in camel case.
        plural: as in URLs; ``pods/eviction`` for a kind that is sent there only.
        namespaced: False for what stands outside of namespaces.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version


class Resource(Struct):
    """An object of any kind: what all have in common.

    A kind of your own is a class of a few annotated lines:

        class CronTab(Resource, group="stable.example.com", version="v1"):
            spec: CronTabSpec

    `kind` is the class's name and `plural` that in lower case with an "s", unless they
    are given; `namespaced` is True. Structs inside are subclasses of `Struct`.

    Raises:
        PolicyError: group and version are not given together; names the class.
    """

    __resource__: ClassVar[ResourceType | None] = None
    apiVersion: str | None
    kind: str | None
    metadata: ObjectMeta

    def __init_subclass__(
        cls,
        *,
        group: str | None = None,
        version: str | None = None,
        kind: str = "",
        plural: str = "",
        namespaced: bool = True,
    ) -> None:
        super().__init_subclass__()
        if (group is None) != (version is None):
            caller = sys._getframe(2)  # noqa: SLF001 - the line of the class, for its author
            raise PolicyError(
                f"class {cls.__name__}: a kind has a group and a version",
                place=f"{caller.f_code.co_filename}:{caller.f_lineno}",
                hint='write class CronTab(Resource, group="example.com", version="v1")',
            )
        if group is None or version is None:
            return
        name = kind or cls.__name__
        cls.__resource__ = ResourceType(
            group, version, name, plural or f"{name.lower()}s", namespaced
        )


class _Amount:
    """A well-known key of a resource list as an attribute."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, amounts: ResourceList, owner: type) -> Quantity | None:
        return amounts.get(self.key)

    def __set__(self, amounts: ResourceList, value: str | float | None) -> None:
        if value is None:
            amounts.pop(self.key, None)
        else:
            amounts[self.key] = Quantity(value)


class ResourceList(Map[Quantity]):
    """Amounts by resource: ``limits.memory``, ``limits["nvidia.com/gpu"]``.

    The well-known names are attributes; an absent one is None.
    """

    __slots__ = ()
    _default_element: ClassVar[Reader] = Scalar((str, int, float), Quantity)
    cpu = _Amount("cpu")
    memory = _Amount("memory")
    storage = _Amount("storage")
    pods = _Amount("pods")
    ephemeral_storage = _Amount("ephemeral-storage")

    if not TYPE_CHECKING:  # a type checker refuses a misspelt name by itself

        def __getattr__(self, name: str) -> Any:
            near = difflib.get_close_matches(name, _AMOUNTS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            error = AttributeError(
                f"ResourceList has no attribute {name!r}{hint}; other resources are items"
            )
            error.admit_safe = True  # type: ignore[attr-defined] # names no object's content
            raise error


_AMOUNTS: Final = [
    name for name, value in vars(ResourceList).items() if isinstance(value, _Amount)
]
