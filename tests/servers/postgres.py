"""A private PostgreSQL: own port, password and directory, on loopback; it dies with the test process.

The system's service, if there is one, is neither used nor touched. Works as root and as an ordinary user. Fixtures:
``postgres_server`` (one for the session) and ``postgres_url`` (a database of its own for each test).
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.servers.freezing import frozen
from tests.servers.ports import free_ports
from tests.servers.waiting import wait_for

OLDEST = 15
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0

# Speed without losing what the tests are about. With fsync off a commit still reaches the kernel, so it outlives
# any death of PostgreSQL, `stop(immediate=True)` included; only a power cut could take it, and then the whole
# directory is worthless. synchronous_commit stays on: without it a crash loses the last commits.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}
DURABLE = {"fsync": "on", "full_page_writes": "on", "wal_level": "replica"}

# Kills the server and removes its directory when this process is gone, however it went: the kernel then closes our
# end of the guard's pipe, and `cat` ends. (PR_SET_PDEATHSIG would not do: it fires when the *thread* that started
# the server ends, is Linux only, and leaves the directory.) The pid is read at the end, because restarts change it;
# when PostgreSQL went down by itself its pid file is gone, and only the directory is left to remove.
GUARD = """
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null &&
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
rm -rf "$1"
"""


class PostgresServer:
    """One server. Use it as a context manager, or call ``start`` and ``close``.

    Its databases belong to the role ``overheard``, which is not a superuser, as in production.
    ``durable``: with PostgreSQL's own settings for writing, for benchmarks, whose commits have to cost what they cost.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._bin = find_binaries()
        self._user = server_user()
        (self._port,) = free_ports(1)
        self._passwords = {"postgres": secrets.token_urlsafe(18), "overheard": secrets.token_urlsafe(18)}
        self.home: Path | None = None  # while it is in use: data directory, socket and server.log
        self._guard: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the superuser's URL of the database ``postgres``, for administration and inspection."""
        return self.admin_url("postgres")

    def admin_url(self, database: str) -> str:
        """Return the superuser's URL of a database."""
        return self._url("postgres", database)

    @property
    def port(self) -> int:
        return self._port

    @property
    def running(self) -> bool:
        """Return True if the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers. The first time, create its directory."""
        if self.running:
            return
        first = self.home is None
        try:
            if first:
                self._make_home()
            self._process = self._spawn()
            self._wait_until_ready()
            if first:
                self._make_role()
        except BaseException:
            self.close()
            raise

    def stop(self, immediate: bool = False) -> None:
        """Stop the server; the data stays. ``immediate`` is like a crash: no checkpoint, recovery at the next start."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT)
        finally:
            self._process.kill()  # no effect if it has exited
            self._process.wait()
            self._process = None

    def frozen(self) -> AbstractContextManager[None]:
        """Within the block, it accepts connections and does not answer."""
        assert self._process
        return frozen(self._process.pid)

    def restart(self) -> None:
        """Stop cleanly and start again, on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server and remove everything it has written."""
        self.stop(immediate=True)
        if self._guard is not None:
            self._guard.communicate()  # closes its pipe; it removes the directory
            self._guard = None
        self.home = None

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database and return its URL. A ``template`` is an existing database without connections."""
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER overheard TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template1")
                )
            )
        return self._url("overheard", name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, even while something is connected to it."""
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{self._passwords[user]}@127.0.0.1:{self._port}/{database}"

    def _make_home(self) -> None:
        self.home = home = Path(tempfile.mkdtemp(prefix="overheard-postgres-"))
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", home], stdin=subprocess.PIPE, cwd="/", start_new_session=True
        )
        password_file = home / "password"
        password_file.write_text(self._passwords["postgres"])
        if self._user:
            for path in (home, password_file):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        # Not SCRAM: its thousands of rounds take ten milliseconds of each connection, of which tests make thousands.
        command = ["initdb", "--pgdata=data", "--username=postgres", "--pwfile=password", "--auth=md5"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(
            [self._bin / command[0], *command[1:]],
            **self._as_server(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        password_file.unlink()
        if done.returncode:
            raise RuntimeError(f"initdb failed in {home}:\n{done.stdout}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert self.home
        options = [f"--{name}={value}" for name, value in self._settings().items()]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self._bin / "postgres", "-D", "data", *options],
                **self._as_server(self.home), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the server themselves
            )  # fmt: skip

    def _settings(self) -> dict[str, Any]:
        """Return the server's command-line options."""
        where = {"port": self._port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.home}
        return where | SETTINGS | (DURABLE if self._durable else {})

    def _as_server(self, home: Path) -> dict[str, Any]:
        """Return how to run the server's programs: in ``home``, as its user, without the caller's PGDATA or PGPORT."""
        how: dict[str, Any] = {
            "cwd": home,
            "env": {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))},
        }
        if self._user:
            how |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return how

    def _wait_until_ready(self) -> None:
        def answers() -> bool:
            assert self._process
            if self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()[-4000:]}")
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                return False
            return True

        wait_for(answers, lambda: f"PostgreSQL, with this log:\n{self._log.read_text()[-4000:]}", START_TIMEOUT)

    def _make_role(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as admin:
            password = sql.Literal(self._passwords["overheard"])
            admin.execute(sql.SQL("CREATE ROLE overheard LOGIN PASSWORD {}").format(password))

    @property
    def _log(self) -> Path:
        assert self.home
        return self.home / "server.log"


def find_binaries() -> Path:
    """Return the directory of the newest PostgreSQL programs, which Debian keeps out of PATH."""
    on_path = shutil.which("initdb")
    directories = [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(on_path).resolve().parent] if on_path else [])]
    found = {major_version(each): each for each in reversed(directories) if (each / "postgres").exists()}
    newest = max(found, default=0)
    if newest < OLDEST:
        raise RuntimeError(f"PostgreSQL {OLDEST} or newer is not installed here; run: deploy/install --test")
    return found[newest]


def major_version(directory: Path) -> int:
    """Return the major version of the programs in a directory."""
    answer = subprocess.run([directory / "initdb", "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"\d+", answer.stdout)
    return int(version[0]) if version else 0


def server_user() -> pwd.struct_passwd | None:
    """Return the user to run it as, because PostgreSQL refuses root; None is the current user."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name: each for each in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests. Those that stop it start their own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database for this test."""
    name = f"test_{secrets.token_hex(6)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)
