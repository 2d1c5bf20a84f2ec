"""`admit review`: what would the API server, and with it kubectl, say?

The admission chain of one request, offline: mutating webhooks in turn, each sees what
its predecessors left; those whose object changed behind them once more; then the
validating ones. Every call goes through `exchange`, bytes to bytes, as over the wire.

What is not offline: the API server's defaults, other people's webhooks, and `when`,
which counts as true.

Source: apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go,
errors/statuserror.go, pkg/admission/reinvocation.go.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec

from admit import patch as json_patch
from admit._exchange import exchange, read_timeout
from admit._tasks.defaulting import find_defaulted
from admit._tasks.documents import Document, read_documents
from admit._tasks.load import Policies, load_policies
from admit._tasks.pairs import pair_up
from admit._tasks.requests import Draft, Wish, draft_request
from admit._tasks.resources import Kinds
from admit._tasks.webhooks import Entry, to_entry
from admit.errors import AdmitError, ConfigError, ReviewError
from admit.review import (
    AdmissionRequest,
    AdmissionResponse,
    PolicyResult,
    Review,
    Status,
    decode_response,
    encode_review,
)
from admit.webhook import ClientConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from admit._handler import Mode

__all__ = ("ObjectReport", "ReviewOptions", "review")

# What the API server puts behind a generateName; here always the same.
GENERATED: Final = "xxxxx"

_ALLOWED: Final = Status(message="", reason="", code=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """Which policies look at which objects, and what somebody does with these.

    Args:
        source: a Python file, a folder of them, or ``module:app``.
        files: manifests: files, folders, ``-`` for `stdin`.
        old_files: for UPDATE, the objects as they are stored.
        wish: operation, user, namespace and the rest.
    """

    source: str
    files: tuple[str, ...]
    old_files: tuple[str, ...] = ()
    recursive: bool = False
    wish: Wish = field(default_factory=Wish)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    stdin: BinaryIO | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReport:
    """What became of one object.

    Args:
        draft: what was asked.
        status: of a denial or failure what the client gets; code 200 where allowed.
        audit_annotations: as in the audit log, each with its webhook's name in front.
        patch: what all mutating webhooks together did, in order.
        object: as mutated; None where the operation has none.
        policies: one result for each time a policy was asked.
        failures: calls that failed, whatever failurePolicy made of them: nobody knows
            what these policies would have said.
        notes: what was assumed, and what the author may not expect.
    """

    draft: Draft
    status: Status = _ALLOWED
    warnings: tuple[str, ...] = ()
    audit_annotations: dict[str, str] = field(default_factory=dict)
    patch: tuple[json_patch.Operation, ...] = ()
    object: dict[str, Any] | None = None
    policies: tuple[PolicyResult, ...] = ()
    failures: tuple[AdmitError, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request passes."""
        return self.status is _ALLOWED


def review(options: ReviewOptions) -> tuple[ObjectReport, ...]:
    """Review every object of the files; none of them is stored anywhere.

    Raises:
        ConfigError: a file cannot be read, or an object makes no request; the place.
        PolicyError: the policies cannot be loaded; file and line.
    """
    policies = load_policies(options.source, modes=options.modes)
    documents = read_documents(
        options.files, stdin=options.stdin, recursive=options.recursive
    )
    olds = read_documents(options.old_files) if options.old_files else ()
    drafts = _draft(policies, documents, olds, options.wish)
    try:
        return asyncio.run(_review_all(_Chain(policies), drafts))
    finally:
        policies.close()


async def _review_all(
    chain: _Chain, drafts: Sequence[Draft]
) -> tuple[ObjectReport, ...]:
    return tuple([await chain.run(draft) for draft in drafts])


