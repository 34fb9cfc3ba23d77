"""fetch asks Reddit which subreddits can be read, before and after they spoil a group, and each day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from actors.fetch.fetcher import Fetcher
from overheard.config import Config, FetchSettings
from overheard.db import feeds, place_checks, place_renames, queries, reading, source_health, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Incident, Poll, Watch
from overheard.db.place_checks import ABSENT, CHECK_SECONDS
from overheard.errors import BudgetExhausted
from overheard.messages import FetchWorkspace, ItemsFetched, ItemsMatched
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import other_work
from overheard.outcomes import Later
from overheard.simulators.reddit import RedditSimulator
from overheard.simulators.reddit.items import State
from overheard.workspaces import MuteSpec, QuerySpec
from producers.place_checks import ASK_SECONDS, PlaceChecker
from tests.fixtures import Sent, World
from tests.unit.sources.reddit_world import EMPTY, RecordingBudget, source_of

BACKOFF_SECONDS = feeds.INITIAL_BACKOFF_SECONDS
NAMES = [f"sub_{number:03}" for number in range(100)]


class Reddit:
    """Reddit, and fetch followed directly by store."""

    def __init__(self, world: World, sent: Sent, metrics: ProcessMetrics, multi: Any) -> None:
        self.world, self.db, self.clock, self.sent, self.metrics = world, world.db, world.clock, sent, metrics
        self.simulator = RedditSimulator(clock=world.clock, requests_per_minute=100_000, multi=multi, token_seconds=1e9)
        self.simulator.start()
        self.source = source_of(self.simulator, metrics)
        self.fetcher = self.process()
        self.config = Config.model_validate(
            {"sources": {"reddit": {"client_id": "x", "user_agent": "x"}}, "fetch": {"look_back": "0"}}
        )
        self.messages: list[FetchWorkspace] = []
        self.checker = PlaceChecker(db=world.db, clock=world.clock, config=self.config, ask=self.messages.append)

    def process(self) -> Fetcher:
        return Fetcher(
            db=self.db, sources={"reddit": self.source}, send=self.sent, clock=self.clock, rules=FetchSettings(),
            recheck_within=86400.0, metrics=self.metrics,
        )  # fmt: skip

    def stop(self) -> None:
        self.source.close()
        self.simulator.stop()

    def make(self, *names: str, state: State = "public") -> None:
        for name in names:
            self.simulator.set_subreddit(name, state)
            self.simulator.add_post(name, "hello")

    def asked(self) -> list[str]:
        """Return the endpoints of the requests since the last call, in order."""
        requests = [each.partition("?")[0].rpartition("/")[2] for each in self.simulator.counters.recent()]
        self.simulator.reset_counts()
        return [name for name in requests if name != "access_token"]

    def run(self, workspace_id: int, budget: Any = None) -> set[str]:
        """Fetch and store; return the places of the items."""
        message = FetchWorkspace(workspace_id=workspace_id, source="reddit", fresh_since=self.clock() - 60)
        return self.handle(message, budget)

    def handle(self, message: FetchWorkspace, budget: Any = None) -> set[str]:
        """Handle a message, and its copies that had to wait for the budget."""
        waiting: Any = message
        while waiting is not None:
            outcome = self.fetcher.fetch(waiting, budget or RecordingBudget())
            waiting = (outcome.message or waiting) if isinstance(outcome, Later) else None
            budget = None
        parts = [part for part in self.sent.take() if isinstance(part, ItemsFetched)]
        for part in parts:
            storing.store(self.db, ItemsMatched(part=part.part, items=()), self.clock())
        return {item.place.lower() for part in parts for item in part.items}

    def review(self) -> None:
        """Let the tick ask for what is due, and fetch answer, until nothing is."""
        for _ in range(50):
            self.clock.advance(ASK_SECONDS)
            if not self.checker.step():
                return
            self.handle(self.messages.pop())
        raise AssertionError("it never ends")

    def reason(self, name: str) -> str | None:
        """Return why a place is not read; None if it is."""
        feed = self.world.feed(name)
        assert (feed.reason is None) == (feed.failures == 0)
        return feed.reason if feed.failures and feed.retry_at > self.clock() else None

    def reasons(self) -> dict[str, str]:
        """Return why places are not read."""
        return dict(Feed.select(Feed.place, Feed.reason).where(Feed.failures > 0).tuples().execute(self.db.peewee))


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture(params=["refuse", "drop"])
def multi(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reddit(world: World, sent: Sent, metrics: ProcessMetrics, multi: str) -> Iterator[Reddit]:
    made = Reddit(world, sent, metrics, multi)
    yield made
    made.stop()


@pytest.mark.parametrize("state", ["private", "quarantined", "banned", "missing"])
def test_a_bad_place_among_fifty_new_ones_is_known_after_one_request(
    world: World, reddit: Reddit, state: State
) -> None:
    reddit.make(*NAMES[:49])
    reddit.make(NAMES[49], state=state)
    read = reddit.run(world.workspace(subreddits=NAMES[:50]))
    assert reddit.asked() == ["info", "new"]
    assert read == set(NAMES[:49]), "the others are read in the same run"
    assert reddit.reason(NAMES[49]) == (state if state in ("private", "quarantined") else ABSENT)
    assert reddit.reasons().keys() == {NAMES[49]}
    reddit.review()
    assert reddit.reasons() == {NAMES[49]: state}, "told apart from spare tokens"
    assert len(reddit.asked()) == (1 if state in ("banned", "missing") else 0)


@pytest.mark.parametrize("multi", ["refuse"], indirect=True)
@pytest.mark.parametrize("state", ["private", "quarantined", "banned", "missing"])
def test_a_place_that_turns_bad_is_known_two_requests_after_the_first_refusal(
    world: World, reddit: Reddit, state: State
) -> None:
    reddit.make(*NAMES[:50])
    acme = world.workspace(subreddits=NAMES[:50])
    reddit.run(acme)
    reddit.clock.advance(600)
    reddit.simulator.set_subreddit(NAMES[7], state)
    for name in NAMES[:50]:
        reddit.simulator.add_post(name, "again")
    reddit.asked()
    assert len(reddit.run(acme)) == 49
    assert reddit.asked() == ["new", "info", "new"]
    assert reddit.reason(NAMES[7]) == (state if state in ("private", "quarantined") else ABSENT)
    assert world.group(NAMES[7]).cursor is not None, "it goes on from where it was read"

    reddit.simulator.set_subreddit(NAMES[7], "public")
    reddit.clock.advance(BACKOFF_SECONDS + 1)
    assert NAMES[7] in reddit.run(acme)
    assert reddit.reasons() == {}


@pytest.mark.parametrize("multi", ["drop"], indirect=True)
@pytest.mark.parametrize("state", ["private", "quarantined", "banned", "missing"])
def test_a_place_that_is_dropped_silently_is_found_within_a_day(world: World, reddit: Reddit, state: State) -> None:
    reddit.make(*NAMES[:50])
    acme = world.workspace(subreddits=NAMES[:50])
    reddit.run(acme)
    reddit.simulator.set_subreddit(NAMES[7], state)
    reddit.clock.advance(600)
    reddit.run(acme)
    assert reddit.reasons() == {}
    reddit.clock.advance(CHECK_SECONDS)
    reddit.asked()
    reddit.review()
    assert reddit.asked()[:1] == ["info"]
    reddit.run(acme)
    reddit.review()
    assert reddit.reasons() == {NAMES[7]: state}, "read alone, it is refused"
    assert reddit.reason(NAMES[7]) == state


def test_a_place_that_can_be_read_after_all_loses_nothing(world: World, reddit: Reddit) -> None:
    """Such as a quarantined one that the account has opted in to: only the answer speaks against it."""
    reddit.make(*NAMES[:3])
    acme = world.workspace(subreddits=NAMES[:3])
    reddit.run(acme)
    reddit.clock.advance(CHECK_SECONDS + 1)
    reddit.simulator.set_subreddit(NAMES[1], "quarantined")
    reddit.review()
    assert world.feed(NAMES[1]).retry_at <= reddit.clock()
    reddit.simulator.set_subreddit(NAMES[1], "public")
    reddit.simulator.add_post(NAMES[1], "meanwhile")
    assert NAMES[1] in reddit.run(acme)
    assert reddit.reasons() == {}


def test_many_names_take_a_request_for_each_hundred(world: World, reddit: Reddit) -> None:
    names = [f"place{number:05}" for number in range(400)]
    states: list[State] = ["private", "quarantined", "banned", "missing"]
    bad = {name: states[number % 4] for number, name in enumerate(names[::28])}
    for name in names:
        reddit.simulator.set_subreddit(name, bad.get(name, "public"))
        reddit.simulator.add_post(name, "hello")
    workspaces = [world.workspace(f"w{start}", subreddits=names[start : start + 10]) for start in range(0, 400, 10)]
    read = {place for workspace in workspaces for place in reddit.run(workspace)}
    assert read == set(names) - bad.keys()
    asked = reddit.asked()
    assert asked.count("info") == 4
    assert asked.count("new") <= 9
    assert reddit.reasons().keys() == bad.keys()
    reddit.review()
    assert reddit.reasons() == bad


def test_if_all_are_bad_that_costs_no_reading_of_each(world: World, reddit: Reddit) -> None:
    reddit.make("elsewhere")  # all of Reddit has a post
    for name in NAMES:
        reddit.simulator.set_subreddit(name, "missing")
    read = reddit.run(world.workspace(subreddits=NAMES))
    assert (read, len(reddit.asked())) == (set(), 2), "the names, and whether Reddit answers"
    assert set(reddit.reasons().values()) == {ABSENT}
    assert set(world.rows(FeedGroup, "poll", "lease_until")) == {(None, 0)}, "nothing is left for the sweep to find"
    assert world.rows(Poll) == []


def test_refused_places_are_tried_again_together(world: World, reddit: Reddit) -> None:
    for name in NAMES[:60]:
        reddit.make(name, state="private")
    reddit.make("fine")
    acme = world.workspace(subreddits=["fine", *NAMES[:60]])
    reddit.run(acme)
    reddit.asked()
    for tries in (1, 2, 3):
        assert {feed.failures for feed in Feed.select().where(Feed.place != "fine").execute(reddit.db.peewee)} == {
            tries
        }
        reddit.clock.advance(BACKOFF_SECONDS * 2 ** (tries - 1) + 1)
        reddit.run(acme)
        assert sorted(reddit.asked()) == ["info", "new"]
    assert [incident.what for incident in Incident.select().execute(reddit.db.peewee)][:1] == [
        f"r/{NAMES[0]} posts (private)"
    ]
    reddit.simulator.set_subreddit(NAMES[3], "public")
    reddit.clock.advance(BACKOFF_SECONDS * 8 + 1)
    assert NAMES[3] in reddit.run(acme)
    assert NAMES[3] not in reddit.reasons()


@pytest.mark.parametrize("failure", ["refused", "down", "empty", "other"])
def test_if_names_cannot_be_asked_for_refused_groups_are_halved(
    world: World, reddit: Reddit, failure: str, multi: str
) -> None:
    reddit.make(*NAMES[:7])
    reddit.make(NAMES[7], state="private")
    faults = reddit.simulator.faults
    if failure == "refused":
        faults.fail(404, times=100, path="info")
    elif failure == "down":
        faults.fail(503, times=100, path="info")
    elif failure == "empty":
        faults.body(EMPTY, times=100, path="info")
    else:
        names = ("t5_1", "elsewhere"), ("t5_2", "../me"), ("t3_5", NAMES[7])
        children = [{"kind": "t5", "data": {"name": ref, "display_name": name}} for ref, name in names]
        faults.body(json.dumps({"kind": "Listing", "data": {"children": children}}), times=100, path="info")
    acme = world.workspace(subreddits=NAMES[:8])
    for _ in range(4):
        reddit.run(acme)
        reddit.clock.advance(BACKOFF_SECONDS + 60)
        reddit.review()
    read = {name for name in NAMES[:8] if world.fresh_at(name)}
    assert read >= set(NAMES[:7])
    assert reddit.asked().count("info") < 20
    assert reddit.reasons().keys() <= {NAMES[7]}


@pytest.mark.parametrize("multi", ["refuse"], indirect=True)
def test_a_check_that_waits_for_the_budget_comes_first_when_the_slot_is_there(world: World, reddit: Reddit) -> None:
    reddit.make(*NAMES[:50])
    acme = world.workspace(subreddits=NAMES[:50])
    reddit.run(acme)
    reddit.clock.advance(600)
    reddit.simulator.set_subreddit(NAMES[7], "private")
    reddit.asked()
    assert reddit.run(acme, RecordingBudget(tokens=1)) == set(NAMES[:50]) - {NAMES[7]}
    assert reddit.asked() == ["new", "info", "new"], "no slot is spent on being refused again"


@pytest.mark.parametrize("multi", ["refuse"], indirect=True)
def test_a_source_that_does_not_answer_about_places_is_not_asked_for_each_group(world: World, reddit: Reddit) -> None:
    names = [f"place{number:03}" for number in range(200)]
    reddit.make(*names)
    acme = world.workspace(subreddits=names)
    reddit.run(acme)
    reddit.clock.advance(600)
    for name in (names[7], names[177]):
        reddit.simulator.set_subreddit(name, "private")
    reddit.simulator.faults.fail(503, times=100, path="info")
    reddit.asked()
    reddit.run(acme)
    assert reddit.asked().count("info") == 1
    assert reddit.reasons() == {names[7]: "private", names[177]: "private"}


def test_a_first_check_that_waits_for_the_budget_is_made_later(world: World, reddit: Reddit) -> None:
    reddit.make(*NAMES[:3])
    assert reddit.run(world.workspace(subreddits=NAMES[:3]), RecordingBudget(tokens=0)) == set(NAMES[:3])
    assert reddit.asked() == ["info", "new"]


def test_a_single_new_place_is_read_without_a_check(world: World, reddit: Reddit) -> None:
    reddit.make("python", state="banned")
    reddit.make("elsewhere")
    reddit.run(world.workspace())
    assert reddit.asked() == ["new", "new"], "and whether Reddit answers"
    assert reddit.reason("python") == "banned"


def test_places_of_two_processes_are_asked_for_once(world: World, reddit: Reddit) -> None:
    reddit.make(*NAMES)
    first = world.workspace(subreddits=NAMES[:50])
    second = world.workspace("bolt", subreddits=NAMES[50:])
    other = reddit.process()
    reddit.run(first)
    reddit.fetcher = other
    reddit.run(second)
    assert reddit.asked() == ["info", "new", "new"]


def test_long_names_are_asked_for_in_urls_that_work(world: World, reddit: Reddit) -> None:
    names = [f"{'x' * 18}{number:03}" for number in range(100)]
    reddit.make(*names)
    assert reddit.run(world.workspace(subreddits=names)) == set(names)
    targets = [each.partition(" ")[2] for each in reddit.simulator.counters.recent()]
    assert max(len(f"https://oauth.reddit.com{target}") for target in targets) < 2000
    assert sum("sr_name" in target for target in targets) == 2


def test_case_does_not_matter_and_profiles_are_places(world: World, reddit: Reddit) -> None:
    reddit.make("LearnPython", "u_Alice")
    reddit.make("u_gone", state="banned")
    world.workspace(subreddits=["learnPYTHON", "u_alice", "u_gone"])
    reddit.run(1)
    assert reddit.reasons() == {"u_gone": ABSENT}
    assert world.feed("learnpython").place_ref.startswith("t5_")


# -- renames


def renamed(world: World, reddit: Reddit, old: str, new: str) -> None:
    """Let Reddit rename a place that was read, and the tick find out."""
    reddit.clock.advance(CHECK_SECONDS + 1)
    reddit.review()  # its id is known from the first check at the latest
    reddit.simulator.rename_subreddit(old, new)
    reddit.clock.advance(CHECK_SECONDS + 1)
    reddit.review()


def test_a_renamed_place_is_followed(world: World, reddit: Reddit) -> None:
    reddit.make("oldname", "rust")
    acme = world.workspace(
        subreddits=["oldname", "rust"],
        queries={"here": QuerySpec("here", "acme", places=("OldName", "rust")), "all": "acme"},
        mute=(MuteSpec(place="oldname", author="bot"),),
    )
    reddit.run(acme)
    before = world.feed("oldname")
    renamed(world, reddit, "oldname", "NewName")
    feed = world.feed("newname")
    assert (feed.id, feed.failures, feed.retry_at) == (before.id, 0, 0)
    assert not Feed.select().where(Feed.place == "oldname").exists(reddit.db.peewee)
    spec = workspace_specs.load(reddit.db, acme, secrets=False)
    assert set(spec.subreddits) == {"newname", "rust"}
    assert (spec.query[0].places, spec.query[1].places) == (("NewName", "rust"), ())
    assert spec.mute[0].place == "newname"
    assert [
        row.what for row in Incident.select().where(Incident.kind == "place renamed").execute(reddit.db.peewee)
    ] == ["r/oldname is now r/NewName"]
    (changed,) = [watched for workspace, watched in queries.watches_since(reddit.db, 1) if workspace == acme]
    assert ("reddit", "post", "newname") in (changed or ())

    reddit.simulator.add_post("NewName", "after")
    assert "newname" in reddit.run(acme)


def test_a_place_renamed_to_one_that_another_workspace_watches_becomes_one(world: World, reddit: Reddit) -> None:
    reddit.make("oldname", "rust")
    acme = world.workspace(subreddits=["oldname", "rust"], kinds=["posts", "comments"])
    bolt = world.workspace("bolt", subreddits=["newname", "rust"])
    both = world.workspace("both", subreddits=["newname", "oldname"])
    for workspace in (acme, bolt, both):
        reddit.run(workspace)
    kept = world.feed("oldname").id
    began = world.rows(Watch, "workspace", "created_at")
    renamed(world, reddit, "oldname", "newname")
    assert world.feed("newname").id == kept, "the other was never read"
    of_feed = Watch.select(Watch.workspace).where(Watch.feed == kept).tuples().execute(reddit.db.peewee)
    assert {workspace for (workspace,) in of_feed} == {acme, bolt, both}
    assert not Feed.select().where(Feed.place == "oldname").exists(reddit.db.peewee)
    assert {row[1] for row in began} == {row[1] for row in world.rows(Watch, "workspace", "created_at")}
    reddit.simulator.add_post("newname", "after")
    assert "newname" in reddit.run(bolt)


def test_of_two_places_that_were_read_the_one_with_more_news_stays(world: World, reddit: Reddit) -> None:
    reddit.make("oldname", "newname", "rust")
    acme = world.workspace(subreddits=["oldname", "rust"])
    reddit.run(acme)
    reddit.clock.advance(100)
    bolt = world.workspace("bolt", subreddits=["newname"])
    reddit.run(bolt)
    old, new = world.feed("oldname").id, world.feed("newname").id
    assert place_renames.rename(reddit.db, "reddit", "oldname", "newname", reddit.clock())
    assert [feed.id for feed in Feed.select().where(Feed.place == "newname").execute(reddit.db.peewee)] == [old]
    assert not Feed.select().where(Feed.id == new).exists(reddit.db.peewee)


def test_a_place_that_a_poll_holds_is_renamed_later(world: World, reddit: Reddit) -> None:
    reddit.make("oldname")
    reddit.run(world.workspace(subreddits=["oldname"]))
    world.claim("a poll", "oldname")
    assert not place_renames.rename(reddit.db, "reddit", "oldname", "newname", reddit.clock())
    assert world.feed("oldname")


def test_another_place_that_has_taken_the_name_is_not_the_same(world: World, reddit: Reddit) -> None:
    reddit.make("oldname", "rust")
    reddit.run(world.workspace(subreddits=["oldname", "rust"]))
    reddit.simulator.rename_subreddit("oldname", "newname")
    reddit.make("oldname")
    reddit.clock.advance(CHECK_SECONDS + 1)
    reddit.review()
    assert {row[0] for row in world.rows(Feed, "place")} == {"newname", "rust"}


def test_a_place_that_is_gone_for_good_is_not_asked_for_by_its_id_again(world: World, reddit: Reddit) -> None:
    reddit.make("oldname", "rust")
    acme = world.workspace(subreddits=["oldname", "rust"])
    reddit.run(acme)
    reddit.simulator.set_subreddit("oldname", "missing")
    reddit.clock.advance(CHECK_SECONDS + 1)
    reddit.review()
    reddit.run(acme)
    reddit.review()
    assert (reddit.reason("oldname"), world.feed("oldname").place_ref) == ("missing", None)
    reddit.asked()
    reddit.review()
    assert reddit.asked() == []


# -- the tick


def test_nothing_is_asked_of_a_source_that_fails_or_is_not_set_up(world: World, reddit: Reddit) -> None:
    reddit.make(*NAMES[:3])
    reddit.run(world.workspace(subreddits=NAMES[:3]))
    reddit.clock.advance(CHECK_SECONDS + 1)
    off = PlaceChecker(db=world.db, clock=world.clock, config=Config(), ask=reddit.messages.append)
    assert off.step() == 0
    source_health.record_failure(reddit.db, "reddit", "503", reddit.clock(), reddit.clock(), revoked=False)
    assert reddit.checker.step() == 0
    source_health.record_answer(reddit.db, "reddit")
    assert reddit.checker.step() == 0, "not at each tick"
    reddit.clock.advance(ASK_SECONDS)
    assert reddit.checker.step() == 1
    assert set(reddit.messages[0].places) == set(NAMES[:3])


def test_the_plan_leaves_requests_for_what_is_due(world: World, reddit: Reddit) -> None:
    reddit.make(*NAMES[:3])
    reddit.run(world.workspace(subreddits=NAMES[:3]))
    now, config = reddit.clock, Config.model_validate({"fetch": {"look_back": "0"}})

    def due() -> float:
        feeds = reading.watched_feeds(reddit.db, "reddit")
        return other_work.wanted(reddit.db, "reddit", feeds, config, now()).requests

    assert due() == 0.0
    now.advance(CHECK_SECONDS + 1)
    assert due() == pytest.approx(3 / 100 / place_checks.RESOLVE_SECONDS)
    reddit.review()
    assert due() == 0.0


def test_without_spare_tokens_a_review_waits(world: World, reddit: Reddit) -> None:
    reddit.make(*NAMES[:3])
    reddit.run(world.workspace(subreddits=NAMES[:3]))
    reddit.clock.advance(CHECK_SECONDS + 1)
    assert reddit.checker.step() == 1
    message, waited = reddit.messages.pop(), 0.0
    while isinstance(later := reddit.fetcher.fetch(message, NoBudget()), Later):
        assert isinstance(later.message, FetchWorkspace)
        message, waited = later.message, waited + later.delay
    assert 5.0 < waited < ASK_SECONDS, "it looks again, beside what takes all tokens just now; the next one follows"
    reddit.clock.advance(ASK_SECONDS)
    assert reddit.checker.step() == 1, "it is still due"


class NoBudget(RecordingBudget):
    """A budget without spare tokens."""

    def acquire(self) -> None:
        raise BudgetExhausted("reddit", delay=30.0, slot=None)
