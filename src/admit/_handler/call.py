"""Calling a handler, and what its answer means.

One request passes through one `Decision`, which collects what every handler says.
Whatever a handler raises that is no denial leaves here as `HandlerError`: a bug in a
policy is a failed call, so that the operator's failurePolicy means what it says.
"""

from __future__ import annotations

import asyncio
import copy
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from admit.errors import AdmitError, Deny, HandlerError, PolicyError, ReviewError
from admit.review import PolicyResult, check_audit_key, decode_members
from admit.view import Record

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from types import TracebackType

    from admit._handler.declare import Handler
    from admit.review import AdmissionRequest, Verdict

__all__ = ("Decision", "Running", "call")

# Threads that all blocking handlers of an app share: enough to overlap a few slow
# look-ups, few enough that a stuck one shows before it takes the machine.
THREADS: Final = 8

# Characters that an audit annotation's value may have; a policy's message is shorter,
# and every byte is written to the audit log of every API server.
AUDIT_VALUE_LENGTH: Final = 10 * 1024


class Running:
    """Which handler holds the event loop now; a watchdog thread reads it.

    `count` changes with every call, so that two looks can tell one long call from two.
    """

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.count = 0

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """Where blocking handlers run; made when the first one is called."""
        return ThreadPoolExecutor(THREADS, thread_name_prefix="admit-blocking")


class Decision:
    """What the handlers of one webhook say about one request, so far."""

    __slots__ = (
        "audit",
        "before",
        "denials",
        "edited",
        "record",
        "request",
        "results",
        "running",
        "warnings",
    )

    def __init__(
        self, request: AdmissionRequest, running: Running, *, mutating: bool
    ) -> None:
        self.request = request
        self.running = running
        new = decode_members(request.raw_object, "$.request.object")
        old = None
        if request.operation != "CREATE":
            old = decode_members(request.raw_old_object, "$.request.oldObject")
        # What a DELETE is about is the object that goes; nothing of it can be edited.
        self.record = Record(
            (old if new is None else new) or {},
            editable=mutating and new is not None,
        )
        self.edited = self.record
        self.before = None if old is None else Record(old, editable=False)
        self.warnings: list[str] = []
        self.audit: dict[str, str] = {}
        self.denials: list[tuple[Handler, Deny]] = []
        self.results: list[PolicyResult] = []

    @property
    def frozen(self) -> bool:
        """Whether the handlers still to come may only look."""
        return not self.record.editable

    def freeze(self) -> None:
        """Let the handlers still to come see what was edited, and edit nothing."""
        self.record = Record(self.edited.document, editable=False)

    def matches(self, handler: Handler) -> bool:
        """Tell whether a handler whose rules match is asked."""
        if not handler.filters and self.request.operation != "UPDATE":
            return True
        return (
            handler.matches_namespace(self.request.namespace)
            and (
                handler.selector is None
                or handler.matches_labels(
                    self.record.document,
                    None if self.before is None else self.before.document,
                )
            )
            and not self._is_leaving(handler)
        )

    def _is_leaving(self, handler: Handler) -> bool:
        """An object under deletion loses its finalizers whatever its spec is."""
        return (
            self.request.operation == "UPDATE"
            and handler.options.ratchet
            and not handler.mutating
            and bool(_metadata(self.record.document).get("deletionTimestamp"))
        )

    def arguments(self, handler: Handler, record: Record) -> dict[str, Any]:
        """Return what a handler asked for, by parameter name."""
        return {
            name: record.view(handler.kind_for(self.request))
            if source == "object"
            else self._argument(handler, source)
            for name, source in handler.signature.parameters
        }

    def _argument(self, handler: Handler, source: str) -> Any:
        match source:
            case "old":
                if self.before is None:
                    return None
                return self.before.view(handler.kind_for(self.request))
            case "request":
                return self.request
            case "warn":
                return lambda text: self.warnings.append(str(text))
            case _:
                return self.annotate

    def annotate(self, key: str, value: str) -> None:
        """Add an audit annotation; values of the same key are joined.

        Raises:
            PolicyError: the API server would drop the key in silence.
        """
        wrong = check_audit_key(key)
        if wrong:
            raise PolicyError(wrong, hint="the webhook's name is put before it")
        before = self.audit.get(key)
        text = value if before in {None, value} else f"{before}, {value}"
        self.audit[key] = text[:AUDIT_VALUE_LENGTH]

    def add(self, handler: Handler, verdict: Verdict, message: str = "") -> None:
        """Note what a policy said."""
        self.results.append(PolicyResult(handler.name, verdict, handler.mode, message))

    def refuse(self, handler: Handler, deny: Deny) -> None:
        """Let a denial do what the policy's mode says."""
        line = sign(deny.message, handler)
        match handler.mode:
            case "enforce":
                self.denials.append((handler, deny))
                self.add(handler, "deny", deny.message)
            case "warn":
                self.warnings.append(line)
                self.add(handler, "warn", deny.message)
            case "audit":
                self.annotate(handler.name.strip("_-"), deny.message)
                self.add(handler, "audit", deny.message)


def sign(message: str, handler: Handler) -> str:
    """Put the policy's name behind the first line, which is what a user reads."""
    first, line_end, rest = message.strip().partition("\n")
    return f"{first} [{handler.name}]{line_end}{rest}"


def call(handler: Handler, decision: Decision) -> Coroutine[Any, Any, None] | None:
    """Ask one handler and note its answer; return what is left to await, if anything.

    Most handlers compute, and allow: for them nothing is left. What is returned for
    other sync handlers never suspends.

    Raises:
        HandlerError: it raised something that is no denial, or answered nonsense.
        ReviewError: it read a part of the object that has the wrong type.
    """
    if handler.mutating:
        return _mutate(handler, decision)
    if handler.style != "sync":
        return _validate(handler, decision)
    denials = _ask_now(handler, decision, decision.record)
    if denials:
        return _weigh(handler, decision, denials)
    decision.add(handler, "allow")
    return None


