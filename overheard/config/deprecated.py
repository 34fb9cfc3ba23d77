"""Sections and keys that were renamed or removed: accepted for one release, so that an upgrade starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

RENAMED = {"reddit": "sources.reddit"}  # sections; in variables, the old name needs no warning
IN_THE_URL = "set it in [bus] url: amqp://…?{}=30"
REMOVED: dict[tuple[str, str], str] = {
    ("bus", "heartbeat"): IN_THE_URL.format("heartbeat"),
    ("bus", "blocked_timeout"): IN_THE_URL.format("blocked_connection_timeout"),
    ("fetch", "overlap"): "readings end where they meet what was read before, and need no overlap",
}


def table_of(tables: dict[str, Any], section: str) -> dict[str, Any]:
    """Return the table of ``section`` (``a.b`` is within ``a``), made where it is missing.

    What should be a table and is not stays as it is, for the validation to refuse: then the result is part of nothing.
    """
    for name in section.split("."):
        inner = tables.setdefault(name, {})
        tables = inner if isinstance(inner, dict) else {}
    return tables


def without_old_keys(tables: dict[str, Any], where: str) -> Iterator[str]:
    """Move what stands under an old name to the new one, where it is not set yet; take out what was removed.

    Yields what to tell of each.
    """
    for old, new in RENAMED.items():
        if not isinstance(tables.get(old), dict):
            continue
        was, now = tables.pop(old), table_of(tables, new)
        yield f"{where}: [{old}] is called [{new}] now: rename it"
        yield from (
            f"{where}: [{old}] {key} is not used, as [{new}] {key} is set: remove it" for key in was if key in now
        )
        now.update({**was, **now})
    for (section, key), why in REMOVED.items():
        if isinstance(tables.get(section), dict) and tables[section].pop(key, None) is not None:
            yield f"{where}: [{section}] {key} is no longer used ({why}): remove it"
