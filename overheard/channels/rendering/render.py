"""Render notices as text for people: a subject line, and a body in one of three flavours (text, CommonMark, HTML)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from overheard.channels.rendering.excerpt import excerpt
from overheard.channels.rendering.safe_templates import Flavour, checked_link, environment
from overheard.channels.rendering.sanitize import defuse, one_line
from overheard.matching.markup import BREAK, flow
from overheard.matching.text.scripts import visible
from overheard.notices import Notice, PublicMention
from overheard.sources.registry import byline, place_label

FitsLimit = Callable[[str], bool]

SUBJECT_MAX_CHARS = 160
MATCH_MAX_CHARS = 40  # of the matched words, in a subject
TITLE_MAX_CHARS = 200
SHORT_TITLE_MAX_CHARS = 60
# Widths of an excerpt, tried in this order; 0: none. Chosen by eye, not measured.
MENTION_WIDTHS = (320, 160, 80, 0)
DIGEST_WIDTHS = (200, 100)
LINK_ONLY = -1  # for an SMS, where a link is worth more than a title: the subject has the matched words
ALERT_PLACES = (10, 3, 0)  # of each incident, tried in this order
REDDIT = "https://www.reddit.com"  # whose permalinks are paths


def subject(notice: Notice) -> str:
    """Return one line, safe in a mail header and in a chat."""
    if notice.alert is not None:
        incidents = ", ".join(f"{incident.count} × {incident.kind}" for incident in notice.alert.incidents)
        return defuse(one_line(f"Overheard on {notice.alert.host}: {incidents}", SUBJECT_MAX_CHARS))
    if notice.type == "mention.created":
        mention = notice.mentions[0]
        place, matched = place_label(mention.source, mention.place), one_line(_matched_words(mention), MATCH_MAX_CHARS)
        return defuse(one_line(f"{place} · “{matched}” mentioned", SUBJECT_MAX_CHARS))
    count = len(notice.mentions) + notice.omitted
    what = "digest, " if notice.type == "digest" else ""
    text = f"{notice.workspace} · {what}{count} mention{'' if count == 1 else 's'}"
    return defuse(one_line(text, SUBJECT_MAX_CHARS))


def body(notice: Notice, flavour: Flavour, limit: int) -> str:
    """Return the fullest body of at most ``limit`` characters, which must be 40 or more."""
    return longest_fitting(notice, flavour, lambda text: len(text) <= limit) or count_only(notice, flavour)


def longest_fitting(notice: Notice, flavour: Flavour, fits: FitsLimit) -> str | None:
    """Return the fullest text that fits: first the excerpts are shortened, then older mentions are only counted.

    None if not even one mention, or one incident of an alert, fits.
    """
    count = len(notice.alert.incidents if notice.alert is not None else notice.mentions)
    widths = _widths(notice)
    for width in widths:
        text = _render(notice, flavour, count, width)
        if fits(text):
            return text
    # Binary search, because ``fits`` may convert the text to a service's dialect, which takes long.
    best = None
    least, most = 1, count - 1
    while least <= most:
        middle = (least + most) // 2
        text = _render(notice, flavour, middle, widths[-1])
        if fits(text):
            best, least = text, middle + 1
        else:
            most = middle - 1
    return best


def count_only(notice: Notice, flavour: Flavour) -> str:
    """Return a text that only says how many mentions or incidents there are."""
    return _render(notice, flavour, 0, 0)


def _widths(notice: Notice) -> tuple[int, ...]:
    """Return how long excerpts may be, or how many places an alert lists, in the order to try them."""
    if notice.alert is not None:
        return ALERT_PLACES
    return (*MENTION_WIDTHS, LINK_ONLY) if notice.type == "mention.created" else DIGEST_WIDTHS


def _render(notice: Notice, flavour: Flavour, count: int, width: int) -> str:
    if notice.alert is not None:
        template = environment(flavour).get_template(f"alert.{flavour}.j2")
        return template.render(
            alert=notice.alert,
            subject=subject(notice),
            incidents=notice.alert.incidents[:count],
            omitted=len(notice.alert.incidents) - count,
            shown=width,
        ).strip()
    newest_first = notice.mentions[::-1]
    total = len(notice.mentions) + notice.omitted
    name = "mention" if notice.type == "mention.created" and count else "mentions"
    template = environment(flavour).get_template(f"{name}.{flavour}.j2")
    groups = _groups(newest_first, count, width, complete=not notice.omitted)
    return template.render(
        notice=notice, groups=groups, total=total, omitted=total - count, subject=subject(notice)
    ).strip()


def _groups(mentions: Sequence[PublicMention], count: int, width: int, *, complete: bool) -> list[dict[str, Any]]:
    """Return the first ``count`` mentions by place, with each place's total if all mentions are at hand."""
    shown: dict[tuple[str, str], list[PublicMention]] = {}
    for mention in mentions[:count]:
        shown.setdefault((mention.source, mention.place), []).append(mention)
    totals = Counter((mention.source, mention.place) for mention in mentions)
    return [
        {
            "place": place_label(*place),
            "mentions": [_view(mention, width) for mention in group],
            "count": _count(len(group), totals[place]) if complete else "",
        }
        for place, group in shown.items()
    ]


def _count(shown: int, total: int) -> str:
    return str(total) if shown == total else f"{shown} of {total}"


def _view(mention: PublicMention, width: int) -> dict[str, Any]:
    spans = {
        field: [(s, e) for f, s, e in mention.shown_highlights if f == field] for field in ("title", "body", "url")
    }
    # What stands only in the item's address is shown there: nothing else says why it matched.
    only_address = bool(spans["url"] and not spans["title"] and not spans["body"])
    permalink = REDDIT + mention.permalink if mention.permalink.startswith("/") else mention.permalink
    return {
        "place": place_label(mention.source, mention.place),
        "author": byline(mention.source, mention.author),
        "kind": mention.kind,
        "title": excerpt(mention.title, spans["title"], TITLE_MAX_CHARS if width > 0 else SHORT_TITLE_MAX_CHARS),
        "excerpt": excerpt(mention.url, spans["url"], width)
        if only_address
        else excerpt(mention.body, spans["body"], width),
        "queries": ", ".join(mention.queries),
        "when": f"{mention.created_at[:10]} {mention.created_at[11:16]} UTC",
        "link": checked_link(permalink),
        "brief": width == LINK_ONLY,
    }


def _matched_words(mention: PublicMention) -> str:
    for field, start, end in mention.shown_highlights:
        text: str = getattr(mention, field)
        # What a query found may have markup inside; an address that is a link's target is nothing but markup.
        words = visible(flow(text).masked[start:end]).replace(BREAK, " ").strip() or text[start:end]
        if words.strip():
            return words
    return mention.queries[0] if mention.queries else mention.item
