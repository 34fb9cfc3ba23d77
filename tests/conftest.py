"""What all tests share: a database of each kind, a clock that is stepped, the servers, and a recording send."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from overheard.db import groups, migrate, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import TABLES, Channel, Feed, FeedGroup, Query, Table, Workspace
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, Message, PollPart, PollTarget, WorkspaceMatch
from overheard.observability import log
from overheard.observability.metrics import ProcessMetrics
from overheard.workspaces import ChannelSpec, QuerySpec, WorkspaceSpec
from tests.servers.fixtures_rabbit import rabbit_server  # noqa: F401 (a fixture)
from tests.servers.postgres import PostgresServer, postgres_server  # noqa: F401 (a fixture)
from tests.servers.rabbitmq import RabbitServer
from tests.servers.reused_database import ReusedDatabase
from tests.servers.sink import HttpSink, MailSink

PATIENCE = 30.0  # seconds that a thread of a test may take
INTEGRATION = Path(__file__).parent / "integration"
SERVER_FIXTURES = {"rabbit_server", "postgres_server"}
LONGEST = {
    "test_secrets.py",
    "test_soak.py",
    "test_backup.py",
    "test_privileges.py",
    "test_supervised.py",
}  # half a minute and more
MONDAY = 1_795_424_400.0  # 2026-11-23T09:00:00Z, where the stepped clock starts


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

    def send_all(self, parcels: Any) -> None:
        for parcel in parcels:
            self(parcel.message)

    def take(self) -> list[Any]:
        """What was sent since the last time."""
        taken = list(self)
        self.clear()
        self.delays.clear()
        return taken


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, and begin with the longest: what waits for processes ends before the short ones do."""
    for item in items:
        if needs_servers(item):
            item.add_marker("servers")
    items.sort(key=lambda item: not item.path.is_relative_to(INTEGRATION))
    items.sort(key=lambda item: item.path.name not in LONGEST)


def needs_servers(item: pytest.Item) -> bool:
    """Whether the test starts RabbitMQ or PostgreSQL, or is one of several processes."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    fixtures = getattr(item, "fixturenames", ())
    return (
        item.path.is_relative_to(INTEGRATION)
        or parameters.get("backend") == "postgresql"
        or not SERVER_FIXTURES.isdisjoint(fixtures)
    )


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test's work has noted for its log lines is not on the next one's, nor on the messages that it sends.

    Without a configuration, structlog paints each traceback with the values of all variables: for seconds.
    """
    structlog.reset_defaults()
    logging.captureWarnings(False)  # else a test that turns it on finds it on already, and does nothing
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.set_exc_info,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    yield
    log.clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def metrics() -> Iterator[ProcessMetrics]:
    """At the end no label has a value that is not documented: its series would not begin at 0."""
    made = ProcessMetrics(CollectorRegistry())
    yield made
    assert undocumented(made) == []


def undocumented(metrics: ProcessMetrics) -> list[tuple[str, str, str]]:
    """Each (series, label, value) that docs/metrics.md does not know, but for the tests' own sources and channels."""
    known = {each.name.removesuffix("_total"): dict(each.labels) for each in metrics.series}
    return [
        (family.name, label, value)
        for family in metrics.registry.collect()
        for sample in family.samples
        for label, value in sample.labels.items()
        if isinstance(values := known[family.name].get(label), tuple) and value not in (*values, "memory")
    ]


@pytest.fixture
def metric(metrics: ProcessMetrics) -> Callable[..., float]:
    """The value of a series of ``metrics``; 0 when it was never touched."""

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(f"overheard_{name}", labels) or 0.0

    return value


@pytest.fixture
def rabbit_url(rabbit_server: RabbitServer) -> str:
    """The URL of a fresh vhost on the session's RabbitMQ."""
    return rabbit_server.vhost()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "overheard.db"
    db = open_database(f"sqlite:///{path}")
    migrate.migrate(db)
    db.release()  # the last connection takes the WAL's content into the file
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated PostgreSQL database, to be cloned."""
    name = f"template_{secrets.token_hex(4)}"
    db = open_database(postgres_server.create_database(name))
    migrate.migrate(db)
    db.release()
    return name


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "overheard.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def reused_database(postgres_server: PostgresServer, postgresql_template: str) -> ReusedDatabase:
    """The PostgreSQL database of this test process."""
    return ReusedDatabase(postgres_server, postgresql_template, f"test_{secrets.token_hex(4)}")


@pytest.fixture
def postgresql_url(reused_database: ReusedDatabase) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database, which is this test's own while it runs."""
    yield reused_database.url()
    reused_database.empty()


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of ``backend`` without tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"empty_{secrets.token_hex(6)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database: what depends on it runs on each."""
    return str(request.param)


