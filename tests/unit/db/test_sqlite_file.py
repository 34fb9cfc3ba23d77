"""A SQLite file that cannot be used is reported with a remedy; a copy is complete, private and of what is committed."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from overheard.db import sqlite_file
from overheard.errors import ConfigError

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@contextmanager
def without_privileges() -> Iterator[None]:
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


def told(path: Path) -> str:
    with without_privileges():
        return sqlite_file.obstacle(path) or ""


def test_each_obstacle_is_reported_with_path_and_remedy(folder: Path) -> None:
    (folder / "file").touch()
    closed, private = folder / "closed", folder / "private.db"
    closed.mkdir(mode=0o700 if os.geteuid() == 0 else 0)
    private.touch(mode=0o600 if os.geteuid() == 0 else 0)
    remedies = {
        folder / "absent" / "x.db": f"there is no folder {folder}/absent; make it (mkdir -p {folder}/absent)",
        folder / "file" / "x.db": f"{folder}/file is not a folder",
        folder: f"it is a folder; name a file in it (sqlite:///{folder}/overheard.db)",
        private: "may not read and write it; allow it (chown, chmod u+rw)",
        closed / "x.db": "cannot look there: Permission denied; allow it (chown, chmod u+x)",
        Path("/proc/x.db"): "may not write in /proc, where its -wal file must be",
    }
    for path, remedy in remedies.items():
        assert told(path).startswith(f"SQLite cannot use {path}: ")
        assert remedy in told(path)
        assert told(path).endswith(", or correct [database] url")


def test_a_new_file_has_no_obstacle(tmp_path: Path) -> None:
    assert sqlite_file.obstacle(tmp_path / "x.db") is None
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a b?.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = wal")
        db.execute("CREATE TABLE x (y)")
        db.executemany("INSERT INTO x VALUES (?)", [(n,) for n in range(1000)])
        db.execute("BEGIN IMMEDIATE")  # as a migration holds it
        db.execute("DELETE FROM x")
        copy = sqlite_file.back_up(path, "0001_initial")
        again = sqlite_file.back_up(path, "0001_initial")
    assert (copy.name, copy) == ("a b?.db.0001_initial.backup", again)
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM x").fetchone() == (1000,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not list(tmp_path.glob("*.part*"))


def test_without_a_copy_there_is_no_migration(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    (tmp_path / "x.db.0001.backup").mkdir()
    with pytest.raises(ConfigError, match=r"x.db is not migrated: it cannot be copied to .*x.db.0001.backup first"):
        sqlite_file.back_up(tmp_path / "x.db", "0001")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.db", "x.db.0001.backup"]
