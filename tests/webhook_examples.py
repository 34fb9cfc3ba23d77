"""The examples of docs/webhooks.md, as webhooks really get them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from overheard.channels.rendering.payload import body_of
from overheard.notices import MatchReason, Notice, PlaceCount, PublicMention, Totals, WorkspaceReport

NOW = 1_795_788_300.0  # 2026-11-27 14:05:00 UTC, when the report is sent


def example_mention(**changes: Any) -> PublicMention:
    """Return a mention on Reddit, with changes."""
    values: dict[str, Any] = {
        "workspace": "acme",
        "item": "t1_abc",
        "kind": "comment",
        "subreddit": "selfhosted",
        "author": "late_night_sysop",
        "title": "What do you use for time series at home?",
        "body": "Acme DB is the only one that survived a power cut.",
        "permalink": "/r/selfhosted/comments/xyz/what_do_you_use/abc/",
        "created_at": "2026-11-27T14:01:07Z",
        "stored_at": "2026-11-27T14:01:09Z",
        "queries": ("brand",),
        "highlights": (("body", 0, 7),),
        "id": "17",
        "source": "reddit",
        "place": "selfhosted",
        "thread": "t3_xyz",
        "thread_title": "What do you use for time series at home?",
        "url": "",
        "query_ids": (7,),
        "backfilled": False,
        "why": (MatchReason(7, '"acme db"', "body", 0, 7),),
        "texts": {},
    }
    return PublicMention(**{**values, **changes})


TOTALS = Totals(
    total=57,
    by_query={"brand": 52, "rivals": 5},
    by_place=(PlaceCount("reddit", "selfhosted", 40), PlaceCount("hackernews", "all", 17)),
)
DIGEST_TOTALS = msgspec.structs.replace(
    TOTALS,
    by_day=(("2026-11-26", 21), ("2026-11-27", 36)),
    since="2026-11-26T08:00:00Z",
    until="2026-11-27T08:00:00Z",
    before=45,
    at_once=3,
    muted=2,
)
REPORT = WorkspaceReport(
    "query flooding",
    "rivals",
    "The query “rivals” finds 1,738 mentions an hour",
    ("In the week before it found 12 an hour.", "With NOT (game OR steam) it would find about 15 an hour."),
)
NOTICES = {
    "mention.created": Notice("msg_1", "mention.created", "acme", (example_mention(),)),
    "mentions.summary": Notice("msg_2", "mentions.summary", "acme", (example_mention(),), omitted=56, totals=TOTALS),
    "digest": Notice("msg_3", "digest", "acme", (example_mention(),), omitted=53, totals=DIGEST_TOTALS),
    "workspace.report": Notice("msg_4", "workspace.report", "acme", (), report=REPORT),
}
SHORT_MENTION = '{"id": "17", "title": "What do you use for time series at home?", "…": "as above"}'


def example(type: str) -> str:
    """Return the body of a notice as the document shows it: the mentions of later ones are shortened."""
    event = json.loads(body_of(NOTICES[type], now=NOW))
    text = _in_lines(event)
    if "mentions" in event["data"]:
        event["data"]["mentions"] = ["MENTION"]
        text = _in_lines(event).replace('["MENTION"]', f"[{SHORT_MENTION}]")
    return text


def _in_lines(event: dict[str, Any]) -> str:
    """Write an event with a line for each key of its data, and short values within them."""
    head = ", ".join(f"{json.dumps(key)}: {json.dumps(event[key])}" for key in ("type", "timestamp"))
    lines = [f"    {json.dumps(key)}: {_value(value)}" for key, value in event["data"].items()]
    return "{" + head + ', "data": {\n' + ",\n".join(lines) + "\n}}\n"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and len(text) > 90:
        return "[\n        " + ",\n        ".join(json.dumps(each, ensure_ascii=False) for each in value) + "\n    ]"
    return text
