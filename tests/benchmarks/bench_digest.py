"""A digest of 5,000 mentions: composed, read and rendered, on PostgreSQL; beside it the naive way.

Run: python -m tests.benchmarks.bench_digest

The naive way reads all mentions in full and renders each of them, before it cuts.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from overheard.channels import ChannelOptions
from overheard.channels.apprise.message import compose
from overheard.channels.apprise.transport import AppriseTransport
from overheard.channels.discord.embeds import embed_of
from overheard.channels.email.page import mail_page
from overheard.channels.ntfy.message import ntfy_message
from overheard.channels.rendering.payload import body_of
from overheard.channels.rendering.view import mention_view
from overheard.channels.slack.blocks import slack_message
from overheard.channels.telegram.message import telegram_text
from overheard.db import deliveries, digests, mentions, migrate, storing, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import Channel, Delivery, Mention, Query, Workspace
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.notices import Notice
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec, WorkspaceSpec
from tests.benchmarks import texts
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer

MENTIONS, BEFORE, PART_ITEMS = 5_000, 1_000, 500  # BEFORE: the day before
BUDGET_SECONDS = 1.0  # of composing, reading and rendering for one medium
DAY = 86_400.0
END = 1_795_766_400.0  # 2026-11-27 09:00 in Berlin
PLACES = [f"place{number}" for number in range(40)]
QUERIES = [f"query {number}" for number in range(12)]
# Through Apprise: one that takes Markdown, one that takes plain text.
APPRISE = {"Google Chat": "gchat://workspace/key/token", "IRC": "irc://example.com/#chan"}


def run() -> Iterator[Figure]:
    """Figures of one digest."""
    with PostgresServer(durable=True) as server:
        db = open_database(server.create_database("digest"))
        try:
            migrate.migrate(db)
            with db.session():
                yield from measured(db)
        finally:
            db.release()


def measured(db: Db) -> Iterator[Figure]:
    """Milliseconds of each step, and of the naive way, which is read and rendered once."""
    workspace, channel = filled(db)
    digests.compose(db, workspace, END - DAY, END - DAY)
    composing, _ = timed(lambda: digests.compose(db, workspace, END, END))
    claimed = deliveries.claim(db, channel, now=END, limit=2, lease=60).deliveries[-1]
    reading, contents = timed(lambda: deliveries.contents(db, claimed))
    assert contents is not None
    notice = contents.notice
    assert notice.totals is not None
    assert (notice.totals.total, notice.totals.before) == (MENTIONS, BEFORE)
    yield Figure(f"bundle {MENTIONS:,} mentions", composing, "ms")
    yield Figure("read them: totals, and what is shown", reading, "ms")
    slowest = 0.0
    for name, work in media(notice).items():
        took, _ = timed(work)
        slowest = max(slowest, took)
        yield Figure(f"render for {name}", took, "ms")
    yield Figure("all of it, slowest medium", composing + reading + slowest, "ms", 1000 * BUDGET_SECONDS, False)
    naive, _ = timed(lambda: naively(db, claimed.id))
    yield Figure("the naive way: read and render each mention", naive, "ms")


def media(notice: Notice) -> dict[str, Callable[[], object]]:
    """Return what renders the notice for each medium."""

    options = ChannelOptions(allow_private=True, timeout=20.0, user_agent="Overheard/bench")

    def through_apprise(url: str) -> Callable[[], object]:
        service = AppriseTransport(url, None, options).service()
        return lambda: compose(service, notice, END)

    found: dict[str, Callable[[], object]] = {
        "Slack": lambda: slack_message(notice, END),
        "Discord": lambda: embed_of(notice, END),
        "Telegram": lambda: telegram_text(notice, END),
        "ntfy": lambda: ntfy_message(notice, END),
        "e-mail": lambda: mail_page(notice, END),
        "a webhook": lambda: body_of(notice, now=END),
    }
    return found | {f"{name}, through Apprise": through_apprise(url) for name, url in APPRISE.items()}


def naively(db: Db, delivery_id: str) -> str:
    """Read every mention of a digest in full, write each of them, then cut."""
    members = Delivery.select(Delivery.mention).where(Delivery.bundle == delivery_id)
    rows = mentions.rows().where(Mention.id.in_(members)).order_by(Mention.id.desc())
    found = mentions.to_public(db, list(rows.tuples().execute(db.peewee)))
    views = [mention_view(mention, "Europe/Berlin", END) for mention in found]
    return "\n".join("".join(part.text for part in view.title + view.excerpt) for view in views)[:4_096]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many milliseconds the work took, and its result."""
    began = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - began), result


def filled(db: Db) -> tuple[int, int]:
    """Store the mentions of a day and of the one before; return the workspace and its digest channel."""
    places = WatchSpec("reddit", tuple(PLACES))
    spec = WorkspaceSpec(
        slug="acme",
        name="Acme",
        timezone="Europe/Berlin",
        watch=(places,),
        query=tuple(QuerySpec(name, f"acme{number}") for number, name in enumerate(QUERIES)),
        channel=(ChannelSpec("team", "https://example.org/hook", "digest"),),
    )
    workspace_specs.save(
        db, spec, END - 9 * DAY, following=lambda text, zone: END, secret=lambda channel: "whsec_bench"
    )
    workspace = Workspace.select(Workspace.id).scalar(db.peewee)
    queries = [query for (query,) in Query.select(Query.id).order_by(Query.id).tuples().execute(db.peewee)]
    chance = random.Random(7)
    found = texts.load_items(chance, BEFORE + MENTIONS)
    for start in range(0, len(found), PART_ITEMS):
        at = END - DAY + (start - BEFORE) * DAY / MENTIONS + 60
        part = found[start : start + PART_ITEMS]
        entries = tuple(
            entry(start + number, fields, at, workspace, queries, chance) for number, fields in enumerate(part)
        )
        storing.store(db, ItemsMatched(part=PollPart(poll=f"p{start}", part=0, parts=1), items=entries), at)
    return workspace, Channel.select(Channel.id).scalar(db.peewee)


def entry(
    number: int, fields: texts.Fields, at: float, workspace: int, queries: list[int], chance: random.Random
) -> MatchedItem:
    """Return an item that one of the queries has found, the first ones far more often than the last."""
    body, title = fields.get("body", ""), fields.get("title", "")
    item = Item(
        source="reddit",
        id=f"t3_{number:x}",
        kind="post" if title else "comment",
        place=chance.choice(PLACES),
        author=f"author{number}",
        title=title,
        thread_title="" if title else "Which database do you use?",
        thread=f"t3_{number % 900:x}",
        body=body,
        permalink=f"/r/python/comments/{number:x}/",
        url=f"https://example.org/{number}" if title else "",
        created_at=at,
    )
    found = queries[min(int(chance.expovariate(0.6)), len(queries) - 1)]
    return MatchedItem(item, (WorkspaceMatch(workspace, (found,), (("body", 0, min(5, len(body))),)),))


if __name__ == "__main__":
    print_table(run(), "A digest of 5,000 mentions, PostgreSQL")
