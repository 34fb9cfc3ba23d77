"""What a webhook's body says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from overheard.channels import Notice


def body_of(notice: Notice, *, now: float) -> bytes:
    """The JSON that receivers get (DESIGN §3), the same bytes on every try.

    ``timestamp`` is when it happened (the newest mention was stored), not when it was sent.
    """
    times = [datetime.fromisoformat(mention.stored_at) for mention in notice.mentions]
    happened = max(times, default=datetime.fromtimestamp(now, UTC))
    data: Any = (
        notice.mentions[0]
        if notice.type == "mention.created"
        else {
            "workspace": notice.workspace,
            "mentions": notice.mentions,
            "omitted": notice.omitted,
        }
    )
    return msgspec.json.encode({"type": notice.type, "timestamp": happened.astimezone(UTC), "data": data})
