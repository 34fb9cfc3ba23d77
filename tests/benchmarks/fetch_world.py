"""A pipeline in virtual time: real tick, ingress, fetch, match and store, and a Reddit in the same process.

One thread takes what is due from a heap and moves the clock on; nothing sleeps. Reddit is the simulator's content
behind its routes; the source is the real one, without HTTP below it. What a message's error leads to is decided by the
bus's own rules (``bus.retry_policy``, ``bus.rate_limit``), and the shared budget is the database's, on the virtual
clock."""

from __future__ import annotations

import heapq
import json
import math
import random
import tempfile
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlencode

from prometheus_client import CollectorRegistry

from actors.wiring import Wiring, permits
from overheard import schedule
from overheard.bus.actor import StageWork
from overheard.bus.event_batches import IncomingEvent
from overheard.bus.rate_limit import held_slot, reschedule
from overheard.bus.retry_policy import decide
from overheard.bus.sender import Sender
from overheard.config import Config, RedditSettings
from overheard.db import migrate, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import RefreshDemand, Watch, Workspace
from overheard.db.retention import RetentionAges
from overheard.errors import RetryableError
from overheard.items import Item
from overheard.messages import ItemsFetched, ItemsMatched, Message
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Rejected
from overheard.process import RunningProcess
from overheard.sending import OutgoingMessage
from overheard.simulators.http.exchange import SimulatedRequest
from overheard.simulators.reddit.items import Kind
from overheard.simulators.reddit.routes import Routes
from overheard.simulators.reddit.store import NO_HOLES, NumberHoles, SimulatedContent
from overheard.simulators.reddit.tokens import Holder
from overheard.sources import ClientOutcome
from overheard.sources.reddit.clients import RedditClients
from overheard.sources.reddit.names import client_name
from overheard.sources.reddit.requestor import RequestPurpose
from overheard.sources.reddit.source import RedditSource
from overheard.stages import STAGES, recipient
from overheard.workspaces import QuerySpec, WorkspaceSpec
from overheard.workspaces.spec import WatchKind
from producers.due_work import DueWork
from producers.gap_filling import GapRequests
from producers.gauges import SystemGauges
from producers.ingress import Ingress
from producers.place_checks import PlaceChecker
from producers.reading import ReadingPlanner
from producers.sweeps import Sweeps
from producers.tick import Ticker
from producers.tick_steps import TickStep, counted, uncounted
from producers.tidying import Tidying

T = TypeVar("T")

START = 1_800_000_000.0
CYCLE = 300.0  # seconds between two readings that a workspace wants
WATCHED = 5  # subreddits of a workspace
DISTINCT = 100  # workspaces, at most: more are copies of them
SITE_POSTS, SITE_COMMENTS = 17.0, 126.0  # a second, in all of Reddit
SITE_SUBREDDITS = 100_000
LATE_SHARE = 0.02
HISTORY_SECONDS = 200.0  # of traffic before the start: the first reading estimates the rates from it
LATENCY = 0.3  # seconds that a request takes


class Traffic(NamedTuple):
    """Subreddits with their weights, and the posts and comments a second in all of them.

    ``elsewhere`` and ``comments_elsewhere``: those in the rest of Reddit, which only take numbers. ``late``: the share
    of the posts that is held by a filter, and appears 1 to 10 minutes later.
    """

    weights: Mapping[str, float]
    posts: float
    comments: float
    elsewhere: float = 0.0
    late: float = LATE_SHARE
    comments_elsewhere: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Return the subreddits."""
        return tuple(self.weights)


SMALL = Traffic({f"place{rank:03}": 1.0 / rank for rank in range(1, 251)}, 2.0, 6.0)


def of_site(ranks: Sequence[int]) -> Traffic:
    """Return the subreddits of these ranks: rates fall as 1/(rank + 10) over all of Reddit."""
    names = random.Random(7).sample(range(SITE_SUBREDDITS), len(ranks))  # by name, busy ones are anywhere
    weights = {f"place{name:05}": 1.0 / (rank + 10) for name, rank in sorted(zip(names, ranks, strict=True))}
    share = sum(weights.values()) / sum(1.0 / (rank + 10) for rank in range(1, SITE_SUBREDDITS + 1))
    posts, comments = SITE_POSTS * share, SITE_COMMENTS * share
    return Traffic(weights, posts, comments, SITE_POSTS - posts, comments_elsewhere=SITE_COMMENTS - comments)


class VirtualClock:
    """Also what waits: it is the program's stop event, too."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def is_set(self) -> bool:
        return False


