"""fetch: each feed is read back to its cursor, once for all workspaces; failures are isolated (I2, I3, I5-I7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from actors.fetch import planning
from actors.fetch.demand_reading import TURN_GAP_SECONDS, TURN_SECONDS
from actors.fetch.fetcher import Fetcher
from actors.fetch.planning import FRESHNESS_CHECK_SECONDS
from overheard import canary
from overheard.chunking import CHUNK_MAX_BYTES
from overheard.config import FetchSettings
from overheard.db import (
    canaries,
    feeds,
    groups,
    leases,
    reading,
    rechecks,
    refreshes,
    regrouping,
    source_health,
    storing,
    workspaces,
)
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Gap, RefreshDemand, StoredItem
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError, Unavailable
from overheard.items import Item
from overheard.messages import FetchWorkspace, ItemsFetched, ItemsMatched
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later
from overheard.reading.packing import BY_NUMBER_BIN
from overheard.sources import ClientOutcome, GroupLimit, ListingGap, Page, ReadRequest
from overheard.sources.canary import CanarySource
from overheard.sources.hackernews.reader import READING_NUMBERS
from overheard.sources.hackernews.source import BACKLOG_ROOT_FRACTION
from overheard.sources.reddit.listing_cursor import merge_cursors
from overheard.sources.reddit.listing_reader import ListingReader
from overheard.sources.registry import SOURCES
from tests.fixtures import Clock, Metric, Sent, World


class Reddit:
    """Listings in memory that behave like Reddit's: merged, newest first, ``page_size`` per page, ``depth`` items."""

    name = "memory"
    group_limit = GroupLimit(200, 1500)
    page_size = 10
    depth = 100

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.refused: dict[str, str] = {}
        self.requests: list[tuple[str, tuple[str, ...], str | None]] = []
        self.before: Callable[[], None] = lambda: None
        self.on_top: list[Item] = []  # above all others, whatever their ids

    def read(self, request: ReadRequest, budget: Any) -> Page:
        kind, names = request.kind, request.places
        reader = ListingReader(request, page_size=self.page_size, depth=self.depth)
        after = reader.after
        budget.acquire()
        self.requests.append((kind, tuple(names), after))
        self.before()
        for name in names:
            if name in self.refused:
                raise FeedRefused(self.refused[name], tuple(names))
        wanted = "post" if kind == "posts" else "comment"
        listing = [
            item for item in self.items
            if item.kind == wanted and ("all" in names or item.place.lower() in names)
        ]  # fmt: skip
        listing.sort(key=lambda item: -number_of(item.id))
        listing = [*self.on_top, *listing]
        listing = listing[: self.depth]
        shown = [item.id for item in listing]
        if after is not None and after not in shown:
            return reader.take((), None)
        start = 0 if after is None else shown.index(after) + 1
        page = tuple(listing[start : start + self.page_size])
        return reader.take(page, page[-1].id if start + self.page_size < len(listing) else None)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        return merge_cursors(older, newer)

    def probe(self, budget: Any) -> None:
        budget.acquire()
        self.requests.append(("posts", ("all",), None))
        self.before()
        if "all" in self.refused:
            raise FeedRefused("private", ("all",))


class Budget:
    """A budget with ``left`` tokens; after that the next slot is a minute away."""

    def __init__(self, left: int = 10_000) -> None:
        self.left = left
        self.slot: float | None = 1000.0

    def acquire(self) -> None:
        if self.left == 0:
            raise BudgetExhausted("reddit:x", delay=60.0 if self.slot else 300.0, slot=self.slot)
        self.left -= 1

    def observe(self, remaining: float, reset: float) -> None: ...

    def block(self, seconds: float) -> None: ...


def number_of(name: str) -> int:
    return int(name.partition("_")[2], 36)


def newest(world: World, name: str = "python", kind: str = "posts") -> int | None:
    """Return the number of the newest item in the cursor of the feed's group."""
    cursor = world.group(name, kind).cursor
    seen = msgspec.json.decode(cursor)["seen"] if cursor else []
    return int(seen[0][0][3:], 36) if seen else None


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def reddit() -> Reddit:
    return Reddit()


class Stage:
    """The fetch stage, followed directly by store."""

    def __init__(self, world: World, reddit: Reddit, sent: Sent, metrics: ProcessMetrics, rules: FetchSettings) -> None:
        self.world, self.db, self.clock, self.sent = world, world.db, world.clock, sent
        self.rules = rules
        self.sources: dict[str, Any] = {"reddit": reddit}
        self.fetcher = Fetcher(
            db=world.db, sources=self.sources, send=sent, clock=world.clock, rules=rules, recheck_within=86400.0,
            metrics=metrics
        )  # fmt: skip

    def message(self, workspace_id: int, reason: str = "due", **fields: Any) -> FetchWorkspace:
        fresh_since = self.clock() - (self.rules.fresh_for if reason == "due" else 0)
        given = {"workspace_id": workspace_id, "source": "reddit", "fresh_since": fresh_since, "reason": reason}
        return FetchWorkspace(**(given | fields))

    def fetch(self, workspace_id: int, reason: str = "due", budget: Budget | None = None) -> list[Any]:
        """Handle a new message; return what the stage sent."""
        self.fetcher.fetch(self.message(workspace_id, reason), budget or Budget())
        return list(self.sent.take())

    def resume(self, message: FetchWorkspace, budget: Budget | None = None) -> list[Any]:
        """Handle a message that came back; return what the stage sent."""
        self.fetcher.fetch(message, budget or Budget())
        return list(self.sent.take())

    def store(self, parts: Sequence[Any]) -> None:
        for part in parts:
            storing.store(self.db, ItemsMatched(part=part.part, items=()), self.clock())

    def run(self, workspace_id: int, reason: str = "due") -> list[str]:
        """Fetch and store; return the names of the items."""
        parts = self.fetch(workspace_id, reason)
        self.store(parts)
        return [item.id for part in parts for item in part.items]

    def run_group(self, group_id: int) -> list[str]:
        """Read a group because it is planned, and store; return the names of the items."""
        message = FetchWorkspace(source="reddit", group_id=group_id, reason="planned")
        self.fetcher.fetch(message, Budget())
        parts = list(self.sent.take())
        self.store(parts)
        return [item.id for part in parts for item in part.items]


@pytest.fixture
def stage(world: World, reddit: Reddit, sent: Sent, metrics: ProcessMetrics) -> Stage:
    return Stage(world, reddit, sent, metrics, FetchSettings(group_size=8))


@pytest.fixture
def post(world: World, reddit: Reddit) -> Callable[..., list[str]]:
    """Add ``count`` posts to Reddit, one per second; return their names, newest first."""

    def put(count: int, subreddit: str = "Python", kind: str = "post") -> list[str]:
        names = []
        for _ in range(count):
            world.clock.advance(1)
            item = world.item(1000 + len(reddit.items), place=subreddit, kind=kind)
            reddit.items.append(item)
            names.append(item.id)
        return names[::-1]

    return put


