"""The notices of the pictures: an invented week of the invented company Acme."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec

from overheard.notices import Notice, PlaceCount, PublicMention, Totals, WorkspaceReport

NOW = datetime(2026, 11, 27, 13, 5, tzinfo=UTC)  # a Friday
SAMPLE = Path(__file__).with_name("sample.toml")
ZONE = "Europe/Berlin"
BY_DAY = (14, 9, 11, 31, 22, 17, 12)  # mentions, Friday to Thursday
BEFORE = 84
WATCHED = {"brand": "Acme DB", "rivals": "RivalDB", "support": "acme-cli"}  # what the queries look for
REPORT = WorkspaceReport(
    "query flooding",
    "rivals",
    "The query “rivals” finds 1,738 mentions an hour",
    (
        "In the week before it found 12 an hour. You get summaries of it now, and everything else as before.",
        "Most come from r/gaming (1,204) and Hacker News (310): “RivalDB” is also the name of a new game.",
        "With NOT (game OR steam OR twitch) it would find about 15 an hour.",
    ),
)


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item, its age in minutes, and the query that found it."""

    minutes: int
    query: str
    source: str
    place: str
    author: str
    kind: str
    title: str
    body: str
    url: str = ""


@cache
def found_items() -> list[Found]:
    """Return the items of sample.toml, the newest first."""
    return msgspec.convert(tomllib.loads(SAMPLE.read_text("utf-8"))["found"], list[Found])


def mention_notice() -> Notice:
    """Return the message of the newest mention."""
    return Notice("dlv_1", "mention.created", "acme", (_mention(0),), name="Acme", timezone=ZONE)


def linked_notice() -> Notice:
    """Return the message of an item, with another one that links to the same address."""
    return Notice("dlv_2", "mention.created", "acme", (_mention(4), _mention(6)), name="Acme", timezone=ZONE)


def summary_notice() -> Notice:
    """Return a summary of 57, with the newest that are known here."""
    totals = Totals(
        total=57,
        by_query={"brand": 34, "rivals": 16, "support": 7},
        by_place=_places(
            (
                ("reddit", "selfhosted", 21),
                ("hackernews", "all", 17),
                ("reddit", "databases", 9),
                ("bluesky", "all", 6),
                ("reddit", "python", 4),
            )
        ),
    )
    return _of_many("dlv_3", "mentions.summary", totals)


def digest_notice() -> Notice:
    """Return the digest of a week, of which only some mentions are shown."""
    until = NOW.replace(minute=0)
    totals = Totals(
        total=sum(BY_DAY),
        by_query={"brand": 71, "rivals": 32, "support": 13},
        by_place=_places((("reddit", "selfhosted", 38), ("hackernews", "all", 27), ("reddit", "databases", 24))),
        by_day=tuple((f"{until - timedelta(days=7 - day):%Y-%m-%d}", count) for day, count in enumerate(BY_DAY)),
        since=_text(until - timedelta(days=7)),
        until=_text(until),
        before=BEFORE,
        places_of={
            "brand": _places(
                (
                    ("reddit", "selfhosted", 29),
                    ("hackernews", "all", 14),
                    ("reddit", "databases", 9),
                    ("bluesky", "all", 7),
                    ("reddit", "devops", 5),
                    ("reddit", "python", 4),
                    ("mastodon", "fosstodon.org", 3),
                )
            ),
            "rivals": _places(
                (
                    ("reddit", "databases", 14),
                    ("hackernews", "all", 9),
                    ("bluesky", "all", 5),
                    ("reddit", "dataengineering", 4),
                )
            ),
            "support": _places(
                (("reddit", "selfhosted", 6), ("reddit", "devops", 5), ("stackexchange", "dba.stackexchange.com", 2))
            ),
        },
    )
    return _of_many("dlv_4", "digest", totals, newest=1)


def report_notice() -> Notice:
    """Return a report about a query that floods."""
    return Notice("dlv_5", "workspace.report", "acme", (), report=REPORT, name="Acme", timezone=ZONE)


def _of_many(id: str, kind: object, totals: Totals, newest: int = 0) -> Notice:
    found = tuple(_mention(number) for number in reversed(range(newest, len(found_items()))))
    return Notice(id, kind, "acme", found, totals=totals, name="Acme", timezone=ZONE)  # type: ignore[arg-type]


def _places(counts: tuple[tuple[str, str, int], ...]) -> tuple[PlaceCount, ...]:
    return tuple(PlaceCount(*count) for count in counts)


def _mention(number: int) -> PublicMention:
    found = found_items()[number]
    term = WATCHED[found.query]
    highlights = tuple(
        (field, at, at + len(term))
        for field, text in (("title", found.title), ("body", found.body))
        if (at := text.find(term)) >= 0
    )
    created = _text(NOW - timedelta(minutes=found.minutes))
    return PublicMention(
        workspace="acme",
        item=f"item{number}",
        kind=found.kind,
        subreddit=found.place if found.source == "reddit" else None,
        author=found.author,
        title=found.title,
        body=found.body,
        permalink=f"https://example.org/{found.source}/{number}",
        created_at=created,
        stored_at=created,
        queries=(found.query,),
        highlights=highlights,
        id=str(number),
        source=found.source,
        place=found.place,
        thread=f"thread{number}",
        thread_title=found.title,
        url=found.url,
        query_ids=(1,),
        backfilled=False,
    )


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
