"""deploy/backup and deploy/restore on both databases, as an operator runs them: nothing is lost, whatever fails."""

from __future__ import annotations

import hashlib
import io
import os
import random
import resource
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from peewee import SchemaManager
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from overheard.db import migrate
from overheard.db.database import Db, open_database
from overheard.db.models import Mention, StoredItem, Workspace
from tests.fixtures import World
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


class Operator:
    """Runs the scripts on one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.backups = folder / "backups"
        self.config = folder / "pipeline.toml"
        self.config.write_text("[tick]\ninterval = 7\n")

    def run(self, script: str, *arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "OVERHEARD_DATABASE__URL": self.url}
        return subprocess.run(
            [DEPLOY / script, "--config", self.config, *map(str, arguments)],
            env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False, **how,
        )  # fmt: skip

    def backup(self, *arguments: object) -> Path:
        done = self.run("backup", "--to", self.backups, *arguments)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    def restore(self, file: Path) -> subprocess.CompletedProcess[str]:
        return self.run("restore", file)


@pytest.fixture
def operator(request: pytest.FixtureRequest, backend: str, db_url: str, tmp_path: Path) -> Iterator[Operator]:
    if backend != "postgresql":
        yield Operator(db_url, tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with may_make_databases(server, db_url):
        yield Operator(db_url, tmp_path)
    drop_kept(server, db_url)


@contextmanager
def may_make_databases(server: PostgresServer, url: str) -> Iterator[None]:
    """With --config, the configured role restores; the tests' own may not make databases otherwise."""
    role = sql.Identifier(str(conninfo_to_dict(url)["user"]))
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(role))
        yield
        admin.execute(sql.SQL("ALTER ROLE {} NOCREATEDB").format(role))


def drop_kept(server: PostgresServer, url: str) -> None:
    """What restores have put aside."""
    prefix = url.rsplit("/", 1)[1]
    for name in databases(server, f"{prefix}\\_%"):
        server.drop_database(name)


def databases(server: PostgresServer, pattern: str) -> list[str]:
    with psycopg.connect(server.url) as admin:
        return [name for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [pattern])]


@pytest.fixture
def fill(db: Db, world: World) -> Callable[[], dict[str, int]]:
    """Puts a workspace with mentions into the database; returns how many rows each table has."""

    def work() -> dict[str, int]:
        workspace = world.workspace("acme")
        noise = random.Random(1)  # compression shall not make it small
        for number in range(1000, 1050):
            item = world.item(number, title="naïve – 日本", body=noise.randbytes(2500).hex())
            values = {name: getattr(item, name) for name in item.__struct_fields__ if name not in ("id", "texts")}
            key = StoredItem.insert(values | {"ref": item.id, "stored_at": 1.0}).execute(db.peewee)
            Mention.insert(workspace=workspace, item=key, query_ids="[]", highlights="[]", stored_at=1.0).execute(
                db.peewee
            )
        counts = world.counts()
        db.release()
        return counts

    return work


def tables_of(url: str) -> dict[str, int]:
    """The rows of each table, read anew."""
    db = open_database(url)
    try:
        with db.session():
            return World(db, lambda: 0.0).counts()  # type: ignore[arg-type]
    finally:
        db.release()


def test_a_restore_brings_back_what_was_backed_up(
    operator: Operator, db: Db, fill: Callable[[], dict[str, int]]
) -> None:
    before = fill()
    file = operator.backup()
    with db.session():
        Workspace.delete().execute(db.peewee)
        SchemaManager(Mention, db.peewee).drop_table(cascade=not db.sqlite)
    db.release()

    done = operator.restore(file)

    assert done.returncode == 0, done.stderr
    assert tables_of(operator.url) == before
    assert "restored; the old database is kept as" in done.stderr
    assert before["Mention"] == 50


def test_the_old_database_is_kept_beside(
    operator: Operator, db: Db, backend: str, fill: Callable[[], dict[str, int]], request: pytest.FixtureRequest
) -> None:
    file = operator.backup()
    later = fill()

    done = operator.restore(file)

    assert done.returncode == 0, done.stderr
    assert tables_of(operator.url)["Mention"] == 0
    if backend == "sqlite":
        (kept,) = operator.folder.glob("*.before-*Z")
        assert tables_of(f"sqlite:///{kept}") == later
    else:
        name = operator.url.rsplit("/", 1)[1]
        (kept_name,) = databases(request.getfixturevalue("postgres_server"), f"{name}\\_before\\_%")
        assert tables_of(f"{operator.url.rsplit('/', 1)[0]}/{kept_name}") == later


