"""The Service that API servers call, and so the names that certificates are for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Service",)


@dataclass(frozen=True, slots=True)
class Service:
    """One Service.

    Args:
        namespace: where it is.
        name: what it is called there.
    """

    namespace: str
    name: str

    @property
    def names(self) -> tuple[str, str]:
        """Its names: as API servers verify them, and as DNS has them.

        Source: apiserver pkg/util/webhook, ``name.namespace.svc``.
        """
        name = f"{self.name}.{self.namespace}.svc"
        return name, f"{name}.cluster.local"