def test_the_first_run_reads_one_page_of_older_items(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    names = post(25)
    stage.clock.advance(1)
    acme = world.workspace()
    assert stage.run(acme) == names[:10]
    assert (newest(world), world.group().poll, world.fresh_at()) == (1024, None, stage.clock())
    assert reddit.requests == [("posts", ("python",), None)]


def test_the_first_run_reads_back_to_the_time_of_its_demand(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(16)
    acme = world.workspace()
    news = post(34)
    assert set(news) <= set(stage.run(acme)), "the first poll may have to wait long for the budget"
    assert len(reddit.requests) == 5, "only a page of old items ends it, not a single one"
    assert world.rows(Gap) == []


def test_new_feeds_of_different_workspaces_share_requests(world: World, stage: Stage, reddit: Reddit) -> None:
    """After an import of many workspaces, for example."""
    many = [world.workspace(f"ws{number}", subreddits=[f"sub{number}", f"other{number}"]) for number in range(12)]
    for workspace in many:
        stage.run(workspace)
    assert [len(names) for _, names, _ in reddit.requests] == [8, 8, 8]


def test_later_runs_read_back_to_the_cursor(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(5)
    stage.run(acme)
    news = post(34)
    stage.clock.advance(300)
    read = stage.run(acme)
    assert set(news) <= set(read)
    assert len(reddit.requests) - 1 == 4
    assert reddit.requests[-1][2] == read[29]


def test_parts_are_numbered_and_the_last_one_carries_the_targets(
    world: World, stage: Stage, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(1)
    stage.run(acme)
    post(25)
    stage.clock.advance(300)
    parts = stage.fetch(acme)
    assert [(part.part.part, part.part.parts) for part in parts] == [(0, None), (1, None), (2, 3)]
    assert len({part.part.poll for part in parts}) == 1
    assert [len(part.part.targets) for part in parts] == [0, 0, 1]
    target = parts[-1].part.targets[0]
    assert (target.group_id, target.feed_ids, target.read_at) == (world.group().id, (1,), stage.clock())
    assert msgspec.json.decode(target.cursor)["edge"] == ["t3_sh", stage.clock() - 300], "the lower bound of a gap"


def test_a_fresh_feed_is_not_read_again(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    post(3)
    stage.run(acme)
    assert stage.run(bolt) == []
    assert len(reddit.requests) == 1
    for workspace in (acme, bolt):
        assert world.row(RefreshDemand, (workspace, "reddit")).served_at == stage.clock()
    stage.clock.advance(61)
    stage.run(bolt)
    assert len(reddit.requests) == 2


def test_an_on_demand_message_reads_even_a_fresh_feed(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(3)
    stage.run(acme)
    stage.clock.advance(1)
    stage.run(acme, "trigger")
    assert len(reddit.requests) == 2


def test_an_on_demand_message_checks_again_while_an_older_poll_is_reading(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(3)
    under_way = stage.fetch(acme)
    stage.clock.advance(2)
    message = stage.message(acme, "trigger")
    stage.fetcher.fetch(message, Budget())
    again = msgspec.structs.replace(message, attempt=1)
    assert (list(stage.sent), stage.sent.delays) == ([again], [FRESHNESS_CHECK_SECONDS])
    assert len(reddit.requests) == 1
    stage.sent.take()

    stage.store(under_way)
    stage.clock.advance(1)
    stage.fetcher.fetch(message, Budget())
    assert len(reddit.requests) == 2
    assert all(part != message for part in stage.sent)


def test_a_scheduled_demand_does_not_wait_for_a_reading_in_progress(world: World, stage: Stage) -> None:
    acme = world.workspace()
    stage.fetch(acme)
    stage.clock.advance(100)
    assert stage.fetch(acme) == []


def test_feeds_of_one_bin_are_read_together_from_the_next_reading_on(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    for slug, subreddit in (("acme", "python"), ("bolt", "rust"), ("core", "linux")):
        stage.run(world.workspace(slug, subreddits=[subreddit]))
        stage.clock.advance(1)
    Feed.update(bin=1).where(Feed.place != "linux").execute(world.db.peewee)
    stage.clock.advance(300)
    news = post(2, "rust")
    reddit.requests.clear()
    read = stage.run_group(world.group("python").id)
    assert reddit.requests == [("posts", ("python", "rust"), None)]
    assert set(news) <= set(read)
    assert world.group("python").id == world.group("rust").id != world.group("linux").id


def test_a_group_gives_away_the_feeds_of_other_bins(world: World, stage: Stage, reddit: Reddit) -> None:
    stage.run(world.workspace(subreddits=["python", "rust", "go"]))
    Feed.update(bin=1).where(Feed.place != "go").execute(world.db.peewee)
    Feed.update(bin=2).where(Feed.place == "go").execute(world.db.peewee)
    stage.clock.advance(300)
    reddit.requests.clear()
    stage.run_group(world.group("python").id)
    assert reddit.requests == [("posts", ("python", "rust"), None)]
    assert world.group("go").cursor is not None, "it goes on from where it was read"


def test_a_planned_reading_measures_the_rates_of_its_feeds(
    world: World, stage: Stage, post: Callable[..., list[str]]
) -> None:
    stage.run(world.workspace(subreddits=["python", "rust"]))
    post(20)
    stage.clock.advance(80)
    stage.run_group(world.group("python").id)
    stage.clock.advance(100)
    post(1, "rust")
    stage.run_group(world.group("python").id)
    assert (world.rate("python"), world.rate("rust")) == (pytest.approx(20 / 201), pytest.approx(1 / 501, rel=0.01))


def test_a_group_that_another_poll_holds_or_has_changed_does_not_join(
    world: World, stage: Stage, reddit: Reddit, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = world.workspace(subreddits=["python"])
    world.workspace("bolt", subreddits=[f"sub{number}" for number in range(3)])
    real = regrouping.join

    def join(db: Db, group: Any, others: Any, poll: str, **options: Any) -> Any:
        # After this thread has seen the groups free, another one claims the first and keeps it, and changes the second.
        taken, changed, _ = others
        assert leases.claim(db, taken.id, "another poll", now=stage.clock(), lease=60)
        FeedGroup.update(cursor="{}").where(FeedGroup.id == changed.id).execute(db.peewee)
        return real(db, group, others, poll, **options)

    monkeypatch.setattr(regrouping, "join", join)
    stage.run(acme)
    assert reddit.requests == [("posts", ("python", "sub2"), None)]
    assert world.group("sub1").lease_until == 0


def test_a_group_has_no_more_feeds_than_configured(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace(subreddits=[f"sub{number}" for number in range(20)])
    stage.run(acme)
    assert sorted(len(names) for _, names, _ in reddit.requests) == [4, 8, 8]
    assert len({name for _, names, _ in reddit.requests for name in names}) == 20


def test_names_that_are_too_long_for_one_url_take_several_requests(
    world: World, reddit: Reddit, sent: Sent, metrics: ProcessMetrics
) -> None:
    stage = Stage(world, reddit, sent, metrics, FetchSettings(group_size=200))
    stage.run(world.workspace(subreddits=[f"{number:03d}{'x' * 17}" for number in range(150)]))
    assert len(reddit.requests) == 3
    assert max(len("+".join(names)) for _, names, _ in reddit.requests) <= 1500


def test_groups_of_what_is_read_by_number_join_the_chosen_one_whatever_their_number(
    world: World, stage: Stage, reddit: Reddit
) -> None:
    acme = world.workspace(subreddits=[f"sub{number}" for number in range(20)])
    stage.run(acme)
    first, second, third = (group.id for group in FeedGroup.select().order_by(FeedGroup.id).execute(world.db.peewee))
    Feed.update(bin=BY_NUMBER_BIN).execute(world.db.peewee)
    FeedGroup.update(by_number=True).where(FeedGroup.id == second).execute(world.db.peewee)
    for group in (first, third):
        stage.clock.advance(1)
        stage.run_group(group)
    assert FeedGroup.select().count(world.db.peewee) == 3, "a listing takes in none of them"
    stage.clock.advance(1)
    reddit.requests.clear()
    stage.run_group(second)
    ((_, names, _),) = reddit.requests
    assert len(names) == 20, "more than one listing may have"
    assert FeedGroup.select().count(world.db.peewee) == 1


def test_a_large_group_that_is_read_by_number_no_longer_is_divided_by_bins(world: World, stage: Stage) -> None:
    acme = world.workspace(subreddits=[f"sub{number}" for number in range(20)])
    stage.run(acme)
    first, *others = (group.id for group in FeedGroup.select().order_by(FeedGroup.id).execute(world.db.peewee))
    Feed.update(group=first).execute(world.db.peewee)
    FeedGroup.delete().where(FeedGroup.id.in_(others)).execute(world.db.peewee)
    FeedGroup.update(by_number=True).execute(world.db.peewee)
    ids = [feed.id for feed in Feed.select().order_by(Feed.id).execute(world.db.peewee)]
    reading.set_bins(world.db, {feed: 1 + number % 3 for number, feed in enumerate(ids)})
    stage.clock.advance(1)
    stage.run_group(first)
    bins: dict[int, set[int]] = {}
    for feed in Feed.select().execute(world.db.peewee):
        bins.setdefault(feed.group_id, set()).add(feed.bin)
    assert sorted(bins.values(), key=min) == [{1}, {2}, {3}]
    assert not FeedGroup.select().where(FeedGroup.by_number).exists(world.db.peewee), "it gets second looks again"


def test_posts_comments_and_all_are_read_by_requests_of_their_own(world: World, stage: Stage, reddit: Reddit) -> None:
    stage.run(world.workspace(subreddits=["python", "rust", "all"], kinds=["posts", "comments"]))
    assert sorted((kind, len(names), "all" in names) for kind, names, _ in reddit.requests) == [
        ("comments", 1, True), ("comments", 2, False), ("posts", 1, True), ("posts", 2, False),
    ]  # fmt: skip


# -- refusals


@pytest.mark.parametrize("bad", [["c"], ["a"], ["h"], ["b", "g"]])
def test_only_the_refused_feed_backs_off(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]], bad: list[str]
) -> None:
    acme = world.workspace(subreddits=[f"sub_{suffix}" for suffix in "abcdefgh"])
    reddit.refused = {f"sub_{suffix}": "private" for suffix in bad}
    for suffix in "abcdefgh":
        post(1, f"sub_{suffix}")

    read = stage.run(acme)

    assert len(read) == len(set(read)) == 8 - len(bad)
    for suffix in "abcdefgh":
        feed = world.feed(f"sub_{suffix}")
        refused = suffix in bad
        assert (feed.failures, feed.reason) == ((1, "private") if refused else (0, None))
        assert (feed.retry_at > stage.clock()) == refused
        group = world.group(f"sub_{suffix}")
        assert (group.cursor is None) == refused
        assert (group.poll, group.lease_until) == (None, 0)
    assert len(reddit.requests) <= 1 + 2 * 3 * len(bad)
    assert world.row(RefreshDemand, (acme, "reddit")).served_at == stage.clock()

    reddit.requests.clear()
    stage.clock.advance(600)
    stage.run(acme)
    assert all(name not in reddit.refused for _, names, _ in reddit.requests for name in names)


def failing(reddit: Reddit, bad: str) -> None:
    """Let Reddit answer with an error to each request that names a place; "": to all."""

    def check() -> None:
        if bad in ("", *reddit.requests[-1][1]):
            raise RetryableError("Reddit answers 500 (new)")

    reddit.before = check


def test_a_place_at_which_the_source_fails_backs_off_alone(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace(subreddits=[f"sub_{suffix}" for suffix in "abcdefgh"])
    stage.run(acme)
    for suffix in "abcdefgh":
        post(1, f"sub_{suffix}")
    failing(reddit, "sub_c")
    read: list[str] = []
    for _ in range(4):
        stage.clock.advance(30)
        read += [
            name
            for group in sorted({world.group(f"sub_{suffix}").id for suffix in "abcdefgh"})
            for name in stage.run_group(group)
        ]
    assert len(set(read)) == 7
    assert (world.feed("sub_c").failures, world.feed("sub_c").reason) == (1, "errors")
    assert {world.feed(f"sub_{suffix}").failures for suffix in "abdefgh"} == {0}


def test_a_source_that_is_down_backs_off_none_of_its_feeds_and_is_seldom_probed(
    world: World, stage: Stage, reddit: Reddit
) -> None:
    acme = world.workspace(subreddits=[f"sub_{suffix}" for suffix in "abcdefgh"])
    stage.run(acme)
    reddit.requests.clear()
    failing(reddit, "")
    for _ in range(20):
        stage.clock.advance(30)
        stage.run_group(world.group("sub_a").id)
    assert len(reddit.requests) <= 25
    assert {world.feed(f"sub_{suffix}").failures for suffix in "abcdefgh"} == {0}
    assert len({world.group(f"sub_{suffix}").id for suffix in "abcdefgh"}) == 1


def test_groups_that_fail_one_after_the_other_tell_as_much_as_a_probe(
    world: World, stage: Stage, reddit: Reddit
) -> None:
    stage.run(world.workspace(subreddits=["sub_a"], kinds=["posts", "comments"]))
    reddit.requests.clear()
    failing(reddit, "")
    for _ in range(5):
        stage.clock.advance(30)
        for kind in ("posts", "comments"):
            stage.run_group(world.group("sub_a", kind).id)
    assert [names for _, names, _ in reddit.requests] == [("sub_a",)] * 10


def test_a_group_that_failed_and_is_gone_is_not_another_that_fails(world: World, stage: Stage, reddit: Reddit) -> None:
    stage.run(world.workspace(subreddits=["sub_a"], kinds=["posts", "comments"]))
    gone, last = (world.group("sub_a", kind).id for kind in ("posts", "comments"))
    reddit.requests.clear()
    failing(reddit, "")
    stage.run_group(gone)
    for _ in range(3):
        stage.clock.advance(30)
        stage.run_group(last)
    assert len(reddit.requests) == 1 + 3 + 1, "the third failure of the only group that is left is followed by a probe"


def test_a_refused_feed_is_retried_alone_and_recovers(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace(subreddits=["python", "secret"])
    reddit.refused = {"secret": "private"}
    stage.run(acme)
    reddit.requests.clear()
    stage.clock.advance(1800)
    stage.run(acme)
    assert sorted(names for _, names, _ in reddit.requests) == [("python",), ("secret",)]
    assert world.feed("secret").retry_at == stage.clock() + 3600
    reddit.refused = {}
    stage.clock.advance(3600)
    post(1, "secret")
    assert len(stage.run(acme)) == 1
    assert (world.feed("secret").failures, world.feed("secret").reason) == (0, None)


def test_after_a_refusal_between_two_pages_the_divided_group_is_read_from_the_start(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace(subreddits=["python", "secret"])
    post(2)
    stage.run(acme)
    news = post(30)
    stage.clock.advance(300)
    reddit.requests.clear()
    reddit.before = lambda: reddit.refused.update(secret="private") if len(reddit.requests) == 2 else None
    parts = stage.fetch(acme)
    stage.store(parts)
    assert set(news) <= {item.id for part in parts for item in part.items}
    assert newest(world) == 1031
    assert (world.feed("secret").failures, newest(world, "secret")) == (1, 1001)


# -- the budget


def test_a_poll_that_waits_for_its_first_page_keeps_its_lease_so_that_one_slot_serves_all(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    names = post(3)
    later: Any = stage.fetcher.fetch(stage.message(acme), Budget(0))
    assert world.row(RefreshDemand, (acme, "reddit")).served_at == 0
    assert stage.fetch(bolt, budget=Budget(0)) == [], "one slot is enough for both"

    stage.clock.advance(60)
    stage.fetcher.fetch(later.message, Budget(1))
    parts = stage.sent.take()
    assert [item.id for part in parts for item in part.items] == names
    stage.store(parts)
    assert world.fresh_at() == stage.clock(), "it was read when its slot came"


def test_without_a_budget_slot_the_group_is_postponed(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt", subreddits=["rust"])
    names = post(2) + post(2, "rust")
    full = Budget(0)
    full.slot = None
    [again] = stage.fetch(acme, budget=full)
    stage.clock.advance(100)
    assert stage.fetch(bolt, budget=full) == stage.fetch(bolt, "trigger", budget=full) == [], "one message serves all"
    stage.clock.advance(195)
    [again] = stage.resume(again, full)
    stage.clock.advance(295)
    assert {item.id for part in stage.resume(again) for item in part.items} == set(names)
    assert len(reddit.requests) == 1


@pytest.mark.parametrize("bad", ["a", "e", "h"])
def test_a_refused_group_is_divided_even_if_each_request_has_to_wait_for_the_budget(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]], bad: str
) -> None:
    acme = world.workspace(subreddits=[f"sub_{suffix}" for suffix in "abcdefgh"])
    reddit.refused = {f"sub_{bad}": "private"}
    wanted = {name for suffix in "abcdefgh" if suffix != bad for name in post(1, f"sub_{suffix}")}
    messages: list[Any] = [stage.message(acme)]
    read: set[str] = set()
    for _ in range(20):
        if later := stage.fetcher.fetch(messages.pop(0), Budget(1)):
            messages.append(later.message)
        sent = stage.sent.take()
        messages += [each for each in sent if isinstance(each, FetchWorkspace)]
        parts = [each for each in sent if isinstance(each, ItemsFetched)]
        read |= {item.id for part in parts for item in part.items}
        stage.store(parts)
        stage.clock.advance(60)
        if not messages:
            break
    for message in messages:  # after the last feed the source has served nothing: a probe costs one more request
        stage.resume(message, Budget(2))
    assert read == wanted
    assert world.feed(f"sub_{bad}").failures == 1


def test_a_poll_that_waited_resumes_where_it_stopped(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(1)
    stage.run(acme)
    news = post(45)
    stage.clock.advance(300)
    reddit.requests.clear()
    parts = []
    message: Any = stage.message(acme)
    for allowed in (2, 1, 10):
        if later := stage.fetcher.fetch(message, Budget(allowed)):
            message = later.message
            assert world.group().lease_until == stage.clock() + 60 + stage.rules.lease
        parts += stage.sent.take()
        stage.clock.advance(60)

    assert set(news) <= {item.id for part in parts for item in part.items}
    assert [part.part.part for part in parts] == [0, 1, 2, 3, 4]
    assert len({part.part.poll for part in parts}) == 1
    assert len(reddit.requests) == 5, "no page is read twice"
    stage.store(parts)
    assert newest(world) == 1045


def test_a_poll_whose_lease_was_lost_is_not_resumed(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(1)
    stage.run(acme)
    news = post(25)
    stage.clock.advance(300)
    message = stage.message(acme)
    later: Any = stage.fetcher.fetch(message, Budget(1))
    lost = stage.sent.take()
    feeds.sweep(stage.db, stage.clock.advance(1000))
    stage.fetcher.fetch(later.message, Budget())
    parts = stage.sent.take()
    assert {part.part.poll for part in parts}.isdisjoint({part.part.poll for part in lost})
    stage.store([*lost, *parts])
    assert set(news) <= {item.id for part in parts for item in part.items}
    assert newest(world) == 1025


def test_the_rest_of_the_workspace_is_read_after_a_resumed_poll(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace(kinds=["posts", "comments"])
    post(1, kind="comment")
    post(1)
    stage.run(acme)
    post(15, kind="comment")
    post(15)
    stage.clock.advance(300)
    later: Any = stage.fetcher.fetch(stage.message(acme), Budget(1))
    stage.fetcher.fetch(later.message, Budget())
    stage.store(stage.sent.take())
    assert newest(world, kind="comments") == 1016
    assert newest(world, kind="posts") == 1031


# -- faults


def test_an_unavailable_database_is_not_a_failure_of_the_source(world: World, stage: Stage, reddit: Reddit) -> None:
    """The budget is in the database, and a token is acquired in the middle of a request."""
    workspace = world.workspace("acme", subreddits=["python"])

    class Away(Budget):
        def acquire(self) -> None:
            raise Unavailable("the database does not answer: disk is full")

    with pytest.raises(Unavailable):
        stage.fetch(workspace, budget=Away())
    puts = Feed.select(Feed.retry_at).tuples().execute(world.db.peewee)
    assert {retry_at for (retry_at,) in puts} == {0}
    assert world.row(RefreshDemand, (workspace, "reddit")).served_at == 0
    reddit.requests.clear()
    stage.fetch(workspace)
    assert reddit.requests == [("posts", ("python",), None)], "the retry finds the lease released"


@pytest.mark.parametrize(("error", "seconds"), [(RetryableError("500", delay=7), 7), (RetryableError("reset"), 2)])
def test_a_transient_error_postpones_the_group_and_its_message(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]], error: RetryableError, seconds: float
) -> None:
    acme = world.workspace()
    post(1)
    stage.run(acme)
    news = post(25)
    stage.clock.advance(300)
    request_count = len(reddit.requests)

    def fail() -> None:
        if len(reddit.requests) == request_count + 2:  # between two pages
            raise error

    reddit.before = fail
    stage.fetcher.fetch(stage.message(acme), Budget())
    again = stage.sent[-1]
    assert isinstance(again, FetchWorkspace)
    assert again.attempt == 1
    assert stage.sent.delays[-1] == seconds
    stage.sent.take()
    assert again.resume is not None
    assert (world.group().poll, newest(world)) == (again.resume.poll_id, 1000)
    assert world.group().lease_until == stage.clock() + seconds + stage.rules.lease
    assert world.feed().failures == 0, "the feed is not to blame"

    reddit.before = lambda: None
    assert stage.run(acme) == [], "no other message reads it meanwhile"
    stage.clock.advance(seconds)
    stage.fetcher.fetch(again, Budget())
    parts = stage.sent.take()
    assert {part.part.poll for part in parts} == {again.resume.poll_id}
    assert set(news) <= {item.id for part in parts for item in part.items}


def test_a_persistent_error_is_retried_less_and_less_often(world: World, stage: Stage, reddit: Reddit) -> None:
    world.workspace()

    def fail() -> None:
        raise RetryableError("503")

    reddit.before = fail
    message = FetchWorkspace(workspace_id=1, source="reddit", fresh_since=stage.clock())
    delays = []
    for _ in range(10):
        stage.fetcher.fetch(message, Budget())
        (message,), (delay,) = list(stage.sent), list(stage.sent.delays)
        delays.append(delay)
        stage.sent.take()
        stage.clock.advance(delay)
    assert delays[:3] == [2, 4, 8]
    assert max(delays) <= 300


def test_the_database_records_whether_the_source_responds(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace(subreddits=["python"])
    faults: list[Exception] = [
        RetryableError("503"),
        RetryableError("blocked", delay=60.0),
        PermanentError("401: wrong credentials"),
    ]

    def fail() -> None:
        if faults:
            raise faults.pop(0)

    reddit.before = fail
    began = stage.clock.advance(5)
    for reason, retry_at in (("503", 0), ("blocked", 60), ("401: wrong credentials", 0)):
        message = stage.message(acme)
        if reason.startswith("401"):
            with pytest.raises(PermanentError):
                stage.fetcher.fetch(message, Budget())
        else:
            stage.fetcher.fetch(message, Budget())
        seen = source_health.state(world.db, "reddit")
        assert seen == source_health.SourceState(None, began, stage.clock() + retry_at, reason)
        stage.clock.advance(300)
    stage.sent.take()
    stage.run(acme)
    assert source_health.state(world.db, "reddit") == source_health.SourceState(read_at=stage.clock())


def test_a_refused_feed_counts_as_a_response_of_the_source(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace(subreddits=["python"])
    source_health.record_failure(world.db, "reddit", "503", stage.clock(), stage.clock())
    reddit.refused["python"] = "private"
    stage.fetch(acme)
    state = source_health.state(world.db, "reddit")
    assert (state.failing_since, state.reason) == (None, None)


def test_an_error_of_our_own_servers_is_not_recorded_for_the_source(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace(subreddits=["python"])

    def fail() -> None:
        raise Unavailable("the database does not answer")

    reddit.before = fail
    with pytest.raises(Unavailable):
        stage.fetch(acme)
    assert source_health.state(world.db, "reddit") == source_health.SourceState()


def test_after_an_error_of_the_bus_the_retry_finds_the_lease_released(
    world: World, stage: Stage, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    names = post(5)
    stage.sent.failure = Unavailable("the bus does not answer")
    with pytest.raises(Unavailable):
        stage.fetch(acme)
    assert world.group().lease_until == 0
    assert world.row(RefreshDemand, (acme, "reddit")).served_at == 0
    stage.sent.failure = None
    assert stage.run(acme) == names


def test_feeds_that_joined_are_postponed_with_the_group(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """Workspaces that become due while the group is postponed reuse its poll, on schedule or on demand."""
    acme, bolt, clio = (world.workspace(name, subreddits=[name]) for name in ("acme", "bolt", "clio"))
    stage.run(acme)
    stage.clock.advance(300)
    news = post(1, "acme") + post(1, "bolt") + post(1, "clio")

    def fail() -> None:
        raise RetryableError("503")

    reddit.before = fail
    [again] = stage.fetch(acme)
    for attempt in range(1, 20):
        assert (again.attempt, len(groups.load(world.db, [again.resume.group_id])[0].feeds)) == (attempt, 3)
        stage.clock.advance(1)
        assert stage.fetch(bolt) == stage.fetch(clio, "trigger") == [], "one message per group"
        stage.clock.advance(1)
        [again] = stage.resume(again)

    reddit.before = lambda: None
    reddit.requests.clear()
    parts = stage.resume(again)
    assert {item.id for part in parts for item in part.items} == set(news)
    assert reddit.requests == [("posts", ("acme", "bolt", "clio"), None)]
    stage.store(parts)
    assert {world.fresh_at(name) for name in ("acme", "bolt", "clio")} == {stage.clock()}


def test_if_the_message_of_a_group_is_lost_the_sweep_finds_all_its_workspaces(
    world: World, stage: Stage, reddit: Reddit
) -> None:
    acme, bolt = world.workspace("acme", subreddits=["acme"]), world.workspace("bolt", subreddits=["bolt"])

    def fail() -> None:
        raise RetryableError("503", delay=200)

    reddit.before = fail
    [lost] = stage.fetch(acme)
    assert stage.fetch(bolt) == []
    assert feeds.sweep(stage.db, stage.clock.advance(200 + stage.rules.lease)) == [], "it may still arrive"
    assert feeds.sweep(stage.db, stage.clock.advance(1)) == [(acme, "reddit"), (bolt, "reddit")]
    outlived = refreshes.claim_lost(stage.db, stage.clock() + 60, 60, 10)
    assert outlived == [(acme, "reddit"), (bolt, "reddit")], "the demand outlives the tick"
    reddit.before = lambda: None
    assert len(stage.fetch(bolt)) == 1
    assert stage.resume(lost) == [], "the late message has nothing left to read"


def test_a_duplicated_message_does_not_multiply(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace()

    def fail() -> None:
        raise RetryableError("503")

    reddit.before = fail
    [again] = stage.fetch(acme)
    stage.clock.advance(2)
    [last] = stage.resume(again)
    assert stage.resume(again) == []
    reddit.before = lambda: None
    stage.clock.advance(4)
    assert len(stage.resume(last)) == 1


@pytest.mark.parametrize("lost", ["the bus is away", "the other half waits for the budget"])
def test_the_sweep_finds_workspaces_that_relied_on_a_released_poll(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]], lost: str
) -> None:
    acme, bolt = world.workspace("acme", subreddits=["acme"]), world.workspace("bolt", subreddits=["bolt"])
    post(1, "acme")
    if lost == "the bus is away":
        stage.sent.failure = Unavailable("the bus does not answer")
        with pytest.raises(Unavailable):
            stage.fetch(acme)
        stage.sent.failure = None
    else:
        reddit.refused = {"acme": "private"}
        assert isinstance(stage.fetcher.fetch(stage.message(acme), Budget(1)), Later)
    refreshes.mark_served(stage.db, bolt, "reddit", stage.clock())  # its demand was handled in between
    assert (bolt, "reddit") in feeds.sweep(stage.db, stage.clock())
    assert len(stage.fetch(bolt)) == 1


def test_after_a_permanent_error_the_group_is_not_read_until_its_lease_expires(
    world: World, stage: Stage, reddit: Reddit
) -> None:
    acme = world.workspace()

    def fail() -> None:
        raise PermanentError("401: the credentials are wrong")

    reddit.before = fail
    with pytest.raises(PermanentError):
        stage.fetch(acme)
    refreshes.demand(stage.db, [acme], stage.clock())
    assert stage.fetch(acme) == [], "Reddit is not hammered with wrong credentials"
    assert feeds.sweep(stage.db, stage.clock.advance(121)) == [(acme, "reddit")]


def test_a_parked_part_is_read_again_from_the_cursor_once_per_lease(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """No stage can handle it, so its poll never finishes, and each reading parks it again."""
    acme = world.workspace()
    post(1)
    stage.run(acme)
    news, cursor, request_count = post(3), newest(world), len(reddit.requests)
    stage.clock.advance(300)
    for _ in range(3):
        [parked] = stage.fetch(acme)
        assert set(news) <= {item.id for item in parked.items}
        assert stage.fetch(acme) == [], "no other reading begins while the lease lasts"
        assert feeds.sweep(stage.db, stage.clock.advance(stage.rules.lease)) == []
        assert feeds.sweep(stage.db, stage.clock.advance(1)) == [(acme, "reddit")]
        outlived = refreshes.claim_lost(stage.db, stage.clock() + 60, 60, 10)
        assert outlived == [(acme, "reddit")], "the demand outlives the tick"
        assert newest(world) == cursor
    assert len(reddit.requests) == request_count + 3
    assert set(news) <= set(stage.run(acme)), "once it can be handled nothing is missing"
    assert newest(world) == number_of(news[0])


def test_a_deleted_workspace_is_not_an_error(stage: Stage) -> None:
    assert stage.fetch(4711) == []


# -- coverage


def test_a_gap_is_counted_when_the_listing_ends_before_the_cursor(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(1)
    stage.run(acme)
    post(150)
    stage.clock.advance(300)
    assert len(stage.run(acme)) == 100
    assert [reason for (reason,) in world.rows(Gap, "reason")] == ["horizon"]
    assert newest(world) == 1150


def test_a_gap_is_counted_at_the_limit_of_pages(
    world: World, reddit: Reddit, sent: Sent, metrics: ProcessMetrics, post: Callable[..., list[str]]
) -> None:
    stage = Stage(world, reddit, sent, metrics, FetchSettings(max_pages=3))
    acme = world.workspace()
    post(1)
    stage.run(acme)
    post(50)
    stage.clock.advance(300)
    assert len(stage.run(acme)) == 30
    assert [reason for (reason,) in world.rows(Gap, "reason")] == ["pages"]


def test_an_old_item_at_the_top_ends_no_reading(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """Posts released from the spam filter are listed at the top, with their old id and date."""
    acme = world.workspace()
    post(20)
    stage.run(acme)
    stage.clock.advance(300)
    news = post(25)
    reddit.on_top = [world.item(900 + number, created_at=stage.clock() - 7200) for number in range(4)]
    read = stage.run(acme)
    assert set(news) <= set(read)
    assert {item.id for item in reddit.on_top} <= set(read)
    assert len(reddit.requests) == 3 + 4
    stage.clock.advance(300)
    assert set(post(25)) <= set(stage.run(acme)), "nor does it end the next reading"
    assert world.rows(Gap) == []


def test_a_whole_page_of_old_items_at_the_top_ends_no_reading(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(20)
    stage.run(acme)
    stage.clock.advance(300)
    news = post(25)
    reddit.on_top = [world.item(900 + number, created_at=stage.clock() - 7200) for number in range(reddit.page_size)]
    missed = set(news) - set(stage.run(acme))
    assert missed == set()


def test_an_item_dated_in_the_future_hides_nothing(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(20)
    stage.run(acme)
    reddit.items.append(world.item(5000, created_at=stage.clock() + 30 * 86_400))
    for turn in range(4):
        stage.clock.advance(300)
        news = post(25)
        assert set(news) <= set(stage.run(acme)), f"reading {turn}"
    assert world.rows(Gap) == []


def test_a_first_reading_is_not_ended_by_an_old_item(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(30)
    acme = world.workspace()
    news = post(25)
    reddit.on_top = [world.item(900 + number, created_at=stage.clock() - 7200) for number in range(4)]
    assert set(news) <= set(stage.run(acme))


@pytest.mark.parametrize("gone", [1, 2, 5, 12])
def test_an_empty_page_after_a_deleted_anchor_is_not_the_end_of_the_listing(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]], gone: int
) -> None:
    acme = world.workspace()
    post(20)
    stage.run(acme)
    stage.clock.advance(300)
    news = post(25)
    request_count = len(reddit.requests)

    def delete() -> None:
        if len(reddit.requests) == request_count + 2:  # between two pages; of 12 only the last 10 were on the first
            deleted = set(news[max(10 - gone, 0) : 10])
            reddit.items = [item for item in reddit.items if item.id not in deleted]

    reddit.before = delete
    read = stage.run(acme)
    if gone < 10:
        assert set(news) <= set(read)
        assert world.rows(Gap) == []
    else:
        assert [reason for (reason,) in world.rows(Gap, "reason")] == ["anchor"], "no item is left to continue from"


@pytest.mark.parametrize(
    ("depth", "news", "read", "came", "gap"),
    [
        pytest.param(100, 45, 2, 3, False, id="it really ends"),
        pytest.param(100, 45, 2, 68, True, id="more than a page was added"),
        pytest.param(96, 110, 8, 8, True, id="less than a page was added, which is enough"),
    ],
)
def test_items_pushed_out_while_a_poll_waits_are_a_gap(
    world: World,
    stage: Stage,
    reddit: Reddit,
    post: Callable[..., list[str]],
    depth: int,
    news: int,
    read: int,
    came: int,
    gap: bool,
) -> None:
    """The pages read do not reach the listing's depth, but with the items added meanwhile they do."""
    reddit.depth = depth
    acme = world.workspace()
    post(1)
    stage.run(acme)
    reddit.items.clear()  # every item of the cursor was deleted: only the end of the listing can end the reading
    names = post(news)
    stage.clock.advance(300)
    later: Any = stage.fetcher.fetch(stage.message(acme), Budget(read))
    names += post(came)
    parts = [*stage.sent.take(), *stage.resume(later.message)]
    stage.store(parts)
    assert [reason for (reason,) in world.rows(Gap, "reason")] == ["horizon"] * gap
    stage.clock.advance(300)
    found = {item.id for part in parts for item in part.items} | set(stage.run(acme))
    assert (set(names) <= found) is not gap
    assert len(world.rows(Gap)) == gap


def test_a_last_page_of_one_old_item_ends_no_reading(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """The rest of the page was pushed out while the reading waited."""
    acme = world.workspace()
    stage.run(acme)  # the cursor has no items yet: only dates could end the next reading
    post(60)
    reddit.items.append(world.item(1000 + len(reddit.items), created_at=stage.clock() - 7200))
    post(20)
    stage.clock.advance(300)
    later = stage.fetcher.fetch(stage.message(acme), Budget(2))
    post(reddit.depth - 20 - 1)
    stage.store([*stage.sent.take(), *stage.resume(later.message)])
    assert [reason for (reason,) in world.rows(Gap, "reason")] == ["horizon"]


def test_a_group_with_more_new_items_than_a_listing_holds_is_divided(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """Each feed alone still lists all of its own items."""
    names = [f"sub{number}" for number in range(8)]
    acme = world.workspace(subreddits=names)
    news = {name for subreddit in names for name in post(3, subreddit)}
    stage.run(acme)
    stage.clock.advance(7200)
    news = {name for _ in range(10) for subreddit in names for name in post(6, subreddit)}
    assert set(stage.run(acme)) >= news
    assert world.rows(Gap) == []
    assert {newest(world, name) is not None for name in names} == {True}


def test_a_group_that_was_read_too_late_leaves_a_gap_of_all_its_feeds_and_stays_whole(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """After an outage all groups are late: reading halves from the top would make them ever later."""
    names = [f"sub{number}" for number in range(8)]
    acme = world.workspace(subreddits=names)
    before = [name for _ in range(5) for subreddit in names for name in post(1, subreddit)]
    stage.run(acme)
    stage.clock.advance(7200)
    news = [name for _ in range(25) for subreddit in names for name in post(1, subreddit)]
    reddit.requests.clear()
    assert stage.run(acme) == news[:-101:-1]
    assert len(reddit.requests) == 10
    gaps_left = world.rows(Gap, "reason", "from_item", "to_item")
    assert [reason for reason, *_ in gaps_left] == ["horizon"] * 8
    assert {since for _, since, _ in gaps_left} == {before[-1]}
    assert {until for *_, until in gaps_left} <= {*news[100:120]}
    assert len({world.group(name).id for name in names}) == 1
    # The rates count what was read for the time that it covers: the next reading is planned in time.
    assert sum(rate for (rate,) in world.rows(Feed, "rate")) == pytest.approx(1.0, rel=0.3)
    stage.clock.advance(300)
    more = post(3, "sub1")
    reddit.requests.clear()
    assert stage.run(acme)[:3] == more
    assert len(reddit.requests) == 1
    assert len(world.rows(Gap)) == 8


def test_a_busy_feed_is_separated_from_quiet_ones(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    names = [f"quiet{number}" for number in range(7)]
    acme = world.workspace(subreddits=["busy", *names])
    for name in ("busy", *names):
        post(8, name)
    stage.run(acme)
    stage.clock.advance(300)
    news = {*post(95, "busy"), *post(3, "quiet1"), *post(3, "quiet5"), *post(2, "busy")}
    reddit.requests.clear()
    assert set(stage.run(acme)) >= news
    assert [request[1] for request in reddit.requests[:10]] == [("busy", *names)] * 10
    assert world.group("busy").id != world.group("quiet1").id == world.group("quiet6").id
    assert world.rows(Gap) == []
    # It stays separate for a while, and readings of the others do not include it.
    for _ in range(3):
        stage.clock.advance(300)
        news = {*post(20, "busy"), *post(3, "quiet1")}
        assert set(stage.run(acme)) >= news
    assert world.group("busy").room is None or world.group("busy").room > 1


def test_a_feed_does_not_join_a_group_that_was_read_after_it(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(20, "rust")
    stage.run(world.workspace("bolt", subreddits=["rust"]))
    post(20)
    stage.run(world.workspace("acme"))
    Feed.update(bin=1).execute(world.db.peewee)
    stage.clock.advance(300)
    lost = post(1, "rust")
    stage.clock.advance(10)
    post(30)
    read = stage.run_group(world.group("python").id)
    assert world.group("python").id != world.group("rust").id
    assert not set(lost) & set(read)
    stage.clock.advance(300)
    assert set(lost) <= set(stage.run_group(world.group("rust").id)), "python was read after it, and joins"
    assert world.group("python").id == world.group("rust").id


def test_a_busy_feed_joins_a_quiet_one_whose_items_the_listing_no_longer_shows(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(5, "quiet")
    post(150, "busy")
    stage.clock.advance(100)
    stage.run(world.workspace("acme", subreddits=["quiet"]))
    stage.run(world.workspace("bolt", subreddits=["busy"]))
    Feed.update(bin=1).execute(world.db.peewee)
    stage.clock.advance(300)
    news = [*post(3, "busy"), *post(2, "quiet")]
    reddit.requests.clear()
    assert set(news) <= set(stage.run_group(world.group("quiet").id))
    assert world.group("quiet").id == world.group("busy").id
    assert len(reddit.requests) == 2
    assert not Gap.select().exists(world.db.peewee)
    stage.clock.advance(300)
    more = post(2, "busy")
    reddit.requests.clear()
    assert set(more) <= set(stage.run_group(world.group("quiet").id))
    assert len(reddit.requests) == 1, "from now on the names end it"


def test_the_plan_asks_for_what_a_planned_group_was_divided_into_if_its_turn_is_over(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(5, "one")
    post(5, "two")
    stage.run(world.workspace(subreddits=["one", "two"]))
    assert world.group("one").id == world.group("two").id
    stage.clock.advance(300)
    news = [*post(60, "one"), *post(60, "two")]
    reddit.before = lambda: stage.clock.advance(TURN_SECONDS / 5)
    message = FetchWorkspace(source="reddit", group_id=world.group("one").id, reason="planned")
    assert stage.fetcher.fetch(message, Budget()) is None
    stage.store(stage.sent.take())
    halves = {world.group(name).id for name in ("one", "two")}
    assert len(halves) == 2
    assert {group.id for group in reading.free_groups(world.db, "reddit", stage.clock())} == halves
    found = {name for group in sorted(halves) for name in stage.run_group(group)}
    assert set(news) <= found


def test_what_was_asked_for_before_its_source_went_down_is_not_tried(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(1, "one")
    stage.run(world.workspace(subreddits=["one"]))
    stage.clock.advance(300)
    news, group = post(1, "one"), world.group("one").id

    def ask() -> None:
        (state,) = reading.free_groups(world.db, "reddit", stage.clock())
        assert reading.ask(world.db, state, stage.clock())

    ask()
    stage.clock.advance(0.1)
    source_health.record_failure(world.db, "reddit", "503", stage.clock(), stage.clock(), revoked=False)
    stage.clock.advance(2)
    reddit.requests.clear()
    assert stage.run_group(group) == []
    assert reddit.requests == []
    (state,) = reading.free_groups(world.db, "reddit", stage.clock())
    assert state.asked_at == 0.0, "the tick need not wait for it"
    ask()  # to see whether the source answers again
    assert set(news) <= set(stage.run_group(group))


def test_a_passing_fault_withdraws_nothing(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    post(1, "one")
    stage.run(world.workspace(subreddits=["one"]))
    stage.clock.advance(300)
    news = post(1, "one")
    (state,) = reading.free_groups(world.db, "reddit", stage.clock())
    assert reading.ask(world.db, state, stage.clock())
    stage.clock.advance(0.1)
    source_health.record_failure(world.db, "reddit", "502", stage.clock(), stage.clock(), revoked=False)
    assert set(news) <= set(stage.run_group(world.group("one").id))


def test_a_quiet_feed_that_leaves_its_group_keeps_its_cursor(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """Busier feeds have long pushed its items out of the group's cursor."""
    acme = world.workspace(subreddits=["busy", "quiet", "secret"])
    post(30, "quiet")
    stage.run(acme)
    for _ in range(4):
        post(90, "busy")
        stage.clock.advance(300)
        stage.run(acme)
    assert world.group("quiet").id == world.group("busy").id
    reddit.refused = {"secret": "private"}
    stage.clock.advance(300)
    reddit.requests.clear()
    stage.run(acme)
    assert world.group("quiet").id != world.group("busy").id
    assert world.rows(Gap) == []
    assert len(reddit.requests) <= 6, "no reading of it reached the end of its listing"


# -- a source that refuses all feeds


def test_a_source_that_refuses_all_feeds_backs_off_none_of_them(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """After 25 seconds of 403 for every subreddit they are read again half a minute later."""
    names = [f"sub{number}" for number in range(8)]
    acme, bolt = world.workspace(subreddits=names), world.workspace("bolt", subreddits=["rust"])
    for name in names:
        post(1, name)
    stage.run(acme)
    stage.run(bolt)
    stage.clock.advance(300)
    news = {name for subreddit in (*names, "rust") for name in post(2, subreddit)}
    reddit.refused = dict.fromkeys([*names, "rust", "all"], "private")
    sent = [each for workspace in (acme, bolt) for each in stage.fetch(workspace)]
    assert all(isinstance(each, FetchWorkspace) for each in sent)
    assert [feed.failures for feed in Feed.select().execute(world.db.peewee)] == [0] * 9
    state = source_health.state(world.db, "reddit")
    assert state.reason == "it refuses every feed (private)"
    stage.clock.advance(30)
    reddit.refused = {}
    read: set[str] = set()
    for message in sent:
        parts = stage.resume(message)
        stage.store(parts)
        read |= {item.id for part in parts for item in part.items}
    assert read >= news
    assert source_health.state(world.db, "reddit").failing_since is None


def test_a_source_that_keeps_refusing_all_feeds_gets_few_requests(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    names = [f"sub{number}" for number in range(24)]
    acme = world.workspace(subreddits=names)
    reddit.refused = dict.fromkeys([*names, "all"], "private")
    waiting = stage.fetch(acme)
    first = len(reddit.requests)
    assert first <= 12
    for _ in range(4):
        stage.clock.advance(30)
        waiting = [each for message in waiting for each in stage.resume(message)]
    assert len(waiting) <= 8
    assert len(reddit.requests) - first <= 4 * 2 * 8
    assert not any(feed.failures for feed in Feed.select().execute(world.db.peewee))


def test_where_places_are_on_servers_of_their_own_each_is_refused_alone(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "reddit", msgspec.structs.replace(SOURCES["reddit"], many_servers=True))
    names = [f"sub{number}" for number in range(8)]
    acme = world.workspace(subreddits=names)
    for name in names:
        post(1, name)
    stage.run(acme)
    stage.clock.advance(300)
    reddit.refused = dict.fromkeys(names, "HTTP 500")
    assert stage.fetch(acme) == []
    assert [feed.failures for feed in Feed.select().execute(world.db.peewee)] == [1] * 8
    assert source_health.state(world.db, "reddit").failing_since is None, "it works as far as it can"


def test_clients_are_recorded_by_their_keys(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    outcomes = [ClientOutcome("reddit:1"), ClientOutcome("reddit:2", "it refuses the login", retry_in=3600.0)]
    told: list[list[ClientOutcome]] = [outcomes]
    reddit.client_outcomes = lambda: told.pop() if told else []  # type: ignore[attr-defined]
    acme = world.workspace(subreddits=["python"])
    post(1)
    began = stage.clock()
    stage.run(acme)
    assert source_health.state(world.db, "reddit").failing_since is None
    assert source_health.state(world.db, "reddit:1").read_at == began
    refused = source_health.state(world.db, "reddit:2")
    assert (refused.failing_since, refused.revoked, refused.reason) == (began, True, "it refuses the login")
    assert refused.failing_for(stage.clock.advance(3600)) == 3600
    told.append([ClientOutcome("reddit:2")])
    reddit.refused = {"python": "private"}
    stage.fetch(acme, "hand")
    assert source_health.state(world.db, "reddit:2").failing_since is None, "recorded even if the feed is refused"


def test_if_every_watched_feed_is_refused_the_source_is_probed(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace(subreddits=list("abcdefgh"))
    reddit.refused = dict.fromkeys("abcdefgh", "private")
    waiting = stage.fetch(acme)
    for _ in range(3):
        stage.clock.advance(30)
        waiting = [each for message in waiting for each in stage.resume(message)]
    assert waiting == []
    assert [feed.failures for feed in Feed.select().execute(world.db.peewee)] == [1] * 8
    assert ("posts", ("all",), None) in reddit.requests


def test_a_deleted_cursor_item_does_not_make_a_gap(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(12)
    stage.run(acme)
    del reddit.items[-1]
    reddit.items.append(world.item(1012))
    stage.clock.advance(300)
    stage.run(acme)
    assert world.rows(Gap) == []
    assert newest(world) == 1012


def test_the_real_end_of_a_short_listing_does_not_make_a_gap(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    post(3)
    stage.run(acme)
    reddit.items.clear()  # every item was deleted
    stage.clock.advance(300)
    assert stage.run(acme) == []
    assert world.rows(Gap) == []
    assert world.fresh_at() == stage.clock()


def test_a_feed_that_was_empty_is_read_completely(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    acme = world.workspace()
    assert stage.run(acme) == []
    names = post(25)
    stage.clock.advance(300)
    assert stage.run(acme) == names


def test_a_page_of_long_texts_is_sent_in_parts(world: World, stage: Stage, reddit: Reddit) -> None:
    acme = world.workspace()
    for number in range(10):
        reddit.items.append(world.item(1000 + number, body="ä" * 200_000))
    parts = stage.fetch(acme)
    assert len(parts) > 1
    assert [part.part.part for part in parts] == list(range(len(parts)))
    assert [part.part.parts for part in parts] == [None] * (len(parts) - 1) + [len(parts)]
    assert [bool(part.part.targets) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [number_of(item.id) for part in parts for item in part.items] == list(range(1009, 999, -1))
    for part in parts:
        assert sum(2 * len(item.body) for item in part.items) <= CHUNK_MAX_BYTES


def test_a_text_larger_than_a_part_is_sent_alone(world: World, stage: Stage, reddit: Reddit) -> None:
    reddit.items += [
        world.item(1, body="x" * CHUNK_MAX_BYTES),
        world.item(2),
        world.item(3, body="x" * CHUNK_MAX_BYTES),
    ]
    parts = stage.fetch(world.workspace())
    assert [len(part.items) for part in parts] == [1, 1, 1]


def test_items_read_are_counted_by_source_and_kind(
    world: World, stage: Stage, post: Callable[..., list[str]], metric: Metric
) -> None:
    acme = world.workspace(kinds=["posts", "comments"])
    post(4)
    post(3, kind="comment")
    stage.run(acme)
    assert metric("items_read_total", source="reddit", kind="post") == 4
    assert metric("items_read_total", source="reddit", kind="comment") == 3


def test_the_canary_is_read_and_not_counted(stage: Stage, clock: Clock, metrics: ProcessMetrics) -> None:
    canaries.ensure(stage.db, 300, clock(), lambda text, zone: clock() + 300)
    stage.sources[canary.SOURCE] = CanarySource(clock=clock)
    workspace = workspaces.by_name(stage.db, canary.WORKSPACE).id
    parts = stage.resume(stage.message(workspace, source=canary.SOURCE))
    assert [item.id for part in parts for item in part.items] == [str(int(clock()))]
    (counted,) = metrics.items_read.collect()
    assert canary.SOURCE not in {sample.labels["source"] for sample in counted.samples}
    assert not any(sample.value for sample in counted.samples if sample.name.endswith("_total"))


def test_interleaved_polls_posts_and_lost_parts_miss_nothing(
    world: World, stage: Stage, reddit: Reddit, post: Callable[..., list[str]]
) -> None:
    """The parts of every third poll never arrive at store (I2)."""
    one, two = world.workspace("one", subreddits=["python", "rust"]), world.workspace("two", subreddits=["rust", "go"])
    stored: set[str] = set()
    for workspace in (one, two):
        stage.run(workspace)
    for turn in range(12):
        for subreddit in ("Python", "Rust", "Go"):
            post(turn % 4, subreddit)
        stage.clock.advance(130)
        feeds.sweep(stage.db, stage.clock())
        for workspace in (one, two):
            parts = stage.fetch(workspace)
            if turn % 3 == 1:
                continue
            stage.store(parts)
            stored |= {item.id for part in parts for item in part.items}
    assert stored == {item.id for item in reddit.items}
    assert world.rows(Gap) == []


# -- sources that read forward


class Forward(Reddit):
    """A source that counts: its pages are scripted. A page that is an error is raised."""

    def __init__(self, *pages: Page | Exception) -> None:
        super().__init__()
        self.pages = list(pages)
        self.requested: list[ReadRequest] = []

    def read(self, request: ReadRequest, budget: Any) -> Page:
        self.requested.append(request)
        page = self.pages.pop(0)
        if isinstance(page, Exception):
            raise page
        return page


@pytest.fixture
def forward(stage: Stage) -> Forward:
    source = Forward()
    stage.sources["reddit"] = source
    return source


def test_a_backlog_is_followed_by_another_poll_when_it_is_stored(world: World, stage: Stage, forward: Forward) -> None:
    acme = world.workspace()
    forward.pages += [
        Page(items=(world.item(1),), cursor="1", complete=False, behind=True),
        Page(items=(world.item(2),), cursor="2", complete=False, behind=True),
        Page(items=(world.item(3),), cursor="3"),
    ]
    stage.fetcher.fetch(stage.message(acme), Budget())
    part, following = stage.sent
    assert stage.sent.delays == [None, 0.25], "soon"
    assert (following.behind, following.attempt, following.resume) == (True, 0, None)
    stage.sent.take()

    [again] = stage.resume(following)
    assert isinstance(again, FetchWorkspace), "the cursor moves when store is done, and not before"
    assert (again.behind, again.attempt) == (True, 1)
    assert len(forward.requested) == 1

    stage.store([part])
    assert (world.group().cursor, world.fresh_at()) == ("1", 0)
    part, following = stage.resume(again)
    assert following.attempt == 0, "each poll of a backlog is followed as soon as the first"
    stage.store([part])
    part, check = stage.resume(following)
    stage.store([part])
    assert [request.cursor for request in forward.requested] == [None, "1", "2"]
    assert (world.group().cursor, world.fresh_at()) == ("3", stage.clock())
    assert stage.resume(check) == [], "all is read"


def test_a_backlog_that_waited_for_the_budget_is_followed_too(world: World, stage: Stage, forward: Forward) -> None:
    acme = world.workspace()
    forward.pages += [
        Page(items=(world.item(1),), position="p", complete=False, cursor="1", behind=True),
        BudgetExhausted("reddit:x", delay=5.0, slot=1000.0),
        Page(items=(world.item(2),), cursor="2", complete=False, behind=True),
    ]
    later = stage.fetcher.fetch(stage.message(acme), Budget())
    assert isinstance(later, Later)
    assert isinstance(later.message, FetchWorkspace)
    [first] = stage.sent.take()
    second, following = stage.resume(later.message)
    assert forward.requested[-1].position == "p"
    assert following.behind
    stage.store([first, second])
    assert (world.group().cursor, world.fresh_at()) == ("2", 0)


def test_a_failure_in_a_backlog_keeps_what_was_stored(world: World, stage: Stage, forward: Forward) -> None:
    acme = world.workspace()
    forward.pages += [
        Page(items=(world.item(1),), cursor="1", complete=False, behind=True),
        RetryableError("503"),
        Page(items=(world.item(2),), cursor="2"),
    ]
    part, following = stage.fetch(acme)
    stage.store([part])
    [retry] = stage.resume(following)
    stage.clock.advance(2)
    stage.store(stage.resume(retry)[:1])
    assert [request.cursor for request in forward.requested] == [None, "1", "1"]
    assert world.group().cursor == "2"


def test_a_day_of_hacker_news_is_read_within_half_an_hour(world: World, stage: Stage, forward: Forward) -> None:
    """10,400 items at ten requests a second, of which some are for parents: what the chain adds has to be little."""
    acme = world.workspace()
    readings = 10_400 // READING_NUMBERS + 1
    for number in range(readings):
        last = number == readings - 1
        forward.pages.append(Page(items=(world.item(number),), cursor=str(number), complete=last, behind=not last))
    sent, delays = stage.fetch(acme), 0.0
    while forward.pages:
        part, following = sent
        [again] = stage.resume(following)  # it comes before store is done
        stage.store([part])
        delays += planning.freshness_check_delay(0) + planning.freshness_check_delay(following.attempt)
        sent = stage.resume(again)
    requests = 10_400 * (1 + BACKLOG_ROOT_FRACTION) + 2 * readings
    assert requests / 10 + delays < 30 * 60


def test_gaps_that_a_source_reports_are_recorded_with_the_cursor(world: World, stage: Stage, forward: Forward) -> None:
    acme = world.workspace()
    gaps_found = (ListingGap("hole", ("1", 5.0), ("3", 6.0)), ListingGap("outdated"))
    forward.pages.append(Page(items=(), cursor="9", gaps=gaps_found))
    parts = stage.fetch(acme)
    assert world.rows(Gap) == []
    stage.store(parts)
    columns = ("reason", "from_item", "from_at", "to_item", "to_at", "found_at")
    assert world.rows(Gap, *columns) == [
        ("hole", "1", 5.0, "3", 6.0, stage.clock()),
        ("outdated", None, None, None, None, stage.clock()),
    ]


def test_the_gaps_of_a_poll_are_those_of_its_last_page(world: World, stage: Stage, forward: Forward) -> None:
    """A source carries them in its position: a poll may end with any page."""
    acme = world.workspace()
    first, second = ListingGap("hole", ("1", 5.0), ("3", 6.0)), ListingGap("hole", ("7", 5.0), ("9", 6.0))
    forward.pages += [
        Page(items=(), position="p", complete=False, cursor="1", gaps=(first,)),
        Page(items=(), cursor="2", gaps=(first, second)),
    ]
    stage.run(acme)
    assert world.rows(Gap, "from_item", "to_item") == [("1", "3"), ("7", "9")]


def test_a_feed_is_left_alone_for_as_long_as_its_source_wants(world: World, stage: Stage, forward: Forward) -> None:
    acme = world.workspace()
    forward.pages += [Page(items=(), cursor="1", pause=900.0), Page(items=(), cursor="2")]
    stage.run(acme)
    assert world.feed().retry_at == stage.clock() + 900
    stage.clock.advance(899)
    assert stage.run(acme) == []
    assert stage.run(acme, reason="trigger") == []
    assert len(forward.requested) == 1
    stage.clock.advance(1)
    stage.run(acme)
    assert (len(forward.requested), world.feed().retry_at) == (2, 0)


def test_items_that_changed_are_rechecked_early(world: World, stage: Stage, forward: Forward) -> None:
    acme = world.workspace()
    forward.pages += [Page(items=(), cursor="1"), Page(items=(), cursor="2", changed=("t3_rs", "t3_unknown"))]
    stage.run(acme)
    items = [world.item(1000), world.item(1001)]
    storing.store(stage.db, world.matched(*((item, (acme,)) for item in items), poll="other"), stage.clock())
    stage.clock.advance(300)
    stage.run(acme)
    before = stage.clock() - rechecks.EARLY_FRACTION * 86400.0
    assert world.rows(StoredItem, "ref", "checked_at") == [("t3_rs", before), ("t3_rt", stage.clock() - 300)]
    assert rechecks.due(stage.db, "reddit", before, stage.clock())


def test_a_workspace_with_many_slow_feeds_is_read_in_turns(world: World, stage: Stage, forward: Forward) -> None:
    names = [f"sub{number}" for number in range(5)]
    acme = world.workspace(subreddits=names)
    stage.rules = stage.fetcher.rules = stage.fetcher.leases.rules = FetchSettings(group_size=1)
    forward.pages += [Page(items=(), cursor="1")] * 5

    class Slow(Budget):
        def acquire(self) -> None: ...

    def read(request: ReadRequest, budget: Any) -> Page:
        stage.clock.advance(TURN_SECONDS / 2)
        return Forward.read(forward, request, budget)

    forward.read = read  # type: ignore[method-assign]
    message = stage.message(acme)
    turns = []
    while True:
        later = stage.fetcher.fetch(message, Slow())
        turns.append(len(stage.sent))
        stage.store(stage.sent.take())
        if later is None:
            break
        assert isinstance(later, Later)
        assert later.delay == TURN_GAP_SECONDS
        assert isinstance(later.message, FetchWorkspace)
        message = later.message
        assert world.row(RefreshDemand, (acme, "reddit")).served_at == 0, "the demand is open until all is read"
    assert turns == [2, 2, 1]
    assert sorted(place for request in forward.requested for place in request.places) == names
