"""What doctor found, as one page that needs nothing else: no script, no other file."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from admit.doctor import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from admit._tasks.doctor import DoctorReport, WebhookReport
    from admit.doctor.live.snapshot import LiveFinding

__all__ = ("render_page",)

# Pixels of the picture.
ROW: Final = 34
LEFT: Final = 260
RIGHT: Final = 560
WIDTH: Final = 980
TOP: Final = 40

# Resources and webhooks that are drawn; of more the list tells.
DRAWN: Final = 60

STYLE: Final = """
:root { color-scheme: light dark; --error: #c62828; --warning: #b26a00; --info: #1565c0;
  --ok: #2e7d32; --line: #8884; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --error: #ff6b6b; --warning: #ffb74d;
  --info: #64b5f6; --ok: #81c784; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.about { color: GrayText; margin-top: .2rem; }
.counts span { display: inline-block; padding: .1rem .6rem; margin-right: .5rem;
  border-radius: 1rem; border: 1px solid currentColor; }
article { border-left: 4px solid; padding: .4rem .9rem; margin: .8rem 0;
  background: var(--soft); }
article h3 { font-size: 1rem; margin: 0; color: CanvasText; }
article p { margin: .2rem 0; color: CanvasText; }
article ul { margin: .3rem 0; color: CanvasText; } code, .do { font-family: monospace; }
.do { background: var(--soft); padding: .3rem .6rem; white-space: pre-wrap;
  overflow-wrap: anywhere; color: CanvasText; }
li { overflow-wrap: anywhere; }
.error { color: var(--error); } .warning { color: var(--warning); }
.info { color: var(--info); } .ok { color: var(--ok); }
svg { width: 100%; height: auto; } svg text { font-size: 13px; fill: CanvasText; }
svg .small { font-size: 11px; fill: GrayText; } svg path { fill: none; stroke-width: 2;
  stroke: currentColor; opacity: .7; } svg circle { fill: currentColor; }
"""


def render_page(report: DoctorReport) -> str:
    """Return the page; everything that a cluster says in it is escaped."""
    counts = "".join(
        f'<span class="{severity}">{report.counts[severity]} {severity}</span>'
        for severity in SEVERITIES
    )
    seen = f"{report.seen_at:%Y-%m-%d %H:%M:%S} UTC"
    unseen = "".join(f"<li>{escape(text)}</li>" for text in report.unseen)
    findings = "\n".join(map(_article, report.findings))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>admit doctor: {escape(report.server)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Webhooks of {escape(report.server)}</h1>
<p class="about">{len(report.webhooks)} webhooks, seen at {seen} by admit doctor</p>
<p class="counts">{counts}</p>
<h2>What stands before what</h2>
{_picture(report.webhooks)}
<h2>Findings</h2>
{findings or "<p>Nothing found.</p>"}
{f"<h2>Not looked at</h2><ul>{unseen}</ul>" if unseen else ""}
</body>
</html>
"""


def _article(finding: LiveFinding) -> str:
    about = escape(finding.webhook or finding.configuration)
    where = f" in {escape(finding.configuration)}" if finding.webhook else ""
    evidence = "".join(f"<li>{escape(line)}</li>" for line in finding.evidence)
    return f"""<article class="{finding.severity}">
<h3>{about}: {escape(finding.cause)}</h3>
<p><b class="{finding.severity}">{finding.severity}</b>
<a href="{escape(finding.link)}">{escape(finding.id)}</a>{where}</p>
<ul>{evidence}</ul>
<p class="do">{escape(finding.remedy)}</p>
</article>"""


def _picture(webhooks: Sequence[WebhookReport]) -> str:
    """Draw resources to the left, webhooks to the right, a line where one is asked."""
    drawn = webhooks[:DRAWN]
    resources = list(dict.fromkeys(r for one in drawn for r in one.resources))[:DRAWN]
    rows = max(len(resources), len(drawn), 1)
    body = "\n".join(_shapes(drawn, resources))
    left = len(webhooks) - len(drawn)
    more = f"<p>and {left} webhooks that are not drawn</p>" if left > 0 else ""
    return f"""<svg viewBox="0 0 {WIDTH} {TOP + rows * ROW}" role="img"
 aria-label="Which webhooks stand before which resources">
<text class="small" x="{LEFT - 12}" y="18" text-anchor="end">a write of</text>
<text class="small" x="{RIGHT + 12}" y="18">asks</text>
{body}
</svg>{more}"""


def _shapes(
    webhooks: Sequence[WebhookReport], resources: Sequence[str]
) -> Iterator[str]:
    at = {resource: TOP + n * ROW for n, resource in enumerate(resources)}
    for number, one in enumerate(webhooks):
        y = TOP + number * ROW
        for resource in one.resources:
            if resource in at:
                bend = (LEFT + RIGHT) // 2
                yield (
                    f'<path class="{one.health}" d="M{LEFT} {at[resource]} '
                    f'C{bend} {at[resource]} {bend} {y} {RIGHT} {y}"/>'
                )
        took = "" if one.seconds is None else f", {one.seconds * 1000:.0f} ms"
        about = f"{one.failure_policy}, {one.timeout_seconds} s{took}"
        yield f'<circle class="{one.health}" cx="{RIGHT}" cy="{y}" r="5"/>'
        yield f'<text x="{RIGHT + 12}" y="{y + 1}">{escape(one.webhook)}</text>'
        yield (
            f'<text class="small" x="{RIGHT + 12}" y="{y + 14}">{escape(about)}</text>'
        )
    for resource, y in at.items():
        yield f'<circle cx="{LEFT}" cy="{y}" r="3"/>'
        yield (
            f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">'
            f"{escape(resource)}</text>"
        )
