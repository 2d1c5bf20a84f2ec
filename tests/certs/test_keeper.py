"""The keeper: what it does with a Secret, whatever is in it and whoever writes it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from admit._cluster import ConflictError, ForbiddenError, UnreachableError
from admit.certs.authority import make_authority
from admit.certs.keeper import Keeper
from admit.certs.plan import Phase
from admit.certs.service import Service
from admit.certs.times import Times
from admit.errors import AdmitError, CertificateError
from tests.certs.api import Clock, Secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

HOOK = Service("demo", "hook")
NAME = "hook-tls"
TIMES = Times()


class World:
    """One cluster, one clock, some replicas."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.api = Secrets(self.clock)
        self.said = 0
        self.changed = asyncio.Event()

    def keeper(self, clock: Callable[[], Any] | None = None) -> Keeper:
        def changed() -> None:
            self.said += 1
            self.changed.set()

        return Keeper(
            self.api,
            HOOK,
            NAME,
            times=TIMES,
            changed=changed,
            clock=clock or self.clock,
        )

    @property
    def data(self) -> dict[str, bytes]:
        data = self.api.found[NAME]["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    def put(self, **data: bytes) -> None:
        """Edit the Secret by hand; `.` is written as `_`."""
        secret = self.api.found[NAME]
        for key, value in data.items():
            encoded = base64.b64encode(value).decode()
            secret["data"][key.replace("_", ".")] = encoded
        self.api.write(secret)

    async def rotate(self, *keepers: Keeper) -> None:
        """Let everything that is due happen, and be registered."""
        for _ in range(3):
            for keeper in keepers:
                await keeper.look()
            for keeper in keepers:
                keeper.observe([keepers[0].bundle, keepers[0].bundle])
            self.clock.move(hours=2)


def running(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test in a world of its own."""

    def run() -> None:
        async def main() -> None:
            await test(World())

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


@contextlib.asynccontextmanager
async def kept(keeper: Keeper) -> AsyncIterator[None]:
    task = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def wait_for(world: World, holds: Callable[[], bool]) -> None:
    while not holds():
        world.changed.clear()
        await world.changed.wait()


@running
async def test_any_number_of_replicas_make_one_authority(world: World) -> None:
    keepers = [world.keeper() for _ in range(20)]
    await asyncio.gather(*(keeper.look() for keeper in keepers))
    assert world.api.writes == 1
    assert {keeper.bundle for keeper in keepers} == {world.data["ca.crt"]}
    leaves = {keeper.pair.certificate for keeper in keepers if keeper.pair}
    assert len(leaves) == 20
    assert {keeper.phase for keeper in keepers} == {Phase.STEADY}


@running
async def test_a_leaf_is_renewed_after_two_thirds_of_its_life(world: World) -> None:
    keeper = world.keeper()
    await keeper.look()
    first = keeper.pair
    world.clock.move(days=19)
    await keeper.look()
    assert keeper.pair is first
    world.clock.move(days=1)
    await keeper.look()
    assert keeper.pair is not first
    assert world.api.writes == 1


@running
async def test_an_authority_is_rotated_with_an_overlap(world: World) -> None:
    one, two = world.keeper(), world.keeper()
    await world.rotate(one, two)
    old = world.data
    world.clock.move(days=244)
    await one.look()
    assert one.phase.value == "introduced"
    assert one.bundle == old["ca.crt"] + world.data["next.crt"]
    assert "not known to be in every caBundle" in one.waiting
    one.observe([one.bundle, old["ca.crt"]])  # in one of two
    world.clock.move(days=1)
    await one.look()
    assert one.phase.value == "introduced"
    one.observe([one.bundle, one.bundle])
    await one.look()
    assert "given time" in one.waiting
    world.clock.move(minutes=10)
    await one.look()
    assert str(one.phase) == "Phase.REMEMBERED"
    assert one.bundle == world.data["ca.crt"] + old["ca.crt"]
    assert "next.key" not in world.data
    assert old["ca.key"] not in world.data.values()
    await two.look()
    assert two.bundle == one.bundle
    world.clock.move(days=20)
    await one.look()
    assert one.leaf is not None
    assert one.leaf.authority == one.authority
    world.clock.move(days=11)
    await two.look()
    assert two.phase is Phase.STEADY
    assert two.bundle == world.data["ca.crt"]
    assert world.api.writes == 4


@running
async def test_two_replicas_are_trusted_on_each_day_of_three_years(
    world: World,
) -> None:
    keepers = [world.keeper(), world.keeper()]
    await world.rotate(*keepers)
    registered = keepers[0].bundle
    for day in range(3 * 365):
        world.clock.move(days=1)
        keeper = keepers[day % 2]
        await keeper.look()
        for one in keepers:
            assert one.leaf is not None
            assert one.leaf.not_after > world.clock.now
            issuers = x509.load_pem_x509_certificates(registered)
            assert one.pair is not None
            leaf = x509.load_pem_x509_certificate(one.pair.certificate)
            (issuer,) = (ca for ca in issuers if ca.subject == leaf.issuer)
            leaf.verify_directly_issued_by(issuer)
        if day % 3 == 0:
            registered = await keeper.read_bundle()
        keeper.observe([registered])
    assert world.api.writes == 1 + 4 * 3


@running
async def test_a_deleted_secret_is_made_anew_and_the_old_ca_stays_trusted(
    world: World,
) -> None:
    keeper, other = world.keeper(), world.keeper()
    await world.rotate(keeper, other)
    old, pair = world.data["ca.crt"], keeper.pair
    world.api.found.clear()
    await keeper.look()
    assert keeper.pair is pair
    assert keeper.bundle == world.data["ca.crt"] + old
    assert world.data["ca.crt"] != old
    await other.look()
    assert other.bundle == keeper.bundle
    assert world.api.writes == 2


@running
async def test_a_secret_that_was_replaced_is_used_when_it_is_registered(
    world: World,
) -> None:
    keeper = world.keeper()
    await world.rotate(keeper)
    old, pair = world.data["ca.crt"], keeper.pair
    _, other = make_authority(HOOK, now=world.clock.now, times=TIMES)
    world.put(ca_crt=other.certificate, ca_key=other.key)
    await keeper.look()
    assert keeper.bundle == other.certificate + old
    world.clock.move(days=25)
    await keeper.look()
    assert keeper.pair is pair  # due, but the new CA is not registered
    keeper.observe([keeper.bundle])
    world.clock.move(minutes=10)
    await keeper.look()
    assert keeper.pair is not pair


@running
async def test_an_authority_that_has_expired_is_made_anew(world: World) -> None:
    keeper = world.keeper()
    await keeper.look()
    old = world.data["ca.crt"]
    world.clock.move(days=800)
    await keeper.look()
    assert keeper.bundle == world.data["ca.crt"]
    assert world.data["ca.crt"] != old
    assert keeper.leaf is not None
    assert keeper.leaf.not_after > world.clock.now


@running
async def test_a_broken_secret_changes_nothing_and_is_said_once(world: World) -> None:
    keeper = world.keeper()
    await keeper.look()
    good, pair, bundle = world.data["ca.crt"], keeper.pair, keeper.bundle
    world.put(ca_crt=b"garbage")
    writes, said = world.api.writes, world.said
    for _ in range(3):
        with pytest.raises(CertificateError, match=r"demo/hook-tls, ca\.crt"):
            await keeper.look()
    assert (keeper.pair, keeper.bundle) == (pair, bundle)
    assert (world.api.writes, world.said) == (writes, said + 1)
    assert keeper.phase.value == "blocked"
    world.put(ca_crt=good)
    await keeper.look()
    assert keeper.problem is None
    assert keeper.phase is Phase.STEADY


@pytest.mark.parametrize("days", [-730, 730, 0.01])
def test_a_clock_that_is_off_signs_and_changes_nothing(days: float) -> None:
    @running
    async def test(world: World) -> None:
        keeper = world.keeper()
        await keeper.look()
        wrong = Clock()
        wrong.move(days=days)
        for other in (world.keeper(wrong), keeper):
            other._clock = wrong
            with contextlib.suppress(AdmitError):
                await other.look()
        assert world.api.writes == 1
        other = world.keeper(wrong)
        with pytest.raises(CertificateError, match="the API server's 2026-01-01"):
            await other.look()
        assert other.pair is None

    test()


@running
async def test_a_clock_that_is_behind_the_secret_is_seen_without_the_server(
    world: World,
) -> None:
    await world.keeper().look()
    world.api.tells_time = False
    world.clock.move(days=-730)
    with pytest.raises(CertificateError, match="the Secret was written at 2026"):
        await world.keeper().look()
    world.clock.move(days=731)
    await world.keeper().look()


@pytest.mark.parametrize(
    "refusal",
    [UnreachableError("nobody answers"), ForbiddenError("cannot get secrets")],
)
def test_an_api_server_that_is_away_leaves_what_there_is(
    refusal: UnreachableError | ForbiddenError,
) -> None:
    @running
    async def test(world: World) -> None:
        keeper = world.keeper()
        world.api.refusal = refusal
        async with kept(keeper):
            await wait_for(world, lambda: keeper.problem is not None)
            assert keeper.pair is None
            world.api.refusal = None
            await wait_for(world, lambda: keeper.pair is not None)
            pair = keeper.pair
            world.api.refusal = refusal
            keeper._wake.set()
            await wait_for(world, lambda: keeper.problem is not None)
            assert keeper.pair is pair

    test()


@running
async def test_a_change_of_the_secret_is_seen_at_once(world: World) -> None:
    keeper = world.keeper()
    async with kept(keeper):
        await wait_for(world, lambda: keeper.pair is not None)
        _, other = make_authority(HOOK, now=world.clock.now, times=TIMES)
        world.put(ca_crt=other.certificate, ca_key=other.key)
        await wait_for(world, lambda: keeper.bundle.startswith(other.certificate))


@running
async def test_what_is_registered_is_what_every_ca_bundle_holds(world: World) -> None:
    keeper = world.keeper()
    assert keeper.is_trusted is None
    await keeper.look()
    for bundles in ([], [b""], [b"garbage"], [keeper.bundle, b""]):
        keeper.observe(bundles)
        assert keeper.is_trusted is False
    keeper.observe([keeper.bundle, keeper.bundle * 2])
    assert keeper.is_trusted is True


@running
async def test_who_loses_every_race_says_so(world: World) -> None:
    keeper = world.keeper()
    create = world.api.create

    async def lose(resource: Any, content: Any, *, dry_run: bool = False) -> Any:
        if resource.plural == "secrets":
            world.api.writes += 1
            raise ConflictError("exists")
        return await create(resource, content, dry_run=dry_run)

    world.api.create = lose  # type: ignore[method-assign]
    with pytest.raises(AdmitError, match="again and again"):
        await keeper.look()
    assert world.api.writes == 20


@running
async def test_a_mistake_of_ours_is_logged_and_does_not_end_the_keeping(
    world: World,
) -> None:
    keeper = world.keeper()
    get, broken = world.api.get, [True]

    async def sometimes(*arguments: Any) -> Any:
        if broken:
            raise ZeroDivisionError
        return await get(*arguments)

    world.api.get = sometimes  # type: ignore[assignment,method-assign]
    async with kept(keeper):
        await wait_for(world, lambda: keeper.problem is not None)
        assert "ZeroDivisionError" in str(keeper.problem)
        broken.clear()
        await wait_for(world, lambda: keeper.pair is not None)


@running
async def test_nothing_is_signed_when_the_time_cannot_be_asked_for(
    world: World,
) -> None:
    await world.keeper().look()
    create = world.api.create

    async def away(resource: Any, content: Any, *, dry_run: bool = False) -> Any:
        if resource.plural == "selfsubjectreviews":
            raise UnreachableError("nobody answers")
        return await create(resource, content, dry_run=dry_run)

    world.api.create = away  # type: ignore[method-assign]
    keeper = world.keeper()
    with pytest.raises(UnreachableError):
        await keeper.look()
    assert keeper.pair is None
