"""What all tests share: a database of each kind, a clock that is stepped, the servers, and a recording send."""

from __future__ import annotations

import gc
import logging
import secrets
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from prometheus_client import CollectorRegistry

from overheard.db import migrate
from overheard.db.database import Db, open_database
from overheard.observability import log
from overheard.observability.metrics import ProcessMetrics
from tests.fixtures import Clock, Metric, Race, Sent, World, in_threads
from tests.servers.fixtures_rabbit import rabbit_server  # noqa: F401 (a fixture)
from tests.servers.postgres import PostgresServer, postgres_server  # noqa: F401 (a fixture)
from tests.servers.rabbitmq import RabbitServer
from tests.servers.reused_database import ReusedDatabase
from tests.servers.sink import HttpSink, MailSink

INTEGRATION = Path(__file__).parent / "integration"
GARBAGE_THRESHOLDS = (20_000, 20, 50)  # objects, and rounds of the younger generations, before a collection
SERVER_FIXTURES = {"rabbit_server", "postgres_server"}
# Half a minute and more.
LONGEST = {"test_secrets.py", "test_soak.py", "test_backup.py", "test_privileges.py", "test_supervised.py"}


def pytest_configure() -> None:
    """Let each run try the same inputs, however slow the machine is: ``ci`` is Hypothesis' own profile for that.

    ``--hypothesis-profile=search`` tries other inputs each time. Both print what repeats a failure.
    """
    settings.register_profile("search", settings.get_profile("ci"), derandomize=False)
    settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, and begin with the longest: what waits for processes ends before the short ones do."""
    for item in items:
        if needs_servers(item):
            item.add_marker("servers")
    items.sort(key=lambda item: not is_integration(item.path))
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection() -> None:
    """Look for no garbage while the tests are collected: there is hardly any, and it takes a fifth of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Take the tests and their modules out of garbage collection: they live to the end, and are very many.

    What the tests leave is looked for less often than usual: there is memory, and it takes a twentieth of the time.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.enable()


@cache
def is_integration(path: Path) -> bool:
    return path.is_relative_to(INTEGRATION)


def needs_servers(item: pytest.Item) -> bool:
    """Whether the test starts RabbitMQ or PostgreSQL, or is one of several processes."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    fixtures = getattr(item, "fixturenames", ())
    return (
        is_integration(item.path)
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
    known = {each.name.removesuffix("_total"): dict(each.labels) for each in metrics.definitions}
    return [
        (family.name, label, value)
        for family in metrics.registry.collect()
        for sample in family.samples
        for label, value in sample.labels.items()
        if isinstance(values := known[family.name].get(label), tuple) and value not in (*values, "memory")
    ]


@pytest.fixture
def metric(metrics: ProcessMetrics) -> Metric:
    """The value of a series of ``metrics``; 0 when it was never touched."""

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(f"overheard_{name}", labels) or 0.0

    return value


@pytest.fixture
def rabbit_url(rabbit_server: RabbitServer) -> Iterator[str]:
    """The URL of a fresh vhost on the session's RabbitMQ, which keeps statistics of all that it has."""
    url = rabbit_server.vhost()
    yield url
    rabbit_server.drop_vhost(url)


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


@pytest.fixture
def race(db: Db) -> Race:
    """Runs functions at the same time, each in a thread with its own connection; returns their results in order."""

    def run(*functions: Callable[[], Any]) -> list[Any]:
        return in_threads(db, functions)

    return run


@pytest.fixture
def world(db: Db, clock: Clock) -> World:
    return World(db, clock)


@pytest.fixture
def http() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink
