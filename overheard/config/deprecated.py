"""Sections and keys that were renamed or removed: accepted in a file for one release, so that an upgrade starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

RENAMED = {"reddit": "sources.reddit"}  # a file's sections; variables keep the old name as an alias (``environment``)
IN_THE_URL = "set it in [bus] url: amqp://…?{}=30"
REMOVED: dict[tuple[str, str], str] = {
    ("bus", "heartbeat"): IN_THE_URL.format("heartbeat"),
    ("bus", "blocked_timeout"): IN_THE_URL.format("blocked_connection_timeout"),
    ("fetch", "overlap"): "a poll ends where it meets what was read before, and needs no overlap",
}


def table_of(tables: dict[str, Any], section: str) -> dict[str, Any]:
    """Return the table of ``section`` (``a.b`` is inside ``a``), created if it is missing.

    A value where a table should be stays in place, for the validation to refuse: then the result is a detached table.
    """
    for name in section.split("."):
        inner = tables.setdefault(name, {})
        tables = inner if isinstance(inner, dict) else {}
    return tables


def without_old_keys(tables: dict[str, Any], where: str) -> Iterator[str]:
    """Move keys of renamed sections to the new section, unless they are set there; drop removed keys.

    Yields a warning for each.
    """
    for old, new in RENAMED.items():
        if not isinstance(tables.get(old), dict):
            continue
        old_table, new_table = tables.pop(old), table_of(tables, new)
        yield f"{where}: [{old}] is called [{new}] now: rename it"
        yield from (
            f"{where}: [{old}] {key} is not used, as [{new}] {key} is set: remove it"
            for key in old_table
            if key in new_table
        )
        new_table.update({**old_table, **new_table})
    for (section, key), why in REMOVED.items():
        if isinstance(tables.get(section), dict) and tables[section].pop(key, None) is not None:
            yield f"{where}: [{section}] {key} is no longer used ({why}): remove it"
