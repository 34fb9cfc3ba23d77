"""Send to Telegram as a bot: ``tgram://BOT_TOKEN/CHAT[:TOPIC]/…``, as in Apprise.

A chat is its number (``-100…`` for a group) or the ``@name`` of a public group or channel.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from overheard.channels import ChannelOptions, Pace
from overheard.channels.http import HttpAnswer, post_to_service
from overheard.channels.recipients import send_to_each
from overheard.channels.redact import fingerprint
from overheard.channels.rendering.outline import fitting
from overheard.channels.rendering.telegram_html import fits_telegram, telegram_html
from overheard.channels.responses import describe_status, raise_for_status, requested_delay
from overheard.errors import ChannelGone, DeliveryRefused
from overheard.notices import Notice, NoticeLinks

URL = re.compile(r"tgram://(?:bot)?(\d+)(?::|%3A)([A-Za-z0-9_-]+)/([^?#]*)(?:\?([^#]*))?", re.IGNORECASE | re.ASCII)
CHAT = re.compile(r"(?P<number>-?\d{1,32})|@?(?P<name>[a-z_-][a-z0-9_-]+)", re.IGNORECASE | re.ASCII)
# Options of Apprise that this transport knows. ``detect`` and ``image`` are known as long as they ask for nothing.
OPTIONS = frozenset({"to", "topic", "thread", "silent", "preview", "detect", "image"})
YES = frozenset({"yes", "true", "1", "on", "y", "t"})

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: 20 messages a minute in a group, one
# a second in a chat with a person. A burst and what comes after it in a minute stay within that together.
GROUP_PACE = (16.0, 4)
PERSON_PACE = (55.0, 5)

BUTTONS = {"open": "Open", "useful": "Useful", "noise": "Noise", "mute": "Mute"}
# What a refusal means, by words of Telegram's that never contain what was sent.
REFUSALS = {
    b"chat not found": "there is no such chat; a person has to write to the bot first, a group has to add it",
    b"thread not found": "there is no such topic in the chat",
    b"not enough rights": "the bot may not write in this chat; give it the right to post",
    b"have no rights": "the bot may not write in this chat; give it the right to post",
    b"administrator rights": "the bot has to be an administrator of this channel",
    b"topic_closed": "the topic is closed",
}


class TelegramChat(NamedTuple):
    """A chat by its number or @name, and the topic in it."""

    id: int | str
    topic: int | None


class TelegramUrl(NamedTuple):
    """A channel's URL, taken apart."""

    token: str
    chats: tuple[TelegramChat, ...]
    silent: bool
    preview: bool


