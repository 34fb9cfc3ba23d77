"""``overheard status``, ``migrate`` and ``trigger`` on SQLite and memory://."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from overheard.db import beats, canaries, channels, dead_letters, deliveries, feeds, models, workspaces
from overheard.program import Program

from .conftest import Run, lines

Mention = Callable[..., None]


def facts(run: Run) -> dict[str, Any]:
    (found,) = lines(run("status", "--format", "json").stdout)
    return found


def troubles(run: Run) -> list[tuple[bool, str]]:
    return [(trouble["severe"], trouble["what"]) for trouble in facts(run)["troubles"]]


def test_a_fresh_installation_is_well(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.endswith("✓ All is well.\n")
    assert facts(run)["queues"] is None


def test_nothing_has_run_yet(run: Run, acme: int) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert "start it: overheard run" in result.stdout


def test_a_tick_that_stopped_is_severe_while_somebody_listens(run: Run, acme: int, program: Program) -> None:
    beats.beat(program.db, "tick", program.clock() - 300)
    result = run("status")
    assert result.exit_code == 1
    assert "✗ the last tick was 5 min ago" in result.stdout
    run("workspace", "pause", "acme")
    assert run("status").exit_code == 0


def test_runs_that_nobody_takes_up_are_severe(run: Run, acme: int, program: Program) -> None:
    now = program.clock()
    beats.beat(program.db, "tick", now)
    models.Workspace.update(created_at=now - 9000, served_at=now - 1000, demanded_at=now).execute(program.db.peewee)
    assert troubles(run) == [(True, "runs are late: acme should have been looked at 12 min ago")]
    models.Workspace.update(served_at=now - 310).execute(program.db.peewee)
    assert troubles(run) == []


def test_deliveries_that_nobody_sends_are_severe(run: Run, mention: Mention, program: Program) -> None:
    beats.beat(program.db, "tick", program.clock())
    mention("t3_1", age=0)
    assert facts(run)["deliveries"]["pending"] == 1
    assert troubles(run) == []
    models.Delivery.update(due_at=program.clock() - 400).execute(program.db.peewee)
    assert troubles(run) == [(True, "deliveries wait for 7 min and nobody sends them")]
    (delivery,) = (
        models.Delivery.select().where(models.Delivery.due_at < program.clock() - 60).execute(program.db.peewee)
    )
    deliveries.put_off(program.db, delivery.id, program.clock() + 60, "receiver is down")
    assert troubles(run) == []


def test_refused_feeds_sick_channels_and_dead_letters_are_told(run: Run, acme: int, program: Program) -> None:
    db, now = program.db, program.clock()
    beats.beat(db, "tick", now)
    for feed in feeds.stale_of(db, acme, now=now, fresh_since=now)[:1]:
        feeds.refuse(db, feed, "private", now=now, longest=86400)
    channels.disable(db, channels.listing(db)[0].id, "gone", now)
    dead_letters.record(
        db, message_id="m", stage="fetch", origin="nack", reason="x", traceback=None, body="{}", now=now
    )
    result = run("status")
    assert result.exit_code == 0
    assert "r/python" in result.stdout
    assert "private" in result.stdout
    assert "overheard channel enable acme team" in result.stdout
    assert "! 1 dead letter\n" in result.stdout
    found = facts(run)
    assert found["feeds"] == {"ok": 0, "failing": 1, "new": 1}
    assert found["failing_feeds"][0]["retry_at"].endswith("Z")
    assert found["sick_channels"][0]["disabled"] is True


def test_a_late_canary_is_severe_and_in_no_count(run: Run, program: Program) -> None:
    db, now = program.db, program.clock()
    canaries.keep(db, 300, now - 1000, lambda text, zone: now)
    beats.beat(db, "tick", now)
    ((severe, what),) = troubles(run)
    assert severe
    assert what == "the canary is late: nothing has come out at the end for 17 min"
    found = facts(run)
    assert found["workspaces"] == {"active": 0, "paused": 0}
    assert (found["channels"], found["feeds"]) == (0, {"ok": 0, "failing": 0, "new": 0})
    beats.beat(db, canaries.BEAT, now)
    assert troubles(run) == []


def test_migrate(run: Run) -> None:
    assert "applied 0001_initial" in run("migrate").stdout
    assert run("migrate").stdout == "The database was up to date already.\n"


def test_trigger_leaves_the_wish_for_the_next_tick(run: Run, acme: int, program: Program) -> None:
    models.Workspace.update(next_due_at=program.clock() + 900).execute(program.db.peewee)
    result = run("trigger", "acme")
    assert result.exit_code == 0
    assert "next tick" in result.stdout
    assert workspaces.by_name(program.db, "acme").next_due_at <= program.clock()


def test_trigger_wait_gives_up(run: Run, acme: int) -> None:
    result = run("trigger", str(acme), "--wait", "--timeout", "0.01")
    assert result.exit_code == 1
    assert "last tick: never" in result.stderr


def test_trigger_refuses_what_cannot_run(run: Run, acme: int) -> None:
    assert run("trigger", "nobody").exit_code == 1
    run("workspace", "pause", "acme")
    result = run("trigger", "acme")
    assert result.exit_code == 1
    assert "overheard workspace resume acme" in result.stderr
