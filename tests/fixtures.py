"""What the shared fixtures of ``conftest.py`` are: a clock that is stepped, a recording send, a world of rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import peewee

from overheard.config import Config, RedditSettings, SourcesSettings
from overheard.config.sources import RedditCredentials
from overheard.db import feed_rates, freshness, leases, storing, workspace_specs
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import TABLES, Channel, Feed, FeedGroup, Query, Table, Workspace
from overheard.items import Item, ItemKind
from overheard.messages import ItemsMatched, MatchedItem, Message, PollPart, PollTarget, SampleDraw, WorkspaceMatch
from overheard.sending import OutgoingMessage
from overheard.workspaces import ChannelMode, ChannelSpec, QuerySpec, WorkspaceSpec

PATIENCE = 60.0  # seconds that a thread of a test may take
MONDAY = 1_795_424_400.0  # 2026-11-23T09:00:00Z, where the stepped clock starts


class Metric(Protocol):
    """The value of a series of the test's ``metrics``; 0 when it was never touched."""

    def __call__(self, name: str, **labels: str) -> float: ...


class Race(Protocol):
    """Run functions at the same time, each in a thread with its own connection; return their results in order."""

    def __call__(self, *functions: Callable[[], Any]) -> list[Any]: ...


def reddit_with(*client_ids: str) -> Config:
    """Return a configuration with these clients of Reddit."""
    reddit = RedditSettings(
        client=tuple(RedditCredentials(client_id=name) for name in client_ids), user_agent="linux:test:1 (by /u/me)"
    )
    return Config(sources=SourcesSettings(reddit=reddit))


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = MONDAY) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        self.now += seconds
        return self.now


class Sent(list[Any]):
    """A ``Send`` (and a ``Sender``) that records; ``delays`` go with the messages. ``failure`` is raised instead."""

    def __init__(self) -> None:
        self.delays: list[float | None] = []
        self.failure: Exception | None = None

    def __call__(self, message: Message, *, delay: float | None = None) -> str:
        if self.failure is not None:
            raise self.failure
        self.append(message)
        self.delays.append(delay)
        return f"message-{len(self)}"

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        return self(message, delay=delay)

    def send_all(self, parcels: Iterable[OutgoingMessage]) -> None:
        for parcel in parcels:
            self(parcel.message)

    def take(self) -> list[Any]:
        """What was sent since the last time."""
        taken = list(self)
        self.clear()
        self.delays.clear()
        return taken


