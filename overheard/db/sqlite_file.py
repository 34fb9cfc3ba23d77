"""The file of a SQLite database: what keeps it from being used, and copies of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from overheard.errors import ConfigError


def obstacle(path: Path) -> str | None:
    """Return what is wrong with the path and what to do; None when SQLite can read and write there."""
    path = path.absolute()
    folder, user = path.parent, f"user {os.geteuid()}"
    wrong = "or correct [database] url"
    if not folder.is_dir():
        return f"SQLite cannot use {path}: there is no folder {folder}; make it (mkdir -p {folder}), {wrong}"
    if path.is_dir():
        return f"SQLite cannot use {path}: it is a folder; name a file in it: [database] url = sqlite:///{path}/overheard.db"
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return (
            f"SQLite cannot use {path}: {user} may not read and write it; give it to them (chown, chmod u+rw), {wrong}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"SQLite cannot use {path}: {user} may not write in {folder}, as its -wal file must; allow it, {wrong}"
    return None


def make_private(path: Path) -> None:
    """Make the file before SQLite does, who would let everybody read it: channels' addresses and secrets are in it.

    Its -wal and -shm files get the same mode. A file that is there keeps the mode that its owner gave it.
    """
    with suppress(OSError):  # it is there; or it cannot be made, which SQLite says in its own words
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def back_up(path: Path, name: str) -> Path:
    """Copy what is committed to a file beside it, named after ``name``; return where. Raises ConfigError.

    A copy of the same name is replaced by a whole one, never by half of one.
    """
    path = path.absolute()
    copy, part = (path.with_name(f"{path.name}.{name}.{end}") for end in ("backup", "part"))
    try:
        part.unlink(missing_ok=True)
        make_private(part)
        with (
            closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(part)) as target,
        ):
            source.backup(target)
        part.replace(copy)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise ConfigError(
            [f"{path} is not migrated: it cannot be copied to {copy} first: {error}; make room, or let us write there"]
        ) from None
    return copy
