"""Taking items out of a dead letter's body, which is a message of ours, or what somebody took for one. Pure.

A body that can be read loses just the item; whoever replays it does the rest of its work. One that cannot be read
(cut off, foreign) goes whole when it names what is to be erased: nobody can say where in it the item ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

HOLDS_ITEMS = '"subreddit"'  # every item in a message has this key, and nothing else in one has
UNREADABLE = '{"erased":"it named an item that is gone, and could not be read"}'
TEXTS_ERASED = "erased with time: its items' texts may be gone from Reddit, and the next poll has read them again"

Entry = dict[str, Any]  # an item, or {"item": …, "matches": …}


def quoted(body: str) -> list[str]:
    """All that stands between quotes in it: one look for however many names, as bodies are large and many."""
    return body.split('"')


def without_items(body: str, names: Collection[str]) -> str | None:
    """The body without the items of these names; None when it has none of them."""
    names = frozenset(names)
    if names.isdisjoint(quoted(body)):
        return None
    return _changed(body, lambda item, entry: None if str(item.get("name")) in names else entry)


def without_authors(body: str, authors: Collection[str], *, items_too: bool) -> str | None:
    """The body without these authors' names, or without all that is theirs; None when it has neither."""
    authors = frozenset(author.lower() for author in authors)
    if not authors or authors.isdisjoint(quoted(body.lower())):
        return None

    def change(item: Entry, entry: Entry) -> Entry | None:
        if str(item.get("author") or "").lower() not in authors:
            return entry
        if items_too:
            return None
        item["author"] = None
        return entry

    return _changed(body, change)


def without_workspace(body: str, workspace_id: int, slug: str, channels: Collection[int]) -> str | None:
    """The body without what a workspace wanted in it: empty when it was for nobody else, None when it was not there."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return "" if f'"{slug}"' in body else None
    if not isinstance(data, dict):
        return None
    payload = _payload(data)
    if payload is None:
        return "" if data.get("workspace") in (slug, workspace_id) else None  # a public event that was refused
    if payload.get("workspace_id") == workspace_id or payload.get("channel_id") in channels:
        return ""

    def change(item: Entry, entry: Entry) -> Entry | None:
        matches = entry.get("matches")
        if not isinstance(matches, list):
            return entry
        kept = [match for match in matches if not _is_of(match, workspace_id)]
        if len(kept) == len(matches):
            return entry
        entry["matches"] = kept
        return entry if kept else None

    return _changed(body, change)


def without_texts(body: str) -> str:
    """What is left of the body when nobody may read its items any more: it can be looked at, and not be replayed."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return UNREADABLE
    if not isinstance(data, dict) or _payload(data) is None:
        return UNREADABLE
    data["args"] = [TEXTS_ERASED]
    _forget_traceback(data)
    return _text(data)


def _changed(body: str, change: Callable[[Entry, Entry], Entry | None]) -> str | None:
    try:
        data = msgspec.json.decode(body)
        before = _text(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return UNREADABLE
    entries = _entries(data)
    if entries is None:
        return UNREADABLE if HOLDS_ITEMS in body else None
    entries[:] = [kept for entry in entries if (kept := change(_item(entry), entry)) is not None]
    if _text(data) == before:
        return None
    _forget_traceback(data)
    return _text(data)


def _text(data: object) -> str:
    return msgspec.json.encode(data).decode()


def _payload(data: Entry) -> Entry | None:
    args = data.get("args")
    return args[0] if isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict) else None


def _entries(data: object) -> list[Entry] | None:
    payload = _payload(data) if isinstance(data, dict) else None
    entries = payload.get("items") if payload is not None else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    return entries


def _item(entry: Entry) -> Entry:
    inner = entry.get("item")
    return inner if isinstance(inner, dict) else entry


def _is_of(match: object, workspace_id: int) -> bool:
    return isinstance(match, dict) and match.get("workspace_id") == workspace_id


def _forget_traceback(data: Entry) -> None:
    """The one that travels with a retry may quote what was erased."""
    options = data.get("options")
    if isinstance(options, dict):
        options.pop("traceback", None)
