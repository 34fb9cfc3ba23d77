"""Write notices as paragraphs in a chat's markup. How the paragraphs become blocks or embeds is each chat's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from overheard.channels.rendering.digest_view import DigestRow, DigestView, QueryGroup
from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.fragments import fitted, utf16_length, written
from overheard.channels.rendering.sanitize import isolated, one_line
from overheard.channels.rendering.summary_words import (
    SUMMARY_MAX_MENTIONS,
    counts_texts,
    more_text,
    total_of,
    unshown_text,
)
from overheard.channels.rendering.view import MentionView, views_of
from overheard.notices import Alert, AlertedIncident, Notice, WorkspaceReport

SEPARATOR = " · "
QUERY_MARK = "▍"  # before a query's name in a digest, to tell it from those of its places
SUMMARY_EXCERPT_CHARS = 160
ALSO_MAX_PLACES = 5
ALERT_SIZES = ((12, 10), (12, 3), (12, 0), (5, 0), (2, 0), (1, 0))  # incidents, and places of each, tried in this order
INCIDENT_PLACE_MAX_CHARS = 120
LINE_MAX_CHARS = 500  # of a report
REPORT_SIZES = (8, 3, 1)  # lines, tried in this order


class Markup(NamedTuple):
    """A chat's markup. ``bold``, ``link`` (address, text) and ``code_block`` take text that is escaped already.

    ``limit``: the most UTF-16 units of a paragraph.
    """

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    code_block: Callable[[str], str]
    limit: int

    def text(self, fragments: Sequence[Fragment]) -> str:
        """Return the fragments with the hits in bold."""
        return written(fragments, self.escape, self.bold)

    def fitted(self, text: str, limit: int | None = None) -> str:
        """Return text escaped, cut with an ellipsis to a paragraph or ``limit`` units."""
        return fitted([Fragment(text, False)], self.text, self.limit if limit is None else limit)

    def linked(self, fragments: Sequence[Fragment], address: str | None) -> str:
        """Return the fragments as a link, without bold hits; as they are if there is no address, or an endless one."""
        text = written(fragments, self.escape, str)
        if address is None or utf16_length(self.link(address, "")) > self.limit // 2:
            return text
        return self.link(address, text)


class Paragraph(NamedTuple):
    """``small`` is a line below the text, such as where it is from. ``apart``: it begins something new."""

    text: str
    small: str = ""
    apart: bool = False


def mention_paragraph(view: MentionView, markup: Markup) -> Paragraph:
    """Return a mention: the linked title in bold, the excerpt; small: where, by whom, when, by which query."""
    title = mention_title(view, markup)
    excerpt = fitted(view.excerpt, markup.text, markup.limit - utf16_length(title) - 1)
    return Paragraph(f"{title}\n{excerpt}" if excerpt else title, context_line(view, markup), apart=True)


def mention_title(view: MentionView, markup: Markup) -> str:
    """Return the linked title in bold, in at most two thirds of a paragraph."""
    return fitted(view.heading, lambda title: markup.bold(markup.linked(title, view.link)), markup.limit * 2 // 3)


def context_line(view: MentionView, markup: Markup) -> str:
    """Return where, by whom, when, and the queries."""
    return SEPARATOR.join(map(markup.escape, view.context))


def also_line(view: MentionView, markup: Markup) -> str:
    """Return where else the same link was found: ``also in r/rust, Hacker News and 3 more``. Empty if nowhere."""
    shown: list[str] = []
    for place, address in view.also[:ALSO_MAX_PLACES]:
        text = markup.linked([Fragment(place, False)], address)
        if utf16_length(", ".join([*shown, text])) <= markup.limit // 2:
            shown.append(text)
    more = len(view.also) - len(shown)
    return f"also in {', '.join(shown)}{f' {more_text(more)}' if more else ''}" if view.also else ""


def summary_paragraphs(notice: Notice, now: float, markup: Markup) -> Iterator[list[Paragraph]]:
    """Yield the summary with ever fewer of its mentions, down to none; the numbers are always those of all."""
    counts = [Paragraph(markup.fitted(text)) for text in counts_texts(notice)]
    views = views_of(notice, now, most=SUMMARY_MAX_MENTIONS, width=SUMMARY_EXCERPT_CHARS)
    for shown in range(len(views), -1, -1):
        rows = [mention_paragraph(view, markup) for view in views[:shown]]
        more = total_of(notice) - shown
        yield [*counts, *rows, *([Paragraph("", more_text(more))] if more and shown else [])]


def digest_paragraphs(digest: DigestView, markup: Markup) -> list[Paragraph]:
    """Return a digest: true numbers, a bar for each day, then by query and place."""
    head = [markup.bold(markup.escape(digest.summary)), *map(markup.escape, digest.notes)]
    period = SEPARATOR.join(filter(None, (digest.period, digest.order if digest.groups else "")))
    bars = "\n".join(f"{day.label:<10} {day.bar:<10} {day.count:,}" for day in digest.days)
    paragraphs = [Paragraph("\n".join(head), period), *([Paragraph(markup.code_block(bars))] if bars else [])]
    for group in digest.groups:
        of_query = f" of {markup.escape(one_line(group.query, 80))}" if len(digest.groups) > 1 else ""
        paragraphs += _query_paragraphs(group, of_query, markup)
    if digest.unshown:
        paragraphs.append(Paragraph(markup.fitted(f"Not shown: {digest.unshown}"), apart=True))
    if digest.more > 0 and [group.more for group in digest.groups] != [digest.more]:  # else the only query says it
        paragraphs.append(Paragraph("", unshown_text(digest.more) if digest.groups else ""))
    return [paragraph for paragraph in paragraphs if paragraph.text or paragraph.small]


def _query_paragraphs(group: QueryGroup, of_query: str, markup: Markup) -> Iterator[Paragraph]:
    yield Paragraph(f"{QUERY_MARK}{_counted(group.query, group.count, markup)}", apart=True)
    for place in group.places:
        yield Paragraph(_counted(place.place, place.count, markup), apart=True)
        for row in place.rows:
            yield _full_row(row.view, markup) if row.full else Paragraph(_compact_row(row, markup))
    if group.more > 0:
        yield Paragraph("", f"{more_text(group.more)}{of_query}")


def _counted(name: str, count: int, markup: Markup) -> str:
    return f"{markup.bold(markup.escape(isolated(one_line(name, 80))))}  {count:,}"


def _full_row(view: MentionView, markup: Markup) -> Paragraph:
    """Return a mention below the names of its query and place, which are not repeated; its age is a digest's."""
    small = SEPARATOR.join(map(markup.escape, (view.author, view.time)))
    return mention_paragraph(view, markup)._replace(small=small)


