"""Notices as text for people: a subject line and a body in one of three flavours (text, CommonMark, HTML).

A stranger wrote titles and bodies, so every value that a template prints is made harmless by the environment itself
(``finalize``, autoescape), never by a filter that somebody has to remember. Links alone are ``SafeText``, once checked.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

from jinja2 import PackageLoader
from jinja2.sandbox import SandboxedEnvironment

from overheard.channels.rendering.excerpt import Fragment, excerpt
from overheard.channels.rendering.sanitize import clean, defuse, escape_markdown, one_line
from overheard.notices import Notice, PublicMention
from overheard.sources.registry import author_label, place_label

Flavour = Literal["text", "markdown", "html"]
Fits = Callable[[str], bool]

SUBJECT_LIMIT = 160
FOUND_LIMIT = 40  # characters of what was found, in a subject
TITLE_WIDTH = 200
SHORT_TITLE = 60
LINK_ONLY = -1  # for an SMS: what was found is in the subject
REDDIT = "https://www.reddit.com"
LINK = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%/?=&+-]*)?")


class SafeText(str):
    """Text of ours, or checked to be harmless: printed as it is."""


def subject(notice: Notice) -> str:
    """One line, safe in a mail header and in a chat."""
    if notice.alert is not None:
        told = ", ".join(f"{incident.count} × {incident.kind}" for incident in notice.alert.incidents)
        return defuse(one_line(f"Overheard on {notice.alert.host}: {told}", SUBJECT_LIMIT))
    if notice.type == "mention.created":
        mention = notice.mentions[0]
        found = one_line(_found(mention), FOUND_LIMIT)
        return defuse(one_line(f"{place_label(mention.source, mention.place)} · “{found}” mentioned", SUBJECT_LIMIT))
    count = len(notice.mentions) + notice.omitted
    what = "digest, " if notice.type == "digest" else ""
    return defuse(one_line(f"{notice.workspace} · {what}{count} mention{'' if count == 1 else 's'}", SUBJECT_LIMIT))


def body(notice: Notice, flavour: Flavour, limit: int) -> str:
    """At most ``limit`` characters, from 40 on."""
    return longest_fitting(notice, flavour, lambda text: len(text) <= limit) or tally(notice, flavour)


def longest_fitting(notice: Notice, flavour: Flavour, fits: Fits) -> str | None:
    """The fullest text that fits: first the excerpts get shorter, then the older mentions are only counted.

    None when not one mention, or not one of an alert's incidents, can be shown.
    """
    count = len(notice.alert.incidents if notice.alert is not None else notice.mentions)
    widths = _widths(notice)
    for width in widths:
        text = _render(notice, flavour, count, width)
        if fits(text):
            return text
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


def tally(notice: Notice, flavour: Flavour) -> str:
    """Only how many there are."""
    return _render(notice, flavour, 0, 0)


def _widths(notice: Notice) -> tuple[int, ...]:
    """How long an excerpt may be, or of how many places an alert tells: to be tried in this order."""
    if notice.alert is not None:
        return (10, 3, 0)
    return (320, 160, 80, 0, LINK_ONLY) if notice.type == "mention.created" else (200, 100)


def _render(notice: Notice, flavour: Flavour, count: int, width: int) -> str:
    if notice.alert is not None:
        alert = _environment(flavour).get_template(f"alert.{flavour}.j2")
        incidents = notice.alert.incidents[:count]
        omitted = len(notice.alert.incidents) - count
        about = {"alert": notice.alert, "incidents": incidents, "omitted": omitted}
        return alert.render(subject=subject(notice), shown=width, **about).strip()
    newest_first = notice.mentions[::-1]
    total = len(notice.mentions) + notice.omitted
    name = "mention" if notice.type == "mention.created" and count else "mentions"
    page = _environment(flavour).get_template(f"{name}.{flavour}.j2")
    groups = _groups(newest_first, count, width, complete=not notice.omitted)
    return page.render(
        notice=notice, groups=groups, total=total, omitted=total - count, subject=subject(notice)
    ).strip()


def _groups(mentions: Sequence[PublicMention], count: int, width: int, *, complete: bool) -> list[dict[str, Any]]:
    """The first ``count`` mentions by place; of how many of it, where that is known."""
    shown: dict[tuple[str, str], list[PublicMention]] = {}
    for mention in mentions[:count]:
        shown.setdefault((mention.source, mention.place), []).append(mention)
    totals = Counter((mention.source, mention.place) for mention in mentions)
    return [
        {
            "place": place_label(*place),
            "mentions": [_view(mention, width) for mention in found],
            "count": _count(len(found), totals[place]) if complete else "",
        }
        for place, found in shown.items()
    ]


def _count(shown: int, total: int) -> str:
    return str(total) if shown == total else f"{shown} of {total}"


def _view(mention: PublicMention, width: int) -> dict[str, Any]:
    spans = {field: [(s, e) for f, s, e in mention.highlights if f == field] for field in ("title", "body")}
    return {
        "place": place_label(mention.source, mention.place),
        "author": author_label(mention.source, mention.author),
        "kind": mention.kind,
        "title": excerpt(mention.title, spans["title"], TITLE_WIDTH if width > 0 else SHORT_TITLE),
        "excerpt": excerpt(mention.body, spans["body"], width),
        "queries": ", ".join(mention.queries),
        "when": f"{mention.created_at[:10]} {mention.created_at[11:16]} UTC",
        "link": _link(mention.permalink),
        "brief": width == LINK_ONLY,
    }


def _link(permalink: str) -> str:
    url = REDDIT + permalink if permalink.startswith("/") else permalink
    return SafeText(url) if LINK.fullmatch(url) else url


def _found(mention: PublicMention) -> str:
    for field, start, end in mention.highlights:
        text: str = getattr(mention, field, "") if field in ("title", "body") else ""
        if text[start:end].strip():
            return text[start:end]
    return mention.queries[0] if mention.queries else mention.item


@functools.cache
def _environment(flavour: Flavour) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=PackageLoader("overheard.channels.rendering"),
        autoescape=flavour == "html",
        finalize=_finalize({"text": defuse, "markdown": escape_markdown, "html": clean}[flavour]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["trusted"] = SafeText  # for what a macro has put together from harmless parts
    environment.tests["checked_link"] = lambda value: isinstance(value, SafeText)
    return environment


def _finalize(harmless: Callable[[str], str]) -> Callable[[Any], Any]:
    def finalize(value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(piece, Fragment) for piece in value):
            value = "".join(piece.text for piece in value)
        # Only plain strings: Trusted and Jinja's Markup (a macro's result) were looked at before.
        return harmless(value) if type(value) is str else value

    return finalize