@pytest.fixture
def db_url(request: pytest.FixtureRequest, backend: str) -> str:
    """The URL of a migrated database of this test's own, of each kind."""
    return str(request.getfixturevalue(f"{backend}_url"))


@pytest.fixture
def db(db_url: str) -> Iterator[Db]:
    """A migrated database of this test's own, of each kind; its session is open."""
    yield from _opened(db_url)


@pytest.fixture
def sqlite_db(sqlite_url: str) -> Iterator[Db]:
    """The same on SQLite alone: for what is above the database, such as handlers."""
    yield from _opened(sqlite_url)


def _opened(url: str) -> Iterator[Db]:
    db = open_database(url)
    try:
        with db.session():
            yield db
    finally:
        db.release()


Race = Callable[..., list[Any]]


@pytest.fixture
def race(db: Db) -> Race:
    """Runs functions at the same time, each in a thread with its own connection; returns their results in order."""

    def run(*functions: Callable[[], Any]) -> list[Any]:
        return in_threads(db, functions)

    return run


def in_threads(db: Db, functions: Any) -> list[Any]:
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
        queries: dict[str, str] | None = None,
        channels: dict[str, str] | None = None,
        url: str = "https://example.org/hook",
        **fields: Any,
    ) -> WorkspaceSpec:
        """A workspace on r/python's posts with a query and an instant channel, or as ``fields`` say."""
        queries = {"brand": "acme"} if queries is None else queries
        channels = {"team": "instant"} if channels is None else channels
        return WorkspaceSpec(
            slug=slug,
            name=fields.pop("name", slug),
            subreddits=tuple(fields.pop("subreddits", ("python",))),
            kinds=tuple(fields.pop("kinds", ("posts",))),
            query=tuple(QuerySpec(*each) for each in queries.items()),
            channel=tuple(ChannelSpec(name, url, mode) for name, mode in channels.items()),
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

    def group(self, name: str = "python", kind: str = "posts") -> Any:
        """The group in which the feed is read."""
        return FeedGroup.select().where(FeedGroup.id == self.feed(name, kind).group_id).get(self.db.peewee)

    def claim(self, poll: str, name: str = "python", *, lease: float = 120.0) -> None:
        """Let the poll take the group of this feed's posts now."""
        assert groups.claim(self.db, self.group(name).id, poll, now=self.clock(), lease=lease)

    def target(self, name: str = "python", kind: str = "posts", cursor: str = "", **fields: Any) -> PollTarget:
        """What a poll says that has read the whole group of this feed until now."""
        group = self.group(name, kind)
        feeds = Feed.select(Feed.id).where(Feed.group == group.id).order_by(Feed.id).tuples().execute(self.db.peewee)
        return PollTarget(group.id, tuple(feed for (feed,) in feeds), cursor, self.clock(), **fields)

    def item(self, number: int = 1000, *, kind: Any = "post", place: str = "Python", **fields: Any) -> Item:
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
        return ItemsMatched(
            part=PollPart(poll=poll, part=part, parts=parts, targets=targets),
            items=tuple(
                MatchedItem(
                    item, tuple(WorkspaceMatch(each, (self.query(each),), (("title", 3, 7),)) for each in workspace_ids)
                )
                for item, workspace_ids in wanted
            ),
        )

    def rows(self, table: type[Table], *columns: str) -> list[Any]:
        """The table's rows as dicts, or as tuples of ``columns``, by primary key."""
        query = table.select(*[getattr(table, column) for column in columns]).order_by(*table._meta.get_primary_keys())
        return list((query.tuples() if columns else query.dicts()).execute(self.db.peewee))

    def row(self, table: type[Table], key: Any) -> Any:
        return table.select().where(table._meta.primary_key == key).get(self.db.peewee)

    def counts(self) -> dict[str, int]:
        return {table.__name__: table.select().count(self.db.peewee) for table in TABLES}


@pytest.fixture
def world(db: Db, clock: Clock) -> World:
    return World(db, clock)


def base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


@pytest.fixture
def http() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink
