"""The Secret: its keys, how they become a `State`, and how a change is written.

    ca.crt, ca.key               the CA that signs, in PEM
    next.crt, next.key           the CA that will sign, if there is one
    next.since                   when it was put there, RFC 3339
    retired.crt                  CAs that signed, in PEM, one behind the other
    retired.until                until when each may have a leaf, RFC 3339, a line each

Its type is Opaque and not kubernetes.io/tls, which promises a serving certificate: who
mounts this one by mistake finds no `tls.crt`. The key of a CA that signs no more is
deleted with the same write.

Nothing here overwrites what it cannot read: it may be somebody else's.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from admit._cluster import SECRETS, ConflictError, ForbiddenError
from admit.certs.authority import Pair, read_authorities, read_authority, read_pair
from admit.certs.plan import Retired, State
from admit.certs.service import SECRET_VERBS
from admit.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from admit._cluster import Event, Resource
    from admit.certs.service import Service

__all__ = ("Api", "Kept", "Reading", "Store", "decode", "encode")

OPAQUE: Final = "Opaque"

KEYS: Final = (
    *("ca.crt", "ca.key", "next.crt", "next.key", "next.since"),
    *("retired.crt", "retired.until"),
)

_MEND: Final = "mend it, or delete the Secret: another CA is then made and registered"


class Api(Protocol):
    """What is asked of the Kubernetes API; `admit._cluster.Cluster` is one."""

    async def get(
        self, resource: Resource, name: str, namespace: str = ""
    ) -> dict[str, Any] | None:
        """Return an object, None if there is none."""
        ...

    async def create(
        self, resource: Resource, content: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Create an object; ConflictError if there is one."""
        ...

    async def replace(
        self, resource: Resource, content: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Replace an object of the same version; ConflictError if it is another."""
        ...

    def watch(
        self, resource: Resource, namespace: str = "", *, field_selector: str = ""
    ) -> AsyncIterator[Event]:
        """Yield changes until the API server ends it."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A state with its certificates, and the keys that are still needed.

    Args:
        state: for plans.
        certificates: PEM by digest, of every CA of the state.
        keys: PEM by digest, of those that sign or will; never shown.
    """

    state: State
    certificates: Mapping[str, bytes]
    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def current(self) -> Pair:
        """The CA that signs."""
        digest = self.state.current.digest
        return Pair(self.certificates[digest], self.keys[digest])

    @property
    def bundle(self) -> bytes:
        """What every caBundle has to hold, in PEM; the signing CA first."""
        return b"".join(self.certificates[one.digest] for one in self.state.bundle)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found: the Secret as it is, and what it says.

    Args:
        secret: the object; None if there is none.
        kept: None if there is no Secret, or nothing in it.
    """

    secret: dict[str, Any] | None = field(repr=False)
    kept: Kept | None

    @property
    def state(self) -> State | None:
        """For plans."""
        return None if self.kept is None else self.kept.state


class Store:
    """Reads and writes the Secret of one Service, each write only over what was read.

    Args:
        api: the cluster.
        service: whose names the CA is for.
        name: of the Secret, in the Service's namespace.
    """

    def __init__(self, api: Api, service: Service, name: str) -> None:
        self._api = api
        self.service = service
        self.name = name
        self.place = f"Secret {service.namespace}/{name}"

    async def read(self) -> Reading:
        """Read it, as the API server has it now.

        Raises:
            CertificateError: it cannot be used (operator's fault).
            ClusterError: it could not be read.
        """
        try:
            secret = await self._api.get(SECRETS, self.name, self.service.namespace)
        except ForbiddenError as error:
            raise self._explain(error) from error
        kept = None if secret is None else decode(secret, self.service, self.place)
        return Reading(secret, kept)

    async def write(self, reading: Reading, kept: Kept) -> bool:
        """Write a changed state; return whether nobody else wrote meanwhile.

        Raises:
            ClusterError: it could not be written.
        """
        data = encode(kept)
        try:
            if reading.secret is None:
                await self._api.create(SECRETS, self._make(data))
            else:
                foreign = {
                    key: value
                    for key, value in (reading.secret.get("data") or {}).items()
                    if key not in KEYS
                }
                changed = {**reading.secret, "data": {**foreign, **data}}
                await self._api.replace(SECRETS, changed)
        except ConflictError:
            return False
        except ForbiddenError as error:
            raise self._explain(error) from error
        return True

    def _make(self, data: dict[str, str]) -> dict[str, Any]:
        return {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {
                "name": self.name,
                "namespace": self.service.namespace,
                "labels": {"app.kubernetes.io/managed-by": "admit"},
            },
            "type": OPAQUE,
            "data": data,
        }

    def _explain(self, error: ForbiddenError) -> ForbiddenError:
        """Say which rule is missing, to be copied."""
        rules = (
            f'{{apiGroups: [""], resources: [secrets], resourceNames: [{self.name}], '
            f"verbs: [{', '.join(SECRET_VERBS)}]}} and "
            '{apiGroups: [""], resources: [secrets], verbs: [create]}'
        )
        return ForbiddenError(
            error.message,
            status=error.status,
            place=self.place,
            hint=f"the Role in namespace {self.service.namespace} needs {rules}",
        )


def decode(secret: Mapping[str, Any], service: Service, place: str) -> Kept | None:
    """Read what a Secret says; None if there is nothing in it yet.

    Every CA in it is checked: none that may sign for other names gets into a caBundle.

    Raises:
        CertificateError: it is no Secret of ours, or a part of it is damaged; the place
            names the key (operator's fault).
    """
    kind = secret.get("type", OPAQUE)
    if kind != OPAQUE:
        raise CertificateError(
            f"its type is {kind}: it is somebody else's",
            place=place,
            hint="--secret with the name of another, that does not exist yet",
        )
    data = {
        key: _unwrap(value, f"{place}, {key}")
        for key, value in (secret.get("data") or {}).items()
        if key in KEYS
    }
    if not data:
        return None
    try:
        return _decode(data, service, place)
    except CertificateError as error:
        raise CertificateError(
            error.message, place=error.place, hint=error.hint or _MEND
        ) from None


def _decode(data: Mapping[str, bytes], service: Service, place: str) -> Kept:
    certificates: dict[str, bytes] = {}
    keys: dict[str, bytes] = {}

    def read(name: str) -> Any:
        pair = Pair(data.get(f"{name}.crt", b""), data.get(f"{name}.key", b""))
        found = read_pair(pair, service, f"{place}, {name}.crt")
        certificates[found.digest], keys[found.digest] = pair.certificate, pair.key
        return found

    current = read("ca")
    following, since = None, None
    if any(key.startswith("next.") for key in data):
        following = read("next")
        since = _read_time(data.get("next.since", b""), f"{place}, next.since")
    retired = []
    found = read_authorities(data.get("retired.crt", b""), f"{place}, retired.crt")
    ends = data.get("retired.until", b"").split()
    if len(found) != len(ends):
        raise CertificateError(
            f"there are {len(ends)} times for {len(found)} certificates",
            place=f"{place}, retired.until",
        )
    for (authority, pem), until in zip(found, ends, strict=True):
        read_authority(pem, service, f"{place}, retired.crt")
        certificates[authority.digest] = pem
        ends_at = _read_time(until, f"{place}, retired.until")
        retired.append(Retired(authority, ends_at))
    state = State(current, following, since, tuple(retired))
    return Kept(state, certificates, keys)


def encode(kept: Kept) -> dict[str, str]:
    """Return the Secret's data, in base64."""
    state = kept.state
    data = {"ca.crt": kept.current.certificate, "ca.key": kept.current.key}
    if state.next is not None and state.since is not None:
        data["next.crt"] = kept.certificates[state.next.digest]
        data["next.key"] = kept.keys[state.next.digest]
        data["next.since"] = _show_time(state.since)
    if state.retired:
        pems = (kept.certificates[one.authority.digest] for one in state.retired)
        data["retired.crt"] = b"".join(pems)
        data["retired.until"] = b"\n".join(
            _show_time(one.until) for one in state.retired
        )
    return {key: base64.b64encode(value).decode() for key, value in data.items()}


def _unwrap(value: object, place: str) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise CertificateError("this is no base64", place=place) from None


def _show_time(time: datetime) -> bytes:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}".encode()


def _read_time(text: bytes, place: str) -> datetime:
    try:
        time = datetime.strptime(text.decode().strip(), "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - Z is UTC
    except ValueError:
        raise CertificateError(
            "this is no time", place=place, hint="like 2026-01-31T12:00:00Z"
        ) from None
    return time.replace(tzinfo=UTC)