def _draft(
    policies: Policies,
    documents: Sequence[Document],
    olds: Sequence[Document],
    wish: Wish,
) -> list[Draft]:
    """Make all requests before the first is asked, and tell of all that cannot be.

    Raises:
        ConfigError: some objects make no request.
    """
    kinds = Kinds(policies.apps, (*documents, *olds))
    pairs = pair_up(documents, olds)
    drafts: list[Draft] = []
    errors: list[AdmitError] = []
    for number, document in enumerate(documents):
        uid, old = str(uuid.uuid4()), pairs.get(number)
        try:
            drafts.append(draft_request(document, wish, kinds, uid=uid, old=old))
        except ConfigError as error:
            errors.append(error)
        except ReviewError as error:
            place = f"{document.place} {error.place}"
            errors.append(ConfigError(error.message, place=place, hint=error.hint))
    if len(errors) == 1:
        raise errors[0]
    if errors:
        lines = "".join(f"\n  {error}" for error in errors)
        raise ConfigError(f"{len(errors)} objects cannot be reviewed:{lines}")
    return drafts


class _Refused(Exception):  # noqa: N818 - ends the chain, as the API server does
    """The request is over."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class _Recorded:
    """A Reviewer that keeps what never goes on the wire: results, and what failed."""

    def __init__(self, entry: Entry, results: list[PolicyResult]) -> None:
        self._endpoint = entry.endpoint
        self._results = results
        self.failure: AdmitError | None = None
        self.suspends = entry.endpoint.suspends

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        try:
            response = await self._endpoint(request)
        except AdmitError as error:
            self.failure = error
            raise
        self._results += response.results
        return response


class _Chain:
    """The webhooks of some policies in the order in which the API server has them."""

    def __init__(self, policies: Policies) -> None:
        # By configuration name, then as they stand in the configuration.
        entries = [
            to_entry(endpoint, ClientConfig())
            for mounted in sorted(
                policies.mounted, key=attrgetter("configuration_name")
            )
            for endpoint in mounted.endpoints
        ]
        self.mutating = [entry for entry in entries if entry.endpoint.mutating]
        self.validating = [entry for entry in entries if not entry.endpoint.mutating]

    async def run(self, draft: Draft) -> ObjectReport:
        """Ask every webhook that the API server would ask."""
        run = _Run(draft)
        status = _ALLOWED
        try:
            await self._mutate(run)
            run.store()
            await self._validate(run)
        except _Refused as refused:
            status = refused.status
        if not run.asked:
            run.note("no policy looks at it")
        return ObjectReport(
            draft=draft,
            status=status,
            warnings=tuple(run.warnings),
            audit_annotations=run.audit_annotations,
            patch=tuple(run.patch),
            object=run.object,
            policies=tuple(run.results),
            failures=tuple(run.failures),
            notes=(*draft.notes, *run.notes),
        )

    async def _mutate(self, run: _Run) -> None:
        """Ask in turn; where a later one changed the object, the earlier ones again."""
        seen: list[Entry] = []
        again: list[Entry] = []
        for is_second_round in (False, True):
            for entry in self.mutating:
                if is_second_round and entry not in again:
                    continue
                if not run.is_asked(entry):
                    continue
                if await run.mutate(entry):
                    again += seen
                    seen.clear()
                seen.append(entry)

    async def _validate(self, run: _Run) -> None:
        """Ask all, whatever one says; kubectl shows one refusal, here the first."""
        refusals = []
        for entry in self.validating:
            if run.is_asked(entry):
                try:
                    await run.call(entry)
                except _Refused as refused:
                    refusals.append(refused)
        for other in refusals[1:]:
            run.note(f"refused too: {other.status.message}")
        if refusals:
            raise refusals[0]


class _Run:
    """One request on its way through the chain."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.review = draft.review
        self.object = copy.deepcopy(draft.request.object)
        self.asked: set[str] = set()
        self.results: list[PolicyResult] = []
        self.patch: list[json_patch.Operation] = []
        self.warnings: list[str] = []
        self.audit_annotations: dict[str, str] = {}
        self.failures: list[AdmitError] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Note something once."""
        if text not in self.notes:
            self.notes.append(text)

    def is_asked(self, entry: Entry) -> bool:
        """Tell whether the API server sends the request there."""
        request = self.review.request
        if not entry.endpoint.matches(request):
            return False
        why = entry.why_not_asked(request)
        if why is not None:
            self.note(f"{entry.webhook.name} is not asked: {why}")
            return False
        if entry.endpoint.when:
            names = ", ".join(handler.name for handler in entry.endpoint.handlers)
            self.note(f"{names}: `when` is not evaluated here and counts as true")
        self.asked.add(entry.webhook.name)
        return True

    async def mutate(self, entry: Entry) -> bool:
        """Ask a mutating webhook; return whether it changed the object."""
        asked = len(self.results)
        response = await self.call(entry)
        if response is None or not response.patch or self.object is None:
            return False
        before = self.object
        self.object = json_patch.apply(before, response.patch)
        self._note_defaulted(response.patch, self.results[asked:])
        self.patch += response.patch
        self._send(self.object)
        return not json_patch.same(before, self.object)

    def _note_defaulted(
        self, patch: Sequence[json_patch.Operation], results: Sequence[PolicyResult]
    ) -> None:
        """Note what a policy adds here that is there already in a cluster."""
        request = self.review.request
        if self.draft.document.content["kind"] == "AdmissionReview":
            return  # of an API server, with its defaults
        kind = request.kind
        api_version = f"{kind.group}/{kind.version}".lstrip("/")
        names = " or ".join(one.policy for one in results if one.verdict == "mutate")
        for path, value in find_defaulted(api_version, kind.kind, patch):
            self.note(
                f"{names} sets {path}, which the API server has set before, such as "
                f"to {msgspec.json.encode(value).decode()}: set only where it is "
                "absent, it is never set in a cluster"
            )

    def store(self) -> None:
        """Give a new object what the API server gives it before it is validated."""
        if self.review.request.operation != "CREATE" or self.object is None:
            return
        stored = copy.deepcopy(self.object)
        metadata = stored.get("metadata")
        if not isinstance(metadata, dict):
            return
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{GENERATED}"
        metadata.setdefault("uid", str(uuid.uuid4()))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata.setdefault("creationTimestamp", now)
        self._send(stored, name=str(metadata.get("name") or ""))

    def _send(self, document: Mapping[str, Any], *, name: str = "") -> None:
        request = self.review.request
        self.review = Review(
            self.review.api_version,
            msgspec.structs.replace(
                request,
                raw_object=msgspec.Raw(msgspec.json.encode(document)),
                name=request.name or name,
            ),
        )

    async def call(self, entry: Entry) -> AdmissionResponse | None:
        """Call one webhook as the API server does; None if it failed open.

        Raises:
            _Refused: the webhook denies, or failed and must not.
        """
        seconds = entry.endpoint.timeout_seconds
        now = asyncio.get_running_loop().time()
        recorded = _Recorded(entry, self.results)
        reply = await exchange(
            recorded,
            encode_review(self.review),
            deadline=now + read_timeout(f"{seconds}s", seconds),
        )
        if reply.status != 200:
            message = msgspec.json.decode(reply.body)["message"]
            place = entry.endpoint.handlers[0].place
            self.failures.append(recorded.failure or AdmitError(message, place=place))
            self._fail(entry, message)
            return None
        response = decode_response(reply.body)
        self._collect(entry, response)
        if response.status is not None:
            raise _Refused(_to_client(entry, response.status))
        return response

    def _collect(self, entry: Entry, response: AdmissionResponse) -> None:
        for key, value in response.audit_annotations.items():
            self.audit_annotations.setdefault(f"{entry.webhook.name}/{key}", value)
        for warning in response.warnings:
            if warning not in self.warnings:
                self.warnings.append(warning)

    def _fail(self, entry: Entry, message: str) -> None:
        """Do what failurePolicy says."""
        name = entry.webhook.name
        failure = f'failed calling webhook "{name}": failed to call webhook: {message}'
        if entry.webhook.failure_policy == "Fail":
            raise _Refused(
                Status(f"Internal error occurred: {failure}", "InternalError", 500)
            )
        self.note(f"failurePolicy Ignore lets it pass: {failure}")


def _to_client(entry: Entry, status: Status) -> Status:
    """Return what the client gets for a denial; a policy's always has a message."""
    message = f'admission webhook "{entry.webhook.name}" denied the request: '
    return Status(message + status.message, status.reason, status.code)
