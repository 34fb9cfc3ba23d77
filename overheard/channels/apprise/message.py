"""A notice as one message of an Apprise service: in the form that it takes, and as long as it takes in one piece.

A medium's limit is measured on what the service would send, after Apprise's conversions and escapes, which make a text
longer than we wrote it. What is too long is shortened by ``render``, which counts what it leaves out; Apprise itself
shortens nothing, since it cuts where the limit happens to be.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, NamedTuple

from overheard.channels.rendering import render
from overheard.channels.rendering.sanitize import truncate
from overheard.notices import Notice

TITLE_LIMITS = (160, 60, 24)  # characters, where the title shares a short message with the text


class FittedMessage(NamedTuple):
    """``text`` stands beside an HTML body in a mail."""

    title: str
    body: str
    body_format: str
    text: str | None


def compose(service: Any, notice: Notice) -> FittedMessage:
    """Return the fullest message that fits."""
    flavour, body_format = _flavour(service)
    subject = truncate(render.subject(notice), service.title_maxlen or render.SUBJECT_LIMIT)
    titles = [truncate(subject, limit) for limit in TITLE_LIMITS]
    text = render.body(notice, "text", int(service.body_maxlen)) if flavour == "html" else None
    for title in titles:
        body = render.longest_fitting(notice, flavour, functools.partial(_fits, service, title, body_format))
        if body is not None:
            return FittedMessage(title, body, body_format, text)
    tally = render.tally(notice, flavour)
    title = next((title for title in titles if _fits(service, title, body_format, tally)), titles[-1])
    return FittedMessage(title, tally, body_format, text)


def _fits(service: Any, title: str, body_format: str, body: str) -> bool:
    """Return True if the service takes this whole."""
    room = int(service.body_maxlen)
    if _units(body) > 2 * room:
        return False  # without converting it, which takes long; even to drop every escape leaves half of a text
    (piece,) = service._build_send_calls(
        title=title, body=body, notify_type="info", overflow="upstream", body_format=body_format
    )
    if service.overflow_amalgamate_title:
        room -= max(_units(piece["title"]), _units(service.dialect_convert(piece["title"]))) + len("\r\n")
    lines = service.body_max_line_count or sys.maxsize
    return _units(piece["body"]) <= room and body.count("\n") < lines


def _units(text: str) -> int:
    # Many services count UTF-16 code units, in which an emoji is two; none counts fewer than code points.
    return len(text.encode("utf-16-le", "replace")) // 2


def _flavour(service: Any) -> tuple[render.Flavour, str]:
    """What to write for this service, and what to tell Apprise that it is.

    Mail gets our page. A service that takes plain text gets that, even if it could do more: nothing to escape wrongly.
    Those that only take Markdown get Markdown, escaped by us, since Apprise's own escaping breaks links.
    """
    if service.resolve_format(None) == "html" and service.title_maxlen:
        return "html", "html"
    if service.resolve_format("text") == "markdown":
        return "markdown", "markdown"
    return "text", "text"