class TelegramTransport:
    """Sends as one bot to one or several chats. ``registry`` gives it only URLs that it ``takes``."""

    kind = "telegram"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        parsed = _parse(url)
        assert parsed is not None
        self._url = parsed
        self._options = options
        self.pace: Pace | None = _pace(parsed)

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for an address with a bot, at least one chat, and no option that only Apprise knows."""
        return _parse(url) is not None

    def send(self, notice: Notice) -> None:
        """Deliver once to each chat. Raises RetryableError (with the requested delay), PermanentError, ChannelGone."""
        text = telegram_html(fitting(notice, self._options.clock(), fits_telegram))
        keyboard = _keyboard(notice.links)
        send_to_each(self._url.chats, lambda chat: self._send(chat, text, keyboard))

    def _send(self, chat: TelegramChat, text: str, keyboard: list[list[dict[str, str]]]) -> None:
        answer = self._post(chat, text, keyboard)
        moved_to = _answered(answer).parameters.migrate_to_chat_id
        if answer.status == 400 and moved_to is not None:  # the group has become a supergroup, with another number
            answer = self._post(TelegramChat(moved_to, chat.topic), text, keyboard)
        _raise_for(answer, self._options.clock())

    def _post(self, chat: TelegramChat, text: str, keyboard: list[list[dict[str, str]]]) -> HttpAnswer:
        message: dict[str, Any] = {
            "chat_id": chat.id,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": not self._url.preview},
        }
        if chat.topic is not None:
            message["message_thread_id"] = chat.topic
        if self._url.silent:
            message["disable_notification"] = True
        if keyboard:
            message["reply_markup"] = {"inline_keyboard": keyboard}
        body = msgspec.json.encode(message)
        path = f"/bot{self._url.token}/sendMessage"
        return post_to_service("telegram", path, body, {"Content-Type": "application/json"}, self._options)


def _parse(url: str) -> TelegramUrl | None:
    """Return the parts of an address, None for one that only Apprise knows."""
    parts = URL.fullmatch(url)
    if parts is None:
        return None
    number, key, path, query = parts.groups(default="")
    options = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    chosen = {name for name in ("silent", "preview", "detect", "image") if options.get(name, "").lower() in YES}
    topic = options.get("topic") or options.get("thread") or ""
    if not options.keys() <= OPTIONS or chosen & {"detect", "image"} or not re.fullmatch(r"\d{0,18}", topic, re.ASCII):
        return None
    names = [unquote(name) for name in path.split("/")] + re.split(r"[\s,]+", options.get("to", ""))
    chats = [_chat(name, topic) for name in names if name]
    known = tuple(chat for chat in chats if chat is not None)
    if not known or len(known) < len(chats):
        return None
    return TelegramUrl(f"{number}:{key}", tuple(dict.fromkeys(known)), "silent" in chosen, "preview" in chosen)


def _chat(name: str, topic: str) -> TelegramChat | None:
    name, _, own_topic = name.partition(":")
    chat = CHAT.fullmatch(name)
    if chat is None or not re.fullmatch(r"\d{0,18}", own_topic, re.ASCII):
        return None
    chosen = own_topic or topic
    return TelegramChat(int(name) if chat["number"] else f"@{chat['name']}", int(chosen) if chosen else None)


def _pace(url: TelegramUrl) -> Pace:
    """Return the pace of the first group, else of the first person: of all chats it is the slowest."""
    groups = [chat for chat in url.chats if isinstance(chat.id, str) or chat.id < 0]
    chat = (groups or url.chats)[0]
    per_minute, burst = GROUP_PACE if groups else PERSON_PACE
    return Pace(f"telegram:{fingerprint(f'{url.token} {chat.id}')}", per_minute, burst)


def _keyboard(links: NoticeLinks) -> list[list[dict[str, str]]]:
    """Return one row of buttons, for the addresses that there are."""
    row = [{"text": text, "url": link} for name, text in BUTTONS.items() if (link := getattr(links, name)) is not None]
    return [row] if row else []


class _Parameters(msgspec.Struct):
    migrate_to_chat_id: int | None = None


class _Answer(msgspec.Struct):
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


_ANSWER = msgspec.json.Decoder(_Answer)


def _answered(answer: HttpAnswer) -> _Answer:
    try:
        return _ANSWER.decode(answer.body)
    except (msgspec.MsgspecError, RecursionError):
        return _Answer()


def _raise_for(answer: HttpAnswer, now: float) -> None:
    reason = f"Telegram {describe_status(answer.status)}"
    if answer.status == 403:
        raise ChannelGone(f"{reason}: the bot was blocked there, or removed from the chat; add it again")
    if answer.status in (401, 404):
        raise DeliveryRefused(f"{reason}: it does not know this bot; compare the token with what @BotFather says")
    said = answer.body.lower()
    meaning = next((meaning for words, meaning in REFUSALS.items() if words in said), None)
    if answer.status == 400 and meaning is not None:
        raise DeliveryRefused(f"{reason}: {meaning}")
    delay = requested_delay(answer.retry_after, answer.body, now=now)
    raise_for_status("Telegram", answer.status, None if delay is None else str(delay), now=now)
