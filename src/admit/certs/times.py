"""How long certificates live, and every span that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from admit.errors import ConfigError

__all__ = ("Times",)

DAY_SECONDS: Final = 24 * 3600.0

# The API server tells its time in whole seconds.
SKEW_LEAST_SECONDS: Final = 2.0
SKEW_MOST_SECONDS: Final = 300.0  # what Kubernetes' own signers backdate by

LEAF_LEAST_SECONDS: Final = 30.0
LEAVES_PER_AUTHORITY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Say how long an authority and a leaf live; the rest is derived.

    Args:
        authority_seconds: life of a CA.
        leaf_seconds: life of a serving certificate; at most a quarter of the CA's, so
            that the last leaf of a CA ends before the CA does.

    Raises:
        ConfigError: they do not fit each other (operator's fault).
    """

    authority_seconds: float = 365 * DAY_SECONDS
    leaf_seconds: float = 30 * DAY_SECONDS

    def __post_init__(self) -> None:
        if self.leaf_seconds < LEAF_LEAST_SECONDS:
            raise ConfigError(
                f"a leaf of {self.leaf_seconds:g} s is renewed without end",
                place="--leaf-seconds",
                hint=f"at least {LEAF_LEAST_SECONDS:g}",
            )
        least = LEAVES_PER_AUTHORITY * self.leaf_seconds
        if self.authority_seconds < least:
            raise ConfigError(
                f"an authority of {self.authority_seconds:g} s ends before its leaves",
                place="--authority-seconds",
                hint=f"at least {least:g}, four leaves",
            )

    @property
    def authority(self) -> timedelta:
        """Life of a CA."""
        return timedelta(seconds=self.authority_seconds)

    @property
    def leaf(self) -> timedelta:
        """Life of a leaf."""
        return timedelta(seconds=self.leaf_seconds)

    @property
    def skew(self) -> timedelta:
        """How far any two clocks may be apart: replicas' and API servers'.

        Certificates are backdated by it. A clock that is further off signs nothing.
        """
        seconds = self.leaf_seconds / 60
        seconds = max(SKEW_LEAST_SECONDS, min(SKEW_MOST_SECONDS, seconds))
        return timedelta(seconds=seconds)

    @property
    def overlap(self) -> timedelta:
        """How long a new CA is in the Secret at least before it signs: one hour."""
        return min(timedelta(hours=1), self.leaf / 10)

    @property
    def settle(self) -> timedelta:
        """How long it is in every caBundle before it signs: ten minutes.

        API servers learn of a changed configuration by a watch, usually in a second.
        """
        return min(timedelta(minutes=10), self.leaf / 10)

    @property
    def look(self) -> timedelta:
        """Time between two looks at Secret and clock: a minute."""
        return min(timedelta(minutes=1), self.leaf / 20)

    @property
    def remembered(self) -> timedelta:
        """How long a CA stays in the bundle after it signs no more.

        A leaf's life counts from before the Secret was read that held its CA, so it
        ends within a leaf's life of the last such reading, by the reader's clock.
        """
        return self.leaf + 3 * self.skew
