"""Raw JSON to and from an API server, as tests want it: small and synchronous.

It finds the path of an object through discovery, so custom resources work. It does
not watch, page or retry.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from admit.errors import ClusterError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

# A webhook may take 30 s (webhook timeoutSeconds), and several run in turn.
TIMEOUT_SECONDS = 60.0

# On this machine; a longer wait says that nobody listens.
CONNECT_SECONDS = 5.0

# The largest answers are lists; an object is at most 3 MiB (etcd3/store.go).
MAX_ANSWER_BYTES = 64 * 1024 * 1024

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
# JSON is YAML.
APPLY_PATCH = "application/apply-patch+yaml"

# RFC 7234 section 5.5, with the code and agent that the API server sends.
WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')

Objects = list[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said.

    Args:
        code: the HTTP status.
        body: the decoded JSON; a str if it is not JSON (``/readyz``, ``/metrics``).
        warnings: the texts of the Warning headers, as kubectl prints them.
    """

    code: int
    body: Any
    warnings: tuple[str, ...]


class Client:
    """Ask an API server; every method that returns JSON raises when it says no.

    A target is an object (a dict with apiVersion, kind and metadata.name; without a
    namespace it is in ``default``) or the path of one, such as
    ``/api/v1/namespaces/default/pods/web``. May be used from several threads.

    Args:
        url: the API server's, such as ``https://127.0.0.1:6443``.
        context: TLS settings that hold the authority and the client certificate.
    """

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        timeout = httpx2.Timeout(timeout_seconds, connect=CONNECT_SECONDS)
        self._http = httpx2.Client(
            base_url=url, verify=context, timeout=timeout, trust_env=False
        )
        self._headers: list[tuple[str, str]] = []
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send one request and return the answer, whatever its code.

        Raises:
            ClusterError: there was no answer, or an unreasonably large one.
        """
        headers = [("Accept", "application/json"), *self._headers]
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers.append(("Content-Type", content_type))
        place = f"{method} {path}"
        try:
            with self._http.stream(
                method, path, content=content, headers=headers, params=params
            ) as response:
                data = _read(response, place)
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ClusterError(f"no answer: {reason}", place=place) from error
        return Answer(
            response.status_code, _decode(response, data), _warnings(response)
        )

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request and return the decoded body.

        Raises:
            ClusterError: the answer's code is 400 or more; the message is the API
                server's, ``status`` its Status object.
        """
        answer = self.send(method, path, body, params=params, content_type=content_type)
        if answer.code < 400:
            return answer.body
        status = answer.body if isinstance(answer.body, dict) else {}
        message = status.get("message") or f"HTTP {answer.code}: {answer.body}"
        raise ClusterError(message, status=status, place=f"{method} {path}")

    def get(self, target: Mapping[str, Any] | str) -> Any:
        """Return an object as it is now."""
        return self.request("GET", self._path(target))

    def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Objects:
        """Return the objects of a kind, of all namespaces if none is named."""
        path = self.collection_path(api_version, kind, namespace=namespace)
        items: Objects = self.request("GET", path, params=params)["items"]
        return items

    def create(
        self,
        object: Mapping[str, Any],
        *,
        dry_run: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Create an object; return it as the API server stored it."""
        path = self._collection_of(object)
        return self.request(
            "POST", path, object, params=_params(params, dry_run=dry_run)
        )

    def update(
        self,
        object: Mapping[str, Any],
        *,
        dry_run: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Replace an object; return it as the API server stored it."""
        path = self.path_of(object)
        return self.request(
            "PUT", path, object, params=_params(params, dry_run=dry_run)
        )

    def patch(
        self,
        target: Mapping[str, Any] | str,
        patch: Mapping[str, Any] | Sequence[Any],
        *,
        strategic: bool = False,
        dry_run: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Change an object: a list is a JSON Patch, a dict a merge patch.

        ``strategic`` reads the dict as a strategic merge patch.
        """
        merge = STRATEGIC_MERGE_PATCH if strategic else MERGE_PATCH
        return self.request(
            "PATCH",
            self._path(target),
            patch,
            params=_params(params, dry_run=dry_run),
            content_type=merge if isinstance(patch, dict) else JSON_PATCH,
        )

    def apply(
        self,
        object: Mapping[str, Any],
        *,
        field_manager: str = "admit",
        dry_run: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Apply an object on the server's side, taking over fields in conflict."""
        more = {"fieldManager": field_manager, "force": "true", **(params or {})}
        return self.request(
            "PATCH",
            self.path_of(object),
            object,
            params=_params(more, dry_run=dry_run),
            content_type=APPLY_PATCH,
        )

    def delete(
        self,
        target: Mapping[str, Any] | str,
        *,
        dry_run: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Delete an object; return what the API server says of it."""
        path = self._path(target)
        return self.request("DELETE", path, params=_params(params, dry_run=dry_run))

    def impersonate(
        self,
        user: str,
        groups: Sequence[str] = (),
        extra: Mapping[str, Sequence[str]] | None = None,
    ) -> Client:
        """Return a client that acts as another user, over the same connections.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/
        user-impersonation/
        """
        other = copy.copy(self)
        other._headers = [  # noqa: SLF001 - of the same class
            ("Impersonate-User", user),
            *(("Impersonate-Group", group) for group in groups),
            *(
                (f"Impersonate-Extra-{quote(name, safe='')}", value)
                for name, values in (extra or {}).items()
                for value in values
            ),
        ]
        return other

    def path_of(self, object: Mapping[str, Any]) -> str:
        """Return the path of an object; append ``/status`` for a subresource."""
        name = object.get("metadata", {}).get("name")
        if not name:
            raise ClusterError(f"{object.get('kind')} without metadata.name")
        return f"{self._collection_of(object)}/{quote(name, safe='')}"

    def collection_path(
        self, api_version: str, kind: str, *, namespace: str | None = None
    ) -> str:
        """Return the path where objects of a kind are listed and created.

        Raises:
            ClusterError: the API server does not serve that kind.
        """
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural, namespaced = self._resource(api_version, prefix, kind)
        if namespaced and namespace:
            return f"{prefix}/namespaces/{quote(namespace, safe='')}/{plural}"
        return f"{prefix}/{plural}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _path(self, target: Mapping[str, Any] | str) -> str:
        return target if isinstance(target, str) else self.path_of(target)

    def _collection_of(self, object: Mapping[str, Any]) -> str:
        namespace = object.get("metadata", {}).get("namespace") or "default"
        return self.collection_path(
            object["apiVersion"], object["kind"], namespace=namespace
        )

    def _resource(self, api_version: str, prefix: str, kind: str) -> tuple[str, bool]:
        """Return plural and scope of a kind, from the cluster's own discovery."""
        if kind not in self._kinds.get(api_version, {}):
            found = self.request("GET", prefix)["resources"]
            self._kinds[api_version] = {
                resource["kind"]: (resource["name"], resource["namespaced"])
                for resource in found
                if "/" not in resource["name"]
            }
        try:
            return self._kinds[api_version][kind]
        except KeyError:
            raise ClusterError(f"{api_version} has no kind {kind}") from None


def _params(params: Mapping[str, str] | None, *, dry_run: bool) -> dict[str, str]:
    return {**(params or {}), **({"dryRun": "All"} if dry_run else {})}


def _read(response: httpx2.Response, place: str) -> bytes:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise ClusterError(
                f"the answer is larger than {MAX_ANSWER_BYTES} bytes", place=place
            )
    return bytes(data)


def _decode(response: httpx2.Response, data: bytes) -> Any:
    if "json" not in response.headers.get("content-type", ""):
        return data.decode(errors="replace")
    try:
        return json.loads(data)
    except ValueError as error:
        raise ClusterError("the answer is not JSON", place=str(response.url)) from error


def _warnings(response: httpx2.Response) -> tuple[str, ...]:
    return tuple(
        re.sub(r"\\(.)", r"\1", text)
        for header in response.headers.get_list("warning")
        for text in WARNING.findall(header)
    )
