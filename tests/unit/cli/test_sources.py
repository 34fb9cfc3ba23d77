"""``overheard source list`` and ``source check``, and sources in ``overheard status``."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from rich.console import Console

from overheard.clock import system_clock
from overheard.config.loading import load
from overheard.db import models, source_health
from overheard.items import ALL
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import source_checks
from overheard.process import RunningProcess
from overheard.simulators.bluesky import BlueskySimulator
from overheard.simulators.feeds import FeedsSimulator
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.mastodon import MastodonSimulator
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.sources import ItemLookup, ItemSearch, NumberedItems, PlaceCheck, StreamedSource
from overheard.sources.registry import SOURCES, watchable

from .conftest import Run, lines, rows

KEYS = [
    *("source", "configured", "state", "since", "reason", "lag_seconds", "last_read_at"),
    *("gaps_open", "capabilities", "deletions"),
]


@pytest.fixture
def simulator() -> Iterator[RedditSimulator]:
    with RedditSimulator() as simulator:
        simulator.add_post("python", "Hello", "world")
        yield simulator


@pytest.fixture
def reddit(simulator: RedditSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the address and the credentials of the simulated Reddit into the environment."""
    monkeypatch.setenv("OVERHEARD_REDDIT__CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("OVERHEARD_REDDIT__CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("OVERHEARD_REDDIT__USER_AGENT", "linux:overheard:test (by /u/simulator)")
    monkeypatch.setenv("OVERHEARD_REDDIT__REDDIT_URL", simulator.url)
    monkeypatch.setenv("OVERHEARD_REDDIT__OAUTH_URL", simulator.url)


def listed(run: Run, *command: str) -> dict[str, dict[str, Any]]:
    return {row["source"]: row for row in lines(run(*(command or ("source", "list")), "--format", "json").stdout)}


def replay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "items.jsonl"
    path.write_text(json.dumps({"id": "1", "kind": "post", "place": "python", "title": "x", "author": "a"}) + "\n")
    monkeypatch.setenv("OVERHEARD_SOURCES__REPLAY__PATH", str(path))


def test_without_a_database_all_sources_are_off_and_none_is_created(run: Run, folder: Path) -> None:
    found = listed(run)
    assert list(found) == watchable()
    assert all(list(row) == KEYS for row in found.values())
    assert {row["state"] for row in found.values()} == {"off"}
    assert (found["reddit"]["configured"], found["hackernews"]["configured"]) == (False, True)
    assert found["reddit"]["capabilities"][:2] == ["list", "lookup"]
    assert (found["reddit"]["deletions"], found["replay"]["deletions"]) == ("lookup", "stream")
    assert found["bluesky"]["capabilities"] == ["stream"]
    result = run("source", "check")
    assert (result.exit_code, "No source is watched yet" in result.stdout) == (0, True)
    assert list(folder.iterdir()) == []


def test_a_watched_source_has_its_state_lag_and_gaps(
    run: Run, acme: int, running: RunningProcess, reddit: None
) -> None:
    db, now = running.db, running.clock()
    assert (listed(run)["reddit"]["state"], listed(run)["replay"]["state"]) == ("ok", "off")
    assert listed(run)["reddit"]["lag_seconds"] is None, "nothing was read yet"
    models.Feed.update(fresh_at=now - 90).execute(db.peewee)
    feed = models.Feed.select().get(db.peewee)
    models.Gap.insert(feed=feed, found_at=now, reason="horizon").execute(db.peewee)
    source_health.record_read(db, "reddit", now - 90)
    row = listed(run)["reddit"]
    assert (row["state"], row["since"], row["reason"], row["gaps_open"]) == ("ok", None, None, 1)
    assert 90 <= row["lag_seconds"] < 150
    assert row["last_read_at"].endswith("Z")
    for revoked, state in ((False, "failing"), (True, "revoked")):
        source_health.record_failure(db, "reddit", "HTTP 503", now - 60, now, revoked=revoked)
        row = listed(run)["reddit"]
        assert (row["state"], row["reason"], row["since"].endswith("Z")) == (state, "HTTP 503", True)
    (shown,) = [line.split() for line in run("source", "list").stdout.splitlines() if line.startswith("reddit")]
    assert shown[1:3] == ["revoked", "for"]
    run("workspace", "pause", "acme")
    assert listed(run)["reddit"]["state"] == "off"


def test_the_list_fits_a_narrow_terminal(run: Run, acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Console(width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr("overheard.cli.output.console", lambda: narrow)
    shown = run("source", "list").stdout.split()
    assert shown.count("enumerate") == 1, "no word is cut or broken"
    assert {"workspace", "stackexchange", "deletions:"} <= set(shown)


def test_a_watched_source_without_its_setting_is_off_and_fails_the_check(run: Run, acme: int) -> None:
    row = listed(run)["reddit"]
    assert (row["configured"], row["state"]) == (False, "off")
    assert "[sources.reddit] client_id" in row["reason"]
    result = run("source", "check")
    assert (result.exit_code, "client_id" in result.stdout) == (1, True)


def test_lists_are_also_csv(run: Run, acme: int, reddit: None) -> None:
    first = rows(run("source", "list", "--format", "csv").stdout)[0]
    assert list(first) == KEYS
    assert (first["source"], first["configured"], first["capabilities"][:12]) == ("reddit", "true", "list; lookup")


def test_status_has_the_sources_and_shows_those_that_are_watched(run: Run, acme: int, reddit: None) -> None:
    (found,) = lines(run("status", "--format", "json").stdout)
    assert [list(row) for row in found["sources"]] == [KEYS] * len(watchable())
    assert found["sources"] == list(listed(run).values())
    shown = [line.split()[0] for line in run("status").stdout.splitlines() if line.split()[:2] in (["reddit", "ok"],)]
    assert shown == ["reddit"]
    assert "stackexchange" not in run("status").stdout


def test_check_asks_the_source_and_records_nothing(run: Run, acme: int, reddit: None) -> None:
    result = run("source", "check", "--format", "json")
    assert result.exit_code == 0, result.output
    assert [(row["source"], row["state"]) for row in lines(result.stdout)] == [("reddit", "ok")]
    assert listed(run)["reddit"]["last_read_at"] is None


def test_check_fails_for_refused_credentials_and_a_source_that_is_away(run: Run, acme: int, reddit: None) -> None:
    refused = run("source", "check", "reddit", "--format", "json", OVERHEARD_REDDIT__CLIENT_SECRET="wrong")
    (row,) = lines(refused.stdout)
    assert (refused.exit_code, row["state"]) == (1, "revoked")
    assert row["reason"]
    nowhere = "http://127.0.0.1:1"
    away = run("source", "check", OVERHEARD_REDDIT__REDDIT_URL=nowhere, OVERHEARD_REDDIT__OAUTH_URL=nowhere)
    assert away.exit_code == 1
    assert [line.split()[:2] for line in away.stdout.splitlines()[1:]] == [["reddit", "failing"]]


def test_a_named_source_is_asked_even_if_it_is_not_watched(run: Run, folder: Path, reddit: None) -> None:
    result = run("source", "check", "reddit", "--format", "json")
    assert (result.exit_code, lines(result.stdout)[0]["state"]) == (0, "ok")
    assert list(folder.iterdir()) == []


def test_check_reads_watched_places_of_a_source_that_has_no_server(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay(folder, monkeypatch)
    assert run("workspace", "add", "acme", "--watch", "replay:python", "-q", "x").exit_code == 0
    for name in ("replay", "python", "replay:python"):
        result = run("source", "check", name, "--format", "json")
        assert (result.exit_code, [row["source"] for row in lines(result.stdout)]) == (0, ["replay"]), result.output
    monkeypatch.setenv("OVERHEARD_SOURCES__REPLAY__PATH", str(folder / "absent.jsonl"))
    result = run("source", "check")
    assert (result.exit_code, "1 place cannot be read: replay:python (" in result.stdout) == (1, True), result.stdout


def test_a_watched_place_of_reddit_is_named_as_users_write_it(run: Run, acme: int, reddit: None) -> None:
    for name in ("r/Python", "python"):
        result = run("source", "check", name)
        assert (result.exit_code, result.stdout.splitlines()[1].split()[:2]) == (0, ["reddit", "ok"]), result.output


def test_check_says_which_subreddits_cannot_be_read_and_why(run: Run, simulator: RedditSimulator, reddit: None) -> None:
    states = ("private", "quarantined", "banned", "missing")
    for state in states:
        simulator.set_subreddit(f"{state}_one", state)
    names = [option for state in states for option in ("--subreddit", f"{state}_one")]
    assert run("workspace", "add", "acme", "-q", "x", "--subreddit", "python", *names).exit_code == 0
    simulator.reset_counts()
    (row,) = lines(run("source", "check", "--format", "json").stdout)
    assert (row["state"], row["reason"]) == (
        "ok",
        "4 places cannot be read: r/banned_one (missing or banned), r/missing_one (missing or banned), "
        "r/private_one (private) and 1 more",
    )
    assert simulator.counts()["by_endpoint"] == {"token": 1, "new": 1, "info": 1}
    for state in states:
        result = run("source", "check", f"r/{state}_one", "--format", "json")
        (row,) = lines(result.stdout)
        assert (result.exit_code, row["state"]) == (1, "failing")
        assert row["reason"] == f"1 place cannot be read: r/{state}_one ({state})"


def test_an_unknown_name_is_wrong_usage(run: Run, acme: int) -> None:
    result = run("source", "check", "redit")
    assert result.exit_code == 2
    assert "'redit' is neither a source nor a watched place; sources: reddit, " in result.stderr


def test_the_registry_says_which_sources_have_no_places() -> None:
    whole = {name for name in watchable() if SOURCES[name].undivided}
    assert whole == {"hackernews", "bluesky"}
    assert {SOURCES[name].check_place(ALL) for name in whole} == {ALL}


@pytest.fixture
def silent() -> Iterator[str]:
    """The host and port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_hacker_news_is_asked(run: Run, silent: str) -> None:
    with HackerNewsSimulator() as simulator:
        asked = run("source", "check", "hackernews", OVERHEARD_SOURCES__HACKERNEWS__URL=simulator.url)
    assert (asked.exit_code, asked.stdout.split()[8:10]) == (0, ["hackernews", "ok"]), asked.output
    began = time.monotonic()
    hangs = run("source", "check", "hackernews", OVERHEARD_SOURCES__HACKERNEWS__URL=f"http://{silent}")
    assert (hangs.exit_code, hangs.stdout.split()[8:10]) == (1, ["hackernews", "failing"]), hangs.output
    assert time.monotonic() - began < 3 * source_checks.CHECK_TIMEOUT_SECONDS


def test_bluesky_is_connected_to(run: Run) -> None:
    with BlueskySimulator() as simulator:
        asked = run("source", "check", "bluesky", OVERHEARD_SOURCES__BLUESKY__URL=simulator.url)
    assert (asked.exit_code, asked.stdout.split()[8:10]) == (0, ["bluesky", "ok"]), asked.output
    away = run("source", "check", "bluesky", OVERHEARD_SOURCES__BLUESKY__URL="ws://127.0.0.1:1")
    assert (away.exit_code, away.stdout.split()[8:10]) == (1, ["bluesky", "failing"]), away.output


def test_each_watched_server_of_mastodon_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERHEARD_SOURCES__MASTODON__ALLOW_PRIVATE", "true")
    with MastodonSimulator() as simulator:
        place, away = f"{simulator.url.rstrip('/')}/#python", "http://127.0.0.1:1/#python"
        added = run("workspace", "add", "acme", "-q", "x", "--mastodon", place, "--mastodon", away)
        assert added.exit_code == 0, added.output
        assert run("source", "check", place).exit_code == 0
        (row,) = lines(run("source", "check", "--format", "json").stdout)
    assert (row["source"], row["state"]) == ("mastodon", "failing")
    assert row["reason"].startswith(f"1 place cannot be read: {away} (")


def test_each_watched_feed_is_asked_and_its_secret_is_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERHEARD_SOURCES__FEEDS__ALLOW_PRIVATE", "true")
    with FeedsSimulator() as simulator:
        good, gone = simulator.add_feed("/feed.xml"), simulator.url_of("/gone.xml?token=t0kent0kent0ken")
        assert run("workspace", "add", "acme", "-q", "x", "--feed", good, "--feed", gone).exit_code == 0
        assert run("source", "check", good).exit_code == 0
        result = run("source", "check", "feeds", "--format", "json")
    (row,) = lines(result.stdout)
    assert (result.exit_code, row["source"], row["state"]) == (1, "feeds", "failing")
    assert row["reason"].startswith("1 place cannot be read: http://127.0.0.1")
    assert "404" in row["reason"]
    assert "t0ken" not in result.output
    assert "t0ken" not in run("source", "check", "https://a.example/?token=t0kent0ken").output


def test_status_names_a_watched_source_without_its_setting(run: Run) -> None:
    assert run("workspace", "add", "acme", "--watch", "replay:all", "-q", "x").exit_code == 0
    result = run("status")
    assert (result.exit_code, "✗ replay cannot be read: [sources.replay] path is not set" in result.stdout) == (1, True)


def test_capabilities_are_those_of_the_sources(reddit: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay(folder, monkeypatch)
    config = load(None, os.environ)
    for name in watchable():
        entry = SOURCES[name]
        opened = resolve_name(entry.factory)(config, ProcessMetrics(CollectorRegistry()), system_clock)
        assert ("lookup" in entry.capabilities) == isinstance(opened, ItemLookup), name
        assert ("places" in entry.capabilities) == isinstance(opened, PlaceCheck), name
        assert ("enumerate" in entry.capabilities) == isinstance(opened, NumberedItems), name
        assert ("search" in entry.capabilities) == isinstance(opened, ItemSearch), name
        assert ("stream" in entry.capabilities) == isinstance(opened, StreamedSource), name
        opened.close()
