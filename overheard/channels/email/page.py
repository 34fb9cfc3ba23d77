"""Render a notice as a mail: its subject, a text part with links, and a page of tables with inline styles.

Gmail clips a page above 102 kB, so a mail is made smaller until it fits: shorter excerpts, then fewer mentions, whose
number is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from overheard.channels.email.wire_size import wire_size
from overheard.channels.rendering import render
from overheard.channels.rendering.digest_view import digest_versions
from overheard.channels.rendering.fragments import plain
from overheard.channels.rendering.places import shown_place
from overheard.channels.rendering.safe_templates import LINK, SafeText, environment
from overheard.channels.rendering.sanitize import one_line
from overheard.channels.rendering.summary_words import (
    COUNTS_MAX_NAMES,
    SUMMARY_MAX_MENTIONS,
    counts_text,
    counts_texts,
    summary_heading,
    total_of,
)
from overheard.channels.rendering.view import MentionView, views_of
from overheard.notices import Notice, NoticeLinks

MAIL_MAX_BYTES = 90_000  # as sent, both parts and their encoding
HEADERS_MAX_BYTES = 6_000  # and the lines between the parts
SUBJECT_MAX_CHARS = 120
PREHEADER_CHARS = 140
EXCERPT_WIDTHS = (480, 160)  # characters, tried in this order. Chosen by eye, not measured
DIGEST_MAX_ROWS = 100  # more than is read; most pages of as many rows fit
SUBJECT_MAX_PLACES = 3
ALSO_MAX = 10  # other items that link to the same address
ALERT_SIZES = ((50, 10), (20, 3), (5, 0))  # incidents, and the places of each
REPORT_MAX_LINES = 30
LINE_MAX_CHARS = 500
EMPTY_LINES = re.compile(r"\n{3,}")  # what a template leaves of what is not there


class MailPage(NamedTuple):
    """A notice as a mail. ``subject`` is one line; no part has anything that a stranger wrote as markup."""

    subject: str
    text: str
    html: str


def _fits(page: MailPage) -> bool:
    return HEADERS_MAX_BYTES + wire_size(page.text) + wire_size(page.html) <= MAIL_MAX_BYTES


def mail_page(notice: Notice, now: float, fits: Callable[[MailPage], bool] = _fits) -> MailPage:
    """Return the fullest mail that fits, the smallest if none does. ``now``: since the epoch, for ages."""
    page = None
    for page in _versions(notice, now):
        if fits(page):
            break
    assert page is not None  # noqa: S101  # every type of notice has a version
    return page


def _versions(notice: Notice, now: float) -> Iterator[MailPage]:
    """Yield the mail in ever smaller versions."""
    if notice.alert is not None:
        for incidents, places in ALERT_SIZES:
            yield _page(notice, "alert", render.subject(notice), "", **_alert(notice, incidents, places))
    elif notice.report is not None:
        lines = [one_line(line, LINE_MAX_CHARS) for line in notice.report.lines]
        title = one_line(notice.report.title, SUBJECT_MAX_CHARS)
        cut = len(lines) - REPORT_MAX_LINES
        parts = {"title": title, "lines": lines[:REPORT_MAX_LINES], "more": max(cut, 0)}
        yield _page(notice, "report", f"{_name(notice)}: {title}", lines[0] if lines else "", **parts)
    elif notice.type == "digest":
        for digest in digest_versions(notice, now, DIGEST_MAX_ROWS):
            subject = f"{digest.heading}: {digest.summary}"
            yield _page(notice, "digest", subject, digest.period, view=digest, period=digest.period)
    elif notice.type == "mention.created":
        for width in EXCERPT_WIDTHS:
            (view,) = views_of(notice, now, most=1, width=width)
            also, unshown = view.also[:ALSO_MAX], max(len(view.also) - ALSO_MAX, 0)
            yield _page(notice, "mention", _mention_subject(view), _preheader(view), m=view, also=also, unshown=unshown)
    else:
        for width in EXCERPT_WIDTHS:
            yield _summary(notice, now, width)


def _page(notice: Notice, template: str, subject: str, preheader: str, **values: Any) -> MailPage:
    subject = one_line(subject, SUBJECT_MAX_CHARS)
    values |= {
        "subject": subject,
        "preheader": one_line(preheader, PREHEADER_CHARS),
        "notice": notice,
        "name": _name(notice),
        "links": _links(notice.links),
        "see_all": _checked(notice.links.open),
    }
    html = environment("html").get_template(f"mail/{template}.html.j2").render(values)
    text = environment("plain").get_template(f"mail/{template}.plain.j2").render(values)
    return MailPage(subject, EMPTY_LINES.sub("\n\n", text.strip()) + "\n", html.strip() + "\n")


def _summary(notice: Notice, now: float, width: int) -> MailPage:
    totals = notice.totals
    places = [(shown_place(place.source, place.place), place.count) for place in (totals.by_place if totals else ())]
    counted = places if counts_texts(notice) else []
    shown, others = counted[:COUNTS_MAX_NAMES], counted[COUNTS_MAX_NAMES:]
    queries = list((totals.by_query if totals and counted else {}).items())
    views = views_of(notice, now, most=SUMMARY_MAX_MENTIONS, width=width)
    title = summary_heading(notice)
    where = counts_text(places[:SUBJECT_MAX_PLACES], "place")
    return _page(
        notice,
        "summary",
        f"{_name(notice)}: {title}{f' ({where})' if where else ''}",
        "; ".join(plain(view.title or view.excerpt) for view in views),
        title=title,
        queries=queries[:COUNTS_MAX_NAMES],
        other_queries=max(len(queries) - COUNTS_MAX_NAMES, 0),
        places=shown,
        largest=max((count for _, count in shown), default=1),
        other_places=(len(others), sum(count for _, count in others)),
        views=views,
        more=total_of(notice) - len(views),
    )


def _alert(notice: Notice, incidents: int, places: int) -> dict[str, Any]:
    alert = notice.alert
    assert alert is not None  # noqa: S101  # the caller has looked
    return {
        "host": alert.host,
        "total": len(alert.incidents),
        "incidents": alert.incidents[:incidents],
        "shown": places,
        "more": max(len(alert.incidents) - incidents, 0),
    }


def _mention_subject(view: MentionView) -> str:
    """Return the thread's title after its place: the same for all of a thread, which mail programs join by it, too."""
    return f"{one_line(view.place)}: {plain(view.title or view.excerpt) or view.queries}"


def _preheader(view: MentionView) -> str:
    """Return what a list of mails shows after the subject: the words around the hit."""
    return plain(view.excerpt) if view.title else f"{view.author} · {view.queries}"


def _name(notice: Notice) -> str:
    return one_line(notice.name or notice.workspace or "Overheard")


def _links(links: NoticeLinks) -> list[tuple[str, str]]:
    """Return the buttons: their label and address."""
    buttons = (("Useful", links.useful), ("Noise", links.noise), ("Mute", links.mute))
    return [(label, url) for label, address in buttons if (url := _checked(address)) is not None]


def _checked(url: str | None) -> str | None:
    return SafeText(url) if url is not None and LINK.fullmatch(url) else None
