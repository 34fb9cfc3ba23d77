"""``overheard channel``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overheard.db import channels, deliveries
from overheard.db.models import Delivery, FailedTry
from overheard.process import RunningProcess
from tests.servers.sink import Answer, HttpSink

from .conftest import Run, lines, rows


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as opened:
        yield opened


@pytest.fixture
def team(run: Run, sink: HttpSink, folder: Path, migrated: None) -> str:
    """Create acme with a channel ``team`` to the sink; return its signing secret."""
    (folder / "pipeline.toml").write_text("[notify]\nallow_private = true\ntimeout = 5\n")
    result = run("workspace", "add", "acme", "-s", "python", "-q", "x", "-c", f"team={sink.url}/t0ken")
    return next(word for word in result.stdout.split() if word.startswith("whsec_"))


def test_channel_test_sends_a_signed_message(run: Run, team: str, sink: HttpSink) -> None:
    result = run("channel", "test", "acme", "team")
    assert result.exit_code == 0
    assert result.stdout.startswith("✓ acme/team accepted the test message in ")
    (request,) = sink.wait_for(1)
    assert request.path == "/t0ken"
    assert request.verified_by(team)
    assert request.json["type"] == "mention.created"


def test_channel_test_prints_the_receivers_error(run: Run, team: str, sink: HttpSink) -> None:
    sink.answer(Answer(404))
    result = run("channel", "test", "acme", "team")
    assert result.exit_code == 1
    assert result.stderr == "overheard: acme/team rejected the test message: 127.0.0.1 answered 404 Not Found\n"


def test_channel_test_does_not_call_a_failure_a_rejection(run: Run, team: str, sink: HttpSink) -> None:
    could_not = "overheard: the test message could not be sent to acme/team: "
    sink.answer(Answer(503))
    result = run("channel", "test", "acme", "team")
    assert (result.exit_code, result.stderr) == (1, f"{could_not}127.0.0.1 answered 503 Service Unavailable\n")
    run("workspace", "add", "bolt", "-s", "python", "-q", "x", "-c", "team=http://127.0.0.1:1/nothing-listens")
    result = run("channel", "test", "bolt", "team")
    assert result.exit_code == 1
    assert result.stderr.startswith("overheard: the test message could not be sent to bolt/team: cannot connect to ")


def test_channel_test_obeys_the_egress_rules(run: Run, team: str) -> None:
    result = run("channel", "test", "acme", "team", OVERHEARD_NOTIFY__ALLOW_PRIVATE="false")
    assert result.exit_code == 1
    assert "allow_private" in result.stderr


def test_an_unknown_channel_is_an_error_that_lists_the_existing_ones(run: Run, team: str) -> None:
    result = run("channel", "test", "acme", "tema")
    assert result.exit_code == 1
    assert result.stderr == "overheard: workspace acme has no channel 'tema'; its channels: team\n"


def test_channel_list_shows_states_and_redacts_urls(run: Run, team: str, running: RunningProcess) -> None:
    (row,) = lines(run("channel", "list", "--format", "json").stdout)
    assert (row["name"], row["state"], row["since_at"], row["reason"]) == ("team", "ok", None, None)
    assert row["url"].endswith("/***")
    (stored,) = channels.listing(running.db)
    channels.record_failure(running.db, stored.id, "it is \x1b[31mdown", running.clock() - 300)
    table = run("channel", "list").stdout
    assert "failing for 5 min" in table
    assert "it is [31mdown" in table
    assert rows(run("channel", "list", "--workspace", "acme", "--format", "csv").stdout)[0]["state"] == "failing"
    assert run("channel", "list", "--workspace", "nobody").exit_code == 1


def test_channel_list_shows_what_waits_and_what_failed_last(
    run: Run, acme: int, mention: Callable[..., None], running: RunningProcess
) -> None:
    for number in (1, 2, 3):
        mention(f"t3_{number}", age=0)
    first, second, third = (row.id for row in Delivery.select().order_by(Delivery.mention).execute(running.db.peewee))
    deliveries.mark_sent(running.db, first, running.clock() - 120)
    Delivery.update(state="held").where(Delivery.id == second).execute(running.db.peewee)
    Delivery.update(due_at=running.clock() + 299).where(Delivery.id == third).execute(running.db.peewee)
    FailedTry.insert(delivery=third, at=running.clock() - 300, error="503 \x1b[31mdown").execute(running.db.peewee)
    (row,) = lines(run("channel", "list", "--format", "json").stdout)
    assert list(row) == [
        "workspace", "name", "url", "mode", "state", "since_at", "reason", "backlog", "held", "muted",
        "last_success_at", "last_error", "last_error_at", "next_try_at",
    ]  # fmt: skip
    assert (row["backlog"], row["held"], row["muted"], row["last_error"]) == (1, 1, 0, "503 \x1b[31mdown")
    table = run("channel", "list").stdout
    for words in ("1 waiting, 1 held", "2 min ago", "in 5 min", "5 min ago: 503 [31mdown"):
        assert words in table


def test_a_disabled_channel_can_be_tested_and_enabled(run: Run, team: str, running: RunningProcess) -> None:
    (stored,) = channels.listing(running.db)
    channels.disable(running.db, stored.id, "gone", running.clock())
    result = run("channel", "test", "acme", "team")
    assert result.exit_code == 0
    assert "overheard channel enable acme team" in result.stdout
    assert run("channel", "enable", "acme", "team").exit_code == 0
    (stored,) = channels.listing(running.db)
    assert (stored.disabled_at, stored.reason) == (None, None)
