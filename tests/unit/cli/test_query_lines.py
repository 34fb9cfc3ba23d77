"""``overheard query test --file``: every field of a line can be matched, and highlights name the line's keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Run, lines

POST = {
    "source": "reddit",
    "kind": "post",
    "title": "Moving house",
    "selftext": "With **Ac**me boxes",
    "url": "https://shop.example.org/acme/boxes",
    "author": "Alice",
    "subreddit": "Moving",
    "link_flair_text": "Good question",
    "over_18": False,
    "is_self": False,
    "lang": "en-GB",
}
COMMENT = {"kind": "comment", "body": "so slow", "place": "news.example.org", "thread_title": "Acme is out"}


@pytest.mark.parametrize(
    ("query", "line", "highlights"),
    [
        ("title:moving", POST, [["title", 0, 6]]),
        ("thread:moving", POST, [["title", 0, 6]]),
        ("body:acme", POST, [["selftext", 7, 13]]),
        ("url:acme", POST, [["url", 25, 29]]),
        ("acme", POST, [["selftext", 7, 13], ["url", 25, 29]]),
        ("domain:example.org", POST, None),
        ("flair:question moving", POST, [["link_flair_text", 5, 13], ["title", 0, 6]]),
        ("author:alice moving", POST, [["title", 0, 6]]),
        ("place:moving author:alice", POST, []),
        ("subreddit:moving boxes source:reddit is:post is:link lang:en -is:nsfw", POST, None),
        ("thread:acme slow", COMMENT, [["body", 3, 7], ["thread_title", 0, 4]]),
        ("slow is:comment place:news.example.org", COMMENT, [["body", 3, 7]]),
        ("slow thread:acme", {"body": "slow", "kind": "comment", "title": "Acme"}, [["body", 0, 4], ["title", 0, 4]]),
        ("one two", {"title": "x", "selftext": "one", "body": "two"}, [["body", 0, 3], ["selftext", 0, 3]]),
        ("acme is:nsfw", {"title": "Acme", "over_18": True}, [["title", 0, 4]]),
        ("acme is:self", {"title": "Acme", "is_self": True, "url": "https://www.reddit.com/r/a/1"}, [["title", 0, 4]]),
        ("acme", {"title": "My desk", "texts": {"caption": "Acme lamp"}}, [["caption", 0, 4]]),
        (
            "acme",
            {"title": "x", "gallery_data": {"items": [{"caption": "a"}, {"caption": "Acme"}]}},
            [["caption", 3, 7]],
        ),
        ("poll:acme", {"title": "x", "poll_data": {"options": [{"text": "Acme"}]}}, [["poll", 0, 4]]),
        ("acme", {"title": "x", "crosspost_parent_list": [{"title": "Acme"}]}, [["crosspost", 0, 4]]),
        ("flair:news x", {"title": "x", "texts": {"flair": "News"}}, [["flair", 0, 4], ["title", 0, 1]]),
        (
            "acme",
            {"title": "acme", "gallery_data": [[["\u0000"]]], "poll_data": 5, "media_metadata": []},
            [["title", 0, 4]],
        ),
        ("acme", {"title": "acme", "texts": {"title": "x", "body": "y", "url": "z"}}, [["title", 0, 4]]),
        ("acme", {"body": "acme", "author": None, "url": None, "lang": None, "over_18": None}, [["body", 0, 4]]),
    ],
)
def test_every_field_can_be_matched(run: Run, query: str, line: dict[str, Any], highlights: list[Any] | None) -> None:
    result = run("query", "test", query, "--file", "-", "--format", "json", input=json.dumps(line))
    assert result.exit_code == 0
    (found,) = lines(result.stdout)
    assert {key: found[key] for key in line} == line
    if highlights is not None:
        assert found["highlights"] == highlights


@pytest.mark.parametrize(
    "query",
    [
        "acme is:comment",
        "acme lang:de",
        "acme author:bob",
        "acme source:hackernews",
        "title:acme",
        "acme flair:news",
        "boxes in:link -url:acme",
    ],
)
def test_another_fact_does_not_match(run: Run, query: str) -> None:
    result = run("query", "test", query, "--file", "-", "--format", "json", input=json.dumps(POST))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 of 1 line matches\n")


def test_a_phrase_does_not_run_from_one_text_into_the_next(run: Run) -> None:
    line = json.dumps({"title": "x", "selftext": "acme", "body": "db"})
    assert run("query", "test", '"acme db"', "--file", "-", "--format", "json", input=line).stdout == ""


def test_without_a_highlight_the_table_shows_the_beginning(run: Run) -> None:
    result = run("query", "test", "place:moving", "--file", "-", input=json.dumps(POST))
    assert "Moving house" in result.stdout


def test_a_text_has_no_fields_and_the_command_says_so(run: Run) -> None:
    result = run("query", "test", "title:acme", "--text", "acme")
    assert result.stdout == "✗ No match.\n"
    assert "--file" in result.stderr
    assert run("query", "test", "acme", "--text", "nothing").stderr == ""


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ({"body": "slow", "subreddit": "python"}, "r/python"),
        ({"body": "slow", "source": "hackernews"}, "Hacker News"),
        ({"body": "slow", "source": "forum", "place": "general"}, "general"),
        ({"body": "slow", "source": "forum"}, "forum"),
        ({"body": "slow"}, ""),
    ],
)
def test_the_table_says_where_a_line_is_from(run: Run, line: dict[str, Any], where: str) -> None:
    row = run("query", "test", "slow", "--file", "-", input=json.dumps(line)).stdout.splitlines()[1]
    assert row.removesuffix("slow").split(maxsplit=1) == (["1", f"{where}   "] if where else ["1"])
