"""``overheard status``, ``migrate`` and ``trigger`` on SQLite and memory://."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from overheard.bus.queue_depths import QueueDepth
from overheard.config import Config
from overheard.db import (
    budgets,
    canaries,
    channels,
    dead_letters,
    deliveries,
    feeds,
    heartbeats,
    leases,
    models,
    source_health,
    workspaces,
)
from overheard.db.token_rates import WINDOW_SECONDS, Rate
from overheard.observability.metrics import ProcessMetrics
from overheard.observability.metrics_server import MetricsServer
from overheard.operations import problems, processes
from overheard.operations.facts import Observer, SystemState
from overheard.operations.processes import ProcessReport
from overheard.process import RunningProcess
from overheard.sources.reddit.names import client_key
from overheard.supervisord import SupervisedProcess

from .conftest import Run, lines

Mention = Callable[..., None]


def facts(run: Run, **environ: str) -> dict[str, Any]:
    (found,) = lines(run("status", "--format", "json", **environ).stdout)
    return found


def problems_of(run: Run) -> list[tuple[bool, str]]:
    return [(trouble["severe"], trouble["what"]) for trouble in facts(run)["troubles"]]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERHEARD_REDDIT__CLIENT_ID", "id")
    monkeypatch.setenv("OVERHEARD_REDDIT__USER_AGENT", "linux:overheard:test (by /u/simulator)")


def test_a_missing_database_is_severe_and_not_created(run: Run, folder: Path) -> None:
    result = run("status")
    assert result.exit_code == 1
    assert "✗ there is no database yet: " in result.stdout
    assert "`overheard workspace add`, `import` or `run` creates it" in result.stdout
    assert (facts(run)["healthy"], facts(run)["queues"]) == (False, None)
    assert list(folder.iterdir()) == []


def test_without_a_workspace_it_exits_with_0_and_warnings(run: Run, running: RunningProcess) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("– Not in use yet  ! 2 warnings")
    assert problems_of(run) == [
        (False, "there is no workspace: nothing is being watched"),
        (False, "the tick has never run: work that is due is not started"),
    ]
    heartbeats.record(running.db, "tick", running.clock())
    result = run("status")
    assert (result.exit_code, result.stdout.startswith("– Not in use yet  ! 1 warning")) == (0, True)


def test_the_json_keys_are_stable(run: Run, acme: int) -> None:
    assert list(facts(run)) == [
        "healthy", "troubles", "at", "last_tick_at", "workspaces", "waiting_longest", "oldest_work_seconds", "feeds",
        "feed_lag_seconds", "coverage_gaps", "failing_feeds", "reddit", "sources", "channels", "sick_channels",
        "deliveries", "dead_letters", "canary", "queues", "door", "processes", "database_fault", "bus_fault",
        "supervised", "supervisor_fault", "backed_up",
    ]  # fmt: skip
    away = facts(run, OVERHEARD_DATABASE__URL="postgresql://me:hunter2@127.0.0.1:1/overheard")
    assert list(away) == list(facts(run))
    assert (away["healthy"], away["feeds"], "hunter2" in str(away)) == (False, None, False)
    assert facts(run)["waiting_longest"]["slug"] == "acme"
    assert set(facts(run)["oldest_work_seconds"]) == {"run", "poll", "delivery", "digest"}


def test_the_remaining_requests_are_shown_until_their_window_ends(run: Run, acme: int, running: RunningProcess) -> None:
    budgets.DatabaseLimiter(running.db, {"reddit": Rate(95, 5)}).observe(client_key("id"), 321.0, 300)
    assert facts(run)["reddit"]["remaining"] == 321
    assert "321 requests left" in run("status").stdout
    models.Budget.update(observed_at=models.Budget.observed_at - WINDOW_SECONDS).execute(running.db.peewee)
    assert facts(run)["reddit"]["remaining"] is None
    assert "requests left: unknown" in run("status").stdout


def test_an_unreachable_database_is_severe(run: Run) -> None:
    result = run("status", OVERHEARD_DATABASE__URL="postgresql://me:hunter2@127.0.0.1:1/overheard")
    assert result.exit_code == 1
    assert result.stdout.startswith("✗ 1 problem ")
    assert "start PostgreSQL, or fix [database] url" in result.stdout


def test_a_tick_that_never_ran_is_severe_with_an_active_workspace(run: Run, acme: int, running: RunningProcess) -> None:
    result = run("status")
    assert result.exit_code == 1
    assert "start it: overheard run" in result.stdout
    run("workspace", "pause", "acme")
    result = run("status")
    assert (result.exit_code, result.stdout.startswith("– Not in use yet")) == (0, True)


def test_missing_credentials_are_severe(run: Run, acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERHEARD_REDDIT__CLIENT_ID")
    assert (True, "Reddit cannot be read: there are no credentials") in problems_of(run)


BLOCKED = "Reddit answers 403 (new) with a web page: it blocks this machine's address"


def test_an_unreachable_reddit_is_severe_after_some_minutes(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    source_health.record_read(db, "reddit", now - 430)
    assert "Reddit         last read 7 min ago" in run("status").stdout
    source_health.record_failure(db, "reddit", BLOCKED, now - 420, now)
    assert problems_of(run) == [(True, f"Reddit has not been readable for 7 min: {BLOCKED}")]
    result = run("status")
    assert result.exit_code == 1
    assert "Reddit         no answer for 7 min, last read 7 min ago" in result.stdout
    found = facts(run)["reddit"]
    assert list(found) == [
        "remaining", "booked_seconds", "read_at", "failing_since", "retry_at", "reason", "revoked", "failing_seconds",
    ]  # fmt: skip
    assert (found["reason"], found["failing_since"][-1]) == (BLOCKED, "Z")
    assert 420 <= found["failing_seconds"] < 480
    run("workspace", "pause", "acme")
    assert problems_of(run) == [], "Reddit is not watched any more"


def test_a_refused_login_is_severe_at_once(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    source_health.record_failure(db, "reddit", "Reddit refuses the login (401)", now - 100, now + 200, revoked=True)
    assert problems_of(run) == [(True, "Reddit may have revoked this app: it has refused the login for 2 min")]
    result = run("status")
    assert result.exit_code == 1
    assert "Reddit         login refused for 2 min" in result.stdout
    assert "https://www.reddit.com/prefs/apps" in result.stdout
    assert facts(run)["reddit"]["revoked"] is True
    run("workspace", "pause", "acme")
    assert problems_of(run) == []


def test_a_refused_client_of_several_is_named_and_not_severe(
    run: Run, acme: int, running: RunningProcess, folder: Path
) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    (folder / "pipeline.toml").write_text('[[sources.reddit.client]]\nclient_id = "another"\n')
    source_health.record_read(db, "reddit", now)
    source_health.record_failure(db, client_key("another"), "401", now - 7200, now - 3600, revoked=True)
    what = "client 1 of 2 of Reddit has been refused for 2 h: Reddit may have revoked its app"
    assert problems_of(run) == [(False, what)]
    result = run("status")
    assert (result.exit_code, "1 of 2 clients refused" in result.stdout) == (0, True)
    run("workspace", "pause", "acme")
    assert problems_of(run) == []


def test_a_source_of_any_name_that_is_down_is_severe(
    run: Run, acme: int, running: RunningProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERHEARD_SOURCES__REPLAY__PATH", "items.jsonl")
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    source_health.record_failure(db, "replay", "its file is missing", now - 420, now)
    assert problems_of(run) == [], "it is not watched"
    models.RefreshDemand.update(source="replay").execute(db.peewee)
    assert problems_of(run) == [(True, "replay has not been readable for 7 min: its file is missing")]


def test_a_short_outage_of_reddit_is_shown_but_not_a_problem(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    source_health.record_failure(db, "reddit", "503", now - 45, now)
    result = run("status")
    assert (result.exit_code, "no answer for 45 s" in result.stdout) == (0, True)
    assert problems_of(run) == []


def test_a_stopped_tick_is_severe_with_an_active_workspace(run: Run, acme: int, running: RunningProcess) -> None:
    heartbeats.record(running.db, "tick", running.clock() - 300)
    result = run("status")
    assert result.exit_code == 1
    assert "✗ the last tick was 5 min ago" in result.stdout
    run("workspace", "pause", "acme")
    assert run("status").exit_code == 0


def test_a_tick_in_the_future_means_a_wrong_clock(run: Run, acme: int, running: RunningProcess) -> None:
    heartbeats.record(running.db, "tick", running.clock() + 7200)
    assert problems_of(run) == [(False, "the last tick is 2 h in the future: the database's clock was set back")]


def test_late_runs_are_severe(run: Run, acme: int, running: RunningProcess) -> None:
    now = running.clock()
    heartbeats.record(running.db, "tick", now)
    waits = {"demanded_at": now, "served_at": now - 1000, "waiting_since": now - 720}
    models.RefreshDemand.update(**waits).execute(running.db.peewee)
    models.Workspace.update(next_due_at=now + 300).execute(running.db.peewee)
    assert problems_of(run) == [(True, "runs are late: acme has waited for 12 min")]
    assert 720 <= facts(run)["oldest_work_seconds"]["run"] < 780
    models.RefreshDemand.update(waiting_since=now - 60).execute(running.db.peewee)
    assert problems_of(run) == []


def test_late_polls_and_digests_are_severe(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    leases.claim(
        db, feeds.stale_of(db, acme, "reddit", now=now, fresh_since=now)[0].group_id, "p1", now=now - 3600, lease=7200
    )
    models.Workspace.update(next_due_at=now + 300, digest_end=now - 7200).execute(db.peewee)
    assert problems_of(run) == [
        (True, "a poll that began 60 min ago is not stored yet"),
        (True, "a digest has been due for 2 h"),
    ]


def test_unsent_deliveries_are_severe(run: Run, mention: Mention, running: RunningProcess) -> None:
    heartbeats.record(running.db, "tick", running.clock())
    mention("t3_1", age=0)
    assert facts(run)["deliveries"]["pending"] == 1
    assert problems_of(run) == []
    models.Delivery.update(due_at=running.clock() - 400).execute(running.db.peewee)
    assert problems_of(run) == [(True, "deliveries have waited for 7 min unsent")]
    (delivery,) = (
        models.Delivery.select().where(models.Delivery.due_at < running.clock() - 60).execute(running.db.peewee)
    )
    deliveries.postpone(running.db, delivery.id, delivery.lease_until, running.clock() + 60, "receiver is down")
    assert problems_of(run) == []


def test_a_dead_receiver_with_a_backlog_is_only_a_warning(run: Run, mention: Mention, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    mention("t3_1", age=0)
    mention("t3_2", age=0)
    models.Delivery.update(due_at=now - 400).execute(db.peewee)
    channel = channels.listing(db)[0].id
    (tried,) = deliveries.claim(db, channel, now=now, limit=1, lease=30).deliveries
    channels.record_failure(db, channel, "no answer within 20 s", now)
    deliveries.postpone(db, tried.id, now + 30, now + 5, "no answer within 20 s")
    assert problems_of(run) == [(False, "channel acme/team is failing: no answer within 20 s")]
    assert run("status").exit_code == 0
    assert facts(run)["oldest_work_seconds"]["delivery"] is None


def waiting(running: RunningProcess, channel: int, count: int, due_at: float) -> None:
    rows = [
        {"id": f"msg_{channel}_{n}", "channel": channel, "state": "pending", "due_at": due_at, "created_at": due_at}
        for n in range(count)
    ]
    models.Delivery.insert_many(rows).execute(running.db.peewee)


def test_a_growing_backlog_is_severe_although_some_are_sent(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    run("workspace", "add", "bolt", "-s", "python", "-q", "x", "-c", "ops=https://example.com/b")
    models.Workspace.update(next_due_at=now + 300).execute(db.peewee)
    team, ops = (row.id for row in channels.listing(db))
    waiting(running, team, 1400, now - 720)
    waiting(running, ops, 68, now - 10)
    models.Delivery.insert(id="s", channel=team, state="sent", due_at=now - 721, created_at=now, sent_at=now).execute(
        db.peewee
    )
    assert problems_of(run) == [
        (
            True,
            "deliveries are sent more slowly than they arrive: 1,468 deliveries due, the oldest for 12 min; "
            "most of them, 1,400, for acme/team",
        )
    ]
    result = run("status")
    assert (result.exit_code, "at most 60 a minute ([notify] per_minute)" in result.stdout) == (1, True)
    assert run("status", OVERHEARD_TICK__SWEEP_AFTER="150").exit_code == 0
    channels.record_failure(db, team, "no answer within 20 s", now)
    tried = models.Delivery.id == f"msg_{team}_0"
    models.Delivery.update(attempts=1, due_at=now + 30).where(tried).execute(db.peewee)
    assert [severe for severe, _ in problems_of(run)] == [False], "a failing receiver's backlog is its own"


def test_refused_feeds_unhealthy_channels_and_dead_letters_are_warnings(
    run: Run, acme: int, running: RunningProcess
) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    for feed in feeds.stale_of(db, acme, "reddit", now=now, fresh_since=now)[:1]:
        feeds.back_off(db, feed, "private", now=now, longest=86400)
    channels.disable(db, channels.listing(db)[0].id, "gone", now)
    dead_letters.record(
        db, message_id="m", stage="fetch", origin="nack", reason="x", traceback=None, body="{}", now=now
    )
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("✓ OK  ! 3 warnings")
    assert "r/python" in result.stdout
    assert "private" in result.stdout
    assert "overheard channel enable acme team" in result.stdout
    assert "! 1 dead letter\n" in result.stdout
    found = facts(run)
    assert found["feeds"] == {"ok": 0, "failing": 1, "new": 1}
    assert found["failing_feeds"][0]["retry_at"].endswith("Z")
    assert found["channels"] == {"ok": 0, "failing": 0, "disabled": 1}
    assert found["sick_channels"][0]["disabled"] is True


def test_a_late_canary_is_severe_and_not_counted_as_a_workspace(run: Run, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    canaries.ensure(db, 300, now - 1000, lambda text, zone: now)
    heartbeats.record(db, "tick", now)
    late = (True, "the canary is late: none has been delivered for 17 min")
    assert late in problems_of(run)
    found = facts(run)
    assert found["workspaces"] == {"active": 0, "paused": 0}
    assert found["channels"] == {"ok": 0, "failing": 0, "disabled": 0}
    assert found["feeds"] == {"ok": 0, "failing": 0, "new": 0}
    heartbeats.record(db, canaries.BEAT, now)
    assert late not in problems_of(run)


def test_a_process_that_supervisord_gave_up_is_a_problem_with_a_remedy() -> None:
    facts = SystemState(
        0.0, None, None, None, None, None, [ProcessReport("tick", 9400, ("late",))],
        supervised=[
            SupervisedProcess("fetch", "fetch_0", "FATAL", "Exited too quickly", "/var/log/f"),
            SupervisedProcess("match", "match_0", "STOPPED"),
            SupervisedProcess("store", "store_0", "RUNNING"),
        ],
    )  # fmt: skip
    first, second = problems.find(facts, Config())
    assert (first.message, first.remedy) == ("tick (:9400): late", "see its log; supervisorctl restart tick:*")
    assert (second.severe, second.message) == (True, "fetch:fetch_0 is FATAL (Exited too quickly)")
    assert second.remedy == "see the end of /var/log/f, fix the cause, then: supervisorctl restart fetch:fetch_0"


def test_a_supervisord_that_does_not_answer_is_a_problem(running: RunningProcess, tmp_path: Path) -> None:
    observer = Observer(running, server=f"unix://{tmp_path}/none", backup_mark=tmp_path / "none")
    facts = observer.read()
    assert facts.supervised is None
    assert facts.backed_up is None
    assert "supervisord does not answer" in " ".join(trouble.message for trouble in problems.find(facts, Config()))


def test_supervisord_and_backups_are_unknown_outside_a_server(running: RunningProcess, mark: Path) -> None:
    facts = Observer(running, backup_mark=mark).read()
    assert (facts.supervised, facts.supervisor_fault, facts.backed_up) == (None, None, None)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    path = tmp_path / "overheard.prom"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("age", "expected"), [(25 * 3600, []), (50 * 3600, [(False, "no backup has been made for 2 days")])]
)
def test_a_missing_backup_is_a_warning(
    running: RunningProcess, mark: Path, age: float, expected: list[tuple[bool, str]]
) -> None:
    os.utime(mark, (running.clock() - age, running.clock() - age))
    facts = Observer(running, server="unix:///nowhere", backup_mark=mark).read()
    found = [(trouble.severe, trouble.message) for trouble in problems.find(facts, Config())]
    assert [trouble for trouble in found if "backup" in trouble[1]] == expected


def test_outdated_queries_are_counted_once_for_all_processes() -> None:
    metrics = ProcessMetrics(CollectorRegistry())
    metrics.refused_queries.labels("yes").set(3)
    metrics.refused_queries.labels("no").set(1)
    server = MetricsServer(metrics.registry, list)
    port = server.start("127.0.0.1", 0)
    try:
        found = processes._report("127.0.0.1", "match", port)
    finally:
        server.stop()
    assert found is not None
    facts = SystemState(0.0, None, None, None, None, None, [found, found])
    assert [(trouble.severe, trouble.message) for trouble in problems.find(facts, Config())] == [
        (False, "3 stored queries would be refused today, and are still matched"),
        (False, "1 stored query cannot be parsed, and is not matched"),
    ]


def test_queues_without_workers_are_no_news_while_the_database_is_away() -> None:
    """Processes pause consuming then, on purpose: starting more of them would not help."""
    queues = [QueueDepth("overheard.ingress", 0, 0, 0, 0), QueueDepth("fetch", 3, 0, 0, 0)]
    facts = SystemState(0.0, None, "the database does not answer", queues, None, None, None)
    assert [found.message for found in problems.find(facts, Config())] == ["the database does not answer"]


def test_only_a_few_of_many_unhealthy_channels_are_named(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    heartbeats.record(db, "tick", now)
    models.Channel.delete().execute(db.peewee)
    rows = [
        {"workspace": acme, "name": f"c{n}", "url": "x", "created_at": now, "failing_since": now} for n in range(300)
    ]
    models.Channel.insert_many(rows).execute(db.peewee)
    messages = [what for _, what in problems_of(run)]
    assert (len(messages), messages[-1]) == (6, "295 more unhealthy channels")
    assert (len(facts(run)["sick_channels"]), facts(run)["channels"]["failing"]) == (100, 300)


def test_migrate(run: Run) -> None:
    assert "applied 0001_initial" in run("migrate").stdout
    assert run("migrate").stdout == "The database was already up to date.\n"


def test_migrate_check_distinguishes_pending_migrations_from_errors(run: Run) -> None:
    pending = run("migrate", "--check")
    assert (pending.exit_code, pending.stdout) == (3, "The database is empty: it is created at the first start.\n")
    run("migrate")
    assert run("migrate", "--check").exit_code == 0
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2"
    assert run("migrate", "--check", OVERHEARD_DATABASE__URL=nowhere).exit_code == 1


def test_trigger_makes_the_workspace_due_at_the_next_tick(run: Run, acme: int, running: RunningProcess) -> None:
    models.Workspace.update(next_due_at=running.clock() + 900).execute(running.db.peewee)
    result = run("trigger", "acme")
    assert result.exit_code == 0
    assert "next tick" in result.stdout
    assert workspaces.by_name(running.db, "acme").next_due_at <= running.clock()


def test_trigger_wait_ends_after_its_timeout(run: Run, acme: int) -> None:
    result = run("trigger", str(acme), "--wait", "--timeout", "0.01")
    assert result.exit_code == 1
    assert "last tick: never" in result.stderr


def test_trigger_wait_ends_when_no_tick_comes(run: Run, acme: int) -> None:
    result = run("trigger", "acme", "--wait", "--timeout", "86400", OVERHEARD_TICK__INTERVAL="0.1")
    assert result.exit_code == 1
    assert "`overheard status` shows whether overheard run is running" in result.stderr


def test_trigger_wait_warns_of_channels_that_receive_nothing(run: Run, acme: int, running: RunningProcess) -> None:
    db, now = running.db, running.clock()
    models.Feed.update(retry_at=now + 900).execute(db.peewee)  # refused feeds are not waited for
    channel = channels.listing(db)[0].id
    channels.record_failure(db, channel, "500: \x1b[2Jgone\nfor good", now)
    result = run("trigger", "acme", "--wait")
    assert (result.exit_code, "\x1b" in result.stderr) == (0, False)
    assert result.stderr.startswith("! channel team is failing (500: [2Jgone for good); its deliveries wait")
    channels.disable(db, channel, "410", now)
    assert run("trigger", "acme", "--wait").stderr.startswith("! channel team is disabled (410); it receives nothing")


def test_trigger_wait_says_which_feeds_their_publishers_do_not_let_be_read_yet(
    run: Run, acme: int, running: RunningProcess
) -> None:
    db, now = running.db, running.clock()
    # Both were read a minute ago, and may be read again in a quarter of an hour.
    models.Feed.update(fresh_at=now - 60, retry_at=now + 900).execute(db.peewee)
    result = run("trigger", "acme", "--wait")
    assert result.exit_code == 0, result.output
    assert re.search(r"acme: 0 new mentions in \d+\.\d s", result.stdout), "it waits for nothing"
    assert "2 feeds are as fresh as the publisher allows; next poll in 15 min (20" in result.stdout
    (feed, _) = models.Feed.select().order_by(models.Feed.id).execute(db.peewee)
    models.Feed.update(failures=1).where(models.Feed.id == feed.id).execute(db.peewee)
    assert "1 feed is as fresh as the publisher allows" in run("trigger", "acme", "--wait").stdout
    models.Feed.update(failures=1).execute(db.peewee)
    assert "as fresh as" not in run("trigger", "acme", "--wait").stdout, "they are refused"


def test_trigger_wait_waits_for_other_feeds_than_those_that_are_paused_or_streamed(
    run: Run, acme: int, running: RunningProcess
) -> None:
    db, now = running.db, running.clock()
    posts = models.Feed.kind == "posts"
    models.Feed.update(fresh_at=now - 60, retry_at=now + 900).where(posts).execute(db.peewee)
    assert run("trigger", "acme", "--wait", "--timeout", "0.01").exit_code == 1
    models.Feed.update(source="bluesky").where(~posts).execute(db.peewee)
    assert run("trigger", "acme", "--wait", "--timeout", "0.01").exit_code == 0


def test_trigger_refuses_unknown_and_paused_workspaces(run: Run, acme: int) -> None:
    assert run("trigger", "nobody").exit_code == 1
    run("workspace", "pause", "acme")
    result = run("trigger", "acme")
    assert result.exit_code == 1
    assert "overheard workspace resume acme" in result.stderr


def test_watch_prints_repeatedly_until_sigterm(folder: Path, running: RunningProcess) -> None:
    command = [sys.executable, "-m", "overheard.cli", "status", "--watch", "--interval", "0.5", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline())["at"] for _ in range(2))
        process.terminate()
        assert process.wait(60) == 0
    assert first < second
