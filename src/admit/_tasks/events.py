"""What `admit dev` tells while it runs; each is one JSON object with its `event`."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from admit.errors import AdmitError, HandlerError
from admit.telemetry.wrapper import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable

    from admit.review import AdmissionRequest, AdmissionResponse

__all__ = (
    "Broken",
    "Decided",
    "Event",
    "Ready",
    "Reloaded",
    "Starting",
    "Watched",
)


class _Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag_field="event",
    tag=str.lower,
):
    """The class's name in lower case is the event."""


class Starting(_Event, frozen=True):
    """A control plane is being started from these programs."""

    assets: str


class Ready(_Event, frozen=True):
    """The API server asks the policies."""

    kubeconfig: str
    kubectl: str
    kubectl_on_path: bool
    api_server: str
    webhook: str
    webhooks: list[str]


class Decided(_Event, frozen=True):
    """A request was decided: `verdict` is allow, mutate, deny, error or timeout."""

    webhook: str
    operation: str
    resource: str
    namespace: str
    name: str
    user: str
    verdict: str
    message: str
    warnings: list[str]
    policies: list[str]
    dry_run: bool
    duration_seconds: float


class Reloaded(_Event, frozen=True):
    """Changed files are in use."""

    policies: int
    version: str


class Broken(_Event, frozen=True):
    """Changed files cannot be used; what was in use stays."""

    message: str
    place: str
    hint: str

    @classmethod
    def of(cls, error: AdmitError) -> Broken:
        """Take an error apart."""
        return cls(
            message=error.message, place=error.place or "", hint=error.hint or ""
        )


Event: TypeAlias = Starting | Ready | Decided | Reloaded | Broken


class Watched(Wrapper):
    """A Reviewer that tells each decision, messages included: to its author."""

    __slots__ = ("_tell",)

    def __init__(self, reviewer: Any, tell: Callable[[Event], None]) -> None:
        super().__init__(reviewer)
        self._tell = tell

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Decide and tell."""
        start = perf_counter()
        try:
            response: AdmissionResponse = await self._reviewer(request)
        except asyncio.CancelledError as cancelled:
            policies = [str(argument) for argument in cancelled.args]
            self._say(request, start, "timeout", policies=policies)
            raise
        except AdmitError as error:
            policies = [error.policy] if isinstance(error, HandlerError) else []
            self._say(request, start, "error", str(error), policies=policies)
            raise
        verdict = "mutate" if response.patch else "allow"
        message = ""
        if not response.allowed:
            verdict = "deny"
            message = response.status.message if response.status else ""
        policies = [r.policy for r in response.results if r.verdict != "allow"]
        warnings = list(response.warnings)
        self._say(
            request, start, verdict, message, policies=policies, warnings=warnings
        )
        return response

    def _say(
        self,
        request: AdmissionRequest,
        start: float,
        verdict: str,
        message: str = "",
        **more: list[str],
    ) -> None:
        sub = f"/{request.sub_resource}" if request.sub_resource else ""
        self._tell(
            Decided(
                webhook=self.webhook_name,
                operation=request.operation,
                resource=f"{request.resource.resource}{sub}",
                namespace=request.namespace,
                name=request.name,
                user=request.user_info.username,
                verdict=verdict,
                message=message,
                warnings=more.get("warnings", []),
                policies=more.get("policies", []),
                dry_run=bool(request.dry_run),
                duration_seconds=round(perf_counter() - start, 6),
            )
        )
