"""Send to Telegram as a bot. It has no field for a message's id (I4): a repeat is shown twice."""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.channels import ChannelOptions, Pace
from overheard.channels.http import HttpAnswer, post_to_service
from overheard.channels.preview import MessagePreview
from overheard.channels.recipient_memory import RecipientMemory
from overheard.channels.recipients import send_to_each
from overheard.channels.redact import fingerprint
from overheard.channels.telegram.address import TelegramAddress, TelegramChat, telegram_address
from overheard.channels.telegram.answers import moved_to, raise_for_answer
from overheard.channels.telegram.message import plain_text, telegram_text
from overheard.errors import InvalidInput
from overheard.notices import Notice, NoticeLinks

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: 20 messages a minute in a group, one
# a second in a chat with a person. A burst and what follows within a minute stay within that together.
GROUP_PACE = (16.0, 4)
PERSON_PACE = (55.0, 5)
BUTTONS = {"open": "Open", "useful": "Useful", "noise": "Noise", "mute": "Mute"}

_memory = RecipientMemory()  # of the process: a transport lives for one round only


class TelegramTransport:
    """Sends as one bot to one or several chats. Raises InvalidInput for a URL that is not its own."""

    kind = "telegram"
    signed = False

    def __init__(
        self, url: str, secret: str | None, options: ChannelOptions, *, memory: RecipientMemory = _memory
    ) -> None:
        address = telegram_address(url)
        if address is None:
            raise InvalidInput("url: not a bot and its chats; write tgram://BOT_TOKEN/CHAT_ID")
        self._address = address
        self._options = options
        self._memory = memory
        self.pace: Pace | None = _pace(address)

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for an address with a bot, at least one chat, and no option that only Apprise knows."""
        return telegram_address(url) is not None

    def preview(self, notice: Notice) -> MessagePreview:
        """Return the message's text, with the addresses of links behind them."""
        return MessagePreview(plain_text(telegram_text(notice, self._options.clock())))

    def send(self, notice: Notice) -> None:
        """Deliver once to each chat. Raises RetryableError (with the requested delay), PermanentError, ChannelGone."""
        message = {
            "text": telegram_text(notice, self._options.clock()),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": not self._address.preview},
            "disable_notification": self._address.silent,
            **_buttons(notice.links),
        }
        send_to_each(
            {fingerprint(f"{self._address.token} {chat.id} {chat.topic}"): chat for chat in self._address.chats},
            lambda chat: self._send(chat, message, notice.id),
            delivery=notice.id,
            memory=self._memory,
            now=self._options.clock(),
        )

    def _send(self, chat: TelegramChat, message: dict[str, Any], id: str) -> None:
        answer = self._post(chat, message, id)
        if (number := moved_to(answer)) is not None:
            answer = self._post(TelegramChat(number, chat.topic), message, id)
        raise_for_answer(answer, now=self._options.clock())

    def _post(self, chat: TelegramChat, message: dict[str, Any], id: str) -> HttpAnswer:
        to = {"chat_id": chat.id, **({"message_thread_id": chat.topic} if chat.topic is not None else {})}
        headers = {"Content-Type": "application/json", "webhook-id": id}
        path = f"/bot{self._address.token}/sendMessage"
        return post_to_service("telegram", path, msgspec.json.encode(to | message), headers, self._options)


def _pace(address: TelegramAddress) -> Pace:
    """Return the pace of the first group, else of the first person: each message goes to all chats."""
    groups = [chat for chat in address.chats if isinstance(chat.id, str) or chat.id < 0]
    chat = (groups or address.chats)[0]
    per_minute, burst = GROUP_PACE if groups else PERSON_PACE
    return Pace(f"telegram:{fingerprint(f'{address.token} {chat.id}')}", per_minute, burst)


def _buttons(links: NoticeLinks) -> dict[str, Any]:
    """Return one row of buttons, for the addresses that there are."""
    row = [{"text": text, "url": link} for name, text in BUTTONS.items() if (link := getattr(links, name)) is not None]
    return {"reply_markup": {"inline_keyboard": [row]}} if row else {}
