"""`admit review`: ask, and print what kubectl would."""

from __future__ import annotations

import difflib
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final, cast

import click

from admit._tasks.dialect import dump_yaml
from admit._tasks.requests import Wish
from admit._tasks.review import ObjectReport, ReviewOptions, review
from admit.cli.options import (
    NearChoice,
    debug_option,
    modes_option,
    output_option,
    policies_argument,
)
from admit.cli.output import clean, show_json, show_place
from admit.cli.root import DEBUG
from admit.errors import AdmitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.review import Operation

__all__ = ("command",)

# kubectl's verbs: what it says of a success, and of a failure.
VERBS: Final = {
    "CREATE": ("created", "creating"),
    "UPDATE": ("replaced", "replacing"),
    "DELETE": ("deleted", "deleting"),
}

TRACEBACK: Final = "--debug shows the traceback"

COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}

OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")


MANIFESTS: Final = (".yaml", ".yml", ".json")


class _Review(click.Command):
    """Knows what is meant by a manifest without ``-f``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            UsageError: wrong use; of a manifest behind POLICIES, what was meant.
        """
        try:
            return super().parse_args(ctx, [*args])
        except click.UsageError:
            # Says again what is wrong with an option; else it returns what is left.
            _, left, _ = self.make_parser(ctx).parse_args([*args])
            files = [name for name in left if name.lower().endswith(MANIFESTS)]
            if not files:
                raise
            meant = " ".join(f"-f {name}" for name in files)
            ctx.fail(f"Got unexpected argument {files[0]!r}. Did you mean {meant}?")


@click.command(
    "review", cls=_Review, short_help="Ask policies about manifests, without a cluster."
)
@policies_argument
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Manifests: a file, a folder, or - for standard input; YAML or JSON, lists, "
    "and AdmissionReviews as they are. May be repeated.",
)
@click.option("-R", "--recursive", is_flag=True, help="Look into folders of folders.")
@click.option(
    "--operation",
    type=NearChoice(OPERATIONS),
    help="What is done with the objects.  [default: CREATE; UPDATE with --old]",
)
@click.option(
    "--old",
    "old_files",
    multiple=True,
    metavar="FILE",
    help="For UPDATE: the objects as they are stored, paired by kind, "
    "namespace and name; one that pairs with nothing is an error.",
)
@click.option("-n", "--namespace", default="", help="Where, for objects that say not.")
@click.option("--subresource", default="", help="Such as status, or pods/resize.")
@click.option("--user", default="", help="Who asks.  [default: kubernetes-admin]")
@click.option("--group", "groups", multiple=True, help="The user's groups; repeatable.")
@click.option("--dry-run", is_flag=True, help="Ask as kubectl --dry-run=server does.")
@modes_option
@output_option("text", "json", "yaml")
@debug_option
def command(
    *,
    policies: str,
    files: tuple[str, ...],
    recursive: bool,
    operation: str | None,
    old_files: tuple[str, ...],
    modes: dict[str, Any],
    output: str,
    **wish: Any,
) -> None:
    """Ask POLICIES about objects, without a cluster, and print what kubectl would.

    POLICIES is a Python file, a folder of them, or module:app. The mutating webhooks
    are called in turn, then the validating ones, each with the very bytes that the
    API server would send; nothing is stored. The patch is shown as a difference of
    the object. With -o yaml the objects are printed as they would be stored; those that
    are denied are left out, and standard error says why.

    Not offline: the API server's own defaults, and `when` conditions, which count as
    true.

    Exit code 1 if an object is denied; 2 if a policy failed, whatever its failure
    policy makes of that: its answer is unknown.

    \b
    Examples:
      admit review policies.py -f pod.yaml
      kubectl get pods -A -o yaml | admit review policies.py -f - -o json
      admit review policies.py -f new.yaml --old old.yaml --user ada
    """  # noqa: D301 - click's mark
    options = ReviewOptions(
        source=policies,
        files=files,
        old_files=old_files,
        recursive=recursive,
        wish=_read_wish(operation, old_files, wish),
        modes=modes,
        stdin=sys.stdin.buffer if "-" in files else None,
    )
    reports = review(options)
    if output == "json":
        show_json([to_json(report) for report in reports])
    elif output == "yaml":
        _show_stored(reports)
    else:
        _show(reports)
    failures = [failure for report in reports for failure in report.failures]
    context = click.get_current_context()
    if context.find_root().meta.get(DEBUG):
        for failure in failures:
            traceback.print_exception(failure)
    if failures:
        context.exit(AdmitError.exit_code)
    if not all(report.allowed for report in reports):
        context.exit(1)


