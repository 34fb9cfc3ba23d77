"""``overheard import --dry-run``: what an import would add, remove, change and leave."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overheard.db import models
from overheard.process import RunningProcess
from tests.project import ROOT

from .conftest import Run

FILE = """
[[workspace]]
slug = "acme"
subreddits = ["python", "Linux"]
kinds = ["posts"]
  [[workspace.watch]]
  source = "feeds"
  places = ["https://example.org/feed?token=s3cr3tT0ken"]
  [[workspace.query]]
  name = "brand"
  text = "acme"
  places = ["r/Linux"]
  [[workspace.query]]
  name = "help"
  text = '''acme
help'''
  [[workspace.channel]]
  name = "team"
  url = "https://example.com/t0ken"
  [[workspace.channel]]
  name = "boss"
  url = "mailto://me:s3cr3t@example.com"
  mode = "digest"
  [[workspace.mute]]
  author = "u/Bot"
  [[workspace.mute]]
  place = "https://example.org/feed?token=s3cr3tT0ken"

[[workspace]]
slug = "bolt"
subreddits = ["rust"]
"""


@pytest.fixture
def imported(run: Run, migrated: None) -> None:
    assert run("import", "-", input=FILE).exit_code == 0


def test_nothing_changes(run: Run, imported: None) -> None:
    result = run("import", "--dry-run", "-", input=FILE)
    assert (result.exit_code, result.stdout) == (0, "= acme: unchanged\n= bolt: unchanged\n")
    exported = run("export", "--secrets").stdout
    assert run("import", "--dry-run", "-", input=exported).stdout == "= acme: unchanged\n= bolt: unchanged\n"


def test_changes_have_a_sign_and_no_secrets(run: Run, imported: None, running: RunningProcess) -> None:
    before = run("export", "--secrets").stdout
    models.Channel.update(disabled_at=1.0).execute(running.db.peewee)
    file = (
        FILE.replace("t0ken", "t1cket")
        .replace("token=s3cr3tT0ken", "token=n3wT0ken")
        .replace('"Linux"]', '"Linux", "rust"]')
        .replace('kinds = ["posts"]\n', 'kinds = ["posts", "comments"]\nquiet = "22:00-07:00"\nevery = "1h"\n', 1)
        .replace('text = "acme"', 'text = "acmedb"')
        .replace('name = "help"', 'name = "assist"')
        .replace('name = "boss"', 'name = "chief"')
        .replace('mode = "digest"', 'mode = "digest"\n  queries = ["brand"]')
        .replace('author = "u/Bot"', 'place = "linux"\n  until = "2089-01-01"')
        .replace('slug = "bolt"', 'slug = "nut"')
    )
    result = run("import", "--dry-run", "-", input=file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "~ acme: every: 5m → 1h",
        "+ acme: quiet: 22:00-07:00",
        "~ acme: watch of r/python: posts → posts and comments",
        "~ acme: watch of r/linux: posts → posts and comments",
        "+ acme: watch of r/rust: posts and comments",
        "+ acme: watch of https://example.org/feed?token=***#d4a5: posts and comments",
        "- acme: watch of https://example.org/feed?token=***#1a9a: posts",
        "~ acme: query brand: acme (only Linux) → acmedb (only Linux)",
        "+ acme: query assist: acme help",
        "- acme: query help: acme help (its mentions are kept)",
        "~ acme: channel team: url: another one, https://example.com/***",
        "+ acme: channel chief: mailto://***, digest, queries brand",
        "- acme: channel boss: mailto://*** (with what waits for it, and its history)",
        "+ acme: mute of place linux: until 2089-01-01T00:00:00Z",
        "+ acme: mute of place https://example.org/feed?token=***#d4a5: for good",
        "- acme: mute of author bot: for good",
        "- acme: mute of place https://example.org/feed?token=***#1a9a: for good",
        "+ nut: new workspace",
        "+ nut: name: nut",
        "+ nut: timezone: UTC",
        "+ nut: every: 5m",
        "+ nut: digest: 0 9 * * *",
        "+ nut: watch of r/rust: posts and comments",
    ]
    assert run("export", "--secrets").stdout == before
    assert models.Channel.select(models.Channel.disabled_at).scalar(running.db.peewee) == 1.0
    for secret in ("s3cr3t", "t0ken", "n3wT0ken", "t1cket"):
        assert secret not in result.output
    assert run("import", "-", input=file).exit_code == 0
    assert run("import", "--dry-run", "-", input=file).stdout == "= acme: unchanged\n= nut: unchanged\n"


def test_a_new_secret_is_a_change_and_a_missing_one_is_not(run: Run, imported: None) -> None:
    secret = "whsec_" + "s3cr3t" * 8
    result = run("import", "--dry-run", "-", input=FILE.replace('t0ken"', f't0ken"\n  secret = "{secret}"'))
    assert result.stdout.splitlines()[0] == "~ acme: channel team: secret: another one"


def test_mistakes_are_those_of_the_import(run: Run, imported: None) -> None:
    result = run("import", "--dry-run", "-", input=FILE.replace("text =", "txt =", 1))
    assert result.exit_code == 2
    assert "unknown key 'txt'; valid: name, text, places, sources, kinds; did you mean text?" in result.stderr
    assert run("import", "--dry-run", "-", input="").exit_code == 2


def test_without_a_database_all_is_new_and_none_is_made(run: Run, folder: Path) -> None:
    result = run("import", "--dry-run", "-", input=FILE)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("+ acme: new workspace\n")
    assert all(line.startswith("+ ") for line in result.stdout.splitlines())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("example", range(3))
def test_what_readme_shows_is_unchanged_once_it_is_imported(run: Run, migrated: None, example: int) -> None:
    shown = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    file = [block for block in shown if block.startswith("[[workspace]]")][example]
    assert run("import", "-", input=file).exit_code == 0
    assert run("import", "--dry-run", "-", input=file).stdout == "= acme: unchanged\n"


def test_no_listing_shows_the_token_of_a_muted_feed(run: Run, imported: None) -> None:
    commands = (("export",), ("workspace", "show", "acme"), ("channel", "mutes", "acme"))
    for command in (*commands, ("channel", "mutes", "acme", "--format", "json")):
        shown = run(*command).stdout
        assert "token=***" in shown
        assert "s3cr3tT0ken" not in shown
    result = run("channel", "unmute", "acme", "--place", "https://example.org/feed?token=s3cr3tT0ken")
    assert result.stdout == "✓ acme: place https://example.org/feed?token=***#1a9a is not muted any more.\n"