class WorldClock(Protocol):
    """The time; ``wait`` lets some of it pass."""

    def __call__(self) -> float: ...

    def wait(self, seconds: float) -> object: ...


class Elsewhere:
    """What people say in the rest of Reddit: stretches of numbers, whose items are made up when they are looked up."""

    hole_every = 20  # of so many numbers, one has no item

    def __init__(self, began: float) -> None:
        self.last_at: dict[Kind, float] = {"t3": began, "t1": began}
        self._stretches: dict[Kind, list[tuple[int, int, float]]] = {"t3": [], "t1": []}  # first, last, when
        self._template: dict[str, Any] = {}

    def add(self, kind: Kind, first: int, count: int, at: float) -> None:
        """Take the numbers that were given out until ``at``."""
        self._stretches[kind].append((first, first + count - 1, at))
        self.last_at[kind] = at

    def children(self, names: Sequence[str], answer: Callable[[str, Mapping[str, str]], Any]) -> list[Any]:
        """Return the items of these names; like one that is really there, which ``answer`` shows."""
        found = []
        for name in names:
            kind, number = cast(Kind, name[:2]), int(name[3:], 36)
            at = self._said_at(kind, number)
            if at is None or number % self.hole_every == 0:
                continue
            if kind not in self._template:
                path = "r/all/new" if kind == "t3" else "r/all/comments"
                self._template[kind] = answer(path, {"limit": "1"})["data"]["children"][0]["data"]
            own = {"id": name[3:], "name": name, "subreddit": "elsewhere", "created": at, "created_utc": at}
            found.append({"kind": kind, "data": self._template[kind] | own})
        return found

    def _said_at(self, kind: Kind, number: int) -> float | None:
        stretches = self._stretches[kind]
        after = bisect_right(stretches, (number, math.inf, math.inf))
        if not after or not stretches[after - 1][0] <= number <= stretches[after - 1][1]:
            return None
        return stretches[after - 1][2]


