"""AdmissionReview: bytes to values, values to bytes.

What lives here: the wire form of `admission.k8s.io` v1 and v1beta1, every field, and
the API server's limits on what an answer may carry. What this file must not know:
sockets, clocks, policies. The objects under review stay raw bytes until somebody asks
for them: most of a review is never read.

Source: k8s.io/api/admission/v1/types.go; what the API server checks of an answer is in
apiserver pkg/admission/plugin/webhook/request/admissionreview.go.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from admit import patch as json_patch
from admit.errors import ReviewError

__all__ = (
    "AdmissionRequest",
    "AdmissionResponse",
    "GroupVersionKind",
    "GroupVersionResource",
    "PolicyResult",
    "Review",
    "Reviewer",
    "Status",
    "UserInfo",
    "check_audit_key",
    "decode_members",
    "decode_response",
    "decode_review",
    "decode_value",
    "encode_response",
    "encode_review",
    "fit_warnings",
)

GROUP: Final = "admission.k8s.io"
API_VERSIONS: Final = (f"{GROUP}/v1", f"{GROUP}/v1beta1")

# Characters that all warnings of one answer may have together, and what each is cut to
# beyond that (apiserver pkg/endpoints/filters/warning.go).
WARNINGS_TOTAL: Final = 4096
WARNING_CUT: Final = 256

Operation: TypeAlias = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
Verdict: TypeAlias = Literal["allow", "deny", "warn", "audit", "mutate"]


class _Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Camel case is the codec's business and nobody else's."""


class GroupVersionKind(_Wire, frozen=True):
    """Name a kind: ``{"group": "apps", "version": "v1", "kind": "Deployment"}``."""

    group: str = ""
    version: str = ""
    kind: str = ""


class GroupVersionResource(_Wire, frozen=True):
    """Name a resource: group and version as above, the plural as in URLs."""

    group: str = ""
    version: str = ""
    resource: str = ""


class UserInfo(_Wire, frozen=True):
    """Who asks, as the API server authenticated (or impersonated) them."""

    username: str = ""
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


_NULL: Final = msgspec.Raw(b"null")


class AdmissionRequest(_Wire, frozen=True, kw_only=True, dict=True):
    """Ask whether a change may happen.

    Shapes: the three JSON members are kept raw; `object`, `old_object` and `options`
    decode them when first read and give a dict, or None where the operation has none
    (DELETE has no object, CREATE no old one). `name` is empty on CREATE with
    generateName; `namespace` is empty for cluster-scoped objects.

    Raises:
        ReviewError: on reading a member that is not a JSON object (caller's fault).

    Source: admission/v1/types.go, AdmissionRequest.
    """

    uid: str
    kind: GroupVersionKind = GroupVersionKind()
    resource: GroupVersionResource = GroupVersionResource()
    sub_resource: str = ""
    request_kind: GroupVersionKind | None = None
    request_resource: GroupVersionResource | None = None
    request_sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    operation: Operation
    user_info: UserInfo = UserInfo()
    raw_object: msgspec.Raw = msgspec.field(name="object", default=_NULL)
    raw_old_object: msgspec.Raw = msgspec.field(name="oldObject", default=_NULL)
    dry_run: bool | None = False
    raw_options: msgspec.Raw = msgspec.field(name="options", default=_NULL)

    @property
    def object(self) -> dict[str, Any] | None:
        """The object as it would be stored; None on DELETE."""
        return self._read("object", self.raw_object)

    @property
    def old_object(self) -> dict[str, Any] | None:
        """The object as it is stored; None on CREATE and CONNECT."""
        return self._read("oldObject", self.raw_old_object)

    @property
    def options(self) -> dict[str, Any] | None:
        """CreateOptions, UpdateOptions or DeleteOptions as the client sent them."""
        return self._read("options", self.raw_options)

    def _read(self, member: str, raw: msgspec.Raw) -> dict[str, Any] | None:
        cache = self.__dict__
        if member not in cache:
            cache[member] = decode_object(raw, f"$.request.{member}")
        value: dict[str, Any] | None = cache[member]
        return value


class Review(_Wire, frozen=True):
    """A decoded AdmissionReview: its version, and what it asks."""

    api_version: str
    request: AdmissionRequest


