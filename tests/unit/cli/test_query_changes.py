"""``overheard query add``, ``edit``, ``rename`` and ``remove``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from overheard import canary
from overheard.db import canaries, models
from overheard.operations.checks import workspaces as checks
from overheard.process import RunningProcess

from .conftest import Run, lines

FILE = """
[[workspace]]
slug = "acme"
subreddits = ["python", "rust"]
kinds = ["posts"]
  [[workspace.watch]]
  source = "hackernews"
  [[workspace.query]]
  name = "brand"
  text = "acme"
  [[workspace.query]]
  name = "old"
  text = "acme AND NOT jobs"
  [[workspace.channel]]
  name = "team"
  url = "https://example.com/t0ken"
"""

Queries = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def queries(run: Run, migrated: None) -> Queries:
    """The workspace acme is there; return a function that returns its queries as they are exported."""
    assert run("import", "-", input=FILE).exit_code == 0

    def exported() -> list[dict[str, Any]]:
        [workspace] = tomllib.loads(run("export", "--secrets", "acme").stdout)["workspace"]
        assert workspace["channel"][0]["url"] == "https://example.com/t0ken"
        found: list[dict[str, Any]] = workspace.get("query", [])
        return found

    return exported


def test_what_may_not_be_meant_is_said_when_a_query_is_saved(run: Run, queries: Queries) -> None:
    added = run("query", "add", "acme", "phrase", "alternative to bolt")
    assert (added.exit_code, added.stdout) == (0, "✓ acme: query phrase is added.\n")
    assert '! alternative to bolt finds texts with these words anywhere: "alternative to bolt"' in added.stderr
    assert run("query", "edit", "acme", "phrase", '"alternative to bolt"').stderr == ""
    assert "linear is a common word" in run("query", "add", "acme", "name", "linear").stderr
    assert run("query", "edit", "acme", "name", "--place", "python").stderr == "", "a place helps, too"


def test_a_query_is_added_with_its_scope(run: Run, queries: Queries) -> None:
    result = run("query", "add", "acme", "help", "acme help", "--place", "r/Rust", "--kind", "posts")
    assert (result.exit_code, result.stdout) == (0, "✓ acme: query help is added.\n")
    assert queries()[2:] == [{"name": "help", "text": "acme help", "places": ["Rust"], "kinds": ["posts"]}]
    assert run("query", "add", "acme", "hn", "acme", "--source", "hackernews").exit_code == 0
    assert queries()[3:] == [{"name": "hn", "text": "acme", "sources": ["hackernews"]}]
    assert "acme (only hackernews)" in run("workspace", "show", "acme").stdout


def test_an_edit_changes_what_is_given(run: Run, queries: Queries) -> None:
    assert run("query", "edit", "acme", "brand", "--place", "rust", "--kind", "posts").exit_code == 0
    assert queries()[0] == {"name": "brand", "text": "acme", "places": ["rust"], "kinds": ["posts"]}
    assert run("query", "edit", "acme", "brand", '"acme db"', "--place", "python").exit_code == 0
    assert queries()[0] == {"name": "brand", "text": '"acme db"', "places": ["python"], "kinds": ["posts"]}
    assert run("query", "edit", "acme", "brand", "--everywhere", "--source", "reddit").exit_code == 0
    assert queries()[0] == {"name": "brand", "text": '"acme db"', "sources": ["reddit"]}
    result = run("query", "edit", "acme", "brand", "--everywhere")
    assert (result.exit_code, result.stdout) == (0, "✓ acme: query brand is changed.\n")
    assert queries()[0] == {"name": "brand", "text": '"acme db"'}
    result = run("query", "edit", "acme", "brand")
    assert result.exit_code == 2
    assert "nothing to change" in result.stderr


def test_a_removed_query_leaves_its_mentions(run: Run, queries: Queries) -> None:
    result = run("query", "remove", "acme", "brand")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [query["name"] for query in queries()] == ["old"]
    assert "finds nothing any more" in run("query", "remove", "acme", "old").stdout
    assert queries() == []
    result = run("query", "remove", "acme", "old")
    assert result.exit_code == 1
    assert "workspace acme has no query 'old'; it has none" in result.stderr


RULES = """
  [[workspace.channel]]
  name = "pair"
  url = "null://"
  queries = ["old", "brand"]
  [[workspace.channel]]
  name = "single"
  url = "null://"
  queries = ["old"]
  [[workspace.mute]]
  query = "brand"
  author = "bot"
  [[workspace.mute]]
  author = "bot"