class InProcessReddit:
    """What people say, at Poisson times and at Zipf's rates, and how it is listed. In place of ``RedditClients``."""

    late_seconds = (60.0, 600.0)  # for which a filter holds a post
    latency = LATENCY

    def __init__(
        self,
        clock: WorldClock,
        chance: random.Random,
        until: float,
        traffic: Traffic,
        holes: NumberHoles = NO_HOLES,
        clients: Sequence[str] = ("bench",),
    ) -> None:
        self.clock = clock
        self.began = clock()
        self._clients = [client_name(client) for client in clients]
        self.chance = chance
        self.until = until
        self.traffic = traffic
        self.requested_at: list[float] = []
        self.info_at: list[float] = []  # those of them that look items up
        self.shown: dict[str, float] = {}  # item → since when it is listed
        self._store = self._content(holes)
        self._routes = Routes(self._store)
        self._names = traffic.names
        self._weights = list(accumulate(traffic.weights.values()))
        self._posts: dict[str, str] = {}
        self._held: list[tuple[float, str]] = []
        first = self.began - HISTORY_SECONDS
        self._next = dict.fromkeys(("posts", "comments"), first)
        self._elsewhere = Elsewhere(first)
        for name in self._names:
            self._posts[name] = self._store.add_post(
                name, "hello", author="somebody", created=first, url=None, over_18=False, held=False
            )

    @contextmanager
    def served(self) -> Iterator[None]:
        """Be there to be read from: in the same process, it always is."""
        yield

    def get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        """One request: a token, and the page as it is when the answer comes."""
        call.budget.of(call.budget.soonest(self._clients)).acquire()
        self.receive(path)
        if self.fails():
            raise RetryableError("502")
        answer = self._answer(path, params)
        if path == "api/info" and "id" in params:
            answer["data"]["children"] += self._elsewhere.children(params["id"].split(","), self._answer)
        return answer

    def _answer(self, path: str, params: Mapping[str, str]) -> Any:
        request = SimulatedRequest("GET", f"/{path}?{urlencode({**params, 'raw_json': '1'})}", {})
        return json.loads(self._routes.read(request, Holder("bench", None, math.inf)).text)

    def receive(self, path: str) -> None:
        """Let the time of a request pass, and what people do meanwhile; count it."""
        self.clock.wait(self.latency)
        self.arrive()
        now = self.clock()
        self.requested_at.append(now)
        if path == "api/info":
            self.info_at.append(now)

    def fails(self) -> bool:
        """Return True if Reddit answers this request with an error."""
        return False

    def created(self, name: str) -> float:
        """Return when an item was written."""
        return self._store.get(name).created

    def place(self, name: str) -> str:
        """Return an item's subreddit."""
        return self._store.get(name).subreddit.name.lower()

    def outcomes(self) -> list[ClientOutcome]:
        return []

    def close(self) -> None: ...

    def arrive(self) -> None:
        """Let everything happen that people do until now."""
        now = self.clock()
        while (kind := min(self._next, key=lambda each: self._next[each])) and self._next[kind] <= now:
            at = self._next[kind]
            self._release(at)
            if at > self.until:
                self._next[kind] = math.inf
                continue
            self._say(kind, at)
            self._next[kind] = at + self.chance.expovariate(
                self.traffic.posts if kind == "posts" else self.traffic.comments
            )
        self._release(now)

    def _content(self, holes: NumberHoles) -> SimulatedContent:
        return SimulatedContent(self.clock, seed=1, holes=holes)

    def _say(self, kind: str, at: float) -> None:
        (subreddit,) = self.chance.choices(self._names, cum_weights=self._weights)
        text = f"something about w{self.chance.randrange(100_000)}"
        self._say_elsewhere("t3" if kind == "posts" else "t1", at)
        if kind == "comments":
            post = self._posts[subreddit]
            name = self._store.add_comment(post, text, author="somebody", parent=None, created=at, held=False)
            self._show(name, at)
            return
        late = self.chance.random() < self.traffic.late
        name = self._store.add_post(subreddit, text, author="somebody", created=at, url=None, over_18=False, held=late)
        if late:
            heapq.heappush(self._held, (at + self.chance.uniform(*self.late_seconds), name))
        else:
            self._show(name, at)
            self._posts[subreddit] = name

    def _say_elsewhere(self, kind: Kind, at: float) -> None:
        rate = self.traffic.elsewhere if kind == "t3" else self.traffic.comments_elsewhere
        count = int(rate * (at - self._elsewhere.last_at[kind]))
        if count:
            self._elsewhere.add(kind, self._store.skip_numbers(kind, count), count, at)

    def _show(self, name: str, at: float) -> None:
        if at >= self.began:
            self.shown[name] = at

    def _release(self, until: float) -> None:
        while self._held and self._held[0][0] <= until:
            at, name = heapq.heappop(self._held)
            if at <= self.until:
                self._store.approve(name)
                self.shown[name] = at


