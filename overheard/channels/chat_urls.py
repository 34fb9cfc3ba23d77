"""Recognize https:// addresses copied from a chat service, which do not accept signed webhooks.

Such a service requires a message format of its own and refuses ours. Apprise parses most of these addresses as they
are copied; for the others, ``form`` says what to write. Only hosts that can never accept our webhook are listed: a
self-hosted server (Mattermost, ntfy) may have any name and run anything, so its address stays a webhook.
"""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple
from urllib.parse import urlsplit


class ChatService(NamedTuple):
    """``host`` matches the whole host name, ``path`` the beginning of the path; ``form``: the address to write."""

    name: str
    host: str
    form: str
    path: str = "/"


SLACK_FORM = "https://hooks.slack.com/services/T…/B…/…, from the app's Incoming Webhooks page"
DISCORD_FORM = "https://discord.com/api/webhooks/ID/TOKEN, from the Discord channel's Integrations page"
TEAMS_CONNECTOR_FORM = (
    "a Teams workflow that posts to a chat or channel when a webhook request is received, since Microsoft has retired "
    "these connectors: copy its URL (https://….logic.azure.com/… or https://….api.powerplatform.com/…)"
)
TEAMS_WORKFLOW_FORM = "the URL of a Teams workflow, with everything after the question mark"
GOOGLE_CHAT_FORM = (
    "https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…, from the space's Apps & integrations page"
)

TELEGRAM_FORM = "tgram://BOT_TOKEN/CHAT_ID"
NTFY_FORM = "https://ntfy.sh/TOPIC or ntfys://HOST/TOPIC"
MAIL_FORM = "mailto://USER:PASSWORD@HOST?to=ADDRESS"
# What to write for a URL with one of these schemes that cannot be read.
SCHEME_FORMS = {
    "slack": f"{SLACK_FORM}, or slack://xoxb-…/#channel for a bot",
    "discord": DISCORD_FORM,
    "tgram": TELEGRAM_FORM,
    "ntfy": NTFY_FORM,
    "ntfys": NTFY_FORM,
    "mailto": MAIL_FORM,
    "mailtos": MAIL_FORM,
}

SERVICES = (
    ChatService("Slack", r"(hooks|api)\.slack(-gov)?\.com|slack\.com", SLACK_FORM),
    ChatService("Discord", r"((ptb|canary)\.)?discord(app)?\.com", DISCORD_FORM),
    ChatService("Teams", r"([a-z0-9-]+\.)*webhook\.office\.com", TEAMS_CONNECTOR_FORM),
    ChatService("Teams", r"outlook\.office(365)?\.com", TEAMS_CONNECTOR_FORM, "/webhook"),
    ChatService("Teams", r"([a-z0-9-]+\.)+logic\.azure\.[a-z]+", TEAMS_WORKFLOW_FORM, "/workflows/"),
    ChatService("Teams", r"([a-z0-9-]+\.)+powerplatform\.[a-z.]+", TEAMS_WORKFLOW_FORM),
    ChatService("Google Chat", r"chat\.googleapis\.com", GOOGLE_CHAT_FORM),
    ChatService("Telegram", r"api\.telegram\.org|t\.me", TELEGRAM_FORM),
    ChatService("ntfy", r"ntfy\.sh", "https://ntfy.sh/TOPIC or ntfys://ntfy.sh/TOPIC"),
    ChatService("Webex", r"webexapis\.com|api\.ciscospark\.com", "https://webexapis.com/v1/webhooks/incoming/…"),
    ChatService("Pushover", r"api\.pushover\.net", "pover://USER_KEY@APP_TOKEN"),
)


def scheme_hint(scheme: str) -> str:
    """Return what to write in place of a URL with this scheme that is not accepted."""
    if scheme in SCHEME_FORMS:
        return f"write {SCHEME_FORMS[scheme]}"
    close = difflib.get_close_matches(scheme, SCHEME_FORMS, n=1)
    return (f"did you mean {close[0]}://? " if close else "") + "compare it with https://appriseit.com/services"


def chat_service(url: str) -> ChatService | None:
    """Return the service that ``url`` was copied from; None for other addresses, most of them signed webhooks."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    return next((s for s in SERVICES if re.fullmatch(s.host, host) and parts.path.startswith(s.path)), None)
