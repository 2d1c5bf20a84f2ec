"""Kubernetes admission webhooks in Python."""

from __future__ import annotations

from admit._version import __version__

__all__ = ("__version__",)
