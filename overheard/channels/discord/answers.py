"""What Discord's answers mean: a status, and a code in the body (https://discord.com/developers/docs/topics/opcodes)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from overheard.channels.http import HttpAnswer
from overheard.channels.responses import describe_status, raise_for_status, requested_delay
from overheard.errors import ChannelGone, RetryableError

UNKNOWN_WEBHOOK = 10015
REASONS = {
    10003: "the channel or thread was deleted",
    10008: "the thread was deleted",
    40067: "a forum's webhook needs a thread: add ?thread_id=… to the address",
    50006: "Discord calls the message empty",
    50013: "the webhook may not post there",
    50027: "the webhook's token is not valid: copy its address again",
    50035: "Discord refuses the message's form",
    50083: "the thread is archived",
    220001: "a forum's webhook needs a thread: add ?thread_id=… to the address",
    220003: "a thread's name belongs to webhooks of forums",
}


class _Problem(msgspec.Struct):
    code: int = 0


_PROBLEM = msgspec.json.Decoder(_Problem)


def raise_for_answer(answer: HttpAnswer, *, now: float) -> None:
    """Return if Discord took the message, else raise what ``responses`` says, with the code's meaning."""
    if 200 <= answer.status < 300:
        return
    try:
        code = _PROBLEM.decode(answer.body).code
    except (msgspec.MsgspecError, RecursionError):
        code = 0
    reason = f"Discord {describe_status(answer.status)}"
    if code == UNKNOWN_WEBHOOK:
        # It cannot come back, and Discord blocks addresses that send many requests to what does not exist.
        raise ChannelGone(f"{reason}: the webhook was deleted")
    # Every answer says when the limit is reset; only one that refuses for it asks to wait until then.
    reset_after = answer.reset_after if answer.status == HTTPStatus.TOO_MANY_REQUESTS else None
    delay = requested_delay(answer.retry_after or reset_after, answer.body, now=now)
    if delay is not None:
        raise RetryableError(reason, delay=delay)
    raise_for_status("Discord", answer.status, None, now=now, why=REASONS.get(code, ""))
