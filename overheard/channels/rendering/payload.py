"""Encode a notice as the JSON body of a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from overheard.channels.rendering.newest import newest_of_each_query
from overheard.channels.rendering.summary_words import SUMMARY_MAX_MENTIONS
from overheard.notices import Notice, PublicMention, Totals

DIGEST_TOTALS = ("total", "by_query", "by_place", "by_day", "since", "until", "before", "at_once", "muted")
BODY_MAX_BYTES = 512_000  # of mentions: many receivers refuse a body of more than 1 MB


def body_of(notice: Notice, *, now: float) -> bytes:
    """Return the JSON for a receiver, the same bytes on every attempt but for the ``timestamp`` of a report.

    It is when it happened (the newest mention was stored, the last incident seen), not when it was sent.
    The body contains the newest mentions that fit, at least one; ``omitted`` counts all others.
    """
    incidents = notice.alert.incidents if notice.alert is not None else ()
    moments = [mention.stored_at for mention in notice.mentions] + [incident.last_at for incident in incidents]
    times = [datetime.fromisoformat(moment) for moment in moments]
    happened = max(times, default=datetime.fromtimestamp(now, UTC))
    event = {"type": notice.type, "timestamp": happened.astimezone(UTC), "data": _data(notice)}
    return msgspec.json.encode(event)


def _data(notice: Notice) -> Any:
    if notice.alert is not None:
        return notice.alert
    if notice.report is not None:
        return {"workspace": notice.workspace, **msgspec.structs.asdict(notice.report)}
    if notice.type == "mention.created":
        return _mention(notice)
    return _summary(notice) if notice.type == "mentions.summary" else _digest(notice)


def _mention(notice: Notice) -> Any:
    """Return the mention, with the others that link to the same address, if there are any."""
    first, *others = notice.mentions
    if not others:
        return first
    included = _newest_fitting(others, BODY_MAX_BYTES - len(msgspec.json.encode(first)))
    return {**msgspec.structs.asdict(first), "also": included, "also_omitted": len(others) - len(included)}


def _summary(notice: Notice) -> dict[str, Any]:
    totals = notice.totals or Totals(total=len(notice.mentions) + notice.omitted, by_query={}, by_place=())
    newest = newest_of_each_query(notice.mentions, SUMMARY_MAX_MENTIONS)
    return {
        "workspace": notice.workspace,
        "total": totals.total,
        "by_query": totals.by_query,
        "by_place": totals.by_place,
        "mentions": _newest_fitting(newest[::-1], BODY_MAX_BYTES, least=1)[::-1],
        "url": notice.links.open,
    }


def _digest(notice: Notice) -> dict[str, Any]:
    included = _newest_fitting(notice.mentions, BODY_MAX_BYTES, least=1)
    omitted = notice.omitted + len(notice.mentions) - len(included)
    totals = {name: getattr(notice.totals, name) for name in DIGEST_TOTALS} if notice.totals is not None else {}
    return {"workspace": notice.workspace, "mentions": included, "omitted": omitted, **totals}


def _newest_fitting(mentions: Sequence[PublicMention], room: int, least: int = 0) -> Sequence[PublicMention]:
    """Return the last mentions that fit into ``room`` bytes; ``least``: how many are never left out."""
    for position in range(len(mentions) - 1, -1, -1):
        room -= len(msgspec.json.encode(mentions[position])) + 1
        if room < 0 and len(mentions) - position > least:
            return mentions[position + 1 :]
    return mentions
