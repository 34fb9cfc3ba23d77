"""Second looks: what appears below the cursor is found; no cursor moves, no gap is recorded, no poll is held up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from actors.fetch.fetcher import Fetcher
from actors.fetch.second_look import LOOK_MAX_SECONDS, LOOK_PAUSE_SECONDS, LOOK_TURN_SECONDS, NO_SPARE_PAUSE_SECONDS
from overheard.config import FetchSettings
from overheard.db import groups, regrouping, storing
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Gap, Poll
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError
from overheard.items import Item
from overheard.messages import FetchWorkspace, ItemsFetched, ItemsMatched
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome
from overheard.sources import GroupLimit, Page, ReadRequest
from overheard.sources.reddit.listing_cursor import merge_cursors
from overheard.sources.reddit.listing_reader import ListingReader
from tests.fixtures import Clock, Metric, Sent, World

PAGE_SIZE, DEPTH = 10, 60


class Listing:
    """A merged listing of posts in any order; ``failure`` is raised instead of a page, ``before`` called first."""

    name = "reddit"
    group_limit = GroupLimit(200, 1500)

    def __init__(self) -> None:
        self.items: list[Item] = []  # the newest first
        self.pages = 0
        self.failure: Exception | None = None
        self.before: Callable[[], object] = lambda: None

    def read(self, request: ReadRequest, budget: Any) -> Page:
        budget.acquire()
        self.pages += 1
        self.before()
        if self.failure is not None:
            raise self.failure
        reader = ListingReader(request, page_size=PAGE_SIZE, depth=DEPTH)
        listing = [item for item in self.items if item.place.lower() in request.places][:DEPTH]
        names = [item.id for item in listing]
        if reader.after is not None and reader.after not in names:
            return reader.take((), None)
        start = 0 if reader.after is None else names.index(reader.after) + 1
        page = listing[start : start + PAGE_SIZE]
        return reader.take(page, page[-1].id if start + PAGE_SIZE < len(listing) else None)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        return merge_cursors(older, newer)

    def probe(self, budget: Any) -> None: ...

    def close(self) -> None: ...


class SpareTokens:
    """``left`` tokens; after that there are none to spare, and nothing is reserved."""

    def __init__(self, left: int = 1000) -> None:
        self.left = left

    def acquire(self) -> None:
        if self.left == 0:
            raise BudgetExhausted("reddit:x", delay=0.6, slot=None)
        self.left -= 1


class Looks:
    """Runs the fetch stage on its messages, and stores what it sends."""

    def __init__(self, world: World, sent: Sent, metrics: ProcessMetrics) -> None:
        self.world, self.db, self.clock, self.sent = world, world.db, world.clock, sent
        self.listing = Listing()
        self.fetcher = Fetcher(
            db=world.db, sources={"reddit": self.listing}, send=sent, clock=world.clock,  # type: ignore[dict-item]
            rules=FetchSettings(), recheck_within=86400.0, metrics=metrics,
        )  # fmt: skip
        self.stored: set[str] = set()

    def posts(self, count: int, *, place: str = "python", every: float = 10.0) -> None:
        for _ in range(count):
            self.clock.advance(every)
            self.listing.items.insert(0, self.item(place=place))

    def item(self, *, place: str = "python", age: float = 0.0) -> Item:
        number = len(self.listing.items) + 1
        return self.world.item(number, place=place, created_at=self.clock() - age)

    def restored(self, age: float) -> str:
        """List an item at its own old place."""
        item = self.item(age=age)
        older = (at for at, each in enumerate(self.listing.items) if each.created_at < item.created_at)
        self.listing.items.insert(next(older, len(self.listing.items)), item)
        return item.id

    def poll(self) -> None:
        self.run(FetchWorkspace(source="reddit", group_id=self.group, reason="planned"))

    def look(self, back: float = 3600.0, **message: Any) -> FetchWorkspace:
        return FetchWorkspace(source="reddit", group_id=self.group, back_to=self.clock() - back, **message)

    def run(self, message: FetchWorkspace, tokens: SpareTokens | None = None, *, store: bool = True) -> Outcome:
        outcome = self.fetcher.fetch(message, tokens or SpareTokens())  # type: ignore[arg-type]
        for each in self.sent.take():
            if store and isinstance(each, ItemsFetched):
                self.store(each)
        return outcome

    def store(self, part: ItemsFetched) -> None:
        storing.store(self.db, ItemsMatched(part=part.part, items=()), self.clock())
        self.stored |= {item.id for item in part.items}

    @property
    def group(self) -> int:
        return int(self.world.group().id)

    def row(self) -> dict[str, Any]:
        return dict(FeedGroup.select().where(FeedGroup.id == self.group).dicts().first(self.db.peewee))


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def looks(world: World, sent: Sent, metrics: ProcessMetrics) -> Looks:
    """A place that was read, with 50 posts of the last 500 seconds."""
    world.workspace()
    made = Looks(world, sent, metrics)
    made.posts(50)
    made.poll()
    made.posts(3)
    made.poll()
    return made


def test_a_second_look_finds_what_was_listed_at_its_old_place(looks: Looks, metric: Metric) -> None:
    name, too_old = looks.restored(300), looks.restored(490)
    looks.poll()
    assert name not in looks.stored, "it is below the cursor"
    before = looks.row()
    looks.listing.pages = 0
    assert looks.run(looks.look(back=400)) is None
    assert looks.stored >= {name}
    assert too_old not in looks.stored
    assert looks.listing.pages == 5, "40 items, and a page that is all older"
    assert looks.row() == before | {"looked_at": looks.clock()}, "no cursor and no lease has changed"
    assert metric("second_looks_total", source="reddit", outcome="done") == 1


def test_dates_in_the_future_and_late_posts_on_top_do_not_stop_or_prolong_a_look(looks: Looks) -> None:
    name = looks.restored(300)
    looks.listing.items[:0] = [looks.item(age=-9e8), looks.item(age=7200)]
    looks.listing.items[35:35] = [looks.item(age=7200), looks.item(age=-9e8)]
    looks.listing.pages = 0
    looks.run(looks.look(back=350))
    assert name in looks.stored
    assert looks.listing.pages == 5


def test_a_listing_that_ends_before_leaves_no_gap(looks: Looks, db: Db) -> None:
    name = looks.restored(520)
    cursor = looks.row()["cursor"]
    looks.run(looks.look(back=90_000))
    assert name in looks.stored
    looks.posts(500)
    for back in (90_000, 4_000):
        looks.run(looks.look(back=back))
        assert looks.row()["looked_at"] == looks.clock()
    assert looks.row()["cursor"] == cursor, "500 posts are left to the next poll"
    assert Gap.select().count(db.peewee) == 0
    looks.poll()
    assert Gap.select().count(db.peewee) == 1, "only the poll says that it could not read everything"


@pytest.mark.parametrize("max_pages", [10, 3])
def test_a_look_that_ends_before_its_date_is_counted_as_short(looks: Looks, metric: Metric, max_pages: int) -> None:
    looks.fetcher.second_look.reader.rules = FetchSettings(max_pages=max_pages)
    looks.run(looks.look(back=100))
    assert metric("second_looks_total", source="reddit", outcome="short") == 0
    looks.posts(500)
    looks.run(looks.look(back=4_000))
    assert looks.row()["looked_at"] == looks.clock(), "the next one would see no more of it"
    assert metric("second_looks_total", source="reddit", outcome="short") == 1
    assert metric("second_looks_total", source="reddit", outcome="done") == 1


def test_a_look_at_a_whole_listing_is_not_short(looks: Looks, metric: Metric) -> None:
    looks.listing.items = looks.listing.items[:41]
    looks.listing.pages = 0
    looks.run(looks.look(back=90_000))
    assert looks.listing.pages == 5, "the newest page is not read again"
    assert metric("second_looks_total", source="reddit", outcome="short") == 0
    assert metric("second_looks_total", source="reddit", outcome="done") == 1


def test_a_look_that_waits_for_spare_tokens_goes_on_where_it_was(looks: Looks, metric: Metric) -> None:
    name, began = looks.restored(300), looks.clock()
    looks.listing.pages = 0
    later = looks.run(looks.look(back=400), SpareTokens(2))
    assert isinstance(later, Later)
    assert isinstance(later.message, FetchWorkspace)
    assert (later.delay, later.slot, looks.listing.pages) == (NO_SPARE_PAUSE_SECONDS, None, 2)
    looks.posts(2)
    looks.poll()
    looks.listing.pages = 0
    assert looks.run(later.message) is None
    assert name in looks.stored
    assert looks.listing.pages == 3, "its first two pages are not read again"
    assert looks.row()["looked_at"] == began, "what was listed since is left to the next look"


def test_a_look_without_spare_tokens_is_given_up_and_the_next_one_reads_as_far(
    looks: Looks, metric: Metric, db: Db
) -> None:
    FeedGroup.update(look_asked_at=looks.clock()).execute(db.peewee)
    before = looks.row()
    outcome = looks.run(looks.look(), SpareTokens(1))
    while isinstance(outcome, Later) and isinstance(outcome.message, FetchWorkspace):
        looks.clock.advance(outcome.delay)
        assert looks.clock() < 1e10
        outcome = looks.run(outcome.message, SpareTokens(0))
    assert looks.row() == before | {"look_asked_at": 0.0}, "another one may be asked for at once"
    assert metric("second_looks_total", source="reddit", outcome="skipped") == 1
    assert not Poll.select().where(Poll.id.startswith("look-")).exists(db.peewee)
    assert LOOK_MAX_SECONDS > 2 * NO_SPARE_PAUSE_SECONDS


def test_a_look_gives_its_thread_back_now_and_then(looks: Looks) -> None:
    looks.listing.before = lambda: looks.clock.advance(LOOK_TURN_SECONDS)
    later = looks.run(looks.look())
    assert isinstance(later, Later)
    assert later.delay == LOOK_PAUSE_SECONDS


def test_a_look_counts_when_all_of_it_is_stored(looks: Looks, sent: Sent) -> None:
    before = looks.row()
    looks.fetcher.fetch(looks.look(), SpareTokens())  # type: ignore[arg-type]
    parts = [each for each in sent.take() if isinstance(each, ItemsFetched)]
    assert len(parts) > 2
    for part in (parts[-1], *parts[:-2]):
        looks.store(part)
        assert looks.row() == before
    looks.store(parts[-2])
    assert looks.row() == before | {"looked_at": looks.clock()}
    looks.clock.advance(900)
    looks.run(looks.look())
    looks.store(parts[-1])
    assert looks.row()["looked_at"] == looks.clock(), "a repeated part moves nothing back"


@pytest.mark.parametrize("failure", [RetryableError("502"), FeedRefused("private", ("python",)), PermanentError("no")])
def test_a_look_that_fails_moves_nothing_and_refuses_no_feed(
    looks: Looks, failure: Exception, metric: Metric, world: World
) -> None:
    FeedGroup.update(look_asked_at=looks.clock()).execute(looks.db.peewee)
    before = looks.row()
    looks.listing.failure = failure
    assert looks.run(looks.look()) is None
    again = {"look_asked_at": 0.0} if isinstance(failure, RetryableError) else {}
    assert looks.row() == before | again, "after a passing fault another one may be asked for"
    assert world.feed("python").failures == 0
    assert metric("second_looks_total", source="reddit", outcome="failed") == 1


def test_a_look_at_a_group_that_is_being_read_holds_up_nothing(looks: Looks, world: World) -> None:
    world.claim("p", "python")
    name = looks.restored(300)
    before = looks.row()
    looks.run(looks.look())
    assert name in looks.stored
    assert looks.row() == before | {"looked_at": looks.clock()}
    assert before["poll"] == "p"


def test_a_look_reads_the_feeds_that_its_group_had_when_it_began(looks: Looks, world: World, db: Db) -> None:
    """The group is joined by another, and divided, while a look waits."""
    world.workspace(subreddits=["python", "rust"])
    looks.listing.before = lambda: looks.clock.advance(LOOK_TURN_SECONDS)
    later = looks.run(looks.look())
    assert isinstance(later, Later)
    assert isinstance(later.message, FetchWorkspace)
    looks.listing.before = lambda: None
    Feed.update(group=looks.group).where(Feed.place == "rust").execute(db.peewee)
    before = looks.row()
    looks.posts(5, place="rust")
    looks.run(later.message)
    assert looks.row() == before, "rust was not looked at"
    assert not any(item.id in looks.stored for item in looks.listing.items if item.place == "rust")

    looks.listing.before = lambda: looks.clock.advance(LOOK_TURN_SECONDS)
    began = looks.clock()
    later = looks.run(looks.look())
    looks.listing.before = lambda: None
    assert isinstance(later, Later)
    assert isinstance(later.message, FetchWorkspace)
    [group] = groups.load(db, [looks.group])
    divided = groups.divide(db, group, [feed.id for feed in group.feeds if feed.place == "rust"])
    looks.run(later.message)
    assert looks.row()["looked_at"] == began
    assert groups.load(db, [divided])[0].looked_at == before["looked_at"], "the other half will be looked at again"


def test_groups_that_join_are_looked_at_as_far_back_as_any_of_them_needs(looks: Looks, world: World, db: Db) -> None:
    world.workspace(subreddits=["python", "rust"])
    others = groups.load(db, [world.group("rust").id])
    FeedGroup.update(looked_at=5.0).where(FeedGroup.id == others[0].id).execute(db.peewee)
    others = [msgspec.structs.replace(others[0], looked_at=5.0)]
    [group] = groups.load(db, [looks.group])
    cursor = looks.listing.join
    joined = regrouping.join(db, group, others, "p", now=looks.clock(), lease=9.0, cursor=cursor)
    assert (len(joined.feeds), joined.looked_at) == (2, 5.0)


def test_a_look_at_a_group_that_is_gone_does_nothing(looks: Looks, db: Db, clock: Clock) -> None:
    message = looks.look()
    assert looks.run(msgspec.structs.replace(message, group_id=999)) is None
    Feed.update(group=None).execute(db.peewee)
    pages = looks.listing.pages
    assert looks.run(message) is None
    assert looks.listing.pages == pages
