"""Write a notice as one text, in plain words or CommonMark, for the services that Apprise sends to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from overheard.channels.rendering.chat_text import body_text, paragraph_versions
from overheard.channels.rendering.fragments import fitted
from overheard.channels.rendering.markdown import bold, hard_breaks
from overheard.channels.rendering.paragraphs import Markup, Paragraph, also_line, context_line
from overheard.channels.rendering.render import MENTION_WIDTHS, count_text
from overheard.channels.rendering.sanitize import defuse, escape_markdown
from overheard.channels.rendering.summary_words import summary_heading
from overheard.channels.rendering.view import MentionView, views_of
from overheard.notices import Notice

Flavour = Literal["text", "markdown"]
PARAGRAPH_MAX_UNITS = 2000
SHORT_TITLE_MAX_UNITS = 60


def _link(address: str, text: str) -> str:
    # Not as a link's target: Apprise's conversions for some services break those.
    return f"{text} {address}" if text else address


def _markdown_link(address: str, text: str) -> str:
    return f"{text} <{address}>" if text else f"<{address}>"


MARKUPS: dict[Flavour, Markup] = {
    "text": Markup(defuse, str, _link, str, PARAGRAPH_MAX_UNITS),
    "markdown": Markup(escape_markdown, bold, _markdown_link, str, PARAGRAPH_MAX_UNITS),
}


def text_versions(notice: Notice, now: float, flavour: Flavour) -> Iterator[str]:
    """Yield the text in ever smaller versions, which count what they leave out. ``now``: since the epoch."""
    markup = MARKUPS[flavour]
    finished = hard_breaks if flavour == "markdown" else str
    versions = _mention(notice, now, markup) if notice.type == "mention.created" else _other(notice, now, markup)
    yield from map(finished, versions)


def count_only(notice: Notice) -> str:
    """Return a text that only says how many mentions or incidents there are."""
    return f"{count_text(notice)}, not shown here"


def _other(notice: Notice, now: float, markup: Markup) -> Iterator[str]:
    # The services' titles may be cut.
    head = [Paragraph(markup.escape(summary_heading(notice)))] if notice.type == "mentions.summary" else []
    for _, paragraphs, _ in paragraph_versions(notice, now, markup):
        yield body_text([*head, *paragraphs], str)


def _mention(notice: Notice, now: float, markup: Markup) -> Iterator[str]:
    """Yield the title, the excerpt, where it is from, and the link; at last the link alone, for an SMS."""
    for width in MENTION_WIDTHS:
        (view,) = views_of(notice, now, most=1, width=width)
        yield _mention_text(view, markup, markup.limit)
    yield _mention_text(view, markup, SHORT_TITLE_MAX_UNITS)
    if view.link is not None:
        yield markup.link(view.link, "")


def _mention_text(view: MentionView, markup: Markup, title_limit: int) -> str:
    title = fitted(view.heading, markup.text, title_limit)
    excerpt = fitted(view.excerpt, markup.text, markup.limit)
    where = Paragraph("\n".join(filter(None, (context_line(view, markup), also_line(view, markup)))), apart=True)
    link = markup.link(view.link, "") if view.link is not None else ""
    return body_text([Paragraph(title), Paragraph(excerpt, apart=True), where, Paragraph(link, apart=True)], str)