class FetchWorld:
    """``workspaces`` of them, each on WATCHED subreddits; ``run`` lets ``cycles`` pass, and one more.

    ``fetch`` and ``tick``: keys of [fetch] and [tick]; ``per_minute``: the requests of each client. With few workspaces
    each watches more, so that together they watch all; or each watches these ``places``. ``every``: how often.
    ``reddit``: what takes the place of Reddit's clients. ``drain``: the seconds for which it runs on when there is
    nothing new any more.
    """

    def __init__(
        self,
        db: Db,
        workspaces: int,
        cycles: int,
        traffic: Traffic = SMALL,
        fetch: Mapping[str, Any] | None = None,
        *,
        tick: Mapping[str, Any] | None = None,
        per_minute: int = 95,
        places: Sequence[str] = (),
        kinds: tuple[WatchKind, ...] = ("posts", "comments"),
        every: str = "5m",
        holes: NumberHoles = NO_HOLES,
        clients: Sequence[str] = ("bench",),
        drain: float = 1.5 * CYCLE,
        reddit: Callable[..., InProcessReddit] = InProcessReddit,
    ) -> None:
        self.clock = VirtualClock()
        self.ends = START + cycles * CYCLE
        self.traffic = traffic
        self.kinds = kinds
        self.every = every
        self.drain = drain
        self.places = places or traffic.names
        self.watched = len(places) or max(WATCHED, math.ceil(len(traffic.names) / min(DISTINCT, workspaces)))
        self.reddit = reddit(self.clock, random.Random(11), self.ends, traffic, holes, clients)
        self.metrics = ProcessMetrics(CollectorRegistry())
        self.stored: dict[str, float] = {}  # item → when its part was stored
        self._parts: dict[tuple[str, int], tuple[Item, ...]] = {}
        self._heap: list[tuple[float, int, Message, dict[str, Any]]] = []
        self._sent = 0
        self.db = Db(db.peewee, sqlite=db.sqlite, clock=self.clock)
        reddit_settings: dict[str, Any] = {
            "client": [{"client_id": each} for each in clients],
            "user_agent": "bench",
            "requests_per_minute": per_minute,
        }
        settings = {
            "fetch": {"spare": "save"} | dict(fetch or {}),
            "tick": dict(tick or {}),
            "sources": {"reddit": reddit_settings},
        }
        self.config = Config.model_validate(settings)
        self._save(workspaces)
        self._stages = self._wire()
        self._tick = self._ticker()

    def run(self) -> None:
        """Take what is due, in the order of its times, until one cycle after the last news."""
        self.run_until(self.ends + self.drain)

    def run_until(self, end: float) -> None:
        """Take what is due, in the order of its times."""
        next_tick = self.clock.now
        while self.clock.now < end:
            if self._heap and self._heap[0][0] <= next_tick:
                at, _, message, options = heapq.heappop(self._heap)
                self.clock.now = max(self.clock.now, at)
                self._work(message, options)
            else:
                self.clock.now = max(self.clock.now, next_tick)
                self._tick.tick()
                next_tick = self.clock.now + self.config.tick.interval
        self.reddit.arrive()

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        """``Send`` and ``Sender`` in one: onto the heap; a part of a reading passes match and store at once."""
        if isinstance(message, ItemsFetched):
            self._parts[message.part.poll, message.part.part] = message.items
        # Match and store run beside fetch, and are faster: they never wait for what fetch has to do.
        at = START if isinstance(message, ItemsFetched | ItemsMatched) else self.clock.now + (delay or 0.0)
        self._push(at, message, {})
        return str(self._sent)

    def send_all(self, parcels: Sequence[OutgoingMessage], sender: str | None = None) -> None:
        """What the ingress asks of a sender."""
        for parcel in parcels:
            self.send(parcel.message)

    def send_at(self, at: float, message: Message) -> None:
        """Let a stage have the message at that time."""
        self._push(at, message, {})

    def _push(self, at: float, message: Message, options: dict[str, Any]) -> None:
        self._sent += 1
        heapq.heappush(self._heap, (at, self._sent, message, options))

    def _work(self, message: Message, options: dict[str, Any]) -> None:
        stage = recipient(message, STAGES.values())
        work = self._stages[stage.name]
        permit = self._permits(work.need(message) if work.need else None, held_slot(options))
        try:
            outcome = work.handle(message, permit)
        except Exception as error:
            decision = decide(error, options, stage)
            if isinstance(decision, Rejected):
                raise
            self._push(self.clock.now + decision.delay / 1000, message, decision.options)
            return
        if isinstance(outcome, Later):
            if copy := reschedule(outcome, options, permit.held):
                self._push(self.clock.now + copy.delay / 1000, copy.message or message, copy.options)
            return
        if isinstance(message, ItemsMatched) and message.part.piece == message.part.pieces - 1:
            for item in self._parts.pop((message.part.poll, message.part.part), ()):
                self.stored.setdefault(item.id, self.clock.now)

    def _save(self, workspaces: int) -> None:
        """DISTINCT workspaces, saved as an operator saves them, and copies of those, up to the number."""
        migrate.migrate(self.db)
        with self.db.session(), self.db.transaction():
            distinct = min(DISTINCT, workspaces)
            for number in range(distinct):
                first = number * self.watched
                names = [self.places[(first + step) % len(self.places)] for step in range(self.watched)]
                self.save(f"w{number}", names, every=self.every)
            raw = self.db.peewee
            own = {"name": "w", "every": self.every, "created_at": START, "next_due_at": START}
            slugs = [f"w{number}" for number in range(distinct, workspaces)]
            for some in batched(slugs):
                Workspace.insert_many([{"slug": slug, **own} for slug in some]).execute(raw)
            ids = [row for (row,) in Workspace.select(Workspace.id).order_by(Workspace.id).tuples().execute(raw)]
            feeds: dict[int, list[int]] = defaultdict(list)
            for workspace, feed in Watch.select(Watch.workspace, Watch.feed).tuples().execute(raw):
                feeds[workspace].append(feed)
            watches = [
                {"workspace": copy, "feed": feed, "created_at": START}
                for place, copy in enumerate(ids[distinct:])
                for feed in feeds[ids[place % distinct]]
            ]
            for rows in batched(watches):
                Watch.insert_many(rows).execute(raw)
            for rows in batched([{"workspace": copy, "source": "reddit"} for copy in ids[distinct:]]):
                RefreshDemand.insert_many(rows).execute(raw)

    def save(self, slug: str, names: Sequence[str], *, every: str) -> int:
        """Save a workspace that watches these subreddits, as an operator saves it; return its id."""
        spec = WorkspaceSpec(
            slug=slug,
            name="w",
            timezone="UTC",
            every=every,
            digest="0 9 1 1 *",  # never within a run
            subreddits=tuple(names),
            kinds=self.kinds,
            query=(QuerySpec("q", slug),),
            channel=(),
        )
        workspace_specs.save(self.db, spec, START, following=_following, secret=lambda channel: None)
        return int(Workspace.select(Workspace.id).where(Workspace.slug == slug).scalar(self.db.peewee))

    def _wire(self) -> dict[str, StageWork]:
        parts = SimpleNamespace(db=self.db, config=self.config, clock=self.clock, metrics=self.metrics, stop=self.clock)
        source = RedditSource(RedditSettings(client_id="bench", user_agent="bench"), self.metrics, clock=self.clock)
        source._clients = cast(RedditClients, self.reddit)
        running = cast(RunningProcess, parts)
        wiring = Wiring(
            running, cast(Sender, SimpleNamespace(for_stage=lambda name: self.send, send_all=self.send_all))
        )
        wiring.sources = {RedditSource.name: source}
        self._permits = permits(running)
        return {name: wiring.work(STAGES[name]) for name in ("fetch", "match", "store")}

    def _ticker(self) -> Ticker:
        events = _Events(
            Ingress(
                db=self.db,
                sender=cast(Any, SimpleNamespace(send_all=self.send_all)),
                clock=self.clock,
                fresh_for=self.config.fetch.fresh_for,
            )
        )
        parts: dict[str, Any] = {"db": self.db, "clock": self.clock, "config": self.config, "ask": self.send}
        parts["metrics"] = self.metrics
        due = DueWork(db=self.db, events=cast(Any, events), clock=self.clock, settings=self.config.tick)
        sweeps = Sweeps(
            db=self.db,
            events=cast(Any, events),
            sender=cast(Any, SimpleNamespace(send=self.send)),
            waiting=lambda: sum(at <= self.clock.now for at, *_ in self._heap[:1]),
            clock=self.clock,
            settings=self.config.tick,
        )
        places = PlaceChecker(db=self.db, clock=self.clock, config=self.config, ask=self.send)
        tidying = Tidying(
            db=self.db,
            clock=self.clock,
            every=self.config.tick.sweep_after,
            collect=lambda: 0,
            ages=RetentionAges(0, 0, 0),
            metrics=self.metrics,
        )
        steps = (
            TickStep("check_queues", uncounted(sweeps.check_queues)),
            TickStep("due", due.workspaces),
            TickStep("read", counted("readings", ReadingPlanner(**parts).step)),
            TickStep("sweep_demands", sweeps.demands),
            TickStep("fill_gaps", counted("gaps", GapRequests(**parts).step)),
            TickStep("check_places", counted("place_checks", places.step)),
            TickStep("prune", counted("pruned", tidying.prune)),
        )
        return Ticker(
            steps,
            db=self.db,
            clock=self.clock,
            settings=self.config.tick,
            metrics=self.metrics,
            gauges=cast(SystemGauges, None),
        )


def _following(text: str, timezone: str) -> float:
    return schedule.next_due(text, timezone, START)


def batched(rows: list[T], size: int = 400) -> Iterator[list[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


class _Events:
    """Public events without a bus: what the tick publishes is handled by the real ingress."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress

    def publish(self, type: str, body: Mapping[str, Any]) -> None:
        settled = self._ingress.handle([IncomingEvent(type, json.dumps(dict(body)).encode(), None)])
        assert [each.outcome for each in settled] == ["ok"], settled


@contextmanager
def database() -> Iterator[Db]:
    """SQLite: what is counted here is the same on either, and time is virtual."""
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(f"sqlite:///{folder}/fetch.db")
        try:
            yield db
        finally:
            db.release()
