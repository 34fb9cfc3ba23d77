"""Write a notice as one of Discord's embeds, within Discord's limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from overheard.channels.discord.markup import DESCRIPTION_MAX_CHARS, MARKDOWN, escape, link
from overheard.channels.rendering.digest_view import DigestView, fullest
from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.fragments import fitted, plain, utf16_length, written
from overheard.channels.rendering.paragraphs import (
    SEPARATOR,
    Paragraph,
    alert_paragraphs,
    also_line,
    digest_paragraphs,
    report_paragraphs,
    summary_paragraphs,
)
from overheard.channels.rendering.render import subject
from overheard.channels.rendering.sanitize import defuse, one_line
from overheard.channels.rendering.summary_words import summary_heading
from overheard.channels.rendering.view import MentionView, views_of
from overheard.notices import Notice, NoticeLinks

APP_NAME = "Overheard"
TITLE_MAX_CHARS = 256
URL_MAX_CHARS = 2048
FOOTER_MAX_CHARS = 2048
EMBED_MAX_CHARS = 6000
MENTION_COLOR, NUMBERS_COLOR, PROBLEM_COLOR = 0xFF4500, 0x0B5CAD, 0xC0392B
Embed = dict[str, Any]


def embed_of(notice: Notice, now: float) -> Embed:
    """Return the embed of a notice. ``now``: seconds since the epoch."""
    if notice.type == "mention.created":
        return _mention(notice, now)
    if notice.type == "mentions.summary":
        versions = summary_paragraphs(notice, now, MARKDOWN)
        return _first_fitting(_titled(summary_heading(notice), each, notice, NUMBERS_COLOR) for each in versions)
    if notice.type == "digest" and notice.totals is not None:

        def rendered(view: DigestView) -> Embed:
            return _titled(view.heading, digest_paragraphs(view, MARKDOWN), notice, NUMBERS_COLOR)

        return fullest(notice, now, rendered, _fits)
    if notice.report is not None:
        heading, reports = notice.report.title, report_paragraphs(notice.report, MARKDOWN)
        return _first_fitting(_titled(heading, each, notice, PROBLEM_COLOR) for each in reports)
    if notice.alert is not None:
        heading = subject(notice)
        alerts = alert_paragraphs(notice.alert, MARKDOWN)
        return _first_fitting(_titled(heading, each, notice, PROBLEM_COLOR) for each in alerts)
    raise ValueError(f"a {notice.type} without content")


def _mention(notice: Notice, now: float) -> Embed:
    (view,) = views_of(notice, now, most=1)
    excerpt = fitted(view.excerpt, MARKDOWN.text, DESCRIPTION_MAX_CHARS // 3)
    lines = [excerpt, also_line(view, MARKDOWN), _buttons(notice.links)]
    embed: Embed = {
        "title": fitted(view.heading, lambda parts: written(parts, escape, str), TITLE_MAX_CHARS),
        "description": "\n".join(filter(None, lines)),  # empty if the title is all there is
        "timestamp": notice.mentions[0].created_at,
        "footer": {"text": _fitted_plain(_context(view), FOOTER_MAX_CHARS)},
        "color": MENTION_COLOR,
    }
    if view.link is not None and len(view.link) <= URL_MAX_CHARS:
        embed["url"] = view.link
    return embed


def _context(view: MentionView) -> str:
    """Return where, by whom, and the queries: Discord adds the time, in the reader's zone."""
    return SEPARATOR.join(filter(None, (view.place, view.author, view.queries)))


def _titled(heading: str, paragraphs: Sequence[Paragraph], notice: Notice, color: int) -> Embed:
    description = "\n".join(filter(None, (_lines(paragraphs), _buttons(notice.links))))
    heading = one_line(heading, TITLE_MAX_CHARS) or APP_NAME  # a name may have nothing visible
    embed: Embed = {"title": MARKDOWN.fitted(heading, TITLE_MAX_CHARS), "description": description, "color": color}
    if name := _fitted_plain(one_line(notice.name or notice.workspace), TITLE_MAX_CHARS):
        embed["footer"] = {"text": name}
    return embed


def _lines(paragraphs: Iterable[Paragraph]) -> str:
    """Return the paragraphs, with an empty line before one that is apart, and after one with a small line."""
    text, apart = "", False
    for paragraph in paragraphs:
        gap = "\n\n" if apart or paragraph.apart else "\n"
        lines = "\n".join(filter(None, (paragraph.text, paragraph.small)))
        text = f"{text}{gap}{lines}" if text else lines
        apart = bool(paragraph.small)
    return text


def _first_fitting(versions: Iterable[Embed]) -> Embed:
    """Return the first one that fits; the last one is a few lines."""
    for embed in versions:
        if _fits(embed):
            break
    return embed


def _fits(embed: Embed) -> bool:
    texts = (embed["title"], embed["description"], embed.get("footer", {}).get("text", ""))
    return (
        utf16_length(embed["description"]) <= DESCRIPTION_MAX_CHARS and sum(map(utf16_length, texts)) <= EMBED_MAX_CHARS
    )


def _fitted_plain(text: str, limit: int) -> str:
    """Return a text of a field without markup."""
    return fitted([Fragment(text, False)], lambda parts: defuse(plain(parts)), limit)


def _buttons(links: NoticeLinks) -> str:
    """Return links in place of buttons, which only applications may send."""
    named = (("Open", links.open), ("Useful", links.useful), ("Noise", links.noise), ("Mute", links.mute))
    return SEPARATOR.join(link(address, name) for name, address in named if address is not None)
