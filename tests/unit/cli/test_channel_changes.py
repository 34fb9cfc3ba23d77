"""``overheard channel add``, ``edit``, ``remove``, ``mute``, ``unmute``, ``mutes`` and ``preview``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from overheard.db import models
from overheard.process import RunningProcess

from .conftest import Run, lines, rows

FILE = """
[[workspace]]
slug = "acme"
timezone = "Europe/Berlin"
subreddits = ["python", "rust"]
  [[workspace.query]]
  name = "brand"
  text = "acme"
  [[workspace.query]]
  name = "help"
  text = "acme help"
  [[workspace.channel]]
  name = "team"
  url = "https://example.com/t0ken"
  [[workspace.channel]]
  name = "boss"
  url = "slack://TokenA123/TokenB123/TokenC1234567890123456789"
  mode = "digest"
"""

Channels = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def channels(run: Run, migrated: None) -> Channels:
    """The workspace acme is there; return a function that returns its channels as they are exported, by name."""
    assert run("import", "-", input=FILE).exit_code == 0

    def exported() -> dict[str, dict[str, Any]]:
        [workspace] = tomllib.loads(run("export", "--secrets", "acme").stdout)["workspace"]
        return {channel["name"]: channel for channel in workspace.get("channel", [])}

    return exported


def test_a_channel_is_added_with_its_rules_and_its_secret_is_shown_once(run: Run, channels: Channels) -> None:
    result = run(
        "channel", "add", "acme", "ops team", "https://example.org/hook", "--mode", "both", "--query", "brand",
        "--min-gap", "10s", "--max-per-hour", "0", "--summary-every", "5m",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    made = channels()["ops team"]
    secret = made.pop("secret")
    assert made == {
        "name": "ops team", "url": "https://example.org/hook", "mode": "both", "queries": ["brand"],
        "min_gap": "10s", "max_per_hour": 0, "summary_every": "5m",
    }  # fmt: skip
    assert result.stdout.splitlines()[0] == "✓ acme: channel ops team is added."
    assert result.stdout.count(secret) == 1
    assert "overheard channel test acme 'ops team'" in result.stdout
    result = run("channel", "add", "acme", "chat", "discord://123456789/abcdefghijklmnop")
    assert result.exit_code == 0, result.output
    assert "secret" not in channels()["chat"]
    given = "whsec_" + "A" * 32
    result = run("channel", "add", "acme", "own", "https://example.org/own", "--secret", given)
    assert channels()["own"]["secret"] == given


def test_an_edit_changes_what_is_given_and_nothing_else(run: Run, channels: Channels) -> None:
    before = channels()
    result = run("channel", "edit", "acme", "team", "--query", "brand", "--query", "help", "--max-per-hour", "5")
    assert (result.exit_code, result.stdout) == (0, "✓ acme: channel team is changed.\n")
    assert channels() == before | {"team": before["team"] | {"queries": ["brand", "help"], "max_per_hour": 5}}
    assert run("channel", "edit", "acme", "team", "--all-queries", "--max-per-hour", "60").exit_code == 0
    assert channels() == before
    result = run("channel", "edit", "acme", "team", "https://example.net/other")
    assert channels()["team"] == before["team"] | {"url": "https://example.net/other"}
    assert "whsec" not in result.stdout, "its receiver may keep the secret"
    assert run("channel", "edit", "acme", "team", "null://").exit_code == 0
    assert "secret" not in channels()["team"]
    result = run("channel", "edit", "acme", "team", "https://example.net/other")
    assert channels()["team"]["secret"] in result.stdout


def test_an_edit_enables_a_disabled_channel_only(run: Run, channels: Channels, running: RunningProcess) -> None:
    models.Channel.update(disabled_at=1.0, reason="gone").execute(running.db.peewee)
    assert run("channel", "edit", "acme", "team", "--mode", "digest").stdout == (
        "✓ acme: channel team is changed and enabled.\n"
    )
    states = {row["name"]: row["state"] for row in lines(run("channel", "list", "--format", "json").stdout)}
    assert states == {"team": "ok", "boss": "disabled"}


def test_a_secret_is_rotated_in_two_steps(run: Run, channels: Channels) -> None:
    old = channels()["team"]["secret"]
    result = run("channel", "edit", "acme", "team", "--rotate-secret")
    assert result.exit_code == 0, result.output
    new, kept = channels()["team"]["secret"].split()
    assert kept == old
    assert new in result.stdout
    assert old not in result.stdout
    assert "overheard channel edit acme team --drop-old-secret" in result.stdout
    result = run("channel", "edit", "acme", "team", "--rotate-secret")
    assert result.exit_code == 1
    assert "two secrets are valid" in result.stderr
    assert run("channel", "edit", "acme", "team", "--mode", "both").exit_code == 0
    assert channels()["team"]["secret"] == f"{new} {old}"
    result = run("channel", "edit", "acme", "team", "--drop-old-secret")
    assert (result.exit_code, result.stdout) == (0, "✓ acme: channel team is changed.\n")
    assert channels()["team"]["secret"] == new
    assert run("channel", "edit", "acme", "team", "--drop-old-secret").exit_code == 1
    result = run("channel", "edit", "acme", "boss", "--rotate-secret")
    assert result.exit_code == 1
    assert "only https:// webhooks have a secret" in result.stderr


def test_a_removed_channel_is_confirmed_and_takes_what_waits_with_it(
    run: Run, mention: Callable[..., None], running: RunningProcess
) -> None:
    models.Watch.update(created_at=0).execute(running.db.peewee)
    mention("t3_1")
    result = run("channel", "remove", "acme", "team", input="n\n")
    assert result.exit_code == 1
    assert "Remove acme/team with 1 mention that waits for it, and its history? [y/N]" in result.stderr
    assert run("channel", "remove", "acme", "team", input="y\n").stdout == "✓ acme: channel team is removed.\n"
    assert models.Delivery.select().count(running.db.peewee) == 0
    assert len(lines(run("mentions", "--format", "json").stdout)) == 1
    result = run("channel", "remove", "acme", "team", "--yes")
    assert result.exit_code == 1
    assert "workspace acme has no channel 'team'; it has none" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("add", "acme", "team", "https://x.org/"), 1, "already has a channel 'team'"),
        (("add", "nobody", "new", "https://x.org/"), 1, "no workspace 'nobody'"),
        (("add", "acme", "new", "nonsense"), 2, "channel 'new': url: a channel's address starts with"),
        (("add", "acme", " ", "https://x.org/"), 2, "a name of 1 to 100 characters"),
        (("add", "acme", "new", "http://127.0.0.1/s3cr3t"), 2, "channel 'new': "),
        (
            ("add", "acme", "new", "https://x.org/", "--query", "brnd"),
            2,
            "no query 'brnd'; valid: brand, help; did you",
        ),
        (("add", "acme", "new", "https://x.org/", "--min-gap", "soon"), 2, "min_gap: 'soon' is not a span of time"),
        (("add", "acme", "new", "https://x.org/", "--max-per-hour", "-1"), 2, "max_per_hour: -1 is not in 0"),
        (("add", "acme", "new", "https://x.org/", "--secret", "s3cr3t"), 2, "secret: it must be 24 to 64 random bytes"),
        (("add", "acme", "new", "slack://a/b/c", "--secret", "whsec_" + "A" * 32), 2, "channel 'new': "),
        (("edit", "acme", "none", "--mode", "both"), 1, "has no channel 'none'; its channels: team, boss"),
        (("edit", "acme", "team"), 2, "nothing to change"),
        (("edit", "acme", "team", "--query", "brand", "--all-queries"), 2, "cannot be used together"),
        (("edit", "acme", "team", "--rotate-secret", "--secret", "x"), 2, "cannot be used together"),
        (("edit", "acme", "team", "--mode", "often"), 2, "'often' is not one of"),
    ],
)
def test_mistakes_change_nothing_and_show_no_secret(
    run: Run, channels: Channels, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    before = channels()
    result = run("channel", *arguments)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert "s3cr3t" not in result.output
    assert channels() == before


def test_the_limit_of_channels_applies(run: Run, channels: Channels) -> None:
    result = run("channel", "add", "acme", "new", "null://", OVERHEARD_LIMITS__CHANNELS="2")
    assert result.exit_code == 2
    assert "channels: 3, and [limits] channels allows a workspace 2" in result.stderr
    assert run("channel", "edit", "acme", "team", "--mode", "both", OVERHEARD_LIMITS__CHANNELS="1").exit_code == 0


def test_a_mute_says_how_much_it_would_have_muted(
    run: Run, mention: Callable[..., None], running: RunningProcess
) -> None:
    models.Watch.update(created_at=0).execute(running.db.peewee)
    mention("t3_1", author="Alice")
    mention("t3_2", author="bob")
    mention("t1_3", author="alice", thread="t3_2")
    mention("t3_4", author="alice", age=8 * 86400)
    result = run("channel", "mute", "acme", "--author", "u/Alice")
    assert (result.exit_code, result.stdout) == (
        0, "✓ acme: author alice is muted for good.\n  Of 3 mentions of the last 7 days, it would have muted 2.\n"
    )  # fmt: skip
    assert "muted 1." in run("channel", "mute", "acme", "--thread", "t3_2", "--until", "2d").stdout
    assert "muted 1." in run("channel", "mute", "acme", "--author", "bob", "--place", "r/Python").stdout
    result = run("channel", "mute", "acme", "--query", "snake")
    assert "muted 3.\n! That is all of them" in result.stdout
    found = lines(run("channel", "mutes", "acme", "--format", "json").stdout)
    assert [(row["query"], row["author"], row["place"], row["thread"], row["state"]) for row in found] == [
        ("", "alice", "", "", "active"), ("", "", "", "t3_2", "active"), ("", "bob", "python", "", "active"),
        ("snake", "", "", "", "active"),
    ]  # fmt: skip
    ends = datetime.fromisoformat(found[1]["until_at"]) - datetime.now(UTC)
    assert 86400 * 1.9 < ends.total_seconds() < 86400 * 2.1
    assert run("channel", "unmute", "acme", "--query", "snake").exit_code == 0
    mention("t3_5", author="carol")
    mention("t3_6", author="ALICE")
    states = models.Delivery.select(models.Delivery.state).order_by(models.Delivery.mention).tuples()
    assert [state for (state,) in states.execute(running.db.peewee)][-2:] == ["pending", "muted"]


def test_a_mute_ends_and_is_lifted_by_its_conditions(run: Run, channels: Channels) -> None:
    assert run("channel", "mutes", "acme").stdout == "Nothing is muted.\n"
    assert "until 2089-12-30T23:00:00.000Z" in run(
        "channel", "mute", "acme", "--place", "r/Rust", "--until", "2089-12-31"
    ).stdout  # fmt: skip
    assert "for good" in run("channel", "mute", "acme", "--place", "rust").stdout
    assert len(lines(run("channel", "mutes", "acme", "--format", "json").stdout)) == 1, "the same conditions"
    assert rows(run("channel", "mutes", "acme", "--format", "csv").stdout)[0]["place"] == "rust"
    result = run("channel", "unmute", "acme", "--author", "bob")
    assert result.exit_code == 1
    assert "workspace acme has no mute of author bob; its mutes: place rust" in result.stderr
    result = run("channel", "unmute", "acme", "--place", "r/rust")
    assert (result.exit_code, result.stdout) == (0, "✓ acme: place rust is not muted any more.\n")
    assert run("channel", "mutes", "acme").stdout == "Nothing is muted.\n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("mute", "acme"), 2, "give at least one of --query"),
        (("unmute", "acme"), 2, "give at least one of --query"),
        (("mute", "nobody", "--author", "x"), 1, "no workspace 'nobody'"),
        (("mute", "acme", "--query", "hlp"), 2, "there is no query 'hlp'; valid: brand, help; did you mean help?"),
        (("mute", "acme", "--place", "r/golang"), 2, "does not watch r/golang; it watches r/python, r/rust"),
        (("mute", "acme", "--thread", "https://example.org/x"), 2, "give the thread's id"),
        (("mute", "acme", "--author", "x", "--until", "soon"), 2, "until 'soon' is not a date or a time"),
        (("mute", "acme", "--author", "x", "--until", "2020-01-01"), 2, "until '2020-01-01' is in the past"),
        (("mutes", "nobody"), 1, "no workspace 'nobody'"),
    ],
)
def test_mistaken_mutes_are_refused(
    run: Run, channels: Channels, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    result = run("channel", *arguments)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert run("channel", "mutes", "acme").stdout == "Nothing is muted.\n"


def test_a_preview_shows_the_newest_mention_and_sends_nothing(
    run: Run, mention: Callable[..., None], folder: Path
) -> None:
    mention("t3_1", title="Old python")
    mention("t3_2", title="New python <img src=x> \x1b[31m")
    result = run("channel", "preview", "acme", "team")
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert (body["type"], body["data"]["title"]) == ("mention.created", "New python <img src=x> \x1b[31m")
    assert "\x1b" not in result.stdout
    assert result.stderr == "mention 2, for webhook; nothing is sent\n"
    assert "Old python" in run("channel", "preview", "acme", "team", "--mention", "1").stdout
    result = run("channel", "preview", "acme", "team", "--html", "page.html")
    assert result.stdout == "✓ written to page.html\n"
    page = (folder / "page.html").read_text()
    assert "New python &lt;img src=x&gt;" in page
    result = run("channel", "preview", "acme", "team", "--mention", "77")
    assert result.exit_code == 1
    assert "workspace acme has no mention 77" in result.stderr


def test_a_preview_without_mentions_is_a_sample(run: Run, channels: Channels) -> None:
    result = run("channel", "preview", "acme", "team")
    assert json.loads(result.stdout)["data"]["title"].startswith("[Test]")
    assert result.stderr == "an invented mention, for webhook; nothing is sent\n"
    result = run("channel", "preview", "acme", "boss")
    assert result.exit_code == 0, result.output
    assert "TokenA123" not in result.output
    assert "mention looks like" in result.stdout
    assert run("channel", "preview", "acme", "none").exit_code == 1


def test_a_preview_of_a_mail_is_its_page(run: Run, channels: Channels, folder: Path) -> None:
    assert run("channel", "add", "acme", "mail", "mailto://me:pw@example.com").exit_code == 0
    assert "what a mention looks like" in run("channel", "preview", "acme", "mail").stdout
    assert run("channel", "preview", "acme", "mail", "--html", "page.html").exit_code == 0
    page = (folder / "page.html").read_text()
    assert "<b" in page or "<strong" in page or "<mark" in page
    assert "&lt;" not in page


ADDRESSES = {
    "slack": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "discord": "https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "telegram": "tgram://123456789:abcdefg_hijklmnopqrstuvwxyzABCDEFG/12315544/",
    "ntfy": "ntfys://ntfy.sh/s3cr3t-topic",
    "email": "mailto://me:s3cr3t@example.com",
    "webhook": "https://example.com/s3cr3t",
    "apprise": "json://example.com/s3cr3t",
    "file": "file:///mentions.jsonl",
    "null": "null://",
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_every_kind_of_channel_has_a_preview(run: Run, mention: Callable[..., None], folder: Path, kind: str) -> None:
    mention("t3_1", title="About python", body="It is about **python** & <b>more</b>, said the stranger.")
    allowed = {"OVERHEARD_NOTIFY__FILES_DIR": str(folder)}
    result = run("channel", "add", "acme", "new", ADDRESSES[kind], **allowed)
    assert result.exit_code == 0, result.output
    for options in ((), ("--html", "page.html")):
        result = run("channel", "preview", "acme", "new", *options, **allowed)
        assert result.exit_code == 0, result.output
        assert f"mention 1, for {kind}; nothing is sent" in result.stderr
        shown = (folder / "page.html").read_text() if options else result.stdout
        assert kind == "null" or "said the stranger" in shown
        assert "s3cr3t" not in shown
    assert not (folder / "mentions.jsonl").exists()
