"""What a webhook's body says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from overheard.channels import Notice


def body_of(notice: Notice, *, now: float) -> bytes:
    """The JSON that receivers get (DESIGN §3), the same bytes on every try.

    ``timestamp`` is when it happened (the newest mention was stored, the last incident seen), not when it was sent.
    """
    incidents = notice.alert.incidents if notice.alert is not None else ()
    said = [mention.stored_at for mention in notice.mentions] + [incident.last_at for incident in incidents]
    times = [datetime.fromisoformat(moment) for moment in said]
    happened = max(times, default=datetime.fromtimestamp(now, UTC))
    data: Any = (
        notice.alert
        if notice.type == "alert"
        else notice.mentions[0]
        if notice.type == "mention.created"
        else {
            "workspace": notice.workspace,
            "mentions": notice.mentions,
            "omitted": notice.omitted,
        }
    )
    return msgspec.json.encode({"type": notice.type, "timestamp": happened.astimezone(UTC), "data": data})
