"""Where a Slack channel's URL leads: an incoming webhook, or the Web API with a bot's token.

https://hooks.slack.com/services/T…/B…/…        as copied from the app's Incoming Webhooks page
slack://[name@]T…/B…/…[/#channel]               Apprise's form of it
slack://[name@]xoxb-…/#channel[:thread]         a bot; also @user and +ID
"""

from __future__ import annotations

import re

import msgspec

from overheard.channels.service_urls import apprise_parts

WEBHOOK = re.compile(
    r"https?://(?P<host>hooks\.slack(-gov)?\.com)(?P<path>/services/[A-Z0-9]+/[A-Z0-9]+/[A-Z0-9]+)/?", re.I
)
TOKEN = re.compile(r"(xoxe\.)?xox[abp]-[A-Z0-9-]+", re.I)
WEBHOOK_PART = re.compile(r"[A-Z0-9]+", re.I)
TARGET = re.compile(r"(?P<kind>[+#@]?)(?P<name>[A-Z0-9_-]{1,80})(:(?P<thread>[0-9]+\.[0-9]+))?", re.I)
CHANNEL_ID = re.compile(r"[CDGU][A-Z0-9]{7,}")
DEFAULT_CHANNEL = "#general"  # as in Apprise
API_PATH = "/api/chat.postMessage"
NAME_MAX_CHARS = 80


class SlackAddress(msgspec.Struct, frozen=True):
    """``path`` of a webhook or of the Web API; ``token`` of a bot; ``host`` if it is not that of [channels.slack] url.

    ``channel``, ``thread`` and ``username`` are empty if the URL does not name them.
    """

    path: str
    token: str = ""
    host: str = ""
    channel: str = ""
    thread: str = ""
    username: str = ""


def slack_address(url: str) -> SlackAddress | None:
    """Return where the URL leads; None if it is not Slack's, or has an option that only Apprise knows."""
    base, _, query = url.partition("?")
    if (webhook := WEBHOOK.fullmatch(base)) is not None:
        host = "" if webhook["host"].lower() == "hooks.slack.com" else webhook["host"].lower()
        known = apprise_parts(f"slack://?{query}", ()) is not None
        return SlackAddress(webhook["path"], host=host) if known else None
    parts = apprise_parts(url, ("blocks", "mode", "to"))
    if parts is None or parts.scheme != "slack" or not parts.path or len(parts.user) > NAME_MAX_CHARS:
        return None
    if TOKEN.fullmatch(parts.path[0]):
        token, targets, path = parts.path[0], parts.path[1:], API_PATH
    elif len(parts.path) >= 3 and all(map(WEBHOOK_PART.fullmatch, parts.path[:3])):
        token, targets, path = "", parts.path[3:], f"/services/{'/'.join(parts.path[:3])}"
    else:
        return None
    if parts.options.get("mode") not in (None, "bot" if token else "webhook"):
        return None
    if to := parts.options.get("to"):
        targets = (*targets, to)
    if len(targets) > 1:
        return None  # several messages, of which some may fail: Apprise's
    if not targets:
        return SlackAddress(path, token, channel=DEFAULT_CHANNEL if token else "", username=parts.user)
    target = TARGET.fullmatch(targets[0])
    if target is None:
        return None  # such as an e-mail address, which has to be looked up
    return SlackAddress(path, token, "", _channel(target), target["thread"] or "", parts.user)


def _channel(target: re.Match[str]) -> str:
    """Return the channel as Slack's API takes it: an ID as it is, a name with its sign."""
    kind, name = target["kind"], target["name"]
    if kind == "+" or (not kind and CHANNEL_ID.fullmatch(name)):
        return name
    return f"{kind or '#'}{name}"
