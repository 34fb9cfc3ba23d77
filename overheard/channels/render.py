"""Notices as text for people: a subject line and a body in one of three flavours (text, CommonMark, HTML).

A stranger wrote titles and bodies, so every value that a template prints is made harmless by the environment itself
(``finalize``, autoescape), never by a filter that somebody has to remember. Links alone are ``Trusted``, once checked.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from jinja2 import PackageLoader
from jinja2.sandbox import SandboxedEnvironment

from overheard.channels import Mention, Notice
from overheard.channels.excerpt import Piece, excerpt
from overheard.channels.inert import clean, clip, commonmark, inert, one_line

Flavour = Literal["text", "markdown", "html"]

SUBJECT_LIMIT = 160
FOUND_LIMIT = 40  # characters of what was found, in a subject
TITLE_WIDTH = 200
SHORT_TITLE = 60
LINK_ONLY = -1  # for an SMS: what was found is in the subject
REDDIT = "https://www.reddit.com"
LINK = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%/?=&+-]*)?")


class Trusted(str):
    """Text of ours, or checked to be harmless: printed as it is."""


def subject(notice: Notice) -> str:
    """One line, safe in a mail header and in a chat."""
    if notice.alert is not None:
        told = ", ".join(f"{incident.count} × {incident.kind}" for incident in notice.alert.incidents)
        return inert(one_line(f"Overheard on {notice.alert.host}: {told}", SUBJECT_LIMIT))
    if notice.type == "mention.created":
        mention = notice.mentions[0]
        found = one_line(_found(mention), FOUND_LIMIT)
        return inert(one_line(f"r/{mention.subreddit} · “{found}” mentioned", SUBJECT_LIMIT))
    count = len(notice.mentions) + notice.omitted
    what = "digest, " if notice.type == "digest" else ""
    return inert(one_line(f"{notice.workspace} · {what}{count} mention{'' if count == 1 else 's'}", SUBJECT_LIMIT))


def body(notice: Notice, flavour: Flavour, limit: int) -> str:
    """At most ``limit`` characters: first the excerpts get shorter, then mentions are only counted, then it is cut."""
    text = ""
    for count, width in _sizes(notice):
        text = _render(notice, flavour, count, width)
        if len(text) <= limit:
            return text
    return clip(text, limit) if flavour != "html" else text


def _sizes(notice: Notice) -> Iterator[tuple[int, int]]:
    """What to try, from the fullest: (mentions shown, width of an excerpt)."""
    count = len(notice.mentions)
    if notice.alert is not None:
        yield from ((shown, 0) for shown in (10, 3, 0))
        return
    if notice.type == "mention.created":
        yield from ((1, width) for width in (320, 160, 80, 0, LINK_ONLY))
        return
    yield from ((count, width) for width in (200, 100))
    while count:
        count = count * 3 // 4
        yield count, 100


def _render(notice: Notice, flavour: Flavour, count: int, width: int) -> str:
    if notice.alert is not None:
        alert = _environment(flavour).get_template(f"alert.{flavour}.j2")
        return alert.render(alert=notice.alert, subject=subject(notice), shown=count).strip()
    shown = notice.mentions[:count]
    omitted = notice.omitted + len(notice.mentions) - count
    name = "mention" if notice.type == "mention.created" else "mentions"
    groups: dict[str, list[dict[str, Any]]] = {}
    for mention in shown:
        groups.setdefault(mention.subreddit, []).append(_view(mention, width))
    page = _environment(flavour).get_template(f"{name}.{flavour}.j2")
    total = len(shown) + omitted
    return page.render(notice=notice, groups=groups, total=total, omitted=omitted, subject=subject(notice)).strip()


def _view(mention: Mention, width: int) -> dict[str, Any]:
    spans = {field: [(s, e) for f, s, e in mention.highlights if f == field] for field in ("title", "body")}
    return {
        "subreddit": mention.subreddit,
        "author": mention.author,
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
    return Trusted(url) if LINK.fullmatch(url) else url


def _found(mention: Mention) -> str:
    for field, start, end in mention.highlights:
        text: str = getattr(mention, field, "") if field in ("title", "body") else ""
        if text[start:end].strip():
            return text[start:end]
    return mention.queries[0] if mention.queries else mention.item


@functools.cache
def _environment(flavour: Flavour) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=PackageLoader("overheard.channels"),
        autoescape=flavour == "html",
        finalize=_finalize({"text": inert, "markdown": commonmark, "html": clean}[flavour]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["trusted"] = Trusted  # for what a macro has put together from harmless parts
    environment.tests["checked_link"] = lambda value: isinstance(value, Trusted)
    return environment


def _finalize(harmless: Callable[[str], str]) -> Callable[[Any], Any]:
    def finalize(value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(piece, Piece) for piece in value):
            value = "".join(piece.text for piece in value)
        # Only plain strings: Trusted and Jinja's Markup (a macro's result) were looked at before.
        return harmless(value) if type(value) is str else value

    return finalize
