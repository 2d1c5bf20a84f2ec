"""What the server counts: plain numbers, raised where things happen.

Telemetry reads them at a scrape; nothing here knows a metric's name. The histogram is
a list with one number per bucket, because raising one costs a tenth of a method call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Final

__all__ = ("LEFT_BUCKETS_SECONDS", "Counts", "Left")

# Upper ends, in seconds, of how much of the deadline was left when the answer went
# out. At most 0 is too late; the API server's own range is 1 to 30 s.
LEFT_BUCKETS_SECONDS: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Left:
    """How much of their deadline the answers of one webhook left."""

    __slots__ = ("buckets", "total_seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(LEFT_BUCKETS_SECONDS) + 1)
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self.buckets[bisect_left(LEFT_BUCKETS_SECONDS, seconds)] += 1
        self.total_seconds += seconds


class Counts:
    """The numbers of one process.

    Shapes: `responses` by HTTP status, `left` by webhook name, `held` by policy name
    (empty: no sync handler was running), `refused` by why a client may not ask.
    """

    __slots__ = (
        "authority_expiry",
        "certificate_expiry",
        "certificate_failures",
        "connections",
        "handshake_failures",
        "held",
        "in_flight",
        "left",
        "refused",
        "registration_corrections",
        "registration_problems",
        "responses",
        "rotation",
    )

    def __init__(self) -> None:
        self.responses: defaultdict[int, int] = defaultdict(int)
        self.left: dict[str, Left] = {}
        self.held: defaultdict[str, int] = defaultdict(int)
        self.refused: defaultdict[str, int] = defaultdict(int)
        self.connections = 0
        self.in_flight = 0
        self.handshake_failures = 0
        self.certificate_expiry = 0.0
        # Both stay as they are where others make the certificate; by phase, 1 for the
        # one that the rotation is in.
        self.authority_expiry = 0.0
        self.rotation: dict[str, int] = {}
        self.certificate_failures = 0
        # None where somebody else registers.
        self.registration_corrections: int | None = None
        self.registration_problems = 0