def test_a_backup_is_one_private_file_with_the_configuration(operator: Operator) -> None:
    file = operator.backup()

    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in operator.backups.iterdir()] == [file.name]
    with tarfile.open(file) as archive:
        assert archive.extractfile("config/pipeline.toml").read() == operator.config.read_bytes()  # type: ignore[union-attr]


def test_only_the_newest_backups_stay(operator: Operator) -> None:
    operator.backups.mkdir()
    old = [operator.backups / f"overheard-2026010{day}T000000Z.tar" for day in range(1, 5)]
    for path in [*old, operator.backups / "holiday.tar"]:
        path.write_text("")

    new = operator.backup("--keep", 3)

    assert sorted(operator.backups.iterdir()) == sorted([operator.backups / "holiday.tar", old[2], old[3], new])


def test_an_older_database_is_migrated(empty_url: str, operator: Operator) -> None:
    """The oldest that can be: no migration applied."""
    if empty_url.startswith("sqlite:///"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    file = Operator(empty_url, operator.folder).backup()

    done = operator.restore(file)

    assert done.returncode == 0, done.stderr
    assert set(tables_of(operator.url).values()) == {0}
    db = open_database(operator.url)
    migrate.require_current(db)
    db.release()


@pytest.fixture(scope="module")
def backups_of() -> dict[str, bytes]:
    """A backup of an empty database by its kind, for all tests that only spoil it."""
    return {}


def content_of(file: Path, member: str) -> bytes:
    with tarfile.open(file) as archive:
        found = archive.extractfile(member)
        assert found
        return found.read()


def rewritten(file: Path, changed: dict[str, bytes]) -> Path:
    """The backup with other members, and right checksums."""
    with tarfile.open(file) as old:
        names = [each.name for each in old if each.isfile() and each.name != "SHA256SUMS"]
    contents = {name: content_of(file, name) for name in names} | changed
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    with tarfile.open(file, "w") as new:
        for name, content in {**contents, "SHA256SUMS": sums.encode()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))
    return file


def manifest_with(file: Path, key: str, value: str) -> dict[str, bytes]:
    lines = content_of(file, "manifest").decode().splitlines()
    return {"manifest": "".join(f"{key} {value}\n" if x.startswith(f"{key} ") else f"{x}\n" for x in lines).encode()}


def one_byte_is_another(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"interval = 7") + len("interval = ")] = ord("8")
    file.write_bytes(content)


