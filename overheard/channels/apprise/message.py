"""Fit a notice into one message of an Apprise service, in a format that it accepts.

The limit is compared with what the service would send, after Apprise's conversions and escapes, which make a text
longer. ``text_versions`` and ``mail_page`` shorten what is too long and count what they leave out; Apprise's own
shortening is off, since it cuts wherever the limit happens to be.
"""

from __future__ import annotations

import sys
from typing import Any, Literal, NamedTuple

from overheard.channels.email.page import mail_page
from overheard.channels.rendering import render
from overheard.channels.rendering.sanitize import truncate
from overheard.channels.rendering.text_versions import Flavour, count_only, text_versions
from overheard.notices import Notice

# Characters, tried in this order where the title shares a short message with the text: a whole subject, one that
# leaves an SMS room for a link, and one for pagers (67 and 80 characters in all). Chosen, not measured.
TITLE_LENGTHS = (render.SUBJECT_MAX_CHARS, 60, 24)


class FittedMessage(NamedTuple):
    """A message that fits. ``text``: the text part of a mail, beside an HTML body."""

    title: str
    body: str
    body_format: str
    text: str | None


def compose(service: Any, notice: Notice, now: float) -> FittedMessage:
    """Return the fullest message that fits into one piece. ``now``: seconds since the epoch."""
    subject = truncate(render.subject(notice), service.title_maxlen or render.SUBJECT_MAX_CHARS)
    flavour = _flavour(service)
    if flavour == "html":
        page = mail_page(notice, now, lambda page: _fits(service, subject, "html", page.html))
        if _fits(service, subject, "html", page.html):
            return FittedMessage(truncate(page.subject, service.title_maxlen), page.html, "html", page.text)
        flavour = "text"
    titles = [truncate(subject, limit) for limit in TITLE_LENGTHS]
    for title in titles:
        for body in text_versions(notice, now, flavour):
            if _fits(service, title, flavour, body):
                return FittedMessage(title, body, flavour, None)
    body = count_only(notice)
    title = next((title for title in titles if _fits(service, title, flavour, body)), titles[-1])
    return FittedMessage(title, body, flavour, None)


def _fits(service: Any, title: str, body_format: str, body: str) -> bool:
    """Return True if the service would send this whole."""
    room = int(service.body_maxlen)
    if _utf16_length(body) > 2 * room:
        return False  # not worth converting, which takes long: dropping every escape leaves half of a text at least
    (piece,) = service._build_send_calls(
        title=title, body=body, notify_type="info", overflow="upstream", body_format=body_format
    )
    if service.overflow_amalgamate_title:
        room -= max(_utf16_length(piece["title"]), _utf16_length(service.dialect_convert(piece["title"]))) + len("\r\n")
    lines = service.body_max_line_count or sys.maxsize
    return _utf16_length(piece["body"]) <= room and body.count("\n") < lines


def _utf16_length(text: str) -> int:
    # Many services count UTF-16 code units, where an emoji is two; that is never less than the number of code points.
    return len(text.encode("utf-16-le", "replace")) // 2


def _flavour(service: Any) -> Flavour | Literal["html"]:
    """Return what to render for this service, which is also the format to declare to Apprise.

    Mail gets our page. A service that accepts plain text gets that, even if it could do more: then no escape can be
    wrong. Those that only accept Markdown get Markdown that we escape, since Apprise's own escaping breaks links.
    """
    if service.resolve_format(None) == "html" and service.title_maxlen:
        return "html"
    return "markdown" if service.resolve_format("text") == "markdown" else "text"
