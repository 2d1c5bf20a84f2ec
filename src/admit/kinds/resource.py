"""Resource: a kind with group, version and plural; and how to declare your own."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, overload

from admit.errors import PolicyError
from admit.kinds.meta_v1 import ObjectMeta
from admit.view import Map, Quantity, Struct
from admit.view.fields import Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from admit.view.fields import Reader

    Amount: TypeAlias = str | int | float

__all__ = ("Resource", "ResourceList", "ResourceType", "check_resource_type")


# Kubernetes' own rules for names in URLs (apimachinery pkg/util/validation).
_LABEL: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """Where a kind is served.

    Args:
        group: of the resource; empty for the core.
        version: of the resource, as in URLs.
        kind: the singular in camel case.
        plural: as in URLs; ``pods/eviction`` for a kind that is sent there only.
        namespaced: False for what stands outside of namespaces.
        object_api_version: what its objects say where that is not the resource's:
            ``policy/v1`` for Eviction, which is sent to ``pods/eviction`` of ``v1``.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    object_api_version: str = ""

    @property
    def api_version(self) -> str:
        """What objects of the kind say: ``v1`` or ``apps/v1``."""
        own = f"{self.group}/{self.version}" if self.group else self.version
        return self.object_api_version or own

    def is_kind(self, group: str, kind: str) -> bool:
        """Tell whether objects of a group and kind are of this type, in any version."""
        return self.kind == kind and self.api_version.rpartition("/")[0] == group


def check_resource_type(type_: ResourceType) -> tuple[str, ...]:
    """Return what is wrong with a declaration; nothing if Kubernetes could serve it."""
    found = []
    if type_.group and not _DOMAIN.fullmatch(type_.group):
        hint = "; the version is apart" if "/" in type_.group else ""
        found.append(f"group {type_.group!r} is no domain, such as example.com{hint}")
    if not _LABEL.fullmatch(type_.version):
        found.append(f"version {type_.version!r} is none, such as v1 or v1beta1")
    if not _LABEL.fullmatch(type_.kind.lower()):
        found.append(f"kind {type_.kind!r} is not of letters and digits")
    resource, _, subresource = type_.plural.partition("/")
    if not all(_LABEL.fullmatch(part) for part in (resource, subresource or "none")):
        found.append(f"plural {type_.plural!r} is not of lower-case letters and digits")
    return tuple(found)


class Resource(Struct):
    """An object of any kind: what all have in common.

    A kind of your own is a class of a few annotated lines:

        class CronTab(Resource, group="stable.example.com", version="v1"):
            spec: CronTabSpec

    `kind` is the class's name and `plural` that in lower case with an "s", unless they
    are given; `namespaced` is True. Structs inside are subclasses of `Struct`.

    Raises:
        PolicyError: no such kind can be served; names the class, file and line.
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
        api_version: str = "",
    ) -> None:
        super().__init_subclass__()
        if group is None or version is None:
            if group is not None or version or kind or plural or not namespaced:
                raise _refuse(cls, "a kind has a group and a version")
            return
        name = kind or cls.__name__
        type_ = ResourceType(
            group, version, name, plural or f"{name.lower()}s", namespaced, api_version
        )
        findings = check_resource_type(type_)
        if findings:
            raise _refuse(cls, "; ".join(findings))
        cls.__resource__ = type_


def _refuse(cls: type, message: str) -> PolicyError:
    # Past __init_subclass__ and the metaclass: the line of the class, for its author.
    caller = sys._getframe(3)  # noqa: SLF001 - see above
    return PolicyError(
        f"class {cls.__name__}: {message}",
        place=f"{caller.f_code.co_filename}:{caller.f_lineno}",
        hint='write class CronTab(Resource, group="example.com", version="v1")',
    )


class _Amount:
    """A well-known key of a resource list as an attribute."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, amounts: ResourceList, owner: type) -> Quantity | None:
        return amounts.get(self.key)

    def __set__(self, amounts: ResourceList, value: Amount | None) -> None:
        if value is None:
            amounts.pop(self.key, None)
        else:
            amounts[self.key] = Quantity(value)


class ResourceList(Map[Quantity]):
    """Amounts by resource: ``limits.memory``, ``limits["nvidia.com/gpu"]``.

    The well-known names are attributes; an absent one is None. Amounts may be given as
    text or numbers.

    Raises:
        AttributeError: another name; names the nearest well-known one.
    """

    __slots__ = ()
    _element: ClassVar[Reader] = Scalar((str, int, float), Quantity)
    cpu = _Amount("cpu")
    memory = _Amount("memory")
    storage = _Amount("storage")
    pods = _Amount("pods")
    ephemeral_storage = _Amount("ephemeral-storage")

    if TYPE_CHECKING:  # amounts are read as quantities and written as text or numbers

        @overload
        def __get__(self, view: None, owner: type, /) -> type[Self]: ...
        @overload
        def __get__(self, view: object, owner: type, /) -> Self: ...
        def __get__(self, view: object, owner: type, /) -> Any: ...
        def __set__(  # type: ignore[override] # no other mappings inside
            self, view: object, value: Mapping[str, Amount] | None
        ) -> None: ...

        def __setitem__(self, key: str, value: Amount) -> None:  # type: ignore[override]
            ...

        def setdefault(self, key: str, default: Amount, /) -> Quantity:
            """Return the amount of a resource; put the default where there is none."""
            ...

        def update(  # type: ignore[override] # one signature for what is used
            self, other: Mapping[str, Amount] = {}, /, **more: Amount
        ) -> None:
            """Put in the amounts of another list."""

    else:  # a type checker refuses a misspelt name by itself

        def __getattr__(self, name):  # noqa: ANN001, ANN204 - typed by what is there
            raise _no_such_amount(name)

        def __setattr__(self, name, value):  # noqa: ANN001, ANN204
            if name not in _AMOUNTS:
                raise _no_such_amount(name)
            super().__setattr__(name, value)


class _AmountError(AttributeError):
    """There is no such attribute. Safe to show: it names no object's content."""

    admit_safe = True


def _no_such_amount(name: str) -> AttributeError:
    near = difflib.get_close_matches(name, _AMOUNTS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return _AmountError(
        f"ResourceList has no attribute {name!r}{hint}; other resources are items"
    )


_AMOUNTS: Final = tuple(
    name for name, value in vars(ResourceList).items() if isinstance(value, _Amount)
)
