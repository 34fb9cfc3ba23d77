"""Render statuses as Mastodon's API does."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from .statuses import SimulatedStatus


def error(status: int, message: str) -> str:
    """Return an error's body."""
    return json.dumps({"error": message})


def iso(moment: float) -> str:
    """Return a time as the API writes it, such as 2026-11-27T17:15:00.000Z."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status_json(status: SimulatedStatus, domain: str) -> dict[str, object]:
    """Return a status as a JSON object. `domain` is where local accounts are."""
    name, _, host = status.acct.partition("@")
    account = {
        "id": str(sum(map(ord, status.acct)) + 1000),
        "username": name,
        "acct": status.acct,
        "display_name": name.title(),
        "locked": False,
        "bot": False,
        "discoverable": True,
        "indexable": True,
        "group": False,
        "created_at": "2022-11-01T00:00:00.000Z",
        "note": "",
        "url": f"https://{host or domain}/@{name}",
        "uri": f"https://{host or domain}/users/{name}",
    }
    if not host:
        account["noindex"] = False
    return {
        "id": str(status.id),
        "created_at": iso(status.created),
        "in_reply_to_id": None if status.reply_to is None else str(status.reply_to),
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": status.uri,
        "url": status.url,
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": None if status.edited is None else iso(status.edited),
        "content": status.content,
        "reblog": None,
        "account": {**account, **status.account},
        "media_attachments": [],
        "mentions": [],
        "tags": [{"name": tag, "url": f"https://{domain}/tags/{tag}"} for tag in status.tags],
        "emojis": [],
        "card": None,
        "poll": None,
        **status.fields,
    }