"""


def rules(run: Run) -> tuple[list[list[str]], list[str]]:
    """The queries of each channel, and the one of each mute."""
    [workspace] = tomllib.loads(run("export", "--secrets", "acme").stdout)["workspace"]
    return (
        [channel.get("queries", []) for channel in workspace["channel"]],
        [mute.get("query", "") for mute in workspace.get("mute", [])],
    )


def test_a_renamed_query_keeps_its_mentions_and_what_names_it_follows(run: Run, mention: Callable[..., None]) -> None:
    mention("t3_1")
    file = run("export", "--secrets", "acme").stdout
    rule = '  [[workspace.mute]]\n  query = "snake"\n  [[workspace.channel]]\n  name = "p"\n  url = "null://"\n'
    assert run("import", "-", input=f'{file}{rule}  queries = ["snake"]\n').exit_code == 0
    [before] = lines(run("mentions", "--format", "json").stdout)
    result = run("query", "rename", "acme", "snake", "py thon")
    assert (result.exit_code, result.stdout) == (0, "✓ acme: query snake is called py thon now.\n")
    assert rules(run) == ([[], ["py thon"]], ["py thon"])
    [after] = lines(run("mentions", "--format", "json").stdout)
    assert (after["queries"], after["query_ids"]) == (["py thon"], before["query_ids"])
    mention("t3_2")
    assert lines(run("mentions", "--format", "json").stdout)[-1]["query_ids"] == before["query_ids"]
    assert run("import", "--dry-run", "-", input=run("export", "--secrets").stdout).stdout == "= acme: unchanged\n"


def test_a_name_that_a_query_has_or_had_is_refused(run: Run, queries: Queries) -> None:
    result = run("query", "rename", "acme", "brand", "old")
    assert result.exit_code == 1
    assert "already has a query 'old'" in result.stderr
    assert run("query", "remove", "acme", "old").exit_code == 0
    result = run("query", "rename", "acme", "brand", "old")
    assert result.exit_code == 1
    assert "workspace acme had a query 'old'\n  its mentions keep that name" in result.stderr
    assert run("query", "rename", "acme", "brand", " ").exit_code == 2
    assert [query["name"] for query in queries()] == ["brand"]


def test_a_removed_query_leaves_the_lists_of_its_channels_but_none_empty(run: Run, migrated: None) -> None:
    assert run("import", "-", input=FILE + RULES).exit_code == 0
    assert rules(run) == ([[], ["old", "brand"], ["old"]], ["brand", ""])
    result = run("query", "remove", "acme", "old")
    assert result.exit_code == 1
    assert "query 'old' is the only one that 1 channel of acme hears of: single" in result.stderr
    assert "overheard channel edit acme single --query OTHER" in result.stderr
    assert rules(run) == ([[], ["old", "brand"], ["old"]], ["brand", ""])
    result = run("query", "remove", "acme", "brand")
    assert result.stdout.splitlines() == [
        "✓ acme: query brand is removed; its mentions are kept.",
        "  Channel pair does not hear of it any more.",
        "  1 mute of it went with it.",
    ]
    assert rules(run) == ([[], ["old"], ["old"]], [""])
    assert run("channel", "edit", "acme", "single", "--all-queries").exit_code == 0
    assert run("channel", "remove", "acme", "pair", "--yes").exit_code == 0
    assert run("query", "remove", "acme", "old").exit_code == 0
    assert rules(run) == ([[], []], [""])


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("add", "acme", "brand", "x"), 1, "already has a query 'brand'"),
        (("add", "nobody", "brand", "x"), 1, "no workspace 'nobody'"),
        (("add", "acme", "new", "NOT x"), 2, "query 'new'"),
        (("add", "acme", " ", "x"), 2, "a name of 1 to 100 characters"),
        (("add", "acme", "x" * 101, "x"), 2, "a name of 1 to 100 characters"),
        (("add", "acme", "new", "x" * 3000), 2, "3,000 characters"),
        (
            ("add", "acme", "new", "x", "--place", "golang"),
            2,
            "does not watch r/golang; it watches Hacker News, r/python, r/rust",
        ),
        (("add", "acme", "new", "x", "--source", "redit"), 2, "'redit' is not known"),
        (("add", "acme", "new", "x", "--kind", "links"), 2, "'links' is not one of 'posts', 'comments'"),
        (("edit", "acme", "none", "x"), 1, "has no query 'none'; it has: brand, old"),
        (("edit", "acme", "brand", '"open'), 2, "query 'brand'"),
        (("rename", "acme", "none", "x"), 1, "has no query 'none'; it has: brand, old"),
        (("rename", "acme", "brand", "x" * 101), 2, "a name of 1 to 100 characters"),
        (("remove", "acme", "none"), 1, "has no query 'none'; it has: brand, old"),
    ],
)
def test_mistakes_change_nothing(
    run: Run, queries: Queries, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    before = queries()
    result = run("query", *arguments)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert queries() == before


def test_the_limit_of_queries_applies(run: Run, queries: Queries) -> None:
    result = run("query", "add", "acme", "new", "x", OVERHEARD_LIMITS__QUERIES="2")
    assert result.exit_code == 2
    assert "queries: 3, and [limits] queries allows a workspace 2" in result.stderr
    assert run("query", "edit", "acme", "brand", "y", OVERHEARD_LIMITS__QUERIES="1").exit_code == 0


def test_what_else_the_workspace_has_is_not_checked_again(run: Run, queries: Queries, running: RunningProcess) -> None:
    models.Query.update(text="a and b").where(models.Query.name == "old").execute(running.db.peewee)
    models.Channel.update(url="nonsense", disabled_at=1.0).execute(running.db.peewee)
    assert run("query", "edit", "acme", "brand", "y").exit_code == 0
    assert models.Channel.select(models.Channel.disabled_at).scalar(running.db.peewee) == 1.0


def test_the_canary_s_query_cannot_be_changed(run: Run, running: RunningProcess) -> None:
    canaries.ensure(running.db, 300, running.clock(), lambda text, zone: running.clock())
    result = run("query", "add", canary.WORKSPACE, "x", "x")
    assert result.exit_code == 1
    assert "internal" in result.stderr


def test_a_query_without_words_is_valid_where_its_places_are_limited(
    run: Run, queries: Queries, running: RunningProcess
) -> None:
    result = run("query", "add", "acme", "all", "--", "-jobs")
    assert result.exit_code == 2
    assert "would match nearly every text" in result.stderr
    assert run("query", "add", "acme", "all", "--place", "rust", "--", "-jobs").exit_code == 0
    [shown] = lines(run("workspace", "show", "acme", "--format", "json").stdout)
    assert shown["refused_queries"] == []
    assert checks.queries(running, running.db).status == "ok"
    assert run("query", "edit", "acme", "all", "--everywhere").exit_code == 2


def test_a_new_query_is_applied_to_what_is_stored(run: Run, mention: Callable[..., None]) -> None:
    mention("t3_1", title="About python", body="and snakes")
    mention("t3_2", title="About python")
    assert run("query", "add", "acme", "animals", "snakes").exit_code == 0
    result = run("query", "apply", "acme", "animals", "--since", "7d")
    assert (result.exit_code, result.stdout) == (
        0, "✓ acme: query animals matches 1 of 2 stored items: 0 new mentions, and 1 mention of other queries.\n",
    )  # fmt: skip
    found = lines(run("mentions", "--format", "json").stdout)
    assert [each["queries"] for each in found] == [["snake", "animals"], ["snake"]]
    assert found[0]["why"][-1]["term"] == "snakes"
    result = run("query", "apply", "acme", "animals", "--since", "7d")
    assert result.stdout == "✓ acme: query animals matches 1 of 2 stored items: 0 new mentions.\n"
    assert run("query", "apply", "acme", "none", "--since", "7d").exit_code == 1
    assert run("query", "apply", "acme", "animals").exit_code == 2
