"""Write a notice as Slack's blocks, within Slack's limits, and as the text of its notification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from overheard.channels.rendering.digest_view import DigestView, fullest
from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.fragments import fitted, plain, utf16_length
from overheard.channels.rendering.paragraphs import (
    Paragraph,
    alert_paragraphs,
    also_line,
    digest_paragraphs,
    mention_paragraph,
    report_paragraphs,
    summary_paragraphs,
)
from overheard.channels.rendering.render import subject
from overheard.channels.rendering.sanitize import defuse, one_line
from overheard.channels.rendering.summary_words import places_text, summary_heading
from overheard.channels.rendering.view import views_of
from overheard.channels.slack.markup import MRKDWN, SECTION_MAX_CHARS, escape, finished
from overheard.notices import Notice, NoticeLinks

HEADER_MAX_CHARS = 150
APP_NAME = "Overheard"
MAX_BLOCKS = 50
MESSAGE_MAX_CHARS = 12_000
NOTIFICATION_MAX_CHARS = 300
Block = dict[str, Any]


class SlackMessage(NamedTuple):
    """``text`` is what a notification shows, and clients without blocks."""

    text: str
    blocks: list[Block]


def slack_message(notice: Notice, now: float) -> SlackMessage:
    """Return the message of a notice. ``now``: seconds since the epoch."""
    if notice.type == "mention.created":
        return _mention(notice, now)
    if notice.type == "mentions.summary":
        heading = f"{notice.name or notice.workspace}: {summary_heading(notice)}"
        versions = (_titled(heading, each, notice) for each in summary_paragraphs(notice, now, MRKDWN))
        return _first_fitting(versions)._replace(text=_text(" · ".join(filter(None, (heading, places_text(notice))))))
    if notice.type == "digest" and notice.totals is not None:

        def rendered(view: DigestView) -> SlackMessage:
            message = _titled(view.heading, digest_paragraphs(view, MRKDWN), notice)
            return message._replace(text=_text(f"{view.heading}: {view.summary}"))

        return fullest(notice, now, rendered, _fits)
    if notice.report is not None:
        reports = report_paragraphs(notice.report, MRKDWN)
        return _first_fitting(_titled(notice.report.title, each, notice) for each in reports)
    if notice.alert is not None:
        heading = subject(notice)
        return _first_fitting(_titled(heading, each, notice) for each in alert_paragraphs(notice.alert, MRKDWN))
    raise ValueError(f"a {notice.type} without content")


def _mention(notice: Notice, now: float) -> SlackMessage:
    (view,) = views_of(notice, now, most=1)
    blocks = _blocks([mention_paragraph(view, MRKDWN), Paragraph("", also_line(view, MRKDWN))])
    text = " · ".join(filter(None, (view.place, plain(view.heading), plain(view.excerpt))))
    return SlackMessage(_text(text), [*blocks, *_buttons(notice.links)])


def _titled(heading: str, paragraphs: Sequence[Paragraph], notice: Notice) -> SlackMessage:
    heading = one_line(heading, HEADER_MAX_CHARS) or APP_NAME  # a name may have nothing visible
    header = fitted([Fragment(heading, False)], lambda parts: defuse(plain(parts)), HEADER_MAX_CHARS)
    blocks: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}}]
    return SlackMessage(_text(heading), [*blocks, *_blocks(paragraphs), *_buttons(notice.links)])


def _first_fitting(versions: Iterable[SlackMessage]) -> SlackMessage:
    """Return the first one that fits; the last one is a few lines."""
    for message in versions:
        if _fits(message):
            break
    return message


def _blocks(paragraphs: Iterable[Paragraph]) -> list[Block]:
    """Return a section for each paragraph, with its small line below; those without one share sections."""
    blocks: list[Block] = []
    open_section: Block | None = None
    for paragraph in paragraphs:
        text, small = finished(paragraph.text), finished(paragraph.small)
        if text and open_section is not None and not paragraph.apart and _room(open_section) > utf16_length(text):
            open_section["text"]["text"] += f"\n{text}"
        elif text:
            open_section = {"type": "section", "text": _mrkdwn(text)}
            blocks.append(open_section)
        if small:
            blocks.append({"type": "context", "elements": [_mrkdwn(small)]})
            open_section = None
    return blocks


def _room(section: Block) -> int:
    return SECTION_MAX_CHARS - utf16_length(section["text"]["text"])


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack looks for neither addresses nor names in it.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _buttons(links: NoticeLinks) -> list[Block]:
    named = (("Open", links.open), ("Useful", links.useful), ("Noise", links.noise), ("Mute", links.mute))
    buttons = [
        {"type": "button", "text": {"type": "plain_text", "text": name}, "url": url, "action_id": name.lower()}
        for name, url in named
        if url is not None
    ]
    return [{"type": "actions", "elements": buttons}] if buttons else []


def _text(text: str) -> str:
    return escape(one_line(text, NOTIFICATION_MAX_CHARS))


def _fits(message: SlackMessage) -> bool:
    return len(message.blocks) <= MAX_BLOCKS and _length(message) <= MESSAGE_MAX_CHARS


def _length(message: SlackMessage) -> int:
    parts = [part for block in message.blocks for part in block.get("elements", [block])]
    # A section's part and a button's have a text object, a context's part is one.
    texts = [part["text"] if isinstance(part["text"], str) else part["text"]["text"] for part in parts]
    return sum(map(utf16_length, [message.text, *texts]))
