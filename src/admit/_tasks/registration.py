"""Keep the webhook configurations of a server right while it serves: --register."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from admit.server import Check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from admit._tasks.certificates import Certified, Made
    from admit._tasks.load import Policies
    from admit._tasks.succession import Follow
    from admit.registration import Registrar
    from admit.server import Counts

__all__ = ("registered",)


@contextlib.asynccontextmanager
async def registered(
    made: Made | None, certificate: Certified, counts: Counts
) -> AsyncIterator[Follow | None]:
    """Keep configurations right as long as the block lasts.

    Yields what has to be told which policies decide; None where somebody else
    registers them.
    """
    keeper = certificate.keeper
    if made is None or not made.registers or keeper is None:
        yield None
        return
    # Not for those who serve from files: 10 MB.
    from admit._cluster import connect  # noqa: PLC0415
    from admit._tasks.manifests import Target, to_configurations  # noqa: PLC0415
    from admit.registration import Registrar  # noqa: PLC0415
    from admit.webhook import ServiceReference  # noqa: PLC0415

    target = Target(
        service=ServiceReference(name=made.service, namespace=made.namespace, path="/")
    )
    async with connect() as cluster:

        def count() -> None:
            counts.registration_corrections = registrar.corrections
            counts.registration_problems = len(registrar.problems)

        registrar = Registrar(cluster, keeper, count)
        certificate.more.append(lambda: _check(registrar))

        async def follow(policies: Policies) -> None:
            configurations, _ = to_configurations(policies, target)
            registrar.want(configurations, policies.version)
            await registrar.settle()

        task = asyncio.create_task(registrar.run())
        try:
            yield follow
        finally:
            task.cancel()
            await asyncio.wait([task])


def _check(registrar: Registrar) -> Sequence[Check]:
    """Tell how it stands; no replica is unready for what all of them share."""
    detail = "; ".join(registrar.problems.values()) or "as the policies need it"
    return [Check("registration", passed=True, detail=detail)]