async def _validate(handler: Handler, decision: Decision) -> None:
    denials = await _ask(handler, decision, decision.record)
    if denials:
        await _weigh(handler, decision, denials)
    else:
        decision.add(handler, "allow")


async def _weigh(handler: Handler, decision: Decision, denials: list[Deny]) -> None:
    """Note denials; of those that the old object earns too, a warning is left."""
    earned_before = await _ask_before(handler, decision)
    for deny in denials:
        if deny.message in earned_before:
            decision.warnings.append(f"{sign(deny.message, handler)}, as before")
            decision.add(handler, "warn", deny.message)
        else:
            decision.refuse(handler, deny)


async def _ask_before(handler: Handler, decision: Decision) -> set[str]:
    """Return the denials that the old object earns; what else is said of it is lost."""
    before, ratchet = decision.before, handler.options.ratchet
    if before is None or decision.request.operation != "UPDATE" or not ratchet:
        return set()
    warnings, audit = decision.warnings, decision.audit
    decision.warnings, decision.audit = [], {}
    try:
        denials = await _ask(handler, decision, before)
    except (HandlerError, ReviewError):
        return set()  # no answer about the old object excuses nothing
    finally:
        decision.warnings, decision.audit = warnings, audit
    return {deny.message for deny in denials}


async def _mutate(handler: Handler, decision: Decision) -> None:
    """Let a handler edit: the object itself, or a copy where it may only tell."""
    record = decision.record
    if handler.mode != "enforce":
        record = Record(copy.deepcopy(record.document), editable=record.editable)
    edits = record.edits
    denials = await _ask(handler, decision, record)
    for deny in denials:
        decision.refuse(handler, deny)
    if record is not decision.record:
        paths = ", ".join(operation.path for operation in record.operations())
        if paths:
            decision.refuse(handler, Deny(f"would change {paths}"))
            return
    if record.edits != edits:
        decision.add(handler, "mutate")
    elif not denials:
        decision.add(handler, "allow")


def _ask_now(handler: Handler, decision: Decision, record: Record) -> list[Deny]:
    """Call a handler that only computes, and say so to the watchdog."""
    running = decision.running
    running.handler = handler
    running.count += 1
    try:
        return _run(handler, decision.arguments(handler, record))
    finally:
        running.handler = None


async def _ask(handler: Handler, decision: Decision, record: Record) -> list[Deny]:
    if handler.style == "sync":
        return _ask_now(handler, decision, record)
    arguments = decision.arguments(handler, record)
    try:
        if handler.style == "async":
            return await _run_async(handler, arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            decision.running.threads, _run, handler, arguments
        )
    except asyncio.CancelledError as cancelled:
        cancelled.args = (handler.name,)  # who was running, for the 504
        raise


def _run(handler: Handler, arguments: dict[str, Any]) -> list[Deny]:
    """Collect denials one by one: those yielded before a raise count too."""
    denials: list[Deny] = []
    try:
        answer = handler.function(**arguments)
        if answer is None:
            return denials
        for item in answer if handler.yields else _answers(answer):
            denials.append(_check_denial(handler, item))  # noqa: PERF401
    except Deny as deny:
        denials.append(deny.with_traceback(None))  # its frames hold the object
    except (HandlerError, ReviewError):
        raise
    except Exception as error:
        raise _to_handler_error(handler, error) from error
    return denials


async def _run_async(handler: Handler, arguments: dict[str, Any]) -> list[Deny]:
    denials: list[Deny] = []
    try:
        if handler.yields:
            async for item in handler.function(**arguments):
                denials.append(_check_denial(handler, item))  # noqa: PERF401
        else:
            answer = await handler.function(**arguments)
            denials.extend(_check_denial(handler, item) for item in _answers(answer))
    except Deny as deny:
        denials.append(deny.with_traceback(None))  # its frames hold the object
    except (HandlerError, ReviewError):
        raise
    except Exception as error:
        raise _to_handler_error(handler, error) from error
    return denials


def _answers(answer: object) -> Iterable[object]:
    return () if answer is None else (answer,)


def _check_denial(handler: Handler, answer: object) -> Deny:
    """A function that returns False must not become one that silently allows."""
    if isinstance(answer, Deny):
        return answer
    raise HandlerError(
        f"policy {handler.name} answered with a {type(answer).__name__}",
        policy=handler.name,
        reason="BadAnswer",
        place=handler.place,
        hint='refuse with `raise Deny("…")` or `yield Deny("…")`, allow with nothing',
    )


def _to_handler_error(handler: Handler, error: Exception) -> HandlerError:
    """Say who failed and where.

    What an exception says may quote the object: only admit's own, which never do, are
    repeated.
    """
    name = next(c.__name__ for c in type(error).__mro__ if not _is_private(c))
    own = isinstance(error, AdmitError) or getattr(error, "admit_safe", False)
    detail = f"{name}: {error}" if own else name
    return HandlerError(
        f"policy {handler.name} failed: {detail}",
        policy=handler.name,
        reason=name,
        place=_raised_at(error.__traceback__, handler),
    )


def _is_private(cls: type) -> bool:
    """Tell whether a policy's author cannot know a class by its name."""
    return cls.__name__.startswith("_") or cls.__module__.startswith("admit.view.")


def _raised_at(traceback: TracebackType | None, handler: Handler) -> str:
    """Return the innermost line of the policy's own file that the error passed."""
    file, _, _ = handler.place.rpartition(":")
    place = handler.place
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == file:
            place = f"{file}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _metadata(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
