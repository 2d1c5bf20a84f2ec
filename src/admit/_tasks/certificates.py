"""Where the serving certificate comes from: files, or the pods themselves."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec

from admit.errors import AdmitError, ConfigError
from admit.server import Check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from admit.certs.keeper import Keeper
    from admit.server import Counts, ServeOptions

__all__ = (
    "ONE_LINER",
    "Certified",
    "Made",
    "and_register",
    "certified",
    "choose",
    "find_problem",
)

# Seconds of a start that wait for the first certificate; the looking goes on behind.
FIRST_SECONDS: Final = 5.0


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """How pods make their certificates themselves.

    Args:
        namespace: of the Service that API servers call.
        service: its name.
        secret: the Secret in which the pods share their authority.
        leaf_seconds: life of a serving certificate.
        authority_seconds: life of the authority.
        registers: keep the webhook configurations right too.
    """

    namespace: str
    service: str
    secret: str
    leaf_seconds: float
    authority_seconds: float
    registers: bool = False


@dataclass(frozen=True, slots=True)
class Certified:
    """What a server needs of a certificate.

    Args:
        options: with the files to read.
        keeper: makes it; None if others do.
        more: what readiness says of it, and of what is done with it.
    """

    options: ServeOptions
    keeper: Keeper | None = None
    more: list[Callable[[], Sequence[Check]]] = field(default_factory=list)

    def checks(self) -> list[Check]:
        """Return what readiness says."""
        return [check for found in self.more for check in found()]


# A certificate to try things out with, for a server on this machine.
ONE_LINER: Final = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
    "-subj /CN=admit-test -addext subjectAltName=IP:127.0.0.1 "
    "-addext basicConstraints=critical,CA:FALSE -keyout tls.key -out tls.crt"
)


def choose(
    *,
    certs: str,
    cert_file: str,
    key_file: str,
    service: str,
    secret: str,
    leaf_seconds: float,
    authority_seconds: float,
) -> Made | None:
    """Read the options that say where the certificate comes from; None for files.

    Raises:
        ConfigError: they contradict each other (operator's fault).
    """
    from admit.certs.times import Times  # noqa: PLC0415 - a module of dates

    if certs == "files":
        if not (cert_file and key_file):
            raise ConfigError(
                "a certificate and its key are needed",
                place="--cert-file, --key-file",
                hint=f"in a cluster --certs self; to try it out: {ONE_LINER}",
            )
        return None
    if cert_file or key_file:
        raise ConfigError(
            "with --certs self there are no such files", place="--cert-file, --key-file"
        )
    namespace, slash, name = service.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise ConfigError(
            f"{service!r} names no Service",
            place="--service",
            hint="NAMESPACE/NAME: the Service that API servers call",
        )
    Times(leaf_seconds=leaf_seconds, authority_seconds=authority_seconds)
    return Made(
        namespace=namespace,
        service=name,
        secret=secret or f"{name}-tls",
        leaf_seconds=leaf_seconds,
        authority_seconds=authority_seconds,
    )


def and_register(made: Made | None) -> Made:
    """Return it with the order to keep the webhook configurations right too.

    Raises:
        ConfigError: others make the certificate (operator's fault).
    """
    if made is None:
        raise ConfigError(
            "whoever does not make the certificate cannot know its authority",
            place="--register",
            hint="with --certs self; else apply what admit manifests prints",
        )
    return msgspec.structs.replace(made, registers=True)


def find_problem(made: Made | None, options: ServeOptions) -> str:
    """Return why the certificate files cannot be used now; empty if they can.

    A file may well come later: it is mounted once cert-manager has made it.
    """
    if made is not None:
        return ""
    from admit.errors import CertificateError  # noqa: PLC0415
    from admit.server.tls import load_pair  # noqa: PLC0415

    try:
        load_pair(options.cert_file, options.key_file)
    except CertificateError as error:
        return str(error)
    return ""


@contextlib.asynccontextmanager
async def certified(
    made: Made | None,
    options: ServeOptions,
    counts: Counts,
    changed: Callable[[], None] = lambda: None,
) -> AsyncIterator[Certified]:
    """Have a certificate as long as the block lasts.

    Args:
        made: how it is made; None for the files of the options.
        options: of the server.
        counts: gets what metrics tell of it.
        changed: called when readiness may have changed.

    Raises:
        ConfigError: there is no cluster to share an authority in (operator's fault).
    """
    if made is None:
        yield Certified(options)
        return
    # Not for those who serve from files: 10 MB and a third of the start.
    from admit._cluster import connect  # noqa: PLC0415
    from admit.certs.keeper import Keeper  # noqa: PLC0415
    from admit.certs.memory import MemoryFile  # noqa: PLC0415
    from admit.certs.plan import Phase  # noqa: PLC0415
    from admit.certs.service import Service  # noqa: PLC0415
    from admit.certs.times import Times  # noqa: PLC0415

    shown = b""

    def tell() -> None:
        nonlocal shown
        if keeper.pair is not None and keeper.pair.certificate != shown:
            shown = keeper.pair.certificate
            file.replace(shown + keeper.pair.key)
        counts.rotation = {one.value: int(one is keeper.phase) for one in Phase}
        if keeper.authority is not None:
            counts.authority_expiry = keeper.authority.not_after.timestamp()
        changed()

    times = Times(
        leaf_seconds=made.leaf_seconds, authority_seconds=made.authority_seconds
    )
    with contextlib.closing(MemoryFile()) as file:
        async with connect() as cluster:
            service = Service(made.namespace, made.service)
            keeper = Keeper(cluster, service, made.secret, times=times, changed=tell)
            with contextlib.suppress(AdmitError, TimeoutError):  # kept as a problem
                async with asyncio.timeout(FIRST_SECONDS):
                    await keeper.look()
            task = asyncio.create_task(keeper.run())
            try:
                yield Certified(
                    replace(options, cert_file=file.path, key_file=file.path),
                    keeper,
                    [Readiness(keeper)],
                )
            finally:
                task.cancel()
                await asyncio.wait([task])


class Readiness:
    """Whether the registered authorities trust the certificate.

    Once they do, a caBundle that somebody broke makes no replica unready: the others
    are called all the same, and a release without endpoints fails for every caller.

    Args:
        keeper: knows both.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._was_trusted = False

    def __call__(self) -> list[Check]:
        """Say how it stands; what is served is another check."""
        keeper = self._keeper
        if keeper.pair is not None and keeper.is_trusted is not False:
            self._was_trusted = True
        if keeper.problem is not None:
            detail = str(keeper.problem)
        elif keeper.is_trusted is False:
            detail = "the certificate's CA is not in every caBundle"
        else:
            detail = ": ".join(filter(None, (keeper.phase.value, keeper.waiting)))
        return [Check("authority", self._was_trusted, detail)]
