"""Where a Discord channel's URL leads: a webhook.

https://discord.com/api/webhooks/ID/TOKEN        as copied; also ptb., canary. and discordapp.com, ?thread_id=…
discord://[name@]ID/TOKEN[?thread=…]             Apprise's form of it
"""

from __future__ import annotations

import re

import msgspec

from overheard.channels.service_urls import AppriseParts, apprise_parts

WEBHOOK = re.compile(
    r"https?://((ptb|canary)\.)?discord(app)?\.com/api/(v\d+/)?webhooks/(?P<id>\d+)/(?P<token>[\w-]+)/?", re.I | re.A
)
ID = re.compile(r"\d{1,25}", re.A)
TOKEN = re.compile(r"[\w-]+", re.A)
OPTIONS = ("thread", "thread_id", "wait", "tts", "batch", "botname")
NAME_MAX_CHARS = 80


class DiscordAddress(msgspec.Struct, frozen=True):
    """A webhook. ``thread`` and ``username`` are empty if the URL does not name them."""

    id: str
    token: str
    thread: str = ""
    username: str = ""

    @property
    def path(self) -> str:
        """Return the path to post to. With ``wait``, Discord answers after the message was saved, and not before."""
        thread = f"&thread_id={self.thread}" if self.thread else ""
        return f"/api/webhooks/{self.id}/{self.token}?wait=true{thread}"


def discord_address(url: str) -> DiscordAddress | None:
    """Return where the URL leads; None if it is not Discord's, or has an option that only Apprise knows."""
    base, _, query = url.strip().partition("?")
    if (webhook := WEBHOOK.fullmatch(base)) is not None:
        return _address(apprise_parts(f"discord://{webhook['id']}/{webhook['token']}?{query}", OPTIONS))
    parts = apprise_parts(url, OPTIONS)
    return _address(parts) if parts is not None and parts.scheme == "discord" else None


def _address(parts: AppriseParts | None) -> DiscordAddress | None:
    if parts is None or len(parts.path) != 2 or not (ID.fullmatch(parts.path[0]) and TOKEN.fullmatch(parts.path[1])):
        return None
    thread = parts.options.get("thread_id") or parts.options.get("thread", "")
    username = parts.options.get("botname") or parts.user
    spoken = parts.options.get("tts", "no").lower() not in ("", "no", "false", "0")
    if spoken or (thread and not ID.fullmatch(thread)) or not _is_name(username):
        return None
    return DiscordAddress(parts.path[0], parts.path[1], thread, username)


def _is_name(username: str) -> bool:
    """Return True if Discord takes the name, or if there is none. It refuses its own in any name."""
    return len(username) <= NAME_MAX_CHARS and not re.search("discord|clyde", username, re.I)
