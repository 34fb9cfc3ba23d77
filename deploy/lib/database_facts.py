"""Print where the configured database is and what it holds, as NAME=value lines for the shell.

usage: database_facts.py location           kind, and path (SQLite) or libpq's variables (PostgreSQL)
       database_facts.py details            also, from the database itself: schema (its last migration), megabytes
       database_facts.py copy TARGET        copy a SQLite database that is in use to a file of its own, and check it
       database_facts.py sound FILE         check a SQLite file

Exit code 1, with the reason on stderr, if that fails. `sound` keeps its name: a restore with --release runs the other
release's copy of this script.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import peewee
import psycopg
from playhouse.migrations import Runner
from psycopg.pq import Conninfo

from overheard.config.loading import load
from overheard.db import migrate
from overheard.db.database import open_database
from overheard.errors import ConfigError, Unavailable

SQLITE = "sqlite:///"


def main(command: str, *arguments: str) -> None:
    if command == "sound":
        require_intact(Path(arguments[0]))
        return
    url = configured()
    if command == "copy":
        copy(Path(url.removeprefix(SQLITE)), Path(arguments[0]))
    else:
        lines = [*location(url), *(details(url) if command == "details" else ())]
        sys.stdout.writelines(f"{line}\n" for line in lines)


def configured() -> str:
    """Return the URL of the configuration, as the processes read it."""
    return load(None, os.environ).database.url.get_secret_value()


def location(url: str) -> Iterator[str]:
    if url.startswith(SQLITE):
        yield "kind=sqlite"
        yield f"path={Path(url.removeprefix(SQLITE)).absolute()}"
        return
    yield "kind=postgresql"
    for option in Conninfo.parse(url.encode()):
        if option.val is None:
            continue
        if not option.envvar:
            raise ConfigError([f"[database] url: {option.keyword.decode()} cannot be given to pg_dump"])
        yield f"{option.envvar.decode()}={option.val.decode()}"


def details(url: str) -> Iterator[str]:
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).exists():
        raise ConfigError([f"[database] url: there is no {url.removeprefix(SQLITE)}"])
    db = open_database(url)
    try:
        with db.session():
            applied = [row.name for row in Runner(db.peewee, str(migrate.DIRECTORY)).status() if row.applied]
            yield f"schema={max(applied, default='')}"
            if db.sqlite:
                size = Path(url.removeprefix(SQLITE)).stat().st_size
            else:
                name = peewee.fn.current_database()
                size = peewee.Select(columns=[peewee.fn.pg_database_size(name)]).scalar(db.peewee)
            yield f"megabytes={int(size) // 1_000_000 + 1}"
    finally:
        db.release()


def copy(source: Path, target: Path) -> None:
    with closing(opened(source, "rw")) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, without -wal and -shm
    require_intact(target)


def opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True)


def require_intact(path: Path) -> None:
    with closing(opened(path, "ro")) as db:
        found = db.execute("PRAGMA integrity_check(3)").fetchall()
    if found != [("ok",)]:
        raise ConfigError([f"{path} is damaged: {found[0][0]}"])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ConfigError as error:
        sys.exit("\n".join(error.problems))
    except (Unavailable, OSError, sqlite3.Error, psycopg.Error) as error:
        sys.exit(str(error))
