"""Write a notice as a title and one text, for media without blocks: Telegram, ntfy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from overheard.channels.rendering.digest_view import digest_versions
from overheard.channels.rendering.fragments import fitted, plain
from overheard.channels.rendering.paragraphs import (
    Markup,
    Paragraph,
    alert_paragraphs,
    also_line,
    context_line,
    digest_paragraphs,
    report_paragraphs,
    summary_paragraphs,
)
from overheard.channels.rendering.render import MENTION_WIDTHS, subject
from overheard.channels.rendering.sanitize import one_line
from overheard.channels.rendering.summary_words import summary_heading
from overheard.channels.rendering.view import views_of
from overheard.notices import Notice

TITLE_MAX_CHARS = 204  # an item's longest title, behind "Re: "
DIGEST_MAX_ROWS = 100  # more than is read, and than fits into most media
NO_TITLE = "Overheard"  # for one of invisible characters only


class ChatText(NamedTuple):
    """``title`` is one line of plain text, not escaped; ``body`` is in the medium's markup; ``link``: the title's."""

    title: str
    body: str
    link: str | None = None


def chat_text(
    notice: Notice, now: float, markup: Markup, small: Callable[[str], str], fits: Callable[[ChatText], bool]
) -> ChatText:
    """Return the fullest text that fits, the shortest if none does. ``small`` marks a line as less important."""
    for title, paragraphs, link in paragraph_versions(notice, now, markup):
        text = ChatText(one_line(title, TITLE_MAX_CHARS) or NO_TITLE, body_text(paragraphs, small), link)
        if fits(text):
            break
    return text


Version = tuple[str, Sequence[Paragraph], str | None]


def paragraph_versions(notice: Notice, now: float, markup: Markup) -> Iterator[Version]:
    """Yield the notice as title, paragraphs and link, with ever less of it; what is left out is counted."""
    name = notice.name or notice.workspace
    if notice.type == "mention.created":
        yield from _mention(notice, now, markup)
    elif notice.report is not None:
        title = notice.report.title
        yield from ((title, fewer, None) for fewer in report_paragraphs(notice.report, markup))
    elif notice.alert is not None:
        title = subject(notice)
        yield from ((title, fewer, None) for fewer in alert_paragraphs(notice.alert, markup))
    elif notice.type == "digest" and notice.totals is not None:
        for view in digest_versions(notice, now, DIGEST_MAX_ROWS):
            yield f"{view.heading} · digest", digest_paragraphs(view, markup), notice.links.open
    else:
        for paragraphs in summary_paragraphs(notice, now, markup):
            yield f"{name}: {summary_heading(notice)}", paragraphs, notice.links.open


def _mention(notice: Notice, now: float, markup: Markup) -> Iterator[Version]:
    for width in MENTION_WIDTHS:
        (view,) = views_of(notice, now, most=1, width=width)
        excerpt = fitted(view.excerpt, markup.text, markup.limit)
        where = "\n".join(filter(None, (context_line(view, markup), also_line(view, markup))))
        yield plain(view.heading), [Paragraph(excerpt, where)], view.link


def body_text(paragraphs: Iterable[Paragraph], small: Callable[[str], str]) -> str:
    """Return the paragraphs, with an empty line before one that is apart, or follows a small line."""
    body, apart = "", False
    for paragraph in paragraphs:
        lines = [paragraph.text, small(paragraph.small) if paragraph.small else ""]
        text = "\n".join(filter(None, lines))
        if text:
            gap = "\n\n" if apart or paragraph.apart else "\n"
            body = f"{body}{gap}{text}" if body else text
            apart = bool(paragraph.small)
    return body
