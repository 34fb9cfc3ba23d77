"""Copies of a SQLite database, as deploy/backup makes them. The rest is in tests/integration/test_backup.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deploy.lib import database_facts
from overheard.errors import ConfigError


@pytest.mark.parametrize("name", ["overheard.db", "50%20.db", "a?mode=memory.db", "b#.db"])
def test_a_database_of_any_name_is_copied_whole(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / name, tmp_path / f"copy of {name}"
    with closing(sqlite3.connect(source)) as db:
        db.execute("CREATE TABLE kept (id)")
        db.execute("INSERT INTO kept VALUES (7)")
        db.commit()
    database_facts.copy(source, target)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT id FROM kept").fetchall() == [(7,)]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "overheard.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises((ConfigError, sqlite3.DatabaseError)):
        database_facts.main("sound", str(path))
