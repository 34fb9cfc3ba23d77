"""Parse statuses of Mastodon's API into items. Pure.

Left out are boosts, which repeat a status of another author, what is not public, and statuses of accounts that say
that they do not want to be found by search (``noindex``, or not ``indexable``): Overheard is a search.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from overheard.decoding import converter, decode_json
from overheard.items import Item
from overheard.sources.html_text import html_to_text
from overheard.sources.mastodon.names import SOURCE, TimelinePlace
from overheard.sources.sanitize import is_storable_time, language_tag, sanitized, web_address

ID_MAX_CHARS = 500
LOCAL_ID = re.compile(r"[0-9A-Za-z]{1,64}")
LINK_MAX_CHARS = 2_000
NAME_MAX_CHARS = 320
# A ValidationError names fields and types, never values, so its text may be logged.
UNREADABLE = (msgspec.ValidationError, UnicodeError, ValueError, OverflowError)


class _Account(msgspec.Struct):
    acct: str
    url: str | None = None
    noindex: bool | None = None
    indexable: bool | None = None


class _Attachment(msgspec.Struct):
    description: str | None = None


class _Option(msgspec.Struct):
    title: str = ""


class _Poll(msgspec.Struct):
    options: list[_Option] = []


class _Status(msgspec.Struct):
    id: str | int
    created_at: str
    account: _Account
    uri: str | None = None
    url: str | None = None
    content: str | None = None
    spoiler_text: str | None = None
    edited_at: str | None = None
    in_reply_to_id: str | int | None = None
    visibility: str = "public"
    reblog: Any = None
    media_attachments: list[_Attachment] | None = None
    poll: _Poll | None = None
    language: Any = None
    sensitive: Any = None


_to_status = converter(_Status)


class ParsedStatus(msgspec.Struct, frozen=True):
    """An entry of a timeline: its item, or None and why: what is ``wrong`` with it, or its author ``opted_out``."""

    item: Item | None = None
    opted_out: bool = False
    wrong: str = ""


def decode_timeline(body: bytes) -> list[Any] | None:
    """Return the entries of a timeline; None if the body is not a JSON array."""
    entries = _decoded(body)
    return entries if isinstance(entries, list) else None


def decode_status(body: bytes) -> dict[str, Any] | None:
    """Return a status; None if the body is not a JSON object."""
    entry = _decoded(body)
    return entry if isinstance(entry, dict) else None


def _decoded(body: bytes) -> object:
    try:
        return decode_json(body)
    except ValueError:
        return None


def local_id(entry: object) -> str | None:
    """Return an entry's id on its server; None if it has none that can be compared."""
    found = entry.get("id") if isinstance(entry, dict) else None
    text = str(found) if isinstance(found, int) else found
    return text if isinstance(text, str) and LOCAL_ID.fullmatch(text) else None


def parse_status(entry: object, place: str, server: TimelinePlace) -> ParsedStatus:
    """Parse an entry of a timeline of ``place``, which was read from ``server``."""
    try:
        status = _to_status(entry)
        if status.account.noindex or status.account.indexable is False:
            return ParsedStatus(opted_out=True)
        if status.reblog is not None or status.visibility not in ("public", "unlisted"):
            return ParsedStatus()
        return ParsedStatus(_item(status, place, server))
    except UNREADABLE as error:
        return ParsedStatus(wrong=str(error) if isinstance(error, msgspec.ValidationError) else "a value is not valid")


def _item(status: _Status, place: str, server: TimelinePlace) -> Item:
    local = local_id({"id": status.id})
    if local is None:
        raise msgspec.ValidationError("its `id` is not an id")
    is_local = "@" not in status.account.acct
    acct = sanitized(status.account.acct)[:NAME_MAX_CHARS]
    page = f"{server.server}/@{acct}/{local}"
    spoiler = sanitized(status.spoiler_text or "").strip()
    text = html_to_text(status.content or "")
    is_comment = status.in_reply_to_id is not None
    item_id = _id(status.uri or f"{server.server}/statuses/{local}")
    return Item(
        source=SOURCE,
        id=item_id,
        kind="comment" if is_comment else "post",
        place=place,
        author=f"{acct}@{server.host}" if is_local else acct,
        # A comment has no title that queries would look at.
        title="" if is_comment else spoiler,
        body="\n\n".join(filter(None, (spoiler, text))) if is_comment else text,
        permalink=web_address(status.url, LINK_MAX_CHARS) or web_address(status.uri, LINK_MAX_CHARS) or page,
        # The server tells only its own number of the status that this one answers.
        thread=f"{server.server}/statuses/{_local_reply(status)}" if is_comment else item_id,
        texts=_texts(status),
        lang=language_tag(status.language),
        nsfw=status.sensitive is True,
        # The id is the same on all servers; each has a number of its own for it, which is in the page's address.
        lookup=f"{item_id} {page}",
        created_at=_time(status.created_at),
        edited_at=None if status.edited_at is None else _time(status.edited_at),
    )


def _local_reply(status: _Status) -> str:
    reply = local_id({"id": status.in_reply_to_id})
    if reply is None:
        raise msgspec.ValidationError("its `in_reply_to_id` is not an id")
    return reply


def _texts(status: _Status) -> dict[str, str]:
    # Paragraphs: a phrase does not run from one into the next.
    captions = "\n\n".join(filter(None, (each.description for each in status.media_attachments or [])))
    options = "\n\n".join(option.title for option in (status.poll.options if status.poll else []))
    return {name: sanitized(text) for name, text in (("caption", captions), ("poll", options)) if text}


def _id(uri: str) -> str:
    if sanitized(uri) != uri or not 0 < len(uri) <= ID_MAX_CHARS or not uri.isprintable() or " " in uri:
        raise msgspec.ValidationError("its `uri` is not an address")
    return uri


def _time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    seconds = moment.timestamp() if moment.tzinfo else 0.0
    if not is_storable_time(seconds):
        raise msgspec.ValidationError("its time is not a time with a zone")
    return seconds