class Status(_Wire, frozen=True):
    """Say why not: what the user's client gets, as `metav1.Status`."""

    message: str = ""
    reason: str = ""
    code: int = 0


class PolicyResult(_Wire, frozen=True):
    """What one policy said. Never on the wire: for people, logs and metrics."""

    policy: str
    verdict: Verdict
    mode: str = "enforce"
    message: str = ""


class AdmissionResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Answer a request.

    Shapes: `patch` holds operations, empty for none; `results` one entry for each
    policy that looked, which stays here.

    Source: admission/v1/types.go, AdmissionResponse.
    """

    allowed: bool = True
    status: Status | None = None
    patch: tuple[json_patch.Operation, ...] = ()
    warnings: tuple[str, ...] = ()
    audit_annotations: dict[str, str] = {}
    results: tuple[PolicyResult, ...] = ()


Reviewer: TypeAlias = Callable[[AdmissionRequest], Awaitable[AdmissionResponse]]
"""Everything that decides; what watches a decision wraps one."""


class _WireResponse(_Wire, frozen=True):
    uid: str
    allowed: bool = msgspec.field(default_factory=bool)  # a factory is never omitted
    status: Status | None = None
    patch: bytes | None = None
    patch_type: str | None = None
    audit_annotations: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class _Envelope(_Wire, frozen=True):
    api_version: str = ""
    kind: str = ""
    request: AdmissionRequest | None = None


class _ResponseEnvelope(_Wire, frozen=True):
    api_version: str
    kind: str
    response: _WireResponse


_decoder: Final = msgspec.json.Decoder(_Envelope)
_response_decoder: Final = msgspec.json.Decoder(_ResponseEnvelope)
_encoder: Final = msgspec.json.Encoder()


def decode_review(body: bytes) -> Review:
    """Read the request out of the bytes of an AdmissionReview.

    Keys are case-sensitive, unknown ones are ignored, and of duplicates the last one
    counts, as in the API server.

    Raises:
        ReviewError: not JSON, not an AdmissionReview of v1 or v1beta1, a member of the
            wrong type, or no uid; ``place`` is the JSON path. The caller's fault.
    """
    _check_text(body)
    envelope = _decode(_decoder, body)
    if envelope.kind != "AdmissionReview" or envelope.api_version not in API_VERSIONS:
        got = f"{envelope.api_version or 'no apiVersion'}, {envelope.kind or 'no kind'}"
        raise ReviewError(
            f"expected an AdmissionReview of {' or '.join(API_VERSIONS)}, got {got}",
            place="$.apiVersion" if envelope.kind == "AdmissionReview" else "$.kind",
            hint="this address answers the API server's admission calls only",
        )
    if envelope.request is None:
        raise ReviewError("the review asks nothing", place="$.request")
    if not envelope.request.uid:
        raise ReviewError("the request has no uid", place="$.request.uid")
    return Review(envelope.api_version, envelope.request)


def _check_text(body: bytes) -> None:
    """Refuse bytes that are not UTF-8, also in members that nobody will decode.

    Escapes that are none, such as half of a surrogate pair, the decoder finds itself.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise ReviewError("not JSON: invalid UTF-8", place="$") from None


def encode_review(review: Review) -> bytes:
    """Write an AdmissionReview that asks, as the API server does.

    ``object``, ``oldObject``, ``dryRun`` and ``options`` are always there.
    """
    request = msgspec.to_builtins(review.request, builtin_types=(msgspec.Raw,))
    for member in ("object", "oldObject", "options"):
        request.setdefault(member, None)
    request.setdefault("dryRun", False)
    return _encoder.encode(
        {
            "kind": "AdmissionReview",
            "apiVersion": review.api_version,
            "request": request,
        }
    )


def encode_response(api_version: str, uid: str, response: AdmissionResponse) -> bytes:
    """Write an AdmissionReview that answers, in the version that was asked.

    ``patch`` and ``patchType`` come together or not at all, and never with a denial:
    the API server refuses one without the other.
    """
    operations = response.patch if response.allowed else ()
    return _encoder.encode(
        _ResponseEnvelope(
            api_version,
            "AdmissionReview",
            _WireResponse(
                uid,
                response.allowed,
                response.status,
                json_patch.encode(operations) if operations else None,
                "JSONPatch" if operations else None,
                response.audit_annotations,
                response.warnings,
            ),
        )
    )