def _read_wish(
    operation: str | None, old_files: tuple[str, ...], wish: dict[str, Any]
) -> Wish:
    if operation is None:
        operation = "UPDATE" if old_files else "CREATE"
    if old_files and operation != "UPDATE":
        raise click.UsageError(f"--old is for UPDATE; {operation} has no old object")
    return Wish(operation=cast("Operation", operation), **wish)


def to_json(report: ObjectReport) -> dict[str, Any]:
    """Return the documented shape (docs/reference/cli-json.md)."""
    return {
        "allowed": report.allowed,
        "message": report.status.message,
        "reason": report.status.reason,
        "code": report.status.code,
        "warnings": report.warnings,
        "auditAnnotations": report.audit_annotations,
        "patch": report.patch,
        "object": report.object,
        "policies": [
            {
                "policy": result.policy,
                "verdict": result.verdict,
                "mode": result.mode,
                "message": result.message,
            }
            for result in report.policies
        ],
    }


def _show(reports: tuple[ObjectReport, ...]) -> None:
    for number, report in enumerate(reports):
        if number and (report.patch or reports[number - 1].patch):
            click.echo()
        _show_warnings(report)
        if report.allowed:
            click.echo(clean(_tell_success(report)))
        else:
            click.echo(clean(_tell_failure(report)))
        _show_remarks(report)
        for line in _compare(report):
            colour = COLOURS.get(line[:1])
            click.echo(click.style(line, fg=colour) if colour else line)


def _show_warnings(report: ObjectReport, *, err: bool = False) -> None:
    for warning in report.warnings:
        label = click.style("Warning:", fg="yellow", bold=True)
        click.echo(f"{label} {clean(warning)}", err=err)


def _show_remarks(report: ObjectReport, *, err: bool = False) -> None:
    for failure in report.failures:
        traced = TRACEBACK if failure.__cause__ else None
        show_place(failure.place, failure.hint or traced, err=err)
    for note in report.notes:
        click.echo(click.style(f"  note: {clean(note)}", dim=True), err=err)


def _show_stored(reports: tuple[ObjectReport, ...]) -> None:
    """Print what would be stored; all else goes to standard error."""
    for report in reports:
        _show_warnings(report, err=True)
        if not report.allowed or report.failures or report.notes:
            tell = _tell_success if report.allowed else _tell_failure
            click.echo(clean(tell(report)), err=True)
        _show_remarks(report, err=True)
    click.echo(dump_yaml(filter(None, map(_find_stored, reports))), nl=False)


def _find_stored(report: ObjectReport) -> dict[str, Any] | None:
    """Return the object that is stored; none of a DELETE, CONNECT or subresource is."""
    request = report.draft.request
    stores = request.operation in {"CREATE", "UPDATE"} and not request.sub_resource
    return report.object if stores and report.allowed else None


def _name_of(report: ObjectReport) -> tuple[str, str]:
    """Return kubectl's words for what it is, and which."""
    request = report.draft.request
    kind = request.request_kind or request.kind
    what = f"{kind.kind.lower()}.{kind.group}".rstrip(".")
    metadata = (report.object or {}).get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = request.name or metadata.get("name")
    return what, str(name or f"{metadata.get('generateName') or ''}xxxxx")


def _tell_success(report: ObjectReport) -> str:
    request = report.draft.request
    what, name = _name_of(report)
    if request.operation == "CONNECT":
        sub = f"/{request.sub_resource}" if request.sub_resource else ""
        return f"{request.resource.resource}{sub} {name} allowed (dry run)"
    done, _ = VERBS[request.operation]
    if request.operation == "DELETE":
        where = f" from {request.namespace} namespace" if request.namespace else ""
        return f'{what} "{name}" {done}{where} (dry run)'
    return f"{what}/{name} {done} (dry run)"


def _tell_failure(report: ObjectReport) -> str:
    request, status = report.draft.request, report.status
    if request.operation == "CONNECT":
        return f"error: unable to upgrade connection: {status.message}"
    _, doing = VERBS[request.operation]
    reason = f" ({status.reason})" if status.reason else ""
    return (
        f'Error from server{reason}: error when {doing} "{report.draft.document.source}'
        f'": {status.message}'
    )


def _compare(report: ObjectReport) -> Iterator[str]:
    """Yield the lines of a unified difference of the object before and after."""
    before = report.draft.request.object
    if not report.patch or before == report.object:
        return
    source = report.draft.document.source
    yield from difflib.unified_diff(
        dump_yaml([before]).splitlines(),
        dump_yaml([report.object]).splitlines(),
        source,
        f"{source} (after admission)",
        lineterm="",
    )
