"""Encode a notice as the JSON body of a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from overheard.notices import Notice, PublicMention

BODY_MAX_BYTES = 512_000  # of mentions: many receivers refuse a body of more than 1 MB


def body_of(notice: Notice, *, now: float) -> bytes:
    """Return the JSON for a receiver, the same bytes on every attempt.

    ``timestamp`` is when it happened (the newest mention was stored, the last incident seen), not when it was sent.
    The body contains the newest mentions that fit, at least one; ``omitted`` counts all others.
    """
    incidents = notice.alert.incidents if notice.alert is not None else ()
    moments = [mention.stored_at for mention in notice.mentions] + [incident.last_at for incident in incidents]
    times = [datetime.fromisoformat(moment) for moment in moments]
    happened = max(times, default=datetime.fromtimestamp(now, UTC))
    included = _newest_fitting(notice.mentions)
    data: Any = (
        notice.alert
        if notice.type == "alert"
        else notice.mentions[0]
        if notice.type == "mention.created"
        else {
            "workspace": notice.workspace,
            "mentions": included,
            "omitted": notice.omitted + len(notice.mentions) - len(included),
        }
    )
    return msgspec.json.encode({"type": notice.type, "timestamp": happened.astimezone(UTC), "data": data})


def _newest_fitting(mentions: Sequence[PublicMention]) -> Sequence[PublicMention]:
    room = BODY_MAX_BYTES
    for position in range(len(mentions) - 1, -1, -1):
        room -= len(msgspec.json.encode(mentions[position])) + 1
        if room < 0:
            return mentions[position + 1 :] or mentions[-1:]
    return mentions
