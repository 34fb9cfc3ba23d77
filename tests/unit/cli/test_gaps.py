"""``overheard gap list``, and gaps in ``overheard status``."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db import heartbeats, models
from overheard.process import RunningProcess

from .conftest import Run, lines


@pytest.fixture
def gap(acme: int, running: RunningProcess) -> dict[str, Any]:
    """Insert an open gap of r/python's posts, found an hour ago; return its values."""
    now = running.clock()
    feed = models.Feed.select().where(models.Feed.kind == "posts").get(running.db.peewee)
    values = {"from_item": "t3_a", "from_at": now - 7200, "to_item": "t3_z", "to_at": now - 3700, "reason": "horizon"}
    models.Gap.insert(feed=feed, found_at=now - 3600, **values).execute(running.db.peewee)
    return values


def test_gaps_are_listed_with_their_bounds(run: Run, gap: dict[str, Any]) -> None:
    (row,) = lines(run("gap", "list", "--format", "json").stdout)
    assert list(row) == [
        *("source", "kind", "place", "from_item", "from_at", "to_item", "to_at"),
        *("reason", "found_at", "filled_at", "state"),
    ]
    assert (row["source"], row["kind"], row["place"]) == ("reddit", "posts", "python")
    assert (row["from_item"], row["to_item"], row["reason"]) == ("t3_a", "t3_z", "horizon")
    assert (row["filled_at"], row["state"]) == (None, "open")
    assert row["from_at"].endswith("Z")
    shown = run("gap", "list")
    assert "more new items than the source lists" in shown.stdout
    assert "reddit python posts" in shown.stdout
    assert lines(run("gap", "list", "--place", "Python", "--state", "open", "--format", "json").stdout) == [row]
    assert lines(run("gap", "list", "--place", "rust", "--format", "json").stdout) == []
    assert lines(run("gap", "list", "--place", "a\udcff", "--format", "json").stdout) == []


def test_an_empty_list_of_gaps_says_so(run: Run, acme: int) -> None:
    result = run("gap", "list")
    assert (result.exit_code, result.stdout) == (0, "No gaps: everything that was listed has been read.\n")


def test_status_shows_open_gaps(run: Run, gap: dict[str, Any], running: RunningProcess) -> None:
    now = running.clock()
    heartbeats.record(running.db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(running.db.peewee)
    result = run("status")
    assert "1 open, 0 lost (overheard gap list)" in result.stdout
    assert "1 gap in the last 24 h" in result.stdout
    (facts,) = lines(run("status", "--format", "json").stdout)
    assert facts["coverage_gaps"] == 1
    models.Gap.update(found_at=now - 100_000).execute(running.db.peewee)
    assert "in the last 24 h" not in run("status").stdout


def test_status_shows_what_is_left_to_fill_and_what_is_lost(
    run: Run, gap: dict[str, Any], running: RunningProcess
) -> None:
    now, raw = running.clock(), running.db.peewee
    heartbeats.record(running.db, "tick", now)
    models.Gap.update(first_number=1000, last_number=1250).execute(raw)
    lost = {"state": "lost", "reason": "horizon, too old to fill", "found_at": now - 200_000}
    feed = models.Gap.select(models.Gap.feed).scalar(raw)
    models.Gap.insert(feed=feed, **lost).execute(raw)
    shown = run("status").stdout
    assert "1 open, 3 requests to fill them, 1 lost" in shown
    assert "1 gap could not be filled" in shown
    assert "more new items than the source lists, too old to fill" in run("gap", "list", "--state", "lost").stdout
    models.Gap.update(found_at=now - 300_000).execute(raw)
    assert "could not be filled" not in run("status").stdout
