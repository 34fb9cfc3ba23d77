"""Where a Telegram channel's URL leads: ``tgram://BOT_TOKEN/CHAT[:TOPIC]/…``, as in Apprise.

A chat is its number (``-100…`` for a group) or the ``@name`` of a public group or channel.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

URL = re.compile(r"tgram://(?:bot)?(\d+)(?::|%3A)([A-Za-z0-9_-]+)/([^?#]*)(?:\?([^#]*))?", re.IGNORECASE | re.ASCII)
CHAT = re.compile(r"(?P<number>-?\d{1,18})|@?(?P<name>[a-z_-][a-z0-9_-]+)", re.IGNORECASE | re.ASCII)
TOPIC = re.compile(r"\d{0,18}", re.ASCII)
# Options of Apprise that this transport knows; ``detect`` and ``image`` as long as they ask for nothing.
KNOWN_OPTIONS = frozenset({"to", "topic", "thread", "silent", "preview", "detect", "image"})
YES = frozenset({"yes", "true", "1", "on", "y", "t", "enable", "active", "+"})


class TelegramChat(NamedTuple):
    """A chat by its number or @name, and the topic in it."""

    id: int | str
    topic: int | None


class TelegramAddress(NamedTuple):
    """A bot and its chats. ``silent``: without a sound; ``preview``: with a preview of the linked page."""

    token: str
    chats: tuple[TelegramChat, ...]
    silent: bool
    preview: bool


def telegram_address(url: str) -> TelegramAddress | None:
    """Return where the URL leads; None if it is not Telegram's, or has an option that only Apprise knows."""
    parts = URL.fullmatch(url)
    if parts is None:
        return None
    number, key, path, query = parts.groups(default="")
    options = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    chosen = {name for name in ("silent", "preview", "detect", "image") if options.get(name, "").lower() in YES}
    topic = options.get("topic") or options.get("thread") or ""
    if not options.keys() <= KNOWN_OPTIONS or chosen & {"detect", "image"} or not TOPIC.fullmatch(topic):
        return None
    names = [unquote(name) for name in path.split("/")] + re.split(r"[\s,]+", options.get("to", ""))
    chats = [_chat(name, topic) for name in names if name]
    known = tuple(chat for chat in chats if chat is not None)
    if not known or len(known) < len(chats):
        return None
    return TelegramAddress(f"{number}:{key}", tuple(dict.fromkeys(known)), "silent" in chosen, "preview" in chosen)


def _chat(name: str, topic: str) -> TelegramChat | None:
    name, _, own_topic = name.partition(":")
    chat = CHAT.fullmatch(name)
    if chat is None or not TOPIC.fullmatch(own_topic):
        return None
    chosen = own_topic or topic
    return TelegramChat(int(name) if chat["number"] else f"@{chat['name']}", int(chosen) if chosen else None)
