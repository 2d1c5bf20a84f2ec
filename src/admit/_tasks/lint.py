"""`admit lint`: files in, findings out."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec

from admit._tasks.documents import FILE_LIMIT_BYTES, STDIN, read_documents
from admit._tasks.lines import Lines
from admit.doctor import (
    API_VERSIONS,
    KINDS,
    SEVERITIES,
    Configuration,
    Context,
    Severity,
    is_at_least,
    lint,
)
from admit.doctor.validation import show_path
from admit.errors import ConfigError
from admit.matching import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admit._tasks.documents import Document
    from admit.doctor import Finding

__all__ = ("FindingReport", "LintOptions", "LintReport", "lint_files")

# Bytes of a certificate file: a chain has a few thousand.
CERTIFICATE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LintOptions:
    """What to look at.

    Args:
        files: files and folders with manifests; ``-`` is standard input.
        recursive: look into folders of folders.
        static: all configurations are of the API server's directory of static
            manifests; without it those are that have such a name.
        serving_certificate: file with what the webhook serves, in PEM.
        stdin: where standard input is read.
    """

    files: tuple[str, ...]
    recursive: bool = False
    static: bool = False
    serving_certificate: str = ""
    stdin: BinaryIO | None = None


class FindingReport(msgspec.Struct, frozen=True, rename="camel"):
    """A finding as ``-o json`` writes it; `line` is from 1."""

    id: str
    severity: Severity
    configuration: str
    webhook: str
    file: str
    line: int
    path: str
    reason: str
    hint: str
    link: str


class LintReport(msgspec.Struct, frozen=True, rename="camel"):
    """All findings, and how many of what."""

    findings: tuple[FindingReport, ...]
    configurations: int
    webhooks: int
    counts: dict[str, int]

    def has_at_least(self, severity: Severity) -> bool:
        """Tell whether a finding is as bad as this, or worse."""
        return any(is_at_least(finding.severity, severity) for finding in self.findings)


def lint_files(options: LintOptions) -> LintReport:
    """Look at every webhook configuration in files.

    Namespaces and CustomResourceDefinitions in the same files are taken for what the
    cluster has.

    Raises:
        ConfigError: a file cannot be read, or no configuration is in any of them.
    """
    stdin = b""
    if "-" in options.files and options.stdin is not None:
        stdin = options.stdin.read(FILE_LIMIT_BYTES + 1)
    documents = read_documents(
        options.files, stdin=io.BytesIO(stdin), recursive=options.recursive
    )
    ours = [document for document in documents if _is_configuration(document)]
    if not ours:
        raise ConfigError(
            f"no webhook configurations in {', '.join(options.files)}",
            hint="a ValidatingWebhookConfiguration or MutatingWebhookConfiguration; "
            "of a chart: helm template CHART | admit lint -",
        )
    configurations = [
        Configuration.read(document.content, number, static=options.static)
        for number, document in enumerate(ours)
    ]
    found = lint(configurations, _read_context(documents, options))
    lines = Lines(stdin.decode("utf-8-sig", "replace"))
    findings = tuple(_report(one, ours[one.configuration], lines) for one in found)
    counts = Counter(finding.severity for finding in findings)
    return LintReport(
        findings,
        len(ours),
        sum(len(c.decoded.content.get("webhooks", ())) for c in configurations),
        {severity: counts[severity] for severity in SEVERITIES},
    )


def _is_configuration(document: Document) -> bool:
    content = document.content
    return content["kind"] in KINDS and content["apiVersion"] in API_VERSIONS


def _read_context(documents: Sequence[Document], options: LintOptions) -> Context:
    namespaces, definitions = {}, []
    for document in documents:
        content = document.content
        kind = (content["apiVersion"], content["kind"])
        if kind == ("v1", "Namespace"):
            name, labels = _read_namespace(content)
            namespaces[name] = labels
        if kind == ("apiextensions.k8s.io/v1", "CustomResourceDefinition"):
            definitions.append(content)
    try:
        equivalents = BUILT_IN.with_custom(definitions)
    except (KeyError, TypeError, AttributeError):
        # Whether a definition is right is not what is asked here.
        equivalents = BUILT_IN
    certificate = b""
    if options.serving_certificate:
        certificate = _read_certificate(options.serving_certificate)
    return Context(
        namespaces=namespaces, equivalents=equivalents, serving_certificate=certificate
    )


def _read_namespace(content: dict[str, Any]) -> tuple[str, dict[str, str]]:
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    labels = metadata.get("labels")
    return str(metadata.get("name", "")), labels if isinstance(labels, dict) else {}


def _read_certificate(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(CERTIFICATE_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=name) from error


def _report(finding: Finding, document: Document, lines: Lines) -> FindingReport:
    return FindingReport(
        id=finding.id,
        severity=finding.severity,
        configuration=finding.name,
        webhook=finding.webhook,
        file="-" if document.source == STDIN else document.source,
        line=lines.find(document, finding.path),
        path=show_path(finding.path),
        reason=finding.reason,
        hint=finding.hint,
        link=finding.link,
    )
