"""The services that the day's channels send to: strict stand-ins over HTTP and SMTP, on the day's clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from overheard.clock import Clock
from overheard.config import Config, NotifySettings
from overheard.config.channels import ChannelsSettings
from overheard.simulators.chats.discord import DiscordSimulator
from overheard.simulators.chats.ntfy import NtfySimulator
from overheard.simulators.chats.simulator import ChatSimulator
from overheard.simulators.chats.slack import SlackSimulator
from overheard.simulators.chats.telegram import TelegramSimulator
from tests.servers.mail_server import MailServer, ReceivedMail
from tests.servers.sink import HttpSink


class Received(NamedTuple):
    """What one receiver got: ``medium``, the address below it, when, and what the service accepted."""

    medium: str
    to: str
    at: float
    content: Any


class Receivers:
    """All running stand-ins. ``collect`` returns what has arrived since it was called last."""

    def __init__(
        self, clock: Clock, chats: dict[str, ChatSimulator], mail: MailServer, webhook: HttpSink, files: Path
    ) -> None:
        self._clock = clock
        self._chats = chats
        self._mail = mail
        self._webhook = webhook
        self._files = files
        self._seen: dict[str, int] = {}

    def config(self) -> Config:
        """Return the configuration under which channels send to them."""
        urls = {name: {"url": chat.url} for name, chat in self._chats.items()}
        return Config(
            notify=NotifySettings(allow_private=True, files_dir=str(self._files)),
            channels=ChannelsSettings.model_validate(urls),
        )

    def addresses(self) -> dict[str, str]:
        """Return the addresses that are not the services' own."""
        return {"{mail}": f"mailto://127.0.0.1:{self._mail.port}", "{webhook}": self._webhook.url}

    def collect(self) -> Iterator[Received]:
        """Yield what is new, with the time of now."""
        now = self._clock()
        for medium, chat in self._chats.items():
            for message in self._new(medium, chat.messages):
                yield Received(medium, message.to, message.at, message.content)
        mails: list[ReceivedMail] = self._mail.wait_for(0)
        for mail in self._new("mail", mails):
            yield Received("mail", ", ".join(mail.recipients), now, mail)
        for request in self._new("webhook", self._webhook.wait_for(0)):
            yield Received("webhook", request.path, now, request.json)
        for path in sorted(self._files.glob("*.jsonl")):
            for line in self._new_lines(path):
                yield Received("file", path.name, now, json.loads(line))

    def refusals(self) -> dict[str, list[str]]:
        """Return what the services refused, by medium: rate limits and broken rules."""
        found = {medium: chat.refusals for medium, chat in self._chats.items()} | {"mail": self._mail.broken}
        return {medium: refused for medium, refused in found.items() if refused}

    def _new_lines(self, path: Path) -> list[bytes]:
        with path.open("rb") as file:
            file.seek(self._seen.get(path.name, 0))
            lines = file.readlines()
            self._seen[path.name] = file.tell()
        return lines

    def _new(self, name: str, everything: list[Any]) -> list[Any]:
        new = everything[self._seen.get(name, 0) :]
        self._seen[name] = len(everything)
        return new


@contextmanager
def open_receivers(clock: Clock, files: Path) -> Iterator[Receivers]:
    """Start all of them; stop them afterwards."""
    kinds: dict[str, Callable[..., ChatSimulator]] = {
        "slack": SlackSimulator,
        "discord": DiscordSimulator,
        "telegram": TelegramSimulator,
        "ntfy": NtfySimulator,
    }
    with ExitStack() as stack:
        chats = {name: stack.enter_context(kind(clock=clock)) for name, kind in kinds.items()}
        mail, webhook = stack.enter_context(MailServer()), stack.enter_context(HttpSink())
        yield Receivers(clock, chats, mail, webhook, files)
