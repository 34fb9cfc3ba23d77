"""Send the sample through Overheard's own senders to stand-ins of the services, and read what they got."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from overheard.channels import ChannelOptions
from overheard.channels.registry import open_transport
from overheard.notices import Notice
from overheard.simulators.chats.discord import DiscordSimulator
from overheard.simulators.chats.ntfy import NtfySimulator
from overheard.simulators.chats.simulator import ChatSimulator
from overheard.simulators.chats.slack import SlackSimulator
from overheard.simulators.chats.telegram import TelegramSimulator
from tests.messages.sample import NOW
from tests.servers.mail_server import MailServer, ReceivedMail

URLS = {
    "slack": "https://hooks.slack.com/services/T000/B000/XXXX",
    "discord": "https://discord.com/api/webhooks/1/token",
    "telegram": "tgram://123456789:abcdefghijklmnopqrstuvwxyzabcdefghi/-100123",
    "ntfy": "https://ntfy.sh/acme-mentions",
}


class StandIns:
    """The running stand-ins; each message is sent once and read once."""

    def __init__(self, chats: dict[str, ChatSimulator], mail: MailServer) -> None:
        self._chats = chats
        self._mail = mail
        self._options = ChannelOptions(
            allow_private=True,
            timeout=10.0,
            user_agent="Overheard",
            clock=NOW.timestamp,
            services={name: chat.url for name, chat in chats.items()},
        )

    def sent(self, medium: str, notice: Notice) -> Any:
        """Return what the service accepted, as its own JSON. Raises what the sender raises if it was refused."""
        chat = self._chats[medium]
        chat.advance(60)  # past its rate limit
        self._send(URLS[medium], notice)
        return chat.messages[-1].content

    def mailed(self, notice: Notice) -> ReceivedMail:
        """Return the mail that a strict server accepted."""
        already = len(self._mail.arrived)
        self._send(f"mailto://127.0.0.1:{self._mail.port}?from=overheard@acme.example&to=team@acme.example", notice)
        mail: ReceivedMail = self._mail.wait_for(already + 1)[already]
        return mail

    def _send(self, url: str, notice: Notice) -> None:
        open_transport(url, None, options=self._options).send(notice)


@contextmanager
def open_stand_ins() -> Iterator[StandIns]:
    """Start all of them; stop them afterwards."""
    chats: dict[str, ChatSimulator] = {
        "slack": SlackSimulator(),
        "discord": DiscordSimulator(),
        "telegram": TelegramSimulator(),
        "ntfy": NtfySimulator(),
    }
    with ExitStack() as stack:
        for chat in chats.values():
            stack.enter_context(chat)
        yield StandIns(chats, stack.enter_context(MailServer()))
