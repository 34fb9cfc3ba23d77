"""Lay a notice out as a title and lines of text, some of it bold or linked: for media whose message is one text.

What is too long is shortened here, and what is left out is counted; a medium says what fits, and writes the lines in its
own language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from overheard.channels.rendering import render
from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.newest import newest_of_each_query
from overheard.channels.rendering.view import MentionView, mention_view, names_text, views_of
from overheard.notices import Notice, Totals
from overheard.sources.registry import place_label

ROW_CHARS = 100  # of the excerpt that stands for a missing title; chosen by eye, not measured
MAX_ROWS = 60  # of a digest: more never fit into the 4,096 characters that these media take
MAX_ALSO = 5
COUNTS_MAX_CHARS = 200  # of the places, or the queries, of a summary


class Run(NamedTuple):
    """A stretch of a line. ``link`` is a web address that was made harmless; ``text`` is a stranger's."""

    text: str
    bold: bool = False
    link: str | None = None


Line = tuple[Run, ...]


class Outline(msgspec.Struct, frozen=True):
    """A message. ``link``: what its title leads to. An empty line separates two paragraphs."""

    title: Line
    lines: tuple[Line, ...]
    link: str | None = None


Fits = Callable[[Outline], bool]


def fitting(notice: Notice, now: float, fits: Fits) -> Outline:
    """Return the fullest outline that fits, the shortest if none does. ``now``: since the epoch."""
    if notice.type == "mention.created":
        return _mention(notice, now, fits)
    title = (Run(render.subject(notice), bold=True),)
    if notice.alert is not None:
        return _alert(notice, title, fits)
    if notice.report is not None:
        return _with_rows(title, (), _plain(notice.report.lines), len(notice.report.lines), fits)
    return _list(notice, now, title, fits)


def _mention(notice: Notice, now: float, fits: Fits) -> Outline:
    *others, shortest = render.MENTION_WIDTHS
    for width, linked in (*((width, True) for width in others), (shortest, True), (shortest, False)):
        (view,) = views_of(notice, now, most=1, width=width)
        context: Line = (Run(" · ".join(view.context)),)
        excerpt = (_runs(view.excerpt), ()) if view.excerpt else ()
        outline = Outline(_runs(view.heading), (*excerpt, context, *_also(view, linked)), view.link)
        if fits(outline):
            break
    return outline


def _also(view: MentionView, linked: bool) -> tuple[Line, ...]:
    if not view.also:
        return ()
    line = [Run("also in ")]
    for place, link in view.also[:MAX_ALSO]:
        line += [Run(place, link=link if linked else None), Run(", ")]
    more = len(view.also) - MAX_ALSO
    line[-1:] = [Run(f" and {more} more")] if more > 0 else []
    return (tuple(line),)


def _alert(notice: Notice, title: Line, fits: Fits) -> Outline:
    def outline(text: str) -> Outline:
        return Outline(title, _plain(text.splitlines()))

    text = render.longest_fitting(notice, "text", lambda text: fits(outline(text)))
    return outline(text or render.count_only(notice, "text"))


def _list(notice: Notice, now: float, title: Line, fits: Fits) -> Outline:
    """Return a summary, or a digest: its counts, then rows, the newest first."""
    totals = notice.totals or Totals(total=len(notice.mentions) + notice.omitted, by_query={}, by_place=())
    summary = notice.type == "mentions.summary"
    newest = newest_of_each_query(notice.mentions) if summary else notice.mentions[: -MAX_ROWS - 1 : -1]
    rows = [_row(mention_view(mention, notice.timezone, now, width=ROW_CHARS)) for mention in newest]
    return _with_rows(title, tuple(_counts(totals)), rows, totals.total, fits)


def _counts(totals: Totals) -> Iterable[Line]:
    places = [f"{place_label(place.source, place.place)} {place.count}" for place in totals.by_place]
    queries = [f"{query} {count}" for query, count in totals.by_query.items()]
    for names in (places, queries if len(queries) > 1 else ()):
        if names:
            yield (Run(names_text(names, COUNTS_MAX_CHARS)),)
    if totals.before is not None:
        yield (Run(f"{totals.before} in the period before"),)


def _row(view: MentionView) -> Line:
    subject = view.heading if view.title else view.excerpt or view.heading
    context = " · ".join((view.place, view.author, f"{view.age} ago"))
    return (Run("• "), *(run._replace(link=view.link) for run in _runs(subject)), Run(f" ({context})"))


def _with_rows(title: Line, head: tuple[Line, ...], rows: Sequence[Line], total: int, fits: Fits) -> Outline:
    """Return an outline with as many of the rows as fit, and the number of those that are left out."""

    def outline(count: int) -> Outline:
        shown = tuple(rows[:count])
        more = ((Run(f"… and {total - count} more"),),) if count < total else ()
        gap: tuple[Line, ...] = ((),) if head and (shown or more) else ()
        return Outline(title, (*head, *gap, *shown, *more))

    best = outline(0)
    least, most = 1, len(rows)
    if most and fits(whole := outline(most)):
        return whole
    while least <= most:
        middle = (least + most) // 2
        if fits(candidate := outline(middle)):
            best, least = candidate, middle + 1
        else:
            most = middle - 1
    return best


def _runs(fragments: Iterable[Fragment]) -> Line:
    return tuple(Run(fragment.text, bold=fragment.hit) for fragment in fragments)


def _plain(lines: Iterable[str]) -> tuple[Line, ...]:
    return tuple((Run(line),) if line else () for line in lines)
