"""``overheard mentions``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from overheard.db import mentions as stored
from overheard.db import models
from overheard.db.mention_filter import MentionFilter
from overheard.operations.tail import MentionTail
from overheard.process import RunningProcess

from .conftest import Run, lines, rows

Mention = Callable[..., None]


def test_json_keys_are_stable_and_csv_has_the_same_columns(run: Run, mention: Mention) -> None:
    mention("t3_1", title="About python", body="text")
    (found,) = lines(run("mentions", "--format", "json").stdout)
    assert list(found) == [
        "workspace", "item", "kind", "subreddit", "author", "title", "body", "permalink", "created_at", "stored_at",
        "queries", "highlights", "id", "source", "place", "thread", "thread_title", "url", "query_ids", "backfilled",
        "why", "texts",
    ]  # fmt: skip
    because = {"query_id": found["query_ids"][0], "term": "python", "field": "title", "start": 6, "end": 12}
    assert found["why"] == [because]
    assert found["queries"] == ["snake"]
    assert found["highlights"] == [["title", 6, 12]]
    assert found["created_at"].endswith("Z")
    assert (found["item"], found["source"]) == ("t3_1", "reddit")
    assert found["place"] == found["subreddit"] == "python"
    (row,) = rows(run("mentions", "--format", "csv").stdout)
    assert list(row) == list(found), "CSV has the same columns, new ones last"
    assert '"term":"python"' in row["why"]


def test_oldest_first_and_the_limit_keeps_the_newest(run: Run, mention: Mention) -> None:
    for number in range(5):
        mention(f"t3_{number}")
    assert [each["item"] for each in lines(run("mentions", "--format", "json").stdout)] == [
        f"t3_{number}" for number in range(5)
    ]
    result = run("mentions", "--format", "json", "--limit", "2")
    assert [each["item"] for each in lines(result.stdout)] == ["t3_3", "t3_4"]
    assert run("mentions", "--format", "json", "--limit", "0").stdout == ""


def test_a_table_is_limited_to_fifty_rows_but_json_and_csv_are_not(run: Run, mention: Mention) -> None:
    for number in range(60):
        mention(f"t3_{number}")
    table = run("mentions")
    assert (len(table.stdout.splitlines()), table.stderr) == (51, "… and older ones; use --limit to show more\n")
    assert run("mentions", "--limit", "50").stderr == "", "it was asked for"
    assert len(lines(run("mentions", "--format", "json").stdout)) == 60
    assert len(rows(run("mentions", "--format", "csv").stdout)) == 60


def test_listing_reads_all_pages(run: Run, mention: Mention, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overheard.operations.tail.PAGE_ROWS", 2)
    for number in range(4):
        mention(f"t3_{number}")
    assert len(lines(run("mentions", "--format", "json").stdout)) == 4


def test_mentions_are_filtered_by_time_and_workspace(run: Run, mention: Mention) -> None:
    mention("t3_1", age=7200)
    mention("t3_2", age=60)
    assert run("workspace", "add", "other", "-s", "linux", "-q", "linux").exit_code == 0
    result = run("mentions", "--since", "1h", "--format", "json")
    assert [each["item"] for each in lines(result.stdout)] == ["t3_2"]
    assert run("mentions", "--workspace", "other", "--format", "json").stdout == ""
    assert run("mentions", "--workspace", "other").stdout == "No mentions.\n"


def test_what_is_found_only_in_the_address_is_shown(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention("t3_1", title="A title", url="https://acme.example/x")
    models.Mention.update(highlights='[["url",8,20],["flair",0,3]]').execute(running.db.peewee)
    assert "A title | https://acme.example/x" in run("mentions").stdout
    models.Mention.update(highlights='[["thread",2,7]]').execute(running.db.peewee)
    assert "acme.example" not in run("mentions").stdout


def test_text_is_shown_without_its_markup(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention(
        "t3_1", title="A title", body="```yaml\nimage: acme/acme:4\n```\n\n**Read** [our page](https://acme.example/x)"
    )
    models.Mention.update(highlights='[["body",15,19]]').execute(running.db.peewee)
    assert "A title | image: acme/acme:4 Read our page" in run("mentions").stdout


def test_hostile_text_is_printed_without_effect(run: Run, mention: Mention) -> None:
    mention(
        "t3_1", title="=\x1b[31mpython\x1b[0m [bold]b[/] \u202eevil", author="[red]mallory", permalink="/r/x/\x1b]8;;"
    )
    table = run("mentions").stdout
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert "[bold]b[/] evil" in table
    assert "u/[red]mallory" in table
    (row,) = rows(run("mentions", "--format", "csv").stdout)
    assert row["title"].startswith("'=[31mpython")


@pytest.mark.parametrize("permalink", ["/r/python/ü/", "https://www.reddit.com/r/python/ü/"])
def test_a_piped_table_has_the_url(run: Run, mention: Mention, permalink: str) -> None:
    mention("t3_1", permalink=permalink)
    assert "https://www.reddit.com/r/python/%C3%BC/ " in run("mentions").stdout


def test_mentions_of_another_source_have_its_own_url(run: Run, mention: Mention) -> None:
    mention("t3_1", permalink="https://example.org/a b?id=1#c")
    mention("t3_2", permalink="")
    table = run("mentions").stdout
    assert "https://example.org/a%20b?id=1#c " in table
    assert "reddit.com" not in table


def test_wrong_usage(run: Run, running: RunningProcess) -> None:
    assert run("mentions", "--workspace", "nobody").exit_code == 1
    assert run("mentions", "--since", "whenever").exit_code == 2
    assert run("mentions", "--limit", "-1").exit_code == 2


def test_following_yields_mentions_stored_after_the_start(running: RunningProcess, mention: Mention) -> None:
    mention("t3_1", age=0)
    tail = MentionTail(running.db)
    mention("t3_2", age=0)
    mention("t3_3", age=0)
    followed = iter(tail)
    assert [next(followed).item, next(followed).item] == ["t3_2", "t3_3"]


def test_following_does_not_repeat_listed_mentions(running: RunningProcess, mention: Mention) -> None:
    tail = MentionTail(running.db)
    mention("t3_1", age=0)
    assert [each.item for each in tail.remember(stored.listing(running.db))] == ["t3_1"]
    mention("t3_2", age=0)
    assert next(iter(tail)).item == "t3_2"


def items(run: Run, *chosen: str) -> list[str]:
    result = run("mentions", *chosen, "--format", "json")
    assert result.exit_code == 0, result.output
    return [each["item"] for each in lines(result.stdout)]


def test_mentions_are_filtered_by_query_source_place_state_and_text(
    run: Run, mention: Mention, running: RunningProcess
) -> None:
    mention("t3_1", body="A Widget", age=0)
    mention("t3_2", author="Bob", age=0)
    models.StoredItem.update(place="Rust").where(models.StoredItem.ref == "t3_2").execute(running.db.peewee)
    assert items(run, "--query", "snake", "--source", "reddit") == ["t3_1", "t3_2"]
    for place in ("rust", "r/Rust", "https://www.reddit.com/r/rust/"):
        assert items(run, "--place", place) == ["t3_2"]
    assert items(run, "--search", "widget") == ["t3_1"]
    assert items(run, "--search", "bob") == ["t3_2"]
    assert items(run, "--state", "pending", "--search", "w_dget") == []
    assert items(run, "--state", "backfilled") == []
    assert run("mentions", "--state", "backfilled").stdout == "No matching mentions.\n"


def test_filters_that_cannot_be_met_are_errors(run: Run, mention: Mention) -> None:
    result = run("mentions", "--workspace", "acme", "--query", "snak")
    assert (result.exit_code, result.stderr) == (1, "overheard: workspace acme has no query 'snak'; it has: snake\n")
    assert run("mentions", "--search", "x" * 201).exit_code == 2
    assert run("mentions", "--source", "usenet").exit_code == 2
    assert run("mentions", "--state", "lost").exit_code == 2


def test_followed_mentions_are_filtered_too(running: RunningProcess, mention: Mention) -> None:
    tail = MentionTail(running.db, MentionFilter(search="second"))
    mention("t3_1", age=0)
    mention("t3_2", age=0, body="the second")
    assert [each.item for each in tail.new()] == ["t3_2"]