def _compact_row(row: DigestRow, markup: Markup) -> str:
    view = row.view
    tail = SEPARATOR + SEPARATOR.join(map(markup.escape, (view.author, view.time)))
    room = markup.limit - utf16_length(tail) - 2
    return f"• {fitted(row.line or view.heading, lambda line: markup.linked(line, view.link), room)}{tail}"


def report_paragraphs(report: WorkspaceReport, markup: Markup) -> Iterator[list[Paragraph]]:
    """Yield what a workspace should know about itself, with ever fewer of its lines."""
    for most in REPORT_SIZES:
        lines = [Paragraph(markup.fitted(one_line(line, LINE_MAX_CHARS))) for line in report.lines[:most]]
        more = len(report.lines) - len(lines)
        yield [*lines, *([Paragraph("", more_text(more))] if more else [])]


def alert_paragraphs(alert: Alert, markup: Markup) -> Iterator[list[Paragraph]]:
    """Yield the operator's incidents with ever fewer of their places, then fewer incidents."""
    for most, places in ALERT_SIZES:
        incidents = [_incident(incident, places, markup) for incident in alert.incidents[:most]]
        more = len(alert.incidents) - len(incidents)
        yield [*incidents, *([Paragraph("", more_text(more))] if more else [])]


def _incident(incident: AlertedIncident, places: int, markup: Markup) -> Paragraph:
    kind = markup.bold(markup.fitted(f"{incident.count:,} × {one_line(incident.kind, 80)}"))
    where = markup.fitted(_listed(incident.where, places), markup.limit - utf16_length(kind) - 1)
    last = f"last at {incident.last_at[11:16]} UTC{SEPARATOR}{one_line(incident.do, LINE_MAX_CHARS)}"
    return Paragraph(f"{kind}\n{where}" if where else kind, markup.fitted(last, markup.limit // 4), apart=True)


def _listed(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    shown = [one_line(name, INCIDENT_PLACE_MAX_CHARS) for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" {more_text(more)}" if more and shown else f"{more} places" if more else "")
