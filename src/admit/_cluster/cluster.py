"""The verbs of the API on raw objects, each bounded in size and time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from admit._cluster.refusals import GoneError, UnreachableError, to_error
from admit._cluster.resources import Resource
from admit.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    import httpx2

__all__ = ("Cluster", "Event", "Listing")

# The largest answers are pages of lists and an API server's metrics.
ANSWER_BYTES: Final = 128 * 1024 * 1024

# An object is at most 3 MiB (etcd3/store.go); an event is one with a few bytes around.
EVENT_BYTES: Final = 16 * 1024 * 1024

# Objects in one page of a list, as kubectl asks.
PAGE: Final = 500

# Seconds that a watch lasts at most before it is begun anew.
WATCH_SECONDS: Final = 300

# How often a busy API server is asked again, and how long is waited at most.
TRIES: Final = 3
PAUSE_SECONDS: Final = 10.0

APPLY: Final = "application/apply-patch+yaml"
MERGE_PATCH: Final = "application/merge-patch+json"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a list, and the version from which to watch on."""

    items: list[Object]
    version: str


class Event(NamedTuple):
    """A change: ADDED, MODIFIED, DELETED, or BOOKMARK (the version alone is new)."""

    type: str
    object: Object


class Cluster:
    """Asks one API server; made by `connect`.

    Every method raises a ClusterError when the API server says no, of the class that
    says what to do about it, or when it does not answer (`UnreachableError`).

    Args:
        http: sends with the right credentials, to paths.
        server: the API server's address, for people.
        namespace: the one of the context.
    """

    def __init__(self, http: httpx2.AsyncClient, server: str, namespace: str) -> None:
        self._http = http
        self.server = server
        self.namespace = namespace
        self._found: dict[str, dict[str, Resource]] = {}

    async def get(
        self, resource: Resource, name: str, namespace: str = ""
    ) -> Object | None:
        """Return an object, None if there is none."""
        path = resource.path(namespace, name)
        found: Object | None = await self._send("GET", path, absent=True)
        return found

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """Return all objects, of one namespace or all; each says what it is."""
        items: list[Object] = []
        params = _params(
            labelSelector=label_selector, fieldSelector=field_selector, limit=str(PAGE)
        )
        # The items of a list do not say what they are.
        about = {"apiVersion": resource.api_version, "kind": resource.kind}
        while True:
            page = await self._send("GET", resource.path(namespace), params=params)
            items += [{**about, **item} for item in page.get("items") or ()]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(items, metadata.get("resourceVersion", ""))
            params["continue"] = metadata["continue"]

    async def create(
        self, resource: Resource, content: Object, *, dry_run: bool = False
    ) -> Object:
        """Create an object and return it as it is now.

        Raises:
            ConflictError: there is one of this name.
        """
        path = resource.path(_namespace(content))
        return await self._write("POST", path, content, dry_run=dry_run)

    async def replace(
        self, resource: Resource, content: Object, *, dry_run: bool = False
    ) -> Object:
        """Replace an object, if it is still of the resourceVersion that it has.

        Raises:
            ConflictError: somebody wrote it since.
        """
        path = resource.path(_namespace(content), content["metadata"]["name"])
        return await self._write("PUT", path, content, dry_run=dry_run)

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        body: object,
        *,
        content_type: str = MERGE_PATCH,
        dry_run: bool = False,
    ) -> Object:
        """Patch an object and return it as it is now."""
        path = resource.path(namespace, name)
        return await self._write(
            "PATCH", path, body, dry_run=dry_run, content_type=content_type
        )

    async def apply(
        self,
        content: Object,
        *,
        owner: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Apply an object on the server's side and return it as it is now.

        Args:
            content: the fields that the owner wants, and no others.
            owner: the field manager.
            force: take fields that other managers own.
            dry_run: change nothing.

        Raises:
            FieldConflictError: others own some of the fields.
            ClusterError: the cluster knows no such kind.
        """
        resource = await self.find(content["apiVersion"], content["kind"])
        if resource is None:
            raise ClusterError(
                f"the cluster knows no {content['kind']} of {content['apiVersion']}",
                hint="is its CustomResourceDefinition there?",
            )
        path = resource.path(_namespace(content), content["metadata"]["name"])
        params = {"fieldManager": owner, "force": "true" if force else "false"}
        return await self._write(
            "PATCH", path, content, dry_run=dry_run, params=params, content_type=APPLY
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        dry_run: bool = False,
    ) -> bool:
        """Delete an object; return whether it was there.

        With a uid only this one, not another of the same name.

        Raises:
            ConflictError: it is another one.
        """
        # With a body, the API server does not look at the query.
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        path = resource.path(namespace, name)
        return await self._send("DELETE", path, options, absent=True) is not None

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        field_selector: str = "",
        version: str = "",
    ) -> AsyncGenerator[Event, None]:
        """Yield changes since a version, until the API server ends it.

        Raises:
            GoneError: the version is too old: list again, and watch from there.
        """
        import httpx2  # noqa: PLC0415

        path = resource.path(namespace)
        params = _params(
            fieldSelector=field_selector,
            resourceVersion=version,
            watch="true",
            allowWatchBookmarks="true",
            timeoutSeconds=str(WATCH_SECONDS),
        )
        timeout = httpx2.Timeout(WATCH_SECONDS + 30.0, connect=5.0)
        # Compressed, an event would wait until others have filled a block.
        headers = {"Accept-Encoding": "identity"}
        try:
            async with self._http.stream(
                "GET", path, params=params, headers=headers, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    body = await _read(response, path)
                    raise to_error(response.status_code, _decode(body), f"GET {path}")
                async for line in _lines(response):
                    yield _to_event(line, f"GET {path}")
        except httpx2.HTTPError as error:
            raise self._unreachable(error, f"GET {path}") from error

    async def find(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of a kind, None if the cluster has no such kind.

        What is not found is looked for again the next time: definitions come late.
        """
        known = self._found.setdefault(api_version, {})
        if kind not in known:
            path = (
                f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            )
            found = await self._send("GET", path, absent=True) or {}
            group, _, version = api_version.rpartition("/")
            for one in found.get("resources") or ():
                if "/" not in one["name"]:
                    known[one["kind"]] = Resource(
                        group, version, one["name"], one["kind"], one["namespaced"]
                    )
        return known.get(kind)

    async def fetch(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """Return a page of the API server as text: ``/metrics``, ``/version``."""
        content = await self._ask("GET", path, None, params or {}, "")
        if isinstance(content, _Refusal):
            raise to_error(content.code, _decode(content.body), f"GET {path}")
        return content.decode(errors="replace")

    async def _write(
        self,
        method: str,
        path: str,
        body: object,
        *,
        dry_run: bool,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        query = {**(params or {}), **({"dryRun": "All"} if dry_run else {})}
        done: Object = await self._send(
            method, path, body, params=query, content_type=content_type
        )
        return done

    async def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        absent: bool = False,
    ) -> Any:
        """Send JSON, return JSON; None for 404 where that is an answer."""
        data = None if body is None else json.dumps(body).encode()
        answer = await self._ask(method, path, data, params or {}, content_type)
        if not isinstance(answer, _Refusal):
            found = _decode(answer)
            if isinstance(found, str):
                raise ClusterError("the answer is not JSON", place=f"{method} {path}")
            return found
        if absent and answer.code == 404:
            return None
        raise to_error(answer.code, _decode(answer.body), f"{method} {path}")

    async def _ask(
        self,
        method: str,
        path: str,
        data: bytes | None,
        params: Mapping[str, str],
        content_type: str,
    ) -> bytes | _Refusal:
        """Ask, and ask again where the API server is busy and says so."""
        import httpx2  # noqa: PLC0415

        headers = {"Content-Type": content_type} if data is not None else {}
        for remaining in reversed(range(TRIES)):
            try:
                async with self._http.stream(
                    method, path, content=data, params=dict(params), headers=headers
                ) as response:
                    body = await _read(response, path)
            except httpx2.HTTPError as error:
                raise self._unreachable(error, f"{method} {path}") from error
            if response.is_success:
                return body
            pause = response.headers.get("retry-after", "")
            if response.status_code not in {429, 503} or not pause or not remaining:
                break
            seconds = float(pause) if pause.isdecimal() else 1.0
            await asyncio.sleep(min(seconds, PAUSE_SECONDS))
        return _Refusal(response.status_code, body)

    def _unreachable(self, error: Exception, place: str) -> UnreachableError:
        return UnreachableError(
            f"no answer from {self.server}: {str(error) or type(error).__name__}",
            place=place,
            hint="is the API server up, and is this the right context? "
            "kubectl get --raw /readyz",
        )


class _Refusal(NamedTuple):
    code: int
    body: bytes


def _params(**given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _namespace(content: Object) -> str:
    found: str = content.get("metadata", {}).get("namespace", "")
    return found


async def _read(response: httpx2.Response, path: str) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > ANSWER_BYTES:
            raise ClusterError(
                f"the answer is larger than {ANSWER_BYTES} bytes", place=path
            )
    return bytes(data)


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    waiting = bytearray()
    async for chunk in response.aiter_bytes():
        waiting += chunk
        *lines, rest = waiting.split(b"\n")
        for line in lines:
            yield bytes(line)
        waiting = rest
        if len(waiting) > EVENT_BYTES:
            raise ClusterError(f"an event is larger than {EVENT_BYTES} bytes")


def _to_event(line: bytes, place: str) -> Event:
    decoded = _decode(line)
    if isinstance(decoded, str):
        raise ClusterError("an event is not JSON", place=place)
    event = Event(decoded.get("type", ""), decoded.get("object") or {})
    if event.type == "ERROR":
        code = event.object.get("code", 500)
        if code == 410:
            raise GoneError(event.object.get("message", "expired"), place=place)
        raise to_error(code, event.object, place)
    return event


def _decode(body: bytes) -> Any:
    """Return JSON, or the text where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
