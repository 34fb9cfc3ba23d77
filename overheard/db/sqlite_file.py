"""The file of a SQLite database: what prevents its use, and copies of it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from overheard.errors import ConfigError


def obstacle(path: Path) -> str | None:
    """Return what is wrong with the path and how to fix it; None if SQLite can read and write there."""
    path = path.absolute()
    problem = _problem(path, path.parent)
    return None if problem is None else f"SQLite cannot use {path}: {problem}, or correct [database] url"


def _problem(path: Path, folder: Path) -> str | None:
    user = f"user {os.geteuid()}"
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            return f"{folder} is not a folder; take another"
        if path.is_dir():
            return f"it is a folder; name a file in it (sqlite:///{path}/overheard.db)"
        if path.exists() and not _may(path, os.R_OK | os.W_OK):
            return f"{user} may not read and write it; allow it (chown, chmod u+rw)"
    except FileNotFoundError:
        return f"there is no folder {folder}; make it (mkdir -p {folder})"
    except OSError as error:
        return f"{user} cannot look there: {error.strerror}; allow it (chown, chmod u+x)"
    if not _may(folder, os.W_OK | os.X_OK):
        return f"{user} may not write in {folder}, where its -wal file must be; allow it (chown, chmod u+wx)"
    return None


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def make_private(path: Path) -> None:
    """Create the file before SQLite does, which would let everybody read it: channels' URLs and secrets are in it.

    Its -wal and -shm files get the same mode. An existing file keeps the mode that its owner gave it.
    """
    with suppress(OSError):  # it exists, or it cannot be created, which SQLite reports itself
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def back_up(path: Path, name: str) -> Path:
    """Copy what is committed to a file beside it, named after ``name``; return its path. Raises ConfigError.

    An older copy of that name is replaced only by a complete one.
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
