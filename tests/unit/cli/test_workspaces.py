"""``overheard workspace``, ``import`` and ``export``."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from overheard import canary, input_files
from overheard.db import canaries, channels, heartbeats, models, workspace_specs, workspaces
from overheard.process import RunningProcess
from overheard.sources.registry import SOURCES, watchable
from overheard.sources.source_type import SourceType
from overheard.workspaces import WatchSpec
from tests.project import ROOT

from .conftest import Run, lines, rows

FILE = """
[[workspace]]
slug = "acme"
subreddits = ["python", "linux"]
  [[workspace.query]]
  name = "brand"
  text = '"acme db" OR acmedb'
  [[workspace.channel]]
  name = "team"
  url = "https://example.com/t0ken"

[[workspace]]
slug = "ops"
subreddits = ["all"]
kinds = ["posts"]
every = "*/5 * * * *"
timezone = "Europe/Berlin"
  [[workspace.query]]
  name = "trouble"
  text = "outage"
"""

WATCHES = """
[[workspace]]
slug = "acme"
  [[workspace.watch]]
  source = "replay"
  places = ["python", "all"]
  kinds = ["comments"]
  [[workspace.watch]]
  source = "replay"
  places = ["python"]
  kinds = ["posts"]
  [[workspace.watch]]
  source = "reddit"
  places = ["rust"]
  [[workspace.watch]]
  source = "reddit"
  places = ["python"]
  kinds = ["posts"]
  [[workspace.query]]
  name = "x"
  text = "x"
