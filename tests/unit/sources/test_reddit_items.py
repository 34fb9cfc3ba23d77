"""Parsing Reddit's JSON into items."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.errors import RetryableError
from overheard.sources import ReadRequest, SearchRequest
from overheard.sources.reddit.items import parse_children, parse_listing
from overheard.sources.sanitize import TEXT_MAX_CHARS, sanitized
from tests.unit.sources.reddit_world import RawServer, RecordingBudget, http, sends, source_at

POST: dict[str, Any] = {
    "kind": "t3",
    "data": {
        "name": "t3_1abc",
        "id": "1abc",
        "subreddit": "Python",
        "author": "ann",
        "title": "A title",
        "selftext": "A text",
        "url": "https://example.org/x",
        "permalink": "/r/Python/comments/1abc/a_title/",
        "created_utc": 1_700_000_000.0,
        "removed_by_category": None,
        "all_awardings": [],
    },
}
COMMENT: dict[str, Any] = {
    "kind": "t1",
    "data": {
        "name": "t1_zz9",
        "subreddit": "Python",
        "author": "bob",
        "body": "I agree",
        "link_id": "t3_1abc",
        "link_title": "A title",
        "permalink": "/r/Python/comments/1abc/a_title/zz9/",
        "created_utc": 1_700_000_001,
    },
}


def altered(thing: dict[str, Any], **data: Any) -> dict[str, Any]:
    other = copy.deepcopy(thing)
    other["data"] |= data
    return other


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/x", "https://example.org/x"),
        ("HTTP://example.org/x ", "HTTP://example.org/x"),
        ("/r/linux/comments/2def/other/", "https://www.reddit.com/r/linux/comments/2def/other/"),  # a crosspost
        ("//example.org/", ""),
        ("javascript:alert(1)", ""),
        ("https://example.org/\n", "https://example.org/"),
        ("https://example.org/\u202e", ""),
        ("", ""),
    ],
)
def test_a_post_links_to_the_web_or_to_nothing(url: str, shown: str) -> None:
    [read] = parse_children([altered(POST, url=url)], "post")
    assert read.item is not None
    assert read.item.url == shown


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://www.reddit.com/r/Python/comments/1abc/a_title/", False),
        ("https://www.reddit.com/r/python/comments/1abc/", False),
        ("https://old.reddit.com/r/Python/comments/1abc/a_title/", False),
        ("http://www.reddit.com/r/Python/comments/1abc/a_title/", False),
        ("https://www.reddit.com/user/ann/comments/1abc/a_title/", False),
        ("/r/Python/comments/1abc/a_title/", False),
        ("https://www.reddit.com/r/Python/comments/2def/another/", True),
        ("https://www.reddit.com/gallery/1abc", True),
        ("https://i.redd.it/1abc.jpeg", True),
        ("https://v.redd.it/1abc", True),
        ("https://evil.example/www.reddit.com/r/Python/comments/1abc/", True),
        ("https://example.org/comments/1abc/", True),
    ],
)
def test_a_text_post_has_no_address_of_its_own(url: str, is_link: bool) -> None:
    [read] = parse_children([altered(POST, url=url)], "post")
    assert read.item is not None
    assert bool(read.item.url) is is_link


def test_flair_is_a_text_and_over_18_is_nsfw() -> None:
    thing = altered(POST, link_flair_text=" Show\0case " + "x" * 500, over_18=True)
    [post] = parse_children([thing], "post")
    [comment] = parse_children([altered(COMMENT, over_18=True, link_flair_text="Help")], "comment")
    assert post.item is not None
    assert comment.item is not None
    assert post.item.texts["flair"].startswith("Showcase xxx")
    assert len(post.item.texts["flair"]) <= 200
    assert (post.item.nsfw, comment.item.nsfw) == (True, True)
    assert comment.item.texts == {}
    [plain] = parse_children([altered(POST, link_flair_text=None, over_18=None)], "post")
    assert plain.item is not None
    assert (plain.item.texts, plain.item.nsfw, plain.item.lang) == ({}, False, "")


def test_a_post() -> None:
    [read] = parse_children([POST], "post")
    assert read.item is not None
    assert (read.gone, read.wrong) == (False, "")
    item = read.item
    assert (item.id, item.kind, item.place, item.author) == ("t3_1abc", "post", "Python", "ann")
    assert (item.title, item.body, item.url) == ("A title", "A text", "https://example.org/x")
    assert item.permalink == "https://www.reddit.com/r/Python/comments/1abc/a_title/"
    assert item.created_at == 1_700_000_000.0


def test_a_comment_has_its_posts_title_as_thread_title() -> None:
    [read] = parse_children([COMMENT], "comment")
    assert read.item is not None
    item = read.item
    assert (item.id, item.kind, item.title, item.body) == ("t1_zz9", "comment", "", "I agree")
    assert (item.thread, item.thread_title) == ("t3_1abc", "A title")
    assert item.permalink == "https://www.reddit.com/r/Python/comments/1abc/a_title/zz9/"
    assert item.url == ""
    assert isinstance(item.created_at, float)


@pytest.mark.parametrize("missing", ["link_title", "link_id"])
def test_a_comment_may_lack_the_fields_of_its_post(missing: str) -> None:
    thing = copy.deepcopy(COMMENT)
    del thing["data"][missing]
    [read] = parse_children([thing], "comment")
    assert read.item is not None
    expected = ("t3_1abc", "") if missing == "link_title" else ("t3_1abc", "A title")
    assert (read.item.thread, read.item.thread_title) == expected, "the permalink also names the post"


@pytest.mark.parametrize("author", ["[deleted]", None, ""])
def test_a_deleted_author_is_none(author: str | None) -> None:
    for thing in (POST, COMMENT):
        [read] = parse_children([altered(thing, author=author)])
        assert read.item is not None
        assert read.item.author is None
        assert not read.gone  # deleting an account leaves the text


def test_an_absent_author_is_none() -> None:
    thing = copy.deepcopy(POST)
    del thing["data"]["author"]
    [read] = parse_children([thing])
    assert read.item is not None
    assert read.item.author is None


@pytest.mark.parametrize("field", ["name", "subreddit", "title", "permalink", "created_utc"])
@pytest.mark.parametrize("value", [..., None, [], {}, True])
def test_a_post_without_a_field_is_skipped_alone(field: str, value: Any) -> None:
    thing = altered(POST, **{field: value})
    if value is ...:
        del thing["data"][field]
    good, bad, other = parse_children([POST, thing, altered(POST, name="t3_1abd")], "post")
    assert good.item is not None
    assert other.item is not None
    assert bad.item is None
    assert bad.wrong


@pytest.mark.parametrize(
    "data",
    [
        {"name": "t1_1abc"},
        {"name": "t3_"},
        {"name": "t3_1_0"},
        {"name": "t3_ 1abc"},
        {"name": "t3_1ABC"},
        {"name": "t3_١"},
        {"name": "t3_1abc\n"},
        {"name": "t3_" + "z" * 13},
        {"name": "1abc"},
        {"created_utc": math.nan},
        {"created_utc": math.inf},
        {"created_utc": -1.0},
        {"created_utc": 0},
        {"created_utc": 1e12},
        {"created_utc": 10**400},
        {"created_utc": "1700000000"},
        {"permalink": "https://elsewhere.example/"},
        {"permalink": "//elsewhere.example/"},
        {"permalink": ""},
        {"title": 5},
        {"selftext": 5},
        {"url": {}},
        {"author": 5},
    ],
)
def test_odd_values_are_skipped_and_never_repeated(data: dict[str, Any]) -> None:
    [read] = parse_children([altered(POST, **data)], "post")
    assert read.item is None
    assert read.wrong
    for value in data.values():
        assert len(str(value)) < 4 or str(value) not in read.wrong


@pytest.mark.parametrize("thing", [None, 5, "t3", [], {}, {"kind": "t3"}, {"kind": "t3", "data": []}, {"data": {}}])
def test_a_child_that_is_not_a_thing_is_skipped(thing: Any) -> None:
    [read] = parse_children([thing], "post")
    assert read.item is None


def test_another_kind_is_skipped_if_a_kind_is_given() -> None:
    assert parse_children([COMMENT], "post")[0].item is None
    assert parse_children([POST], "comment")[0].item is None
    assert parse_children([{"kind": "t5", "data": POST["data"]}])[0].item is None
    assert [read.item.kind for read in parse_children([POST, COMMENT]) if read.item] == ["post", "comment"]


@pytest.mark.parametrize(
    ("thing", "gone"),
    [
        (altered(POST, removed_by_category="deleted"), True),
        (altered(POST, removed_by_category="moderator"), True),
        (altered(POST, author=None, selftext="[removed]"), True),
        (altered(POST, selftext="[removed]"), False),
        (altered(COMMENT, author="[deleted]", body="[deleted]"), True),
        (altered(COMMENT, author="[deleted]", body="[removed]"), True),
        (altered(COMMENT, author="bob", body="[removed]"), False),
        (altered(COMMENT, author="[deleted]"), False),
    ],
)
def test_removed_items_count_as_gone(thing: dict[str, Any], gone: bool) -> None:
    assert parse_children([thing])[0].gone is gone


def test_text_is_sanitized() -> None:
    thing = json.loads(json.dumps(altered(POST, title="a\0b", selftext="c\ud800d\U0001f600", author="an\0n")))
    [read] = parse_children([thing])
    assert read.item is not None
    assert read.item.title == "ab"
    assert read.item.body == "c\ufffdd\U0001f600"
    assert read.item.author == "ann"
    assert len(sanitized("x" * (TEXT_MAX_CHARS + 1))) == TEXT_MAX_CHARS


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_sanitized_text_can_be_encoded_and_stays_the_same(text: str) -> None:
    cleaned = sanitized(text)
    cleaned.encode()
    assert "\0" not in cleaned
    assert sanitized(cleaned) == cleaned
    assert len(cleaned) <= len(text)


TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)  # with lone surrogates, which JSON allows
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@given(st.lists(JSON | st.fixed_dictionaries({"kind": st.sampled_from(["t1", "t3", "t5"]), "data": JSON}), max_size=5))
def test_parsing_survives_any_children(children: list[Any]) -> None:
    assert len(parse_children(children)) == len(children)


@given(
    st.sampled_from([POST, COMMENT]), st.dictionaries(st.sampled_from(sorted({*POST["data"], *COMMENT["data"]})), JSON)
)
def test_parsing_survives_any_fields(thing: dict[str, Any], data: dict[str, Any]) -> None:
    assert len(parse_children([altered(thing, **data)])) == 1


def test_a_listing() -> None:
    found = parse_listing({"kind": "Listing", "data": {"children": [POST, 5], "after": "t3_1abc", "dist": 2}})
    assert (found.children, found.after) == ([POST, 5], "t3_1abc")
    assert parse_listing({"data": {"children": []}}).after is None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        5,
        [],
        {},
        {"data": None},
        {"data": {"children": {}}},
        {"message": "Forbidden", "error": 403},
        {"data": {"children": [], "after": 5}},
        {"data": {"children": [], "after": "&canary"}},
        {"data": {"children": "canary"}},
        {"data": "canary"},
        "canary",
    ],
)
def test_an_answer_that_is_not_a_listing_is_a_transient_failure(answer: Any) -> None:
    with pytest.raises(RetryableError, match="not a listing") as caught:
        parse_listing(answer)
    assert "canary" not in str(caught.value)


@given(st.fixed_dictionaries({"data": JSON | st.fixed_dictionaries({"children": JSON, "after": JSON})}) | JSON)
def test_any_answer_is_a_listing_or_a_transient_failure(answer: Any) -> None:
    try:
        assert isinstance(parse_listing(answer).children, list)
    except RetryableError as error:
        str(error).encode()


@pytest.mark.parametrize("answer", ["\ud800", {"\ud800": 1}, {"data": {"children": [], "after": "\ud800"}}])
def test_a_lone_surrogate_is_not_a_listing(answer: Any) -> None:
    with pytest.raises(RetryableError):
        parse_listing(answer)


@pytest.mark.parametrize(
    "thing",
    [
        "\ud800",
        {"kind": "\ud800", "data": {}},
        {"kind": "t3", "data": POST["data"], "\ud800": 1},
        altered(POST, created_utc="\ud800"),
        altered(POST, permalink="\ud800"),
        altered(POST, name="t3_\ud800"),
    ],
)
def test_a_lone_surrogate_invalidates_one_child_at_most(thing: Any) -> None:
    assert len(parse_children([POST, thing])) == 2


def test_deep_nesting_does_not_crash() -> None:
    for depth in range(100, 3000, 100):
        nested: Any = []
        for _ in range(depth):
            nested = [nested]
        assert len(parse_children([{"kind": "t3", "data": {"x": nested}}])) == 1
        assert len(parse_listing({"data": {"children": [nested]}}).children) == 1


@pytest.mark.parametrize(
    ("edited", "at"),
    [(False, None), (None, None), (True, None), (1_700_000_500.0, 1_700_000_500.0), (1_700_000_500, 1_700_000_500.0)]
    + [(value, None) for value in (0, -1.0, 1e300, math.nan, "1700000500", [])],
)
def test_an_edit_has_a_time(edited: object, at: float | None) -> None:
    for thing in (POST, COMMENT):
        [read] = parse_children([altered(thing, edited=edited)])
        assert read.item is not None
        assert read.item.edited_at == at


@pytest.mark.parametrize(
    "removed",
    [
        {"removed_by_category": "moderator"},
        {"author": "[deleted]", "selftext": "[deleted]"},
        {"selftext": "[ Removed by Reddit on account of violating the content policy. ]"},
    ],
)
def test_what_is_removed_at_first_sight_is_no_item_but_ends_a_reading(removed: dict[str, str]) -> None:
    things = [altered(POST, name=f"t3_{number}", **(removed if number < 6 else {})) for number in (9, 8, 7, 5, 4, 3)]
    with RawServer(sends(http(listing_of(things)))) as server:
        source = source_at(server.url)
        first = source.read(ReadRequest(kind="posts", places=("python",)), RecordingBudget())
        assert [item.id for item in first.items] == ["t3_9", "t3_8", "t3_7"]
        again = ReadRequest(kind="posts", places=("python",), cursor=first.cursor)
        assert source.read(again, RecordingBudget()).complete
        assert [name for name, _ in json.loads(first.cursor)["seen"]][-3:] == ["t3_5", "t3_4", "t3_3"]
        window = SearchRequest(kinds=("post",), places=("python",), since=1.0, until=2e9)
        assert [item.id for item in source.search(window, RecordingBudget()).items] == ["t3_9", "t3_8", "t3_7"]
        source.close()


def listing_of(things: list[dict[str, Any]]) -> str:
    return json.dumps({"kind": "Listing", "data": {"children": things, "after": None}})
