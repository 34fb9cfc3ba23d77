"""``overheard check``: against the simulated Reddit, SQLite and memory://."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from overheard.db.models import Query, Workspace
from overheard.observability.metrics import ProcessMetrics
from overheard.observability.metrics_server import MetricsServer
from overheard.operations.checks import machine
from overheard.process import RunningProcess
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, INSTALLED_ID, RedditSimulator
from tests.project import ROOT
from tests.servers.supervisord import free_base

from .conftest import Run, lines


@pytest.fixture
def reddit() -> Iterator[dict[str, str]]:
    """The environment of a simulated Reddit."""
    with RedditSimulator() as simulator:
        simulator.add_post("python", "Hello", "world")
        yield {
            "OVERHEARD_REDDIT__CLIENT_ID": CLIENT_ID,
            "OVERHEARD_REDDIT__CLIENT_SECRET": CLIENT_SECRET,
            "OVERHEARD_REDDIT__USER_AGENT": "linux:overheard:test (by /u/standin)",
            "OVERHEARD_REDDIT__REDDIT_URL": simulator.url,
            "OVERHEARD_REDDIT__OAUTH_URL": simulator.url,
            "OVERHEARD_METRICS__PORT": "0",
        }


def results(run: Run, **environ: str) -> dict[str, dict[str, Any]]:
    return {found["part"]: found for found in lines(run("check", "--format", "json", **environ).stdout)}


def test_all_checks_pass_and_no_file_is_created(run: Run, reddit: dict[str, str], folder: Path) -> None:
    result = run("check", **reddit)
    assert result.exit_code == 0, result.output
    assert [line[:17].split() for line in result.stdout.splitlines()] == [
        ["✓", part]
        for part in (
            *("configuration", "database", "bus", "Reddit", "metrics", "alerts", "limits", "clock", "disk"),
            *("schedules", "queries"),
        )
    ]
    assert "newest post: t3_" in result.stdout
    assert list(folder.iterdir()) == []


def test_with_a_database_the_request_counts_against_the_shared_budget(run: Run, reddit: dict[str, str]) -> None:
    assert run("migrate").exit_code == 0
    assert results(run, **reddit)["Reddit"]["outcome"] == "ok"
    (status,) = lines(run("status", "--format", "json", **reddit).stdout)
    assert status["reddit"]["remaining"] is not None


def test_queries_that_would_be_refused_today_are_named(
    run: Run, reddit: dict[str, str], running: RunningProcess
) -> None:
    assert run("workspace", "add", "acme", "-s", "python", "-q", "a=x", "-q", "b=y", "-q", "c=z").exit_code == 0
    found = results(run, **reddit)["queries"]
    assert (found["outcome"], found["what"]) == ("ok", "3 queries, all valid")
    for name, text in (("a", "acme or db"), ("b", "acme AND")):
        Query.update(text=text).where(Query.name == name).execute(running.db.peewee)
    found = results(run, **reddit)["queries"]
    assert found["outcome"] == "warning"
    assert "2 of 3 queries would be refused today: acme/a, acme/b (not matched)" in found["what"]
    assert "workspace show" in found["hint"]
    assert run("check", **reddit).exit_code == 0


@pytest.mark.parametrize("second", ["right", "wrong"])
def test_every_reddit_client_is_checked(run: Run, reddit: dict[str, str], folder: Path, second: str) -> None:
    secrets = {CLIENT_ID: CLIENT_SECRET, INSTALLED_ID: "" if second == "right" else "hunter2hunter2"}
    tables = "".join(
        f'[[sources.reddit.client]]\nclient_id = "{name}"\nclient_secret = "{secret}"\n'
        for name, secret in secrets.items()
    )
    (folder / "pipeline.toml").write_text(f"[reddit]\nburst = 4\n{tables}")
    del reddit["OVERHEARD_REDDIT__CLIENT_ID"], reddit["OVERHEARD_REDDIT__CLIENT_SECRET"]
    result = run("check", "--format", "json", **reddit)
    assert result.exit_code == 0
    _, old, *others = lines(result.stdout)
    assert (old["outcome"], "[reddit] is called [sources.reddit] now" in old["what"]) == ("warning", True)
    first, other = (each for each in others if each["part"] == "Reddit")
    assert (first["outcome"], first["what"].partition(": ")[0]) == ("ok", "client 1 of 2")
    assert other["outcome"] == ("ok" if second == "right" else "warning"), "the first one can be used"
    assert other["what"].startswith("client 2 of 2: ")
    assert "hunter2" not in result.stdout + CLIENT_ID


def test_it_fails_if_every_reddit_client_is_refused(run: Run, reddit: dict[str, str], folder: Path) -> None:
    (folder / "pipeline.toml").write_text('[[sources.reddit.client]]\nclient_id = "unknown"\n')
    found = run("check", "--format", "json", **{**reddit, "OVERHEARD_REDDIT__CLIENT_SECRET": "wrong"})
    assert found.exit_code == 1
    assert [each["outcome"] for each in lines(found.stdout) if each["part"] == "Reddit"] == ["failed", "failed"]


def test_without_credentials_it_shows_where_to_get_them(run: Run) -> None:
    result = run("check", OVERHEARD_METRICS__PORT="0")
    assert result.exit_code == 1
    assert "✗ Reddit" in result.stdout
    assert "https://www.reddit.com/prefs/apps" in result.stdout


def test_wrong_credentials_fail_and_are_not_printed(run: Run, reddit: dict[str, str]) -> None:
    found = results(run, **{**reddit, "OVERHEARD_REDDIT__CLIENT_SECRET": "hunter2hunter2"})["Reddit"]
    assert found["outcome"] == "failed"
    assert "client_secret" in found["what"]
    assert "revoked this app" in found["what"]
    assert "https://www.reddit.com/prefs/apps" in found["hint"]
    assert "hunter2" not in str(found)


def test_watching_all_comments_of_reddit_with_one_client_is_a_warning(run: Run, reddit: dict[str, str]) -> None:
    add = ("workspace", "add", "acme", "--query", "x", "--subreddit")
    assert "take about 90 of the 100 requests" not in run(*add, "python").output
    assert "coverage" not in results(run, **reddit)
    added = run("workspace", "add", "big", "--query", "x", "--subreddit", "all")
    assert "take about 90 of the 100 requests" in added.output
    assert "name the subreddits" in added.output
    found = results(run, **reddit)["coverage"]
    assert found["outcome"] == "warning"
    assert found["what"].endswith("that Reddit allows a client (big)")
    assert "name the subreddits" in found["hint"]
    assert run("check", **reddit).exit_code == 0
    run("workspace", "pause", "big")
    run("workspace", "add", "posts", "--query", "x", "--subreddit", "all", "--kinds", "posts")
    assert "coverage" not in results(run, **reddit)


def test_everything_of_reddit_is_refused_to_one_workspace_if_it_takes_most_of_the_budget(
    run: Run, reddit: dict[str, str], folder: Path
) -> None:
    everything = ("workspace", "add", "big", "--query", "x", "--subreddit", "ALL")
    refused = run(*everything, **reddit)
    assert refused.exit_code == 2
    assert "comments and posts of all of Reddit take about 103 requests a minute" in refused.stderr
    assert "[limits] budget_percent allows one workspace 60 %" in refused.stderr
    assert 'follow only its posts (kinds = ["posts"]' in refused.stderr
    assert run("workspace", "add", "posts", *everything[3:], "--kinds", "posts", **reddit).exit_code == 0
    file = '[[workspace]]\nslug = "posts"\nsubreddits = ["all"]\n[[workspace.query]]\nname = "a"\ntext = "x"\n'
    grown = run("import", "-", input=file, **reddit)
    assert (grown.exit_code, "budget_percent" in grown.stderr) == (2, True)
    raised = {"OVERHEARD_LIMITS__BUDGET_PERCENT": "110"}
    assert "take about 90 of the 100 requests" in run(*everything, **reddit, **raised).output
    kept = run("query", "add", "big", "also", "y", **reddit)
    assert kept.exit_code == 0, "what it watches already it may keep"
    (folder / "pipeline.toml").write_text('[[sources.reddit.client]]\nclient_id = "another"\nclient_secret = "x"\n')
    assert run("workspace", "add", "two", *everything[3:], **reddit).exit_code == 0, "two clients are enough"


def test_an_unreachable_reddit_fails_with_a_remedy(run: Run, reddit: dict[str, str]) -> None:
    away = {**reddit, "OVERHEARD_REDDIT__REDDIT_URL": "http://127.0.0.1:1"}
    found = results(run, **away)["Reddit"]
    assert (found["outcome"], found["hint"] is not None) == ("failed", True)


def test_an_invalid_configuration_exits_with_2(run: Run) -> None:
    result = run("check", OVERHEARD_BUS__UR="x")
    assert result.exit_code == 2
    assert "✗ configuration" in result.stdout
    assert "Did you mean url?" in result.stdout


def test_unreachable_servers_fail_without_showing_passwords(run: Run) -> None:
    found = results(
        run,
        OVERHEARD_DATABASE__URL="postgresql://me:hunter2@127.0.0.1:1/overheard",
        OVERHEARD_BUS__URL="amqp://me:hunter2@127.0.0.1:1/acme",
    )
    assert (found["database"]["outcome"], found["bus"]["outcome"]) == ("failed", "failed")
    assert "RabbitMQ at 127.0.0.1:1 (vhost acme)" in found["bus"]["what"]
    assert "hunter2" not in str(found)


def test_a_database_that_cannot_be_created_fails(run: Run) -> None:
    found = results(run, OVERHEARD_DATABASE__URL="sqlite:///absent/x.db")
    assert found["database"]["outcome"] == "failed"
    for part in ("schedules", "queries"):
        assert "not checked: there is no database" in found[part]["what"], "an unread part is not reported as valid"


def test_a_file_that_is_not_a_database_fails(run: Run, folder: Path) -> None:
    (folder / "overheard.db").write_text("hello" * 500)
    assert results(run)["database"]["outcome"] == "failed"


def test_a_metrics_port_in_use_by_another_program_fails(run: Run) -> None:
    port = free_base()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        found = results(run, OVERHEARD_METRICS__PORT=str(port))["metrics"]
    assert found["outcome"] == "failed"


@pytest.mark.parametrize(
    ("owner", "outcome", "message"),
    [
        ("ours", "ok", "is served by this Overheard, which is running"),
        ("another", "failed", "is served by another Overheard, on another database"),
        ("", "warning", "is served by an Overheard, possibly another one"),
    ],
)
def test_a_metrics_port_in_use_by_an_overheard(
    run: Run, running: RunningProcess, owner: str, outcome: str, message: str
) -> None:
    registry = CollectorRegistry()
    ProcessMetrics(registry)
    server = MetricsServer(registry, list, instance=lambda: running.instance if owner == "ours" else owner)
    # All ports from here on are looked at, and an ephemeral one lies among those of other tests' processes.
    port = server.start("127.0.0.1", free_base())
    environ = {"OVERHEARD_METRICS__PORT": str(port)}
    try:
        found = results(run, **environ)["metrics"]
        status = run("status", "--format", "json", **environ)
        nothing = results(run, OVERHEARD_DATABASE__URL="sqlite:///other.db", **environ)["metrics"]
    finally:
        server.stop()
    assert (found["outcome"], message in found["what"]) == (outcome, True)
    assert ("another Overheard, on another database" in status.stdout) == (owner == "another")
    assert len(lines(status.stdout)[0]["processes"]) == (owner != "another")
    assert nothing["outcome"] == ("failed" if owner else "warning"), (
        "without a database, no process is known to be ours"
    )


def test_limits_are_shown_with_the_workspaces_that_exceed_them(run: Run, acme: int) -> None:
    assert results(run)["limits"]["what"].startswith("per workspace: 10,000 queries, 10,000 feeds, 500 channels, 3,")
    found = results(run, OVERHEARD_LIMITS__FEEDS="1")["limits"]
    assert (found["outcome"], found["what"].endswith("; acme has 2 feeds")) == ("warning", True)


def test_the_disk_fails_where_the_shipped_rabbitmq_stops(
    run: Run, reddit: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
    (limit,) = re.findall(r"^disk_free_limit.absolute = (\d+)GB$", shipped, re.MULTILINE)
    assert int(limit) * 10**9 == machine.MIN_FREE_BYTES
    monkeypatch.setattr(machine, "MIN_FREE_BYTES", 10**18)
    found = results(run, **reddit, OVERHEARD_BUS__URL="amqp://127.0.0.1:1/acme")
    assert found["disk"]["hint"] == "free some: RabbitMQ stops below 1e+09 GB"
    assert "RabbitMQ" not in results(run, **reddit)["disk"]["hint"], "the embedded bus has none"


def test_a_wrong_clock_and_a_full_disk_fail(run: Run, reddit: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EARLIEST_PLAUSIBLE_TIME", time.time() + 60)
    monkeypatch.setattr(machine, "MIN_FREE_BYTES", 1 << 60)
    found = results(run, **reddit)
    assert (found["clock"]["outcome"], "the clock is wrong" in found["clock"]["what"]) == ("failed", True)
    assert (found["disk"]["outcome"], "free some" in found["disk"]["hint"]) == ("failed", True)
    assert run("check", **reddit).exit_code == 1
    monkeypatch.setattr(machine, "MIN_FREE_BYTES", 0)
    monkeypatch.setattr(machine, "MIN_FREE_SHARE", 2)
    assert results(run, **reddit)["disk"]["outcome"] == "warning"


def test_stored_schedules_that_are_no_longer_valid_are_a_warning(run: Run, running: RunningProcess, acme: int) -> None:
    Workspace.update(every="0 22-4 * * *", digest="0 9 * * L5", timezone="Mars/Olympus").execute(running.db.peewee)
    found = results(run)["schedules"]
    refused = "every: '0 22-4 * * *' is not a cron expression that is ever due: bad hour; ranges go upwards (22-23,0-4"
    assert (found["outcome"], f"3 schedules cannot be parsed: acme: {refused}" in found["what"]) == ("warning", True)
    assert "acme: digest: '0 9 * * L5' is not" in found["what"]
    assert "acme: timezone: unknown time zone 'Mars/Olympus'" in found["what"]
    assert "overheard export SLUG" in found["hint"]
    (status,) = lines(run("status", "--format", "json").stdout)
    assert found["what"] in [trouble["what"] for trouble in status["troubles"]]
    new = run("workspace", "add", "new", "-s", "python", "-q", "a=b", "--every", "0 22-4 * * *")
    assert (new.exit_code, refused in new.stderr) == (2, True)


def test_watched_sources_are_asked(run: Run, reddit: dict[str, str]) -> None:
    reddit["OVERHEARD_SOURCES__MASTODON__ALLOW_PRIVATE"] = "true"
    watches = ("--hackernews", "--mastodon", "http://127.0.0.1:1", "-s", "python")
    assert run("workspace", "add", "acme", "-q", "a=b", *watches).exit_code == 0
    with HackerNewsSimulator() as simulator:
        found = results(run, OVERHEARD_SOURCES__HACKERNEWS__URL=simulator.url, **reddit)
    assert (found["hackernews"]["outcome"], found["hackernews"]["what"]) == ("ok", "it answers")
    assert found["mastodon"]["outcome"] == "warning", "one server of many"
    assert "1 place cannot be read: http://127.0.0.1:1 (" in found["mastodon"]["what"]
    assert found["Reddit"]["outcome"] == "ok"
    assert not {"reddit", "bluesky"} & found.keys()
    away = run("check", OVERHEARD_SOURCES__HACKERNEWS__URL="http://127.0.0.1:1", **reddit)
    assert (away.exit_code, "✗ hackernews" in away.stdout) == (1, True)


def test_without_credentials_reddit_is_only_a_warning_if_it_is_not_watched(run: Run) -> None:
    assert results(run)["Reddit"]["outcome"] == "failed", "nothing is watched yet: most want Reddit"
    assert run("workspace", "add", "bolt", "--watch", "replay:python", "-q", "a=b").exit_code == 0
    assert results(run)["Reddit"]["outcome"] == "warning"
    (status,) = lines(run("status", "--format", "json").stdout)
    assert "Reddit" not in str(status["troubles"])
    assert run("workspace", "add", "acme", "-s", "python", "-q", "a=b").exit_code == 0
    assert results(run)["Reddit"]["outcome"] == "failed"
    (status,) = lines(run("status", "--format", "json").stdout)
    assert "Reddit cannot be read: there are no credentials" in str(status["troubles"])