def decode_response(body: bytes) -> AdmissionResponse:
    """Read the answer out of the bytes of an AdmissionReview.

    Raises:
        ReviewError: the bytes are not an answer, or its patch is not a JSON Patch.
    """
    answer = _decode(_response_decoder, body).response
    return AdmissionResponse(
        allowed=answer.allowed,
        status=answer.status,
        patch=json_patch.decode(answer.patch) if answer.patch else (),
        warnings=answer.warnings,
        audit_annotations=answer.audit_annotations,
    )


def decode_members(raw: msgspec.Raw, place: str) -> dict[str, Any] | None:
    """Decode a JSON object or null, its members not: each stays a `msgspec.Raw`.

    Most of an object is never read; its managedFields alone are half of a pod.

    Raises:
        ReviewError: it is something else, or not JSON; ``place`` is its path.
    """
    members: dict[str, Any] | None = _decode(_members_decoder, raw, place)
    return members


def decode_value(raw: msgspec.Raw, place: str) -> Any:
    """Decode a member that `decode_members` left.

    Raises:
        ReviewError: it is not JSON; ``place`` is its path.
    """
    return _decode(_object_decoder, raw, place)


def decode_object(raw: msgspec.Raw | bytes, place: str) -> dict[str, Any] | None:
    """Decode a member that is a JSON object or null.

    Raises:
        ReviewError: it is something else, or not JSON; ``place`` is its path.
    """
    value = _decode(_object_decoder, raw, place)
    if value is None or isinstance(value, dict):
        return value
    raise ReviewError(
        f"expected an object or null, got {type(value).__name__}", place=place
    )


_object_decoder: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


def _decode(
    decoder: msgspec.json.Decoder[Any], data: bytes | msgspec.Raw, place: str = "$"
) -> Any:
    """Decode, and give each way to fail its place. None of the body is quoted."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        where = path.rstrip("`") or "$"
        raise ReviewError(reason, place=place + where.removeprefix("$")) from None
    except msgspec.DecodeError as error:
        raise ReviewError(f"not JSON: {error}", place=place) from None
    except UnicodeDecodeError:
        raise ReviewError("not JSON: invalid UTF-8", place=place) from None
    except RecursionError:
        raise ReviewError("nested too deeply", place=place) from None


_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]+")


def fit_warnings(texts: list[str]) -> tuple[str, ...]:
    """Make warnings that reach the user: the API server drops others in silence.

    Control characters (line ends too) become a space, empty and repeated ones go;
    where all together exceed 4,096 characters each is cut to 256, and the last one that
    fits says how many follow.

    Source: apiserver pkg/endpoints/filters/warning.go, apimachinery NewWarningHeader.
    """
    clean = list(dict.fromkeys(_UNPRINTABLE.sub(" ", text).strip() for text in texts))
    if "" in clean:
        clean.remove("")
    if sum(map(len, clean)) <= WARNINGS_TOTAL:
        return tuple(clean)
    cut = [
        text if len(text) <= WARNING_CUT else text[: WARNING_CUT - 1] + "…"
        for text in clean
    ]
    if sum(map(len, cut)) <= WARNINGS_TOTAL:
        return tuple(cut)
    room = WARNINGS_TOTAL // WARNING_CUT - 1
    return (*cut[:room], f"and {len(cut) - room} more warnings")


_AUDIT_KEY: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def check_audit_key(key: str) -> str | None:
    """Return what is wrong with an audit annotation's key, or None.

    The API server puts ``<webhook name>/`` before it and drops what is then no
    qualified name with a line in its own log only (apiserver pkg/admission/audit.go).
    """
    if _AUDIT_KEY.fullmatch(key):
        return None
    return (
        f"audit annotation key {key!r} is not a qualified name: at most 63 letters, "
        "digits, '-', '_' or '.', with a letter or digit at each end and no '/'"
    )