def in_threads(db: Db, functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """As the fixture ``race``. What a function raises is raised here."""
    barrier = threading.Barrier(len(functions))
    results: list[Any] = [None] * len(functions)
    errors: list[BaseException] = []

    def work(position: int, function: Callable[[], Any]) -> None:
        try:
            with db.session():
                barrier.wait(PATIENCE)
                results[position] = function()
        except BaseException as error:  # noqa: BLE001 (raised below)
            errors.append(error)
            barrier.abort()
        finally:
            db.release()

    threads = [threading.Thread(target=work, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise next((error for error in errors if not isinstance(error, threading.BrokenBarrierError)), errors[0])
    return results


class World:
    """Makes what a test needs in its database, and looks at what became of it."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.intervals = {"5m": 300.0}

    def spec(
        self,
        slug: str = "acme",
        *,
        queries: Mapping[str, str | QuerySpec] | None = None,
        channels: Mapping[str, ChannelMode] | None = None,
        url: str = "https://example.org/hook",
        pace: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> WorkspaceSpec:
        """A workspace on r/python's posts with a query and an instant channel, or as ``fields`` say.

        ``pace``: the channels' settings; by default each mention is a message of its own.
        """
        pace = {"max_per_hour": 0} if pace is None else pace
        queries = {"brand": "acme"} if queries is None else queries
        channels = {"team": "instant"} if channels is None else channels
        return WorkspaceSpec(
            slug=slug,
            name=fields.pop("name", slug),
            subreddits=tuple(fields.pop("subreddits", ("python",))),
            kinds=tuple(fields.pop("kinds", ("posts",))),
            query=tuple(QuerySpec(name, each) if isinstance(each, str) else each for name, each in queries.items()),
            channel=tuple(ChannelSpec(name, url, mode, **pace) for name, mode in channels.items()),
            **fields,
        )

    def save(self, spec: WorkspaceSpec) -> int:
        """Save it, due now, its digest tomorrow; its id."""
        workspace_specs.save(
            self.db, spec, self.clock(),
            following=lambda text, timezone: self.clock() + self.intervals.get(text, 86_400.0),
            secret=lambda channel: "whsec_made" if channel.url.startswith("http") else None,
        )  # fmt: skip
        return int(Workspace.select(Workspace.id).where(Workspace.slug == spec.slug).scalar(self.db.peewee))

    def workspace(self, slug: str = "acme", **fields: Any) -> int:
        return self.save(self.spec(slug, **fields))

    def channel(self, workspace_id: int, name: str = "team") -> int:
        query = Channel.select(Channel.id).where(Channel.workspace == workspace_id, Channel.name == name)
        return int(query.scalar(self.db.peewee))

    def query(self, workspace_id: int, name: str = "brand") -> int:
        return int(
            Query.select(Query.id).where(Query.workspace == workspace_id, Query.name == name).scalar(self.db.peewee)
        )

    def feed(self, name: str = "python", kind: str = "posts") -> Any:
        return Feed.select().where(Feed.place == name, Feed.kind == kind).get(self.db.peewee)

    def fresh_at(self, name: str = "python", kind: str = "posts") -> float:
        """The time until which everything of the feed is read."""
        query = Feed.select(freshness.fresh_at()).where(Feed.place == name, Feed.kind == kind)
        return float(query.scalar(self.db.peewee))

    def rate(self, name: str = "python") -> float:
        """The new posts a second of the feed."""
        query = Feed.select(feed_rates.current(self.db)).where(Feed.place == name, Feed.kind == "posts")
        return float(query.scalar(self.db.peewee))

    def group(self, name: str = "python", kind: str = "posts") -> Any:
        """The group in which the feed is read."""
        return FeedGroup.select().where(FeedGroup.id == self.feed(name, kind).group_id).get(self.db.peewee)

    def claim(self, poll: str, name: str = "python", *, lease: float = 120.0) -> None:
        """Let the poll take the group of this feed's posts now."""
        assert leases.claim(self.db, self.group(name).id, poll, now=self.clock(), lease=lease)

    def target(self, name: str = "python", kind: str = "posts", cursor: str = "", **fields: Any) -> PollTarget:
        """What a poll says that has read the whole group of this feed until now."""
        group = self.group(name, kind)
        feeds = Feed.select(Feed.id).where(Feed.group == group.id).order_by(Feed.id).tuples().execute(self.db.peewee)
        return PollTarget(group.id, tuple(feed for (feed,) in feeds), cursor, self.clock(), **fields)

    def item(self, number: int = 1000, *, kind: ItemKind = "post", place: str = "Python", **fields: Any) -> Item:
        """An item of this number, created at this moment unless ``created_at`` says otherwise."""
        name = f"{'t3' if kind == 'post' else 't1'}_{base36(number)}"
        values = {
            "source": "reddit",
            "author": "someone",
            **({"title": "On acme", "thread": name} if kind == "post" else {"thread_title": "On acme"}),
            "body": f"What do you think of acme number {number}?",
            "permalink": f"https://www.reddit.com/r/{place}/comments/{name[3:]}/",
            "url": "https://example.org/" if kind == "post" else "",
            "created_at": self.clock(),
        }
        return Item(id=name, kind=kind, place=place, **(values | fields))

    def matched(
        self,
        *wanted: tuple[Item, tuple[int, ...]],
        poll: str = "poll",
        part: int = 0,
        parts: int | None = 1,
        targets: tuple[PollTarget, ...] = (),
    ) -> ItemsMatched:
        """A message for store: each item with the workspaces whose query "brand" wants it."""
        brands = {each: self.query(each) for each in {each for _, workspace_ids in wanted for each in workspace_ids}}
        return ItemsMatched(
            part=PollPart(poll=poll, part=part, parts=parts, targets=targets),
            items=tuple(
                MatchedItem(
                    item, tuple(WorkspaceMatch(each, (brands[each],), (("title", 3, 7),)) for each in workspace_ids)
                )
                for item, workspace_ids in wanted
            ),
        )

    def sample(self, *items: Item, share: float = 1.0, wanted_by: tuple[int, ...] = ()) -> None:
        """Store items in the sample, with a mention for each of these workspaces."""
        message = self.matched(*[(item, wanted_by) for item in items], poll=f"sample {len(items)} {items[0].id}")
        draw = SampleDraw(share / 2, share)
        entries = tuple(msgspec.structs.replace(entry, sample=draw) for entry in message.items)
        storing.store(self.db, msgspec.structs.replace(message, items=entries), self.clock())

    def rows(self, table: type[Table], *columns: str) -> list[Any]:
        """The table's rows as dicts, or as tuples of ``columns``, by primary key."""
        query = table.select(*[getattr(table, column) for column in columns]).order_by(*table._meta.get_primary_keys())
        return list((query.tuples() if columns else query.dicts()).execute(self.db.peewee))

    def row(self, table: type[Table], key: Any) -> Any:
        return table.select().where(table._meta.primary_key == key).get(self.db.peewee)

    def counts(self) -> dict[str, int]:
        (numbers,) = _counts(self.db)
        return dict(zip([table.__name__ for table in TABLES], numbers, strict=True))


@compiled
def _counts(db: Db) -> Any:
    return peewee.Select(columns=[table.select(peewee.fn.COUNT(peewee.SQL("*"))) for table in TABLES])


def base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
