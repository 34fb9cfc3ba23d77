"""The JSON bodies of webhooks and of the file channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from overheard.channels.rendering.newest import newest_of_each_query
from overheard.channels.rendering.payload import body_of
from overheard.notices import Notice, PlaceCount, PublicMention, Totals, WorkspaceReport

MakeMention = Callable[..., PublicMention]
TOTALS = Totals(
    total=57,
    by_query={"brand": 50, "rival": 7},
    by_place=(PlaceCount("reddit", "python", 40), PlaceCount("hackernews", "all", 17)),
)


def decoded(notice: Notice) -> Any:
    return msgspec.json.decode(body_of(notice, now=0.0))


def test_a_summary_has_true_totals_and_five_mentions_that_are_newest_and_fair(mention: MakeMention) -> None:
    flood = tuple(mention(id=str(number), stored_at=f"2026-03-04T05:06:{number:02}Z") for number in range(10, 20))
    quiet = mention(id="5", queries=("rival",), stored_at="2026-03-04T05:06:05Z")
    event = decoded(Notice("s", "mentions.summary", "acme", (quiet, *flood), omitted=46, totals=TOTALS))
    assert event["type"] == "mentions.summary"
    assert event["timestamp"] == "2026-03-04T05:06:19Z"
    assert list(event["data"]) == ["workspace", "total", "by_query", "by_place", "mentions", "url"]
    assert event["data"]["total"] == 57
    assert event["data"]["by_query"] == {"brand": 50, "rival": 7}
    assert event["data"]["by_place"] == [
        {"source": "reddit", "place": "python", "count": 40},
        {"source": "hackernews", "place": "all", "count": 17},
    ]
    assert [found["id"] for found in event["data"]["mentions"]] == ["19", "18", "17", "16", "5"]
    assert event["data"]["url"] is None


def test_the_newest_of_each_query_take_turns(mention: MakeMention) -> None:
    queries = ("a", "a", "b", "b", "b", "c", "c", "c", "c")
    mentions = [mention(id=str(number), queries=(query,)) for number, query in enumerate(queries)]
    assert [found.id for found in newest_of_each_query(mentions, 5)] == ["8", "7", "4", "3", "1"]
    assert [found.id for found in newest_of_each_query(mentions, 2)] == ["8", "4"]
    assert newest_of_each_query([], 5) == []


def test_a_digest_lists_its_mentions_and_has_its_totals(mention: MakeMention) -> None:
    mentions = (mention(), mention(stored_at="2026-03-05T00:00:00+01:00"))
    without = body_of(Notice("x", "digest", "acme", mentions, omitted=5), now=0.0).decode()
    assert without.startswith('{"type":"digest","timestamp":"2026-03-04T23:00:00Z","data":{"workspace":"acme"')
    assert without.endswith('"omitted":5}}')
    totals = msgspec.structs.replace(TOTALS, by_day=(("2026-03-04", 57),), since="2026-03-03T23:00:00Z", before=12)
    data = decoded(Notice("x", "digest", "acme", mentions, omitted=55, totals=totals))["data"]
    assert (len(data["mentions"]), data["omitted"], data["total"], data["before"]) == (2, 55, 57, 12)
    assert data["by_day"] == [["2026-03-04", 57]]
    assert set(data) == {
        *("workspace", "mentions", "omitted", "total", "by_query", "by_place", "by_day"),
        *("since", "until", "before", "at_once", "muted"),
    }


def test_other_items_with_the_same_link_are_beside_the_mention_if_there_are_any(mention: MakeMention) -> None:
    one, other = mention(), mention(id="18", source="hackernews", place="all")
    assert "also" not in decoded(Notice("x", "mention.created", "acme", (one,)))["data"]
    data = decoded(Notice("x", "mention.created", "acme", (one, other)))["data"]
    assert data["id"] == "17"
    assert [also["id"] for also in data["also"]] == ["18"]
    assert data["also_omitted"] == 0
    large = mention(body="x" * 400_000)
    data = decoded(Notice("x", "mention.created", "acme", (large, large, other)))["data"]
    assert ([also["id"] for also in data["also"]], data["also_omitted"]) == (["18"], 1)


def test_a_report_is_what_a_workspace_should_know(mention: MakeMention) -> None:
    report = WorkspaceReport("query flooding", "brand", "“brand” finds 900 a day", ("Most are in r/python.",))
    assert decoded(Notice("r", "workspace.report", "acme", (), report=report)) == {
        "type": "workspace.report",
        "timestamp": "1970-01-01T00:00:00Z",
        "data": {
            "workspace": "acme",
            "kind": "query flooding",
            "name": "brand",
            "title": "“brand” finds 900 a day",
            "lines": ["Most are in r/python."],
        },
    }


def test_a_body_holds_the_newest_mentions_that_fit_and_counts_the_others(mention: MakeMention) -> None:
    largest = mention(body="\u0001" * 40_000)  # six bytes each, as JSON
    mentions = tuple(msgspec.structs.replace(largest, item=f"t1_{number}") for number in range(200))
    body = body_of(Notice("x", "digest", "acme", mentions, omitted=5), now=0.0)
    data = msgspec.json.decode(body)["data"]
    assert [mention["item"] for mention in data["mentions"]] == ["t1_198", "t1_199"]
    assert data["omitted"] == 5 + 198
    assert len(body) < 600_000
    huge = msgspec.structs.replace(largest, body="x" * 2_000_000)
    for kind, ending in (("digest", b'"omitted":0}}'), ("mention.created", b"}}")):
        alone = Notice("x", kind, "acme", (huge,))  # type: ignore[arg-type]
        assert body_of(alone, now=0.0).endswith(ending), "one is never left out"
    assert len(decoded(Notice("x", "mentions.summary", "acme", (huge,)))["data"]["mentions"]) == 1
