"""What every wrapper of a Reviewer keeps: how it is called, and where it belongs."""

from __future__ import annotations

from typing import Any

__all__ = ("Wrapper",)


class Wrapper:
    """A reviewer around a reviewer.

    `webhook_name`, `suspends` and `timeout_seconds` are copied, because they are asked
    for at each review; everything else is the inner one's.
    """

    __slots__ = ("_reviewer", "suspends", "timeout_seconds", "webhook_name")

    def __init__(self, reviewer: Any) -> None:
        self._reviewer = reviewer
        self.webhook_name: str = reviewer.webhook_name
        self.suspends: bool = getattr(reviewer, "suspends", True)
        self.timeout_seconds: float = reviewer.timeout_seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reviewer, name)
