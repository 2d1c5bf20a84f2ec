"""What doctor shows, from a report: as a page nobody can put a script into."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser

from admit._tasks.doctor import DoctorReport, WebhookReport
from admit.cli.doctor_page import DRAWN, render_page
from admit.doctor.live.snapshot import LiveFinding

EVIL = "<script>alert('x')</script>&\"'"

FINDING = LiveFinding(
    "no-endpoints",
    "error",
    f"ValidatingWebhookConfiguration/{EVIL}",
    EVIL,
    (EVIL, "second"),
    EVIL,
    f"kubectl {EVIL}",
    "https://example.com/",
)


def report(*findings: LiveFinding, webhooks: int = 1) -> DoctorReport:
    return DoctorReport(
        findings,
        tuple(
            WebhookReport("c", f"{EVIL}{n}", (EVIL, "pods"), "Fail", 10, "error", 0.05)
            for n in range(webhooks)
        ),
        {"error": len(findings), "warning": 0, "info": 0},
        (EVIL,),
        EVIL,
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


class Page(HTMLParser):
    """Every element, and whether each that was opened is closed."""

    VOID = frozenset({"meta", "circle", "path", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_nobody_can_put_a_script_into_it() -> None:
    page = Page(render_page(report(FINDING)))
    assert page.open == []
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    attributes = {name for _, found in page.seen for name in found}
    assert not {name for name in attributes if name.startswith("on")} | (
        attributes & {"src"}
    )


def test_what_was_found_is_there() -> None:
    text = render_page(report(FINDING))
    assert "1 error" in text
    assert text.count("<article") == 1
    assert "kubectl &lt;script&gt;" in text
    assert "Fail, 10 s, 50 ms" in text
    assert "Nothing found." in render_page(report())


def test_hundreds_are_not_all_drawn() -> None:
    text = render_page(report(webhooks=DRAWN + 40))
    assert "and 40 webhooks that are not drawn" in text
    assert text.count("<text x=") <= 3 * DRAWN
