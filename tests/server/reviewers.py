"""Reviewers that behave in ways a test needs."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from admit.review import AdmissionRequest, AdmissionResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Stub:
    """A Reviewer that runs a coroutine function, or allows."""

    def __init__(
        self,
        answer: Callable[[AdmissionRequest], Coroutine[object, object, object]]
        | None = None,
        *,
        suspends: bool = True,
        timeout_seconds: float = 10,
        webhook_name: str = "stub.example.com",
    ) -> None:
        self.answer = answer
        self.suspends = suspends
        self.timeout_seconds = timeout_seconds
        self.webhook_name = webhook_name

    async def __call__(self, request: AdmissionRequest, /) -> AdmissionResponse:
        if self.answer is not None:
            await self.answer(request)
        return AdmissionResponse()


class Gate:
    """Holds reviews until it is opened; says how many wait, and who was cancelled."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.cancelled = threading.Event()
        self.open = threading.Event()

    async def __call__(self, _request: AdmissionRequest) -> None:
        self.arrived.release()
        try:
            while not self.open.is_set():  # noqa: ASYNC110 - opened by another thread
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def hold_the_loop(_request: AdmissionRequest) -> None:
    """What no async function should do."""
    time.sleep(0.3)  # noqa: ASYNC251 - that is the point


async def fail(_request: AdmissionRequest) -> None:
    raise ZeroDivisionError("MARKER-of-the-body")
