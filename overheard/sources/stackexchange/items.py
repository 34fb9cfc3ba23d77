"""Parse questions and answers of Stack Exchange's API into items. Pure.

Names and titles are HTML-encoded there, and texts are HTML.
"""

from __future__ import annotations

import html

import msgspec

from overheard.decoding import converter
from overheard.items import Item
from overheard.sources.html_text import html_to_text
from overheard.sources.sanitize import is_storable_time, sanitized, web_address
from overheard.sources.stackexchange.names import SOURCE, item_id, site_host

MAX_POST_NUMBER = 10**18
LINK_MAX_CHARS = 2_000
# A ValidationError names fields and types, never values, so its text may be logged.
UNREADABLE = (msgspec.ValidationError, UnicodeError)


class _Owner(msgspec.Struct):
    display_name: str | None = None


class _PostFields(msgspec.Struct, kw_only=True):
    creation_date: int
    owner: _Owner | None = None
    body: str | None = None
    title: str | None = None
    link: str | None = None
    last_edit_date: int | None = None


class _Question(_PostFields, kw_only=True):
    question_id: int
    tags: list[str] | None = None


class _Answer(_PostFields, kw_only=True):
    answer_id: int
    question_id: int


class ActiveQuestion(msgspec.Struct, frozen=True):
    """A question with recent activity. ``answer_count``: None if the server does not say."""

    question_id: int
    last_activity_date: int
    title: str = ""
    answer_count: int | None = None


_to_question = converter(_Question)
_to_answer = converter(_Answer)
_to_active = converter(ActiveQuestion)


class ParsedEntry(msgspec.Struct, frozen=True):
    """An entry: its item, or None and what is ``wrong`` with it."""

    item: Item | None = None
    wrong: str = ""


def parse_question(entry: object, place: str, site: str) -> ParsedEntry:
    """Parse a question."""
    try:
        question = _to_question(entry)
        name = item_id(site, "post", _number(question.question_id))
        item = Item(
            source=SOURCE,
            id=name,
            kind="post",
            place=place,
            author=_author(question.owner),
            title=sanitized(html.unescape(question.title or "")),
            body=html_to_text(question.body or ""),
            permalink=web_address(question.link, LINK_MAX_CHARS)
            or f"https://{site_host(site)}/q/{question.question_id}",
            thread=name,
            texts={"tags": sanitized(" ".join(question.tags))} if question.tags else {},
            created_at=_time(question.creation_date),
            edited_at=None if question.last_edit_date is None else _time(question.last_edit_date),
        )
    except UNREADABLE as error:
        return ParsedEntry(wrong=_reason(error))
    return ParsedEntry(item)


def parse_answer(entry: object, place: str, site: str, titles: dict[int, str]) -> ParsedEntry:
    """Parse an answer, which is a comment of its question. ``titles``: of questions, by number."""
    try:
        answer = _to_answer(entry)
        item = Item(
            source=SOURCE,
            id=item_id(site, "comment", _number(answer.answer_id)),
            kind="comment",
            place=place,
            author=_author(answer.owner),
            body=html_to_text(answer.body or ""),
            permalink=web_address(answer.link, LINK_MAX_CHARS) or f"https://{site_host(site)}/a/{answer.answer_id}",
            thread=item_id(site, "post", _number(answer.question_id)),
            thread_title=sanitized(html.unescape(titles.get(answer.question_id) or answer.title or "")),
            created_at=_time(answer.creation_date),
            edited_at=None if answer.last_edit_date is None else _time(answer.last_edit_date),
        )
    except UNREADABLE as error:
        return ParsedEntry(wrong=_reason(error))
    return ParsedEntry(item)


def parse_active(entry: object) -> ActiveQuestion | None:
    """Parse a question for its activity only; None if it cannot be read."""
    try:
        active = _to_active(entry)
        return msgspec.structs.replace(active, title=sanitized(active.title))
    except UNREADABLE:
        return None


def _reason(error: Exception) -> str:
    return "a text is not Unicode" if isinstance(error, UnicodeError) else str(error)


def _author(owner: _Owner | None) -> str | None:
    name = sanitized(html.unescape(owner.display_name or "")).strip() if owner else ""
    return name[:200] or None


def _number(number: int) -> int:
    if not 0 < number < MAX_POST_NUMBER:
        raise msgspec.ValidationError("its number is not one of a post")
    return number


def _time(seconds: int) -> float:
    if not is_storable_time(seconds):
        raise msgspec.ValidationError("its time is not a time")
    return float(seconds)
