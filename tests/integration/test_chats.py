"""A flood of mentions to a chat, whose simulator is as strict about its rate as the service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overheard.simulators.chats.discord import DiscordSimulator
from overheard.simulators.chats.ntfy import NtfySimulator
from overheard.simulators.chats.simulator import ChatSimulator
from overheard.simulators.chats.slack import SlackSimulator
from overheard.simulators.chats.telegram import TelegramSimulator
from tests.servers.farm import Farm

CHATS = {
    "slack": (SlackSimulator, "https://hooks.slack.com/services/T1/B1/x"),
    "discord": (DiscordSimulator, "https://discord.com/api/webhooks/17/x"),
    "telegram": (TelegramSimulator, "tgram://123:x/-100"),
    "ntfy": (NtfySimulator, "https://ntfy.sh/x"),
}
POSTS = 40
COUNTED = re.compile(r"(\d+) more mention")


@pytest.mark.parametrize("name", CHATS)
def test_a_flood_is_folded_within_the_rate_of_the_chat(tmp_path: Path, name: str) -> None:
    simulator, url = CHATS[name]
    chat: ChatSimulator
    with simulator() as chat:
        settings = {f"CHANNELS__{name.upper()}__URL": chat.url, "NOTIFY__ALLOW_PRIVATE": "false"}
        with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db", **settings) as farm:
            farm.workspace(url=url, pace={"summary_every": "5s"})
            farm.start("run", "overheard.cli", "run")
            farm.post(POSTS)
            farm.wait(lambda: told(chat) >= POSTS, lambda: f"{told(chat)}: {chat.refusals}", 90)
        assert told(chat) == POSTS
        assert len(chat.messages) <= 20
        assert chat.refusals == []


def told(chat: ChatSimulator) -> int:
    """Return of how many mentions the messages tell: a single one, or the total of a summary."""
    shown = [COUNTED.search(str(message.content)) for message in chat.messages]
    return sum(int(match[1]) if match else 1 for match in shown)