def it_ends_too_early(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def it_is_something_else(file: Path) -> None:
    with tarfile.open(file, "w") as archive:
        archive.add(__file__, "manifest")


def it_is_no_tar_file(file: Path) -> None:
    file.write_bytes(b"hello\n" * 1000)


def it_is_from_a_newer_overheard(file: Path) -> None:
    rewritten(file, manifest_with(file, "schema", "9999_from_the_future"))


def it_is_not_there(file: Path) -> None:
    file.unlink()


def it_needs_more_room_than_there_is(file: Path) -> None:
    rewritten(file, manifest_with(file, "megabytes", "99000000"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (one_byte_is_another, "its content differs from its checksums"),
        (it_ends_too_early, "it ends too early"),
        (it_is_something_else, "is not an Overheard backup"),
        (it_is_no_tar_file, "is not an Overheard backup"),
        (it_is_from_a_newer_overheard, "made by a newer Overheard"),
        (it_is_not_there, "no such file"),
        (it_needs_more_room_than_there_is, "MB free, and the restored database"),
    ],
)
def test_what_cannot_be_restored_is_refused(
    operator: Operator,
    backend: str,
    backups_of: dict[str, bytes],
    fill: Callable[[], dict[str, int]],
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    if backend not in backups_of:
        backups_of[backend] = operator.backup().read_bytes()
    file = operator.folder / "backup.tar"
    file.write_bytes(backups_of[backend])
    now = fill()
    spoil(file)

    done = operator.restore(file)

    assert done.returncode == 1
    assert reason in done.stderr
    assert "othing was changed" in done.stderr
    assert tables_of(operator.url) == now


def test_a_backup_of_the_other_kind_of_database_is_refused(operator: Operator, backend: str) -> None:
    file = operator.backup()
    other = "sqlite:///other.db" if backend == "postgresql" else "postgresql://nobody@127.0.0.1:1/nothing"

    done = Operator(other, operator.folder).restore(file)

    assert done.returncode == 1
    assert "and the configuration names one of" in done.stderr
    assert not (operator.folder / "other.db").exists()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_who_may_connect_stays_the_same(operator: Operator, postgres_server: PostgresServer) -> None:
    name = operator.url.rpartition("/")[2].partition("?")[0]

    def rights() -> object:
        with psycopg.connect(postgres_server.url) as admin:
            return admin.execute("SELECT datacl::text FROM pg_database WHERE datname = %s", [name]).fetchone()

    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO pg_monitor").format(sql.Identifier(name)))
    before = rights()
    assert "pg_monitor" in str(before)

    done = operator.restore(operator.backup())

    assert done.returncode == 0, done.stderr
    assert rights() == before


def test_a_restore_that_fails_half_way_leaves_what_was_there(
    operator: Operator, backend: str, fill: Callable[[], dict[str, int]], request: pytest.FixtureRequest
) -> None:
    now = fill()
    file = operator.backup()
    if backend == "sqlite":
        content = bytearray(content_of(file, "database.sqlite"))
        content[4096:16384] = b"\x07" * 12288
        rewritten(file, {"database.sqlite": bytes(content)})
    else:
        rewritten(file, {"database.dump": content_of(file, "database.dump")[:-20_000]})

    done = operator.restore(file)

    assert done.returncode == 1
    assert "the present database is unchanged." in done.stderr
    assert tables_of(operator.url) == now
    if backend == "sqlite":
        assert [path.name for path in operator.folder.glob("*.restore-*")] == []
    else:
        name = operator.url.rsplit("/", 1)[1]
        assert databases(request.getfixturevalue("postgres_server"), f"{name}\\_%") == []


def test_nobody_may_be_connected_while_databases_are_swapped(
    postgresql_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    operator = Operator(postgresql_url, tmp_path)
    file = operator.backup()

    with psycopg.connect(postgresql_url, application_name="a curious colleague"):
        done = operator.restore(file)

    assert done.returncode == 1
    assert "the database has other connections" in done.stderr
    assert "a curious colleague" in done.stderr
    with may_make_databases(postgres_server, postgresql_url):
        assert operator.restore(file).returncode == 0
    drop_kept(postgres_server, postgresql_url)


def test_a_backup_that_does_not_fit_leaves_nothing(operator: Operator, fill: Callable[[], dict[str, int]]) -> None:
    fill()
    old = operator.backup()

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = operator.run("backup", "--to", operator.backups, preexec_fn=small)

    assert done.returncode != 0
    assert "No backup was made" in done.stderr
    assert list(operator.backups.iterdir()) == [old]


def test_a_database_that_does_not_answer_is_told(tmp_path: Path, backend: str) -> None:
    url = "postgresql://overheard:secret-word@127.0.0.1:1/overheard"
    operator = Operator(url if backend == "postgresql" else f"sqlite:///{tmp_path}/none.db", tmp_path)

    done = operator.run("backup", "--to", operator.backups)

    assert done.returncode == 1
    assert "the configured database cannot be read" in done.stderr
    assert "secret-word" not in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_no_password_is_an_argument_of_a_program(
    postgresql_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Everybody on a machine can read the arguments of every program: a pg_dump in the way notes them."""
    operator = Operator(postgresql_url, tmp_path)
    noted = tmp_path / "arguments"
    fake = tmp_path / "bin" / "pg_dump"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/bash\ntr "\\0" " " </proc/*/cmdline 2>/dev/null >{noted}; cat /proc/[0-9]*/cmdline '
                    f'2>/dev/null | tr "\\0" " " >{noted}; exec /usr/bin/pg_dump "$@"\n')  # fmt: skip
    fake.chmod(0o755)
    path = os.environ["PATH"]
    password = postgresql_url.split(":")[2].split("@")[0]

    done = subprocess.run(
        [DEPLOY / "backup", "--config", operator.config, "--to", operator.backups],
        env={"PATH": f"{fake.parent}:{path}", "HOME": str(tmp_path), "OVERHEARD_DATABASE__URL": postgresql_url},
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "pg_dump" in noted.read_text(errors="replace")
    assert password not in noted.read_text(errors="replace")