"""


@pytest.mark.parametrize("command", ["pause", "remove"])
def test_the_canarys_workspace_cannot_be_changed_and_is_not_listed(
    run: Run, running: RunningProcess, command: str
) -> None:
    canaries.ensure(running.db, 300, running.clock(), lambda text, zone: running.clock())
    result = run("workspace", command, canary.WORKSPACE)
    assert result.exit_code == 1
    assert "[canary] interval = 0" in result.stderr
    assert run("workspace", "list").stdout == "No workspaces yet: overheard workspace add, or overheard import.\n"
    assert run("workspace", "show", canary.WORKSPACE).exit_code == 0
    assert run("export").stdout == ""
    assert run("channel", "list").stdout == "No channels.\n"


def test_add_saves_all_options(run: Run, running: RunningProcess) -> None:
    result = run(
        "workspace", "add", "acme", "--name", "Acme", "-s", "r/Python", "-s", "linux", "-q", "brand=acme OR x=y",
        "-q", "acmedb", "-q", "name==Acme", "-c", "https://example.com/a?b=c", "-c", "team=https://example.com/d",
        "--digest-channel", "mailto://me:pw@example.com", "--every", "10m", "--timezone", "Europe/Berlin",
        "--kinds", "posts",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    assert (spec.name, spec.every, spec.timezone, spec.kinds) == ("Acme", "10m", "Europe/Berlin", ("posts",))
    assert spec.subreddits == ("linux", "python")
    assert [(query.name, query.text) for query in spec.query] == [
        ("brand", "acme OR x=y"),
        ("acmedb", "acmedb"),
        ("name", "=Acme"),
    ]
    assert [(channel.name, channel.url, channel.mode) for channel in spec.channel] == [
        ("webhook", "https://example.com/a?b=c", "instant"),
        ("team", "https://example.com/d", "instant"),
        ("mailto", "mailto://me:pw@example.com", "digest"),
    ]


def test_add_and_show_name_the_source_and_only_the_kinds_that_it_has(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "dummy", SourceType(name="dummy", feeds=("posts",), factory="none:none"))
    added = run("workspace", "add", "acme", "--watch", "dummy:Python", "-q", "x")
    assert "acme watches the posts of dummy:Python with 1 query" in added.stdout, added.stderr
    shown = [line.split() for line in run("workspace", "show", "acme").stdout.splitlines() if "Watches" in line]
    assert shown == [["Watches", "posts", "of", "dummy:python"]]


def test_add_watches_any_source(run: Run, running: RunningProcess) -> None:
    result = run(
        *("workspace", "add", "acme", "-q", "x", "--kinds", "posts"),
        *("-s", "python", "--watch", "reddit:r/Rust", "--watch", "replay:all"),
    )
    assert result.exit_code == 0, result.output
    assert "watches the posts of r/python and r/Rust and the posts of replay:all with 1 query" in result.stdout
    assert "misses" not in result.output, "all of replay is read completely"
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    watches = (WatchSpec("reddit", ("python", "rust"), ("posts",)), WatchSpec("replay", ("all",), ("posts",)))
    assert (spec.subreddits, spec.watch) == ((), watches)
    shown = [line.split() for line in run("workspace", "show", "acme").stdout.splitlines() if "Watches" in line]
    assert shown == [
        ["Watches", "posts", "of", "r/python,", "r/rust"], ["Watches", "posts", "of", "replay:all"],
    ]  # fmt: skip
    (row,) = lines(run("workspace", "list", "--format", "json").stdout)
    assert row["feeds"] == 3


def test_an_export_with_several_sources_round_trips(run: Run, running: RunningProcess, folder: Path) -> None:
    (folder / "acme.toml").write_text(WATCHES)
    assert run("import", "acme.toml").stdout.splitlines()[0] == "✓ created acme  4 places, 1 query, 0 channels"
    exported = run("export").stdout
    (folder / "again.toml").write_text(exported)
    assert run("workspace", "remove", "acme", "--yes").exit_code == 0
    assert run("import", "again.toml").exit_code == 0
    assert run("export").stdout == exported
    tables = tomllib.loads(exported)["workspace"][0]["watch"]
    assert [(each["source"], each["places"], each["kinds"]) for each in tables] == [
        ("reddit", ["python"], ["posts"]), ("reddit", ["rust"], ["posts", "comments"]),
        ("replay", ["all"], ["comments"]), ("replay", ["python"], ["posts", "comments"]),
    ]  # fmt: skip


def test_limits_count_the_feeds_of_all_sources(run: Run, folder: Path) -> None:
    (folder / "acme.toml").write_text(WATCHES)  # posts of r/python, both of r/rust, two of replay
    refused = run("import", "acme.toml", OVERHEARD_LIMITS__FEEDS="4")
    assert refused.exit_code == 2
    assert "feeds: 5, and [limits] feeds allows a workspace 4" in refused.stderr
    assert run("import", "acme.toml", OVERHEARD_LIMITS__FEEDS="5").exit_code == 0


def test_add_watches_every_source_by_its_own_option(run: Run, running: RunningProcess) -> None:
    result = run(
        *("workspace", "add", "acme", "-q", "x", "--hackernews", "--bluesky", "--subreddit", "python"),
        *("--feed", "https://example.org/Feed.xml?b=c&d", "--feed", "https://lobste.rs", "--stackexchange"),
        *("stackoverflow/postgresql", "--mastodon", "mastodon.social/#tag", "--mastodon", "fosstodon.org"),
    )
    assert result.exit_code == 0, result.output
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    assert {(watch.source, watch.places) for watch in spec.watch} == {
        ("reddit", ("python",)), ("hackernews", ("all",)), ("bluesky", ("all",)),
        ("feeds", ("https://example.org/Feed.xml?b=c&d", "https://lobste.rs/newest.rss")),
        ("stackexchange", ("stackoverflow/postgresql",)),
        ("mastodon", ("fosstodon.org", "mastodon.social/#tag")),
    }  # fmt: skip
    exported = run("export", "--secrets").stdout
    run("workspace", "remove", "acme", "--yes")
    assert run("import", "-", input=exported).exit_code == 0
    assert run("export", "--secrets").stdout == exported


def test_add_watches_what_pasted_addresses_stand_for(run: Run, running: RunningProcess) -> None:
    result = run(
        *("workspace", "add", "acme", "https://www.reddit.com/r/Rust/new/", "https://stackoverflow.com/tags/rust"),
        *("https://github.com/rust-lang/rust", "-q", "x", "--watch", "https://news.ycombinator.com/newest"),
        *("--watch", "lobste.rs/t/rust", "--watch", "feeds:https://example.org/feed.xml"),
        *("--subreddit", "https://old.reddit.com/r/golang/"),
    )
    assert result.exit_code == 0, result.output
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    assert {(watch.source, watch.places) for watch in spec.watch} == {
        ("reddit", ("golang", "rust")), ("stackexchange", ("stackoverflow/rust",)), ("hackernews", ("all",)),
        ("feeds", (
            "https://example.org/feed.xml", "https://github.com/rust-lang/rust/releases.atom",
            "https://lobste.rs/t/rust.rss",
        )),
    }  # fmt: skip


def test_add_names_every_address_that_stands_for_nothing(run: Run, running: RunningProcess) -> None:
    result = run("workspace", "add", "acme", "https://x.com/acme", "https://www.youtube.com/@acme", "-q", "x")
    assert result.exit_code == 2
    assert "cannot read x.com" in result.stderr
    assert "Copy channel ID" in result.stderr
    assert workspaces.overview(running.db) == []


def test_add_reports_wrong_addresses_with_all_that_is_wrong_in_options(run: Run, running: RunningProcess) -> None:
    urls = ("https://www.youtube.com/@someone", "https://www.reddit.com/wiki/x")
    result = run("workspace", "add", "acme", *urls, "--mastodon", "a b", "--feed", "example", "-q", "a or b")
    assert result.exit_code == 2
    for text in (
        "Copy channel ID",
        "not a subreddit",
        "watch of mastodon: places:",
        "watch of feeds: places:",
        "query",
    ):
        assert text in result.stderr
    alone = run("workspace", "add", "acme", *urls, "-q", "a")
    assert alone.exit_code == 2
    assert "name at least one" not in alone.stderr
    assert workspaces.overview(running.db) == []


def test_import_reports_every_place_that_is_wrong(run: Run, running: RunningProcess) -> None:
    watches = (
        ("redit", "rust"), ("reddit", "a b"), ("reddit", "https://lobste.rs/"), ("hackernews", "newest"),
        ("feeds", "example"), ("stackexchange", "a b/c"), ("bluesky", "someone"), ("mastodon", "a b"),
    )  # fmt: skip
    file = '[[workspace]]\nslug = "acme"\n' + "".join(
        f'[[workspace.watch]]\nsource = "{source}"\nplaces = ["{place}"]\n' for source, place in watches
    )
    result = run("import", "-", input=file)
    assert result.exit_code == 2
    found = [line.strip() for line in result.stderr.splitlines()]
    assert len(found) == len(watches), result.stderr
    assert "source 'redit' is not known; valid: reddit" in found[0]
    for line, (source, place) in zip(found[1:], watches[1:], strict=True):
        assert f": workspace acme: watch of {source}: places: " in line, (line, place)
    assert 'write source = "feeds", places = ["https://lobste.rs/newest.rss"]' in result.stderr


def test_a_watch_of_a_source_without_places_names_none(run: Run, running: RunningProcess) -> None:
    file = '[[workspace]]\nslug = "acme"\nkinds = ["posts"]\n[[workspace.watch]]\nsource = "hackernews"\n'
    assert run("import", "-", input=file + '[[workspace.watch]]\nsource = "bluesky"\n').exit_code == 0
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    assert {(watch.source, watch.places, watch.kinds) for watch in spec.watch} == {
        ("hackernews", ("all",), ("posts",)), ("bluesky", ("all",), ("posts",)),
    }  # fmt: skip
    refused = run("import", "-", input=file.replace("hackernews", "feeds"))
    assert (refused.exit_code, "watch of 'feeds': places: name at least one" in refused.stderr) == (2, True)


def test_a_watch_of_kinds_that_its_source_does_not_have_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "dummy", SourceType(name="dummy", feeds=("posts",), factory="none:none"))
    file = '[[workspace]]\nslug = "acme"\nkinds = ["comments"]\n[[workspace.watch]]\nsource = "dummy"\nplaces = ["x"]\n'
    refused = run("import", "-", input=file)
    assert refused.exit_code == 2
    assert 'watch of dummy: kinds: it has no comments; write kinds = ["posts"] in this watch' in refused.stderr
    assert run("import", "-", input=file + 'kinds = ["posts", "comments"]\n').exit_code == 0


def test_the_readmes_examples_of_what_to_watch_can_be_saved(run: Run, running: RunningProcess, folder: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("### What to watch\n")[2].partition("\n### ")[0]
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    (file,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    for command in commands.replace("\\\n", " ").splitlines():
        result = run(*shlex.split(command)[1:])
        assert result.exit_code == 0, result.output
    options = re.findall(r"\| `(--[^`]+)` \|", section)
    assert len(options) == len(watchable())
    for number, option in enumerate(options):
        result = run("workspace", "add", f"w{number}", "-q", "x", *shlex.split(option))
        assert result.exit_code == 0, result.output
    assert run("import", "-", input=file).exit_code == 0
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    assert {(watch.source, watch.places) for watch in spec.watch} == {
        ("hackernews", ("all",)), ("mastodon", ("fosstodon.org/#postgres", "mastodon.social/#postgres")),
        ("feeds", ("https://github.com/postgres/postgres/releases.atom", "https://lobste.rs/newest.rss")),
        ("stackexchange", ("dba/postgresql", "stackoverflow/postgresql")),
    }  # fmt: skip


def test_add_prints_the_secret_of_a_webhook_and_the_next_steps(run: Run, running: RunningProcess) -> None:
    result = run("workspace", "add", "acme", "-s", "python", "-q", "x", "-c", "team=https://example.com/d")
    (row,) = channels.listing(running.db)
    assert row.secret is not None
    assert row.secret.startswith("whsec_")
    assert row.secret in result.stdout
    assert "overheard run" in result.stdout
    heartbeats.record(running.db, "tick", running.clock())
    result = run("workspace", "add", "other", "-s", "python", "-q", "x")
    assert "Its first run is due now" in result.stdout
    assert "overheard mentions --workspace other" in result.stdout


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["Acme", "-s", "python", "-q", "x"], "slug 'Acme'"),
        (["acme", "-s", "py thon", "-q", "x"], "cannot be the name of a subreddit"),
        (["acme", "-s", "python", "-q", "a OR"], "OR has nothing on its right"),
        (["acme", "-s", "python", "-q", "x", "--every", "1s"], "too often"),
        (["acme", "-s", "python", "-q", "x", "--timezone", "Berlin"], "Europe/Berlin"),
        (["acme", "-s", "python", "-q", "x", "-c", "nonsense"], "channel"),
        (["acme", "-q", "x"], "nothing to watch: give a URL, --subreddit"),
        (["acme", "-q", "x", "--watch", "python"], "write SOURCE:PLACE"),
        (["acme", "-q", "x", "--watch", "redit:python"], "source 'redit' is not known; valid: reddit"),
        (["acme", "-q", "x", "--watch", "canary:overheard-canary"], "valid: reddit"),
        (["acme", "-s", "python"], "Missing option"),
    ],
)
def test_invalid_options_of_add_are_wrong_usage(
    run: Run, running: RunningProcess, given: list[str], message: str
) -> None:
    result = run("workspace", "add", *given)
    assert result.exit_code == 2
    assert message in result.stderr
    assert workspaces.overview(running.db) == []


def test_add_does_not_overwrite(run: Run, acme: int) -> None:
    result = run("workspace", "add", "acme", "-s", "linux", "-q", "y")
    assert result.exit_code == 1
    assert "already exists" in result.stderr


def test_list(run: Run, mention: Callable[..., None]) -> None:
    mention("t3_1")
    (row,) = lines(run("workspace", "list", "--format", "json").stdout)
    assert (row["slug"], row["active"], row["feeds"], row["queries"], row["channels"], row["mentions"]) == (
        "acme", True, 2, 1, 1, 1
    )  # fmt: skip
    assert rows(run("workspace", "list", "--format", "csv").stdout)[0]["active"] == "true"
    assert run("workspace", "list").stdout.splitlines()[1].split() == [
        "acme", "acme", "5m", "never", "now", "2", "1", "1", "1"
    ]  # fmt: skip


def test_show_redacts_channel_urls(run: Run, acme: int) -> None:
    for form in ("table", "json"):
        shown = run("workspace", "show", "acme", "--format", form).stdout
        assert "https://example.com/***" in shown
        assert "t0ken" not in shown
        assert "whsec_" not in shown


def test_show_warns_of_queries_that_would_be_refused_today(run: Run, acme: int, running: RunningProcess) -> None:
    assert "refused" not in run("workspace", "show", "acme").stdout
    (shown,) = lines(run("workspace", "show", "acme", "--format", "json").stdout)
    assert shown["refused_queries"] == []
    models.Query.update(text="acme or db").where(models.Query.workspace == acme).execute(running.db.peewee)
    shown = " ".join(run("workspace", "show", "acme").stdout.split())
    assert "query snake would be refused today, and is still matched: or is not an operator" in shown
    assert "Write OR." in shown
    (shown,) = lines(run("workspace", "show", "acme", "--format", "json").stdout)
    (found,) = shown["refused_queries"]
    assert (found["query"], found["matched"]) == ("snake", True)


def test_pause_resume_remove(run: Run, acme: int, running: RunningProcess) -> None:
    assert run("workspace", "pause", "acme").exit_code == 0
    assert workspaces.count_active_and_paused(running.db) == (0, 1)
    assert "paused" in run("workspace", "list").stdout
    assert run("workspace", "resume", "acme").exit_code == 0
    assert workspaces.count_active_and_paused(running.db) == (1, 0)
    assert run("workspace", "remove", "acme", input="n\n").exit_code == 1
    assert workspaces.count_active_and_paused(running.db) == (1, 0)
    assert run("workspace", "remove", "acme", input="y\n").exit_code == 0
    assert workspaces.count_active_and_paused(running.db) == (0, 0)
    assert run("workspace", "remove", "acme", "--yes").exit_code == 1


def test_import_creates_then_updates(run: Run, running: RunningProcess, folder: Path) -> None:
    (folder / "all.toml").write_text(FILE)
    result = run("import", "all.toml")
    assert result.exit_code == 0, result.output
    assert "created acme" in result.stdout
    assert "created a signing secret for team" in result.stdout
    assert "whsec_" not in result.stdout
    secret = channels.listing(running.db)[0].secret
    result = run("import", "-", input=FILE)
    assert "updated acme" in result.stdout
    assert "secret" not in result.stdout
    assert channels.listing(running.db)[0].secret == secret


def test_import_warns_of_what_all_comments_of_reddit_cost(run: Run) -> None:
    workspace = '[[workspace]]\nslug = "{}"\nsubreddits = ["{}"]\n[[workspace.query]]\nname = "q"\ntext = "x"\n'
    result = run("import", "-", input=workspace.format("acme", "python") + workspace.format("big", "all"))
    assert result.exit_code == 0, result.output
    assert "! big: " in result.stdout
    assert "90 of the 100 requests a minute" in result.stdout
    assert "name the subreddits" in result.stdout
    assert "! acme" not in result.stdout


def test_import_is_all_or_nothing(run: Run, running: RunningProcess) -> None:
    result = run("import", "-", input=FILE.replace('"outage"', '"outage OR"'))
    assert result.exit_code == 2
    assert "stdin: line 20: workspace ops: query 'trouble'" in result.stderr
    assert workspaces.overview(running.db) == []


@pytest.mark.parametrize("given", [b"\xff", b"nonsense", b"[[workspaces]]\n", b'workspace = "x"\n'])
def test_import_rejects_other_files(run: Run, migrated: None, given: bytes) -> None:
    result = run("import", "-", input=given)
    assert result.exit_code == 2
    assert result.stderr.startswith("overheard: stdin: ")


def test_export_round_trips_an_import(run: Run, running: RunningProcess) -> None:
    run("import", "-", input=FILE)
    full = run("export", "--secrets").stdout
    assert "https://example.com/t0ken" in full
    assert "whsec_" in full
    run("workspace", "remove", "acme", "--yes")
    assert run("import", "-", input=full).exit_code == 0
    assert run("export", "--secrets").stdout == full
    (only,) = tomllib.loads(run("export", "ops").stdout)["workspace"]
    assert only["slug"] == "ops"
    assert run("export", "nobody").exit_code == 1


def test_an_export_without_secrets_cannot_be_imported(run: Run, acme: int) -> None:
    exported = run("export").stdout
    assert "t0ken" not in exported
    assert "whsec_" not in exported
    assert tomllib.loads(exported)["workspace"][0]["channel"][0]["url"] == "https://example.com/***"
    result = run("import", "-", input=exported)
    assert result.exit_code == 2
    assert "overheard export --secrets" in result.stderr
    assert "t0ken" in run("export", "--secrets").stdout


@pytest.mark.parametrize("limit", ["QUERIES", "FEEDS", "CHANNELS"])
def test_growth_beyond_a_limit_is_refused_and_existing_size_is_kept(
    run: Run, running: RunningProcess, limit: str
) -> None:
    few = {f"OVERHEARD_LIMITS__{limit}": "1"}
    two = FILE.replace("name = \"team\"", "name = \"also\"\n  url = \"https://example.com/b\"\n"
                       "  [[workspace.query]]\n  name = \"more\"\n  text = \"y\"\n"
                       "  [[workspace.channel]]\n  name = \"team\"")  # fmt: skip
    refused = run("import", "-", input=two, **few)
    assert refused.exit_code == 2
    assert f"[limits] {limit.lower()} allows a workspace 1" in refused.stderr
    assert workspaces.overview(running.db) == []
    assert run("import", "-", input=two).exit_code == 0
    kept = run("export", "--secrets").stdout
    again = run("import", "-", input=kept, **few)
    assert again.exit_code == 0, "the existing size is kept, whatever the limit is now"
    assert run("export", "--secrets").stdout == kept
    more = kept.replace('["linux", "python"]', '["linux", "python", "rust"]') + (
        '\n[[workspace]]\nslug = "new"\nsubreddits = ["a", "b"]\n'
    )
    assert run("import", "-", input=more, OVERHEARD_LIMITS__FEEDS="1").exit_code == 2
    added = run("workspace", "add", "more", *("-s", "a", "-s", "b", "-q", "x", "-q", "y"),
                *("-c", "a=https://example.com/a", "-c", "b=https://example.com/b"), **few)  # fmt: skip
    assert (added.exit_code, "[limits]" in added.stderr) == (2, True)


def test_import_limits_the_size_of_a_file(run: Run, running: RunningProcess, folder: Path) -> None:
    (folder / "a folder").mkdir()
    (folder / "large.toml").write_bytes(b"#" * ((16 << 20) + 1))
    hints = {
        "/dev/zero": "larger than the 16,777,216 bytes",
        "large.toml": "larger than the 16,777,216 bytes",
        "a folder": "is a directory",
        "/dev/null": "has no workspace",
        "absent.toml": "does not exist",
    }
    for path, hint in hints.items():
        result = run("import", path)
        assert (result.exit_code, hint in result.stderr) == (2, True), result.stderr


def test_an_empty_file_is_wrong_usage(run: Run, running: RunningProcess) -> None:
    result = run("import", "-", input="")
    assert (result.exit_code, "stdin: has no workspace" in result.stderr) == (2, True)


def test_import_waits_a_moment_for_a_named_pipe(
    run: Run, running: RunningProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_files, "FIFO_MAX_WAIT_SECONDS", 0.01)
    os.mkfifo(folder / "pipe")
    result = run("import", "pipe")
    assert (result.exit_code, "it is a named pipe" in result.stderr) == (2, True)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    with ThreadPoolExecutor(1) as pool:
        pool.submit((folder / "pipe").write_text, FILE)
        result = run("import", "pipe")
    assert result.exit_code == 0, result.stderr


def test_a_slug_of_digits_takes_precedence_over_a_number(run: Run, acme: int, running: RunningProcess) -> None:
    models.Workspace.update(slug="4242").where(models.Workspace.id == acme).execute(running.db.peewee)
    assert run("trigger", "4242").exit_code == 0
    assert run("trigger", str(acme)).exit_code == 0
    for nowhere in ("9" * 5000, "９９", "0"):
        assert (result := run("trigger", nowhere)).exit_code == 1
        assert len(result.stderr) < 300
