"""Fit a notice into one message of an Apprise service, in a format that it accepts.

The limit is compared with what the service would send, after Apprise's conversions and escapes, which make a text
longer. ``render`` shortens what is too long and counts what it leaves out; Apprise's own shortening is off, since it
cuts wherever the limit happens to be.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, NamedTuple

from overheard.channels.apprise.markups import MARKUPS, lines_of
from overheard.channels.rendering import render
from overheard.channels.rendering.chat_text import ChatText, chat_text
from overheard.channels.rendering.safe_templates import Flavour
from overheard.channels.rendering.sanitize import defuse, truncate
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
    """Return the fullest message that fits into one piece. ``now``: since the epoch, for ages."""
    flavour, body_format = _flavour(service)
    if notice.totals is not None or notice.report is not None:
        return _chat(service, notice, now, flavour, body_format)
    subject = truncate(render.subject(notice), service.title_maxlen or render.SUBJECT_MAX_CHARS)
    titles = [truncate(subject, limit) for limit in TITLE_LENGTHS]
    text = render.body(notice, "text", int(service.body_maxlen)) if flavour == "html" else None
    for title in titles:
        body = render.longest_fitting(notice, flavour, functools.partial(_fits, service, title, body_format))
        if body is not None:
            return FittedMessage(title, body, body_format, text)
    body = render.count_only(notice, flavour)
    title = next((title for title in titles if _fits(service, title, body_format, body)), titles[-1])
    return FittedMessage(title, body, body_format, text)


def _chat(service: Any, notice: Notice, now: float, flavour: Flavour, body_format: str) -> FittedMessage:
    """Return a summary, digest or report in the words of the chats; for a pager, only its title."""

    def titled(text: ChatText) -> str:
        return truncate(defuse(text.title), service.title_maxlen or render.SUBJECT_MAX_CHARS)

    def fits(text: ChatText) -> bool:
        return _fits(service, titled(text), body_format, lines_of(text.body, flavour))

    fullest = chat_text(notice, now, MARKUPS[flavour], str, fits)
    if not fits(fullest):
        whole = render.subject(notice) if notice.report is None else titled(fullest)
        titles = [truncate(whole, limit) for limit in TITLE_LENGTHS]
        title = next((title for title in titles if _fits(service, title, body_format, title)), titles[-1])
        return FittedMessage(title, MARKUPS[flavour].escape(title), body_format, None)
    text = None
    if flavour == "html":
        room = int(service.body_maxlen)
        text = chat_text(notice, now, MARKUPS["text"], str, lambda text: len(text.body) <= room).body
    return FittedMessage(titled(fullest), lines_of(fullest.body, flavour), body_format, text)


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


def _flavour(service: Any) -> tuple[Flavour, str]:
    """Return the flavour to render for this service, and the format to declare to Apprise.

    Mail gets our page. A service that accepts plain text gets that, even if it could do more: then no escape can be
    wrong. Those that only accept Markdown get Markdown that we escape, since Apprise's own escaping breaks links.
    """
    if service.resolve_format(None) == "html" and service.title_maxlen:
        return "html", "html"
    if service.resolve_format("text") == "markdown":
        return "markdown", "markdown"
    return "text", "text"
