"""Addresses that people copy from a chat service: https://, and yet not receivers of our signed webhooks.

Such a service wants a message in a form of its own, and refuses ours. Apprise knows most of these addresses as they
were copied; for the others, ``form`` says what to write. Only hosts where our webhook can never be understood stand
here: a name of somebody's own (Mattermost, a self-hosted ntfy) may be anything, and stays a webhook.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit


class ChatService(NamedTuple):
    """``host`` is a pattern of the host's whole name; the path begins with ``path``; ``form`` says what to write."""

    name: str
    host: str
    form: str
    path: str = "/"


SLACK = "https://hooks.slack.com/services/T…/B…/…, from the app's Incoming Webhooks page"
DISCORD = "https://discord.com/api/webhooks/ID/TOKEN, from the Discord channel's Integrations page"
CONNECTOR = (
    "a Teams workflow that posts to a chat or channel when a webhook request is received, since Microsoft has retired "
    "these connectors: copy its URL (https://….logic.azure.com/… or https://….api.powerplatform.com/…)"
)
WORKFLOW = "the URL of a Teams workflow, with everything after the question mark"
CHAT = "https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…, from the space's Apps & integrations page"

SERVICES = (
    ChatService("Slack", r"(hooks|api)\.slack(-gov)?\.com|slack\.com", SLACK),
    ChatService("Discord", r"((ptb|canary)\.)?discord(app)?\.com", DISCORD),
    ChatService("Teams", r"([a-z0-9-]+\.)*webhook\.office\.com", CONNECTOR),
    ChatService("Teams", r"outlook\.office(365)?\.com", CONNECTOR, "/webhook"),
    ChatService("Teams", r"([a-z0-9-]+\.)+logic\.azure\.[a-z]+", WORKFLOW, "/workflows/"),
    ChatService("Teams", r"([a-z0-9-]+\.)+powerplatform\.[a-z.]+", WORKFLOW),
    ChatService("Google Chat", r"chat\.googleapis\.com", CHAT),
    ChatService("Telegram", r"api\.telegram\.org|t\.me", "tgram://BOT_TOKEN/CHAT_ID"),
    ChatService("ntfy", r"ntfy\.sh", "https://ntfy.sh/TOPIC or ntfys://ntfy.sh/TOPIC"),
    ChatService("Webex", r"webexapis\.com|api\.ciscospark\.com", "https://webexapis.com/v1/webhooks/incoming/…"),
    ChatService("Pushover", r"api\.pushover\.net", "pover://USER_KEY@APP_TOKEN"),
)


def chat_service(url: str) -> ChatService | None:
    """The service from which somebody copied ``url``; None for other addresses, most of them signed webhooks."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    return next((s for s in SERVICES if re.fullmatch(s.host, host) and parts.path.startswith(s.path)), None)
