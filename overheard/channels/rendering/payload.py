"""What a webhook's body says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from overheard.notices import Notice, PublicMention

BODY_MAX_BYTES = 512_000  # bytes of mentions in a body: many receivers refuse more than 1 MB


def body_of(notice: Notice, *, now: float) -> bytes:
    """The JSON that receivers get, the same bytes on every try.

    ``timestamp`` is when it happened (the newest mention was stored, the last incident seen), not when it was sent.
    Of many mentions it holds the newest, as many as fit; ``omitted`` counts all that it does not hold.
    """
    incidents = notice.alert.incidents if notice.alert is not None else ()
    said = [mention.stored_at for mention in notice.mentions] + [incident.last_at for incident in incidents]
    times = [datetime.fromisoformat(moment) for moment in said]
    happened = max(times, default=datetime.fromtimestamp(now, UTC))
    shown = _fitting(notice.mentions)
    data: Any = (
        notice.alert
        if notice.type == "alert"
        else notice.mentions[0]
        if notice.type == "mention.created"
        else {
            "workspace": notice.workspace,
            "mentions": shown,
            "omitted": notice.omitted + len(notice.mentions) - len(shown),
        }
    )
    return msgspec.json.encode({"type": notice.type, "timestamp": happened.astimezone(UTC), "data": data})


def _fitting(mentions: Sequence[PublicMention]) -> Sequence[PublicMention]:
    room = BODY_MAX_BYTES
    for position in range(len(mentions) - 1, -1, -1):
        room -= len(msgspec.json.encode(mentions[position])) + 1
        if room < 0:
            return mentions[position + 1 :] or mentions[-1:]
    return mentions
