"""Webhook configurations: registered, seen to be in effect, gone again."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from admit.errors import ClusterError
from admit.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from admit.testing.client import Client

# One observation for each call of a webhook, whatever came of it.
# Source: apiserver/pkg/admission/metrics/metrics.go
CALLS = re.compile(
    r"^apiserver_admission_webhook_admission_duration_seconds_count"
    r'\{.*?\bname="([^"]*)".*\} (\S+)$',
    re.MULTILINE,
)


@contextmanager
def registered(
    client: Client,
    configurations: Sequence[Mapping[str, Any]],
    *,
    probe: Mapping[str, Any] | Callable[[], object],
    seconds: float,
) -> Iterator[None]:
    """Have webhook configurations in effect inside a ``with`` block.

    The API server learns of them by a watch, up to a second after they are written;
    its own count of webhook calls says when. See `ControlPlane.registered`.
    """

    def send() -> None:
        if callable(probe):
            probe()
        else:
            client.create(probe, dry_run=True)

    def are_in_effect() -> bool:
        called, refusal = _send_and_see(client, send)
        done = all(called & _names(configuration) for configuration in configurations)
        if refusal is not None and not done:
            raise refusal
        return done

    def are_gone() -> bool:
        called, _ = _send_and_see(client, send)
        return not any(called & _names(configuration) for configuration in applied)

    applied = []
    try:
        for configuration in configurations:
            client.apply(configuration)
            applied.append(configuration)
        what = "the webhook configurations to be in effect"
        wait_until(are_in_effect, what=what, seconds=seconds)
        yield
    finally:
        for configuration in applied:
            client.delete(configuration)
        what = "the webhook configurations to be gone"
        wait_until(are_gone, what=what, seconds=seconds)


def _names(configuration: Mapping[str, Any]) -> set[str]:
    return {webhook["name"] for webhook in configuration["webhooks"]}


def _send_and_see(
    client: Client, send: Callable[[], None]
) -> tuple[set[str], ClusterError | None]:
    """Send a request; return the webhooks called for it, and why it was refused."""
    before = _count_calls(client)
    refusal = None
    try:
        send()
    except ClusterError as error:
        refusal = error
    after = _count_calls(client)
    return {name for name, n in after.items() if n > before.get(name, 0)}, refusal


def _count_calls(client: Client) -> dict[str, float]:
    """Return how often each webhook was called since the API server started."""
    counts: dict[str, float] = {}
    for name, count in CALLS.findall(client.request("GET", "/metrics")):
        counts[name] = counts.get(name, 0) + float(count)
    return counts
