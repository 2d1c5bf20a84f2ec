"""Does what is due: runs in the process that serves, for as long as it serves.

It looks at the Secret every minute, and at once when a watch says that it has changed.
The watch makes it fast; the looks make it right. What fails changes nothing: the leaf
and the bundle from before stay in use, and `problem` says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from admit._cluster import SECRETS, Resource, UnreachableError
from admit.certs.authority import make_authority, read_authorities, sign_leaf
from admit.certs.plan import (
    Authority,
    Due,
    Leaf,
    Phase,
    Seen,
    Step,
    advance,
    find_contradiction,
    plan,
)
from admit.certs.secret import Kept, Reading, Store
from admit.errors import AdmitError, CertificateError, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from admit.certs.authority import Pair
    from admit.certs.secret import Api
    from admit.certs.service import Service
    from admit.certs.times import Times

__all__ = ("Keeper",)

log: Final = logging.getLogger("admit.certs")

# Its answer holds the API server's time, everybody may ask for it, nothing is stored
# and no webhook is called (apiserver pkg/registry/authentication/selfsubjectreview).
SELF_SUBJECT_REVIEWS: Final = Resource(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "SelfSubjectReview",
    namespaced=False,
)

# That time has no fraction.
RESOLUTION: Final = timedelta(seconds=1)

# Steps and lost races in one look; three steps can be due at once.
TRIES: Final = 20

# Seconds to the next look after one that failed; doubled up to the last.
FIRST_SECONDS: Final = 0.5
LAST_SECONDS: Final = 30.0

# The share of a wait that is left to chance, so that replicas do not go in step.
JITTER: Final = 0.3


class Keeper:
    """Keeps one replica's leaf valid, and the CAs of all replicas in order.

    Args:
        api: the cluster.
        service: whose names the certificates are for.
        secret: the name of the Secret, in the Service's namespace.
        times: how long certificates live.
        changed: called in the event loop when leaf, bundle, phase or problem changed.
        clock: what time it is, in UTC.

    Attributes:
        pair: the leaf and its key, in PEM; None until there is one.
        leaf: what is known of it.
        bundle: the CAs that every caBundle has to hold, in PEM; empty until read.
        problem: why the last look failed; None if it did not.
        waiting: what the rotation waits for, in words; empty if for nothing.
    """

    def __init__(
        self,
        api: Api,
        service: Service,
        secret: str,
        *,
        times: Times,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._store = Store(api, service, secret)
        self._times = times
        self._changed = changed
        self._clock = clock
        self._seen: Seen | None = None
        self._kept_certificates: dict[str, bytes] = {}
        self._registered: dict[str, datetime] | None = None
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self.pair: Pair | None = None
        self.leaf: Leaf | None = None
        self.bundle = b""
        self.problem: AdmitError | None = None
        self.waiting = ""

    @property
    def place(self) -> str:
        """The Secret, in words."""
        return self._store.place

    @property
    def phase(self) -> Phase:
        """Where the rotation stands."""
        if self.problem is not None or self._seen is None:
            return Phase.BLOCKED
        state = self._seen.state
        if state.next is not None:
            return Phase.INTRODUCED
        return Phase.REMEMBERED if state.retired else Phase.STEADY

    @property
    def authority(self) -> Authority | None:
        """The CA that signs; None until the Secret was read."""
        return None if self._seen is None else self._seen.state.current

    @property
    def is_trusted(self) -> bool | None:
        """Whether every caBundle holds the leaf's CA; None if nobody looks at them."""
        if self._registered is None:
            return None
        return self.leaf is not None and self.leaf.authority.digest in self._registered

    def observe(self, bundles: Iterable[bytes]) -> None:
        """Take note of every caBundle that is registered for the Service now.

        The CAs in all of them are registered. Without this no CA is ever rotated before
        its end.

        Args:
            bundles: the caBundle of each webhook, in PEM; empty where there is none.
        """
        in_all: set[str] | None = None
        for bundle in bundles:
            try:
                found = {one.digest for one, _ in read_authorities(bundle, "caBundle")}
            except CertificateError:
                found = set()
            in_all = found if in_all is None else in_all & found
        before, now = self._registered or {}, self._now()
        self._registered = {digest: before.get(digest, now) for digest in in_all or ()}
        if self._registered.keys() != before.keys():
            self._wake.set()
            self._changed()

    async def read_bundle(self) -> bytes:
        """Look, and return the bundle of this moment.

        For whoever writes caBundle: read the configuration first, call this, and write
        with the resourceVersion that was read. Then no replica that slept can take a CA
        out of it that others have put in.

        Raises:
            AdmitError: the Secret could not be read, or not be used.
        """
        await self.look()
        return self.bundle

    async def run(self) -> None:
        """Look for ever."""
        follower = asyncio.create_task(self._follow())
        seconds = FIRST_SECONDS
        try:
            while True:
                self._wake.clear()
                if await self._look_safely():
                    seconds = FIRST_SECONDS
                    wait = self._times.look.total_seconds()
                else:
                    wait = seconds
                    seconds = min(2 * seconds, LAST_SECONDS)
                    # A watch of what cannot be used must not make this a busy loop.
                    await asyncio.sleep(FIRST_SECONDS)
                # Not wait_for: in Python 3.11 it may swallow a cancellation.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_vary(wait)):
                        await self._wake.wait()
        finally:
            follower.cancel()

    async def _look_safely(self) -> bool:
        """Look; return whether that went well."""
        try:
            await self.look()
        except AdmitError:
            return False
        except Exception as error:
            log.exception("looking at %s failed", self.place)
            self._fail(CertificateError(f"{type(error).__name__}", place=self.place))
            return False
        return True

    async def look(self) -> None:
        """Read the Secret and do what is due.

        Raises:
            CertificateError: the Secret cannot be used, or this clock cannot be
                believed (operator's fault).
            ClusterError: the API server said no, or nothing.
        """
        async with self._lock:
            try:
                await self._look()
            except AdmitError as error:
                self._fail(error)
                raise

    async def _look(self) -> None:
        for _ in range(TRIES):
            now = self._now()
            reading = await self._store.read()
            due = plan(
                reading.state,
                now=now,
                times=self._times,
                seen=self._seen,
                leaf=self.leaf,
                registered=self._registered,
            )
            if due.step is not None or due.sign:
                await self._check_clock(reading, now)
            if reading.kept is not None and due.step is None:
                self._take(reading.kept, due, now)
                return
            # Without a Secret a step is due: to create it.
            await self._do(due.step or Step.CREATE, reading, now)
        raise ClusterError(
            "others write it again and again", place=self.place, hint="who?"
        )

    async def _do(self, step: Step, reading: Reading, now: datetime) -> None:
        """Change the Secret; if somebody was faster, nothing happens."""
        certificates, keys = dict(self._kept_certificates), dict[str, bytes]()
        if reading.kept is not None:
            certificates |= reading.kept.certificates
            keys |= reading.kept.keys
        made = None
        if step in {Step.CREATE, Step.INTRODUCE}:
            made, pair = make_authority(self._store.service, now=now, times=self._times)
            certificates[made.digest], keys[made.digest] = pair.certificate, pair.key
        state = advance(
            reading.state, step, now=now, times=self._times, seen=self._seen, made=made
        )
        if await self._store.write(reading, Kept(state, certificates, keys)):
            log.info(
                "certificate authority: %s",
                step.value,
                extra={"fields": {"kind": "authority", "secret": self.place}},
            )

    def _take(self, kept: Kept, due: Due, now: datetime) -> None:
        """Take over what the Secret says, and sign if that is due."""
        before = (self.leaf, self.bundle, self.problem, self.waiting, self.phase)
        self._seen = Seen(kept.state, now)
        self._kept_certificates = dict(kept.certificates)
        self.bundle = kept.bundle
        self.problem, self.waiting = None, due.waiting
        if due.sign:
            self.leaf, self.pair = sign_leaf(
                kept.current, self._store.service, now=now, times=self._times
            )
        if before != (self.leaf, self.bundle, None, self.waiting, self.phase):
            self._changed()

    async def _check_clock(self, reading: Reading, now: datetime) -> None:
        """Do nothing by a clock that cannot be believed.

        Raises:
            CertificateError: it contradicts the API server's, or the Secret.
        """
        said = find_contradiction(
            reading.state,
            now=now,
            server_now=await self._ask_time(now),
            times=self._times,
        )
        if said:
            raise CertificateError(
                said,
                place=self.place,
                hint="set the clock of the node right; nothing is signed until then",
            )

    async def _ask_time(self, now: datetime) -> datetime | None:
        """Return `now` by the API server's clock; None if it will not say."""
        before = self._clock()
        try:
            review = await self._api.create(
                SELF_SUBJECT_REVIEWS,
                {
                    "apiVersion": SELF_SUBJECT_REVIEWS.api_version,
                    "kind": SELF_SUBJECT_REVIEWS.kind,
                    "metadata": {},
                },
            )
            text = str(review["metadata"]["creationTimestamp"])
            server = datetime.fromisoformat(text).astimezone(UTC)
        except UnreachableError:
            raise
        except (ClusterError, KeyError, ValueError):
            return None
        after = self._clock()
        if server < before - RESOLUTION:
            return now + (server - before)
        return now + max(server - after, timedelta())

    async def _follow(self) -> None:
        """Wake up the looking when the Secret changes."""
        seconds = FIRST_SECONDS
        while True:
            started_at = asyncio.get_running_loop().time()
            with contextlib.suppress(ClusterError):  # looking says what is wrong
                async for _ in self._api.watch(
                    SECRETS,
                    self._store.service.namespace,
                    field_selector=f"metadata.name={self._store.name}",
                ):
                    self._wake.set()
            lasted = asyncio.get_running_loop().time() - started_at
            seconds = FIRST_SECONDS if lasted > LAST_SECONDS else 2 * seconds
            await asyncio.sleep(_vary(min(seconds, LAST_SECONDS)))

    def _fail(self, error: AdmitError) -> None:
        if str(error) == str(self.problem or ""):
            return
        self.problem = error
        log.error(
            "certificates stay as they are: %s",
            error,
            extra={"fields": {"kind": "authority", "secret": self.place}},
        )
        self._changed()

    def _now(self) -> datetime:
        """Return the time in whole seconds, as certificates and the Secret hold it."""
        return self._clock().replace(microsecond=0)


def _vary(seconds: float) -> float:
    return seconds * (1 - JITTER * random.random())  # noqa: S311 - no secret
