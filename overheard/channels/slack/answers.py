"""What Slack's answers mean. An incoming webhook says it by its status and a word; the Web API by ``ok`` and a word.

The words are Slack's (https://api.slack.com/messaging/webhooks#handling_errors, /methods/chat.postMessage#errors). Only
known ones are shown, since any other text may repeat what was sent.
"""

from __future__ import annotations

import msgspec

from overheard.channels.http import HttpAnswer
from overheard.channels.responses import parse_retry_after, raise_for_status
from overheard.errors import ChannelGone, DeliveryRefused, PermanentError, RetryableError

DEFAULT_WAIT_SECONDS = 30.0  # for a rate limit without Retry-After; Slack's own examples say 30

BAD_WEBHOOK = "the webhook was removed or its app was uninstalled: make a new one in Slack"
BAD_LOGIN = "the bot's token is not valid any more: copy a new one from the app's OAuth page"
INVITE = "the channel does not exist for this bot: check its name, and invite the app to it"
REFUSALS = {
    "no_service": BAD_WEBHOOK, "no_service_id": BAD_WEBHOOK, "no_team": BAD_WEBHOOK, "team_disabled": BAD_WEBHOOK,
    "no_active_hooks": BAD_WEBHOOK, "invalid_token": BAD_WEBHOOK, "user_not_found": INVITE,
    "invalid_auth": BAD_LOGIN, "not_authed": BAD_LOGIN, "token_revoked": BAD_LOGIN, "token_expired": BAD_LOGIN,
    "account_inactive": BAD_LOGIN, "channel_not_found": INVITE, "not_in_channel": INVITE,
    "missing_scope": "the bot lacks a permission: give it chat:write (and chat:write.customize for a name)",
    "action_prohibited": "an administrator of the Slack workspace forbids it",
    "restricted_action": "an administrator of the Slack workspace forbids it",
    "posting_to_general_channel_denied": "an administrator of the Slack workspace forbids it",
}  # fmt: skip
TOO_LARGE = ("msg_too_long", "msg_blocks_too_long")
GONE = ("is_archived", "channel_is_archived")
PASSING = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error")
RATE_LIMITED = ("ratelimited", "rate_limited", "message_limit_exceeded")


class _ApiAnswer(msgspec.Struct):
    ok: bool
    error: str = ""


_API_ANSWER = msgspec.json.Decoder(_ApiAnswer)


def raise_for_webhook_answer(answer: HttpAnswer, *, now: float) -> None:
    """Return if an incoming webhook took the message, else raise what ``responses`` says, or what the word means."""
    word = answer.body.decode(errors="replace").strip()
    if answer.status >= 400:
        _raise_for_word(f"Slack answered {answer.status}", word, answer, now)
    raise_for_status("Slack", answer.status, answer.retry_after, now=now)


def raise_for_api_answer(answer: HttpAnswer, *, now: float) -> None:
    """Return if the Web API took the message, else raise what its word means."""
    try:
        said = _API_ANSWER.decode(answer.body)
    except (msgspec.MsgspecError, RecursionError):
        said = _ApiAnswer(ok=False)
    if 200 <= answer.status < 300 and said.ok:
        return
    _raise_for_word(f"Slack answered {answer.status}", said.error, answer, now)
    raise_for_status("Slack", answer.status, answer.retry_after, now=now)
    if said.error:
        raise DeliveryRefused("Slack refused the message, for a reason that we do not know")
    raise RetryableError("Slack answered 200, but not as it should")


def _raise_for_word(reason: str, word: str, answer: HttpAnswer, now: float) -> None:
    """Raise what a known word means."""
    reason = f"{reason} ({word})"
    if word in GONE:
        raise ChannelGone(f"{reason}: the channel was archived")
    if word in RATE_LIMITED:
        raise RetryableError(reason, delay=parse_retry_after(answer.retry_after, now=now) or DEFAULT_WAIT_SECONDS)
    if word in TOO_LARGE:
        raise PermanentError(f"{reason}: the message is too long for Slack")
    if word in PASSING:
        raise RetryableError(reason, delay=parse_retry_after(answer.retry_after, now=now))
    if word in REFUSALS:
        raise DeliveryRefused(f"{reason}: {REFUSALS[word]}")
