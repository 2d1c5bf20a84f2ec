"""The Service that API servers call, and so the names that certificates are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ("SECRET_VERBS", "Service")

# What a replica asks for on its Secret by name; creating it is a right of its own.
SECRET_VERBS: Final = ("get", "watch", "update")


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
