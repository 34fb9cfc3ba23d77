"""Send to Discord, as an embed through a webhook.

Discord has no field for a message's id (I4): a repeat after an answer that was lost is shown twice. A proxy that the
operator puts before it can tell by the header ``webhook-id``.
"""

from __future__ import annotations

import msgspec

from overheard.channels import ChannelOptions, Pace
from overheard.channels.chat_urls import DISCORD_FORM
from overheard.channels.discord.address import discord_address
from overheard.channels.discord.answers import raise_for_answer
from overheard.channels.discord.embeds import embed_of
from overheard.channels.http import post_to_service
from overheard.channels.preview import MessagePreview
from overheard.channels.redact import fingerprint
from overheard.channels.rendering.sanitize import ZERO_WIDTH
from overheard.errors import InvalidInput
from overheard.notices import Notice

# 5 in 2 seconds, and 30 a minute: after a burst of 5 that leaves 25.
PER_MINUTE = 25
BURST = 5


class DiscordTransport:
    """Sends to one webhook. Raises InvalidInput for a URL that is not its own."""

    kind = "discord"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        address = discord_address(url)
        if address is None:
            raise InvalidInput(f"url: not an address at which Discord takes messages; use {DISCORD_FORM}")
        self._address = address
        self._options = options
        self.pace: Pace | None = Pace(f"discord:{fingerprint(address.id)}", PER_MINUTE, BURST)

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for a webhook with options that we know."""
        return discord_address(url) is not None

    def preview(self, notice: Notice) -> MessagePreview:
        """Return the embed's text."""
        embed = embed_of(notice, self._options.clock())
        parts = (embed["title"], embed.get("url"), embed["description"], embed.get("footer", {}).get("text"))
        return MessagePreview("\n".join(filter(None, parts)).replace(ZERO_WIDTH, ""))

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError (with the requested delay), ChannelGone, or PermanentError."""
        now = self._options.clock()
        # Nothing in a message of ours may ping, whatever a stranger wrote.
        content = {"embeds": [embed_of(notice, now)], "allowed_mentions": {"parse": []}}
        if self._address.username:
            content["username"] = self._address.username
        headers = {"Content-Type": "application/json", "webhook-id": notice.id}
        answer = post_to_service("discord", self._address.path, msgspec.json.encode(content), headers, self._options)
        raise_for_answer(answer, now=now)
