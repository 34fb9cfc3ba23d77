"""Mentions as nobody should write them, for golden files and property tests of every medium."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from overheard.notices import Notice, PlaceCount, PublicMention, Totals

NOW = 1_795_770_300.0  # 2026-11-27 09:05:00 UTC
HIT = "acme db"
LINKS = " ".join(f"https://evil.example/{n}?a=1&b=<{n}>" for n in range(200))
ZALGO = "".join(base + "\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 3 for base in "zalgo")
TABLE = "| a | b |\n|---|---|\n| 1 | acme db |\n"
# What is written where; the hit is marked wherever it is found first in the body, else in the title.
HOSTILE: dict[str, dict[str, Any]] = {
    "long": {"title": "A title " * 40, "body": "word " * 4000 + HIT + " word" * 4000},
    "right to left": {"title": "مرحبا بالعالم", "body": "שלום \u202eevil\u202c acme db עולם", "author": "علي"},
    "zalgo": {"title": ZALGO, "body": f"{ZALGO} acme db {ZALGO}"},
    "code fence": {"title": "```", "body": "```html\n<b>acme db</b>\n```\nand `</pre>` ~~~"},
    "table": {"title": "| x |", "body": f"{TABLE * 20}"},
    "pings": {
        "title": "@everyone <!channel>",
        "body": "@here <@123> <!subteam^S1> <#C1> acme db @everyone",
        "author": "@all",
    },
    "markup": {
        "title": '<img src=x onerror=alert(1)>"><script>alert(2)</script>',
        "body": '<style>*{display:none}</style><a href="javascript:alert(1)" style="position:fixed">acme db</a>'
        "<link rel=stylesheet href=//evil.example> [x](javascript:alert(1)) {{7*7}} {% raw %} %s",
        "author": '"><b>',
        "place": "py</td></tr></table><h1>",
    },
    "links": {"title": "200 links", "body": f"acme db {LINKS}"},
    "emoji": {"title": "🎉🎉🎉 👩‍👩‍👧‍👦 🏳️‍🌈", "body": "🔥" * 300 + " acme db " + "👍🏽" * 300},
    "control characters": {
        "title": "NUL \x00 bell \x07 escape \x1b[31mred\x1b[0m",
        "body": "acme db \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x9b2J \u2028 \u2029 \ufeff",
    },
    "surrogates": {"title": "half \ud83d of a pair", "body": "acme db \udfff and \ud800", "author": "\ud83d"},
    "headers": {
        "title": "Hello\r\nBcc: evil@example.com\r\n\r\n<b>body</b>",
        "body": "acme db\r\n.\r\nMAIL FROM:<evil@example.com>\r\n",
        "author": "a\r\nX-Evil: 1",
        "place": "py\nReply-To: evil@example.com",
        "queries": ("brand\r\nCc: evil@example.com",),
    },
    "empty": {"title": "", "body": "", "author": None},
}


def hostile_mention(number: int = 0, **changes: Any) -> PublicMention:
    """Return a mention with these texts, its hit where ``HIT`` is."""
    body, title = changes.get("body", "acme db"), changes.get("title", "A title")
    field, text = ("body", body) if HIT in body else ("title", title)
    at = text.find(HIT)
    values: dict[str, Any] = {
        "workspace": "acme",
        "item": f"t1_{number}",
        "kind": "comment",
        "subreddit": "python",
        "author": "alice",
        "title": title,
        "body": body,
        "permalink": f"/r/python/comments/xyz/which/{number}/",
        "created_at": "2026-11-27T09:00:00Z",
        "stored_at": "2026-11-27T09:00:02Z",
        "queries": ("brand",),
        "highlights": ((field, at, at + len(HIT)),) if at >= 0 else (),
        "id": str(number),
        "source": "reddit",
        "place": "python",
        "thread": "t3_xyz",
        "thread_title": "",
        "url": "",
        "query_ids": (1,),
        "backfilled": False,
    }
    return PublicMention(**{**values, **changes})


def single(mention: PublicMention, *also: PublicMention) -> Notice:
    """Return the message of one mention, and of others that link to the same address."""
    return Notice("dlv_1", "mention.created", "acme", (mention, *also), name="Acme", timezone="Europe/Berlin")


def counted(kind: Any, mentions: tuple[PublicMention, ...], total: int | None = None) -> Notice:
    """Return a summary or digest of these mentions."""
    queries = [query for mention in mentions for query in mention.queries]
    places = [(mention.source, mention.place) for mention in mentions]
    totals = Totals(
        total=len(mentions) if total is None else total,
        by_query={query: queries.count(query) for query in dict.fromkeys(queries)},
        by_place=tuple(PlaceCount(*place, places.count(place)) for place in dict.fromkeys(places)),
        by_day=(("2026-11-26", 1), ("2026-11-27", len(mentions))),
        since="2026-11-25T23:00:00Z",
        until="2026-11-27T23:00:00Z",
        before=3,
    )
    return Notice("dlv_2", kind, "acme", mentions, totals=totals, name="Acme", timezone="Europe/Berlin")


def texts() -> st.SearchStrategy[str]:
    """Return texts of everything that Unicode has, with pieces of markup among them."""
    pieces = [text for case in HOSTILE.values() for text in case.values() if isinstance(text, str)]
    return st.lists(st.one_of(st.sampled_from(pieces), st.text(st.characters(), max_size=200)), max_size=6).map(
        " ".join
    )


def mentions() -> st.SearchStrategy[PublicMention]:
    """Return mentions with such texts in every field that a stranger or user writes."""
    return st.builds(
        hostile_mention,
        st.integers(0, 10**9),
        title=texts(),
        body=texts(),
        author=texts(),
        place=texts(),
        permalink=st.one_of(st.just("/r/python/comments/xyz/"), texts(), st.just("javascript:alert(1)")),
        queries=st.lists(texts(), max_size=3).map(tuple),
        kind=st.sampled_from(["post", "comment", "<b>"]),
        source=st.sampled_from(["reddit", "hackernews", "bluesky", "mastodon", "feeds"]),
    )
