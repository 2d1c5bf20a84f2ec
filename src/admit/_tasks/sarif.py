"""SARIF: findings as code hosts read them.

Source: OASIS SARIF 2.1.0, section 3; levels are those of 3.27.10.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from admit._version import __version__
from admit.doctor import CATALOGUE

if TYPE_CHECKING:
    from admit._tasks.lint import FindingReport, LintReport

__all__ = ("to_sarif",)

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}


def to_sarif(report: LintReport) -> dict[str, Any]:
    """Return the report as a SARIF log of one run."""
    rules = [
        {
            "id": check.id,
            "shortDescription": {"text": check.title},
            "fullDescription": {"text": check.why},
            "help": {"text": check.hint},
            "helpUri": check.link,
            "defaultConfiguration": {"level": LEVELS[check.severity]},
        }
        for check in CATALOGUE.values()
    ]
    driver = {"name": "admit", "semanticVersion": __version__, "rules": rules}
    results = [_to_result(finding) for finding in report.findings]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _to_result(finding: FindingReport) -> dict[str, Any]:
    uri = "stdin" if finding.file == "-" else quote(PurePath(finding.file).as_posix())
    name = ".".join(part for part in (finding.configuration, finding.path) if part)
    return {
        "ruleId": finding.id,
        "ruleIndex": list(CATALOGUE).index(finding.id),
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.reason}. To do: {finding.hint}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {"startLine": finding.line},
                },
                "logicalLocations": [{"fullyQualifiedName": name}],
            }
        ],
    }
