"""Reviews over TLS: an HTTP/1.1 server of one subject, and its health port."""

from __future__ import annotations

from admit.server.counts import LEFT_BUCKETS_SECONDS, Counts
from admit.server.drain import Stop, catch_signals
from admit.server.health import Check
from admit.server.options import ServeOptions
from admit.server.serving import Server
from admit.server.workers import Failure, Report, Workers, encode_line

__all__ = (
    "LEFT_BUCKETS_SECONDS",
    "Check",
    "Counts",
    "Failure",
    "Report",
    "ServeOptions",
    "Server",
    "Stop",
    "Workers",
    "catch_signals",
    "encode_line",
)
