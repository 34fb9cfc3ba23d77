"""What Telegram's answers mean: https://core.telegram.org/bots/api#making-requests"""

from __future__ import annotations

import msgspec

from overheard.channels.http import HttpAnswer
from overheard.channels.responses import describe_status, raise_for_status, requested_delay
from overheard.errors import ChannelGone, DeliveryRefused

MAY_NOT_WRITE = "the bot may not write there: give it the right to post"
# Words of its descriptions. Only ours are shown, since a description may repeat what was sent.
REFUSALS = {
    b"chat not found": "there is no such chat: a person has to write to the bot first, a group has to add it",
    b"thread not found": "there is no such topic in the chat",
    b"topic_closed": "the topic is closed",
    b"not enough rights": MAY_NOT_WRITE,
    b"have no rights": MAY_NOT_WRITE,
    b"administrator rights": "the bot has to be an administrator of this channel",
}


class _TelegramParameters(msgspec.Struct):
    migrate_to_chat_id: int | None = None


class _TelegramAnswer(msgspec.Struct):
    parameters: _TelegramParameters = msgspec.field(default_factory=_TelegramParameters)


_ANSWER = msgspec.json.Decoder(_TelegramAnswer)


def moved_to(answer: HttpAnswer) -> int | None:
    """Return the new number of a group that has become a supergroup."""
    if answer.status != 400:
        return None
    try:
        return _ANSWER.decode(answer.body).parameters.migrate_to_chat_id
    except (msgspec.MsgspecError, RecursionError):
        return None


def raise_for_answer(answer: HttpAnswer, *, now: float) -> None:
    """Return if Telegram took the message. 403 is ChannelGone: the chat has put the bot out."""
    reason = f"Telegram {describe_status(answer.status)}"
    if answer.status == 403:
        raise ChannelGone(f"{reason}: the chat has blocked or removed the bot; add it again, then enable the channel")
    if answer.status in (401, 404):
        raise DeliveryRefused(f"{reason}: it does not know this bot; compare the token with the one of @BotFather")
    said = answer.body.lower()
    meaning = next((meaning for words, meaning in REFUSALS.items() if words in said), None)
    if answer.status == 400 and meaning is not None:
        raise DeliveryRefused(f"{reason}: {meaning}")
    delay = requested_delay(answer.retry_after, answer.body, now=now)
    raise_for_status("Telegram", answer.status, None if delay is None else str(delay), now=now)
