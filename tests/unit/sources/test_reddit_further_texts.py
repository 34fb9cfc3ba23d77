"""Captions, poll options and crossposted titles: read from Reddit's JSON, whatever that contains."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.items import Item
from overheard.sources.reddit import further_texts as module
from overheard.sources.reddit.further_texts import further_texts
from overheard.sources.reddit.items import parse_children, parse_listing
from tests.unit.sources.test_reddit_items import JSON, POST, altered

GALLERY = {
    "items": [
        {"media_id": "a1", "id": 1, "caption": "Acme's  own\n lamp", "outbound_url": "https://acme.com/lamp"},
        {"media_id": "b2", "id": 2},
        {"media_id": "c3", "id": 3, "caption": "My cat"},
    ]
}
POLL = {"options": [{"id": "1", "text": "Acme"}, {"id": "2", "text": "Bolt"}], "total_vote_count": 7}
ORIGINAL = {**POST["data"], "name": "t3_2def", "title": "Acme is out", "author": "bob", "selftext": ""}
CROSSPOST_URL = "/r/linux/comments/2def/acme_is_out/"


def parsed(**data: Any) -> Item:
    [read] = parse_children([altered(POST, **data)], "post")
    assert read.item is not None, read.wrong
    return read.item


def test_what_reddit_sends() -> None:
    item = parsed(gallery_data=GALLERY, poll_data=POLL, crosspost_parent_list=[ORIGINAL], link_flair_text="Help")
    assert item.texts == {
        "flair": "Help",
        "crosspost": "Acme is out",
        "caption": "Acme's own lamp https://acme.com/lamp\n\nMy cat",
        "poll": "Acme\n\nBolt",
    }
    assert parsed(gallery_data=None, poll_data=None, crosspost_parent_list=None).texts == {}


@pytest.mark.parametrize(
    "gone",
    [
        {"removed_by_category": "deleted"},
        {"removed_by_category": "moderator", "author": "bob"},
        {"author": "[deleted]", "selftext": "[deleted]"},
        {"author": None, "selftext": "[removed]"},
    ],
)
def test_a_crosspost_does_not_repeat_the_title_of_a_post_that_is_gone(gone: dict[str, Any]) -> None:
    item = parsed(crosspost_parent_list=[ORIGINAL | gone], url=CROSSPOST_URL)
    assert item.texts == {}
    assert item.url == "https://www.reddit.com/r/linux/comments/2def/_/", "nor the words in its address"
    kept = parsed(crosspost_parent_list=[ORIGINAL | {"author": "[deleted]"}], url=CROSSPOST_URL)
    assert (kept.texts, kept.url) == ({"crosspost": "Acme is out"}, f"https://www.reddit.com{CROSSPOST_URL}"), (
        "an account that is gone leaves the text"
    )


@pytest.mark.parametrize("name", ["crosspost_parent_list", "gallery_data", "media_metadata", "poll_data"])
@pytest.mark.parametrize(
    "value",
    [
        5, "x", True, [], {}, [[]], [None], [5], ["x"], [{}], {"items": None}, {"items": {}}, {"items": "abc"},
        {"items": [None, 5, [], "x", {"caption": 5}, {"caption": None, "outbound_url": []}]},
        {"options": [None, [], {"text": {}}, {"text": True}]}, {"options": 5},
        [{"title": 5}], [{"title": None, "author": {}, "selftext": [], "removed_by_category": None}],
        "\ud800", ["\ud800"], {"\ud800": "\ud800"}, {"items": "\ud800"},
    ],
)  # fmt: skip
def test_what_is_not_as_expected_is_left_out_and_the_post_stays(name: str, value: Any) -> None:
    assert parsed(**{name: value}).texts == {}


def test_texts_are_bounded_and_can_be_stored() -> None:
    gallery = {"items": [{"caption": f"{number} " + "x" * 100_000} for number in range(10_000)]}
    poll = {"options": [{"text": f"a\ud800\0{number}"} for number in range(10_000)]}
    found = further_texts([{"title": "t" * 100_000}], gallery, poll)
    assert len(found["caption"].split("\n\n")) == module.CAPTIONS_MAX
    assert len(found["poll"].split("\n\n")) == module.OPTIONS_MAX
    assert max(map(len, found["caption"].split("\n\n"))) <= module.LINE_MAX_CHARS
    assert len(found["crosspost"]) == module.LINE_MAX_CHARS
    assert found["poll"].startswith("a\ufffd0\n\n")
    json.dumps(found).encode()
    "".join(found.values()).encode()


def test_pictures_without_a_caption_do_not_use_up_the_captions() -> None:
    gallery = {"items": [*({"media_id": "a"} for _ in range(1000)), {"caption": "the last"}]}
    assert further_texts(None, gallery, None) == {"caption": "the last"}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.org", 5, "\n", "ftp://acme.com"])
def test_a_picture_links_to_the_web_or_to_nothing(url: Any) -> None:
    assert further_texts(None, {"items": [{"caption": "A", "outbound_url": url}]}, None) == {"caption": "A"}


NAMES = st.sampled_from(["items", "options", "caption", "text", "title", "author", "selftext", "removed_by_category"])
SHAPED = st.recursive(JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


@given(SHAPED, SHAPED, SHAPED)
def test_any_json_makes_texts_that_can_be_stored(crossposts: Any, gallery: Any, poll: Any) -> None:
    item = parsed(crosspost_parent_list=crossposts, gallery_data=gallery, poll_data=poll)
    assert item.texts.keys() <= {"crosspost", "caption", "poll"}
    for text in item.texts.values():
        assert text.strip()
        assert "\0" not in text
        text.encode()


@pytest.mark.parametrize("name", ["crosspost_parent_list", "gallery_data", "media_metadata", "poll_data"])
def test_deep_nesting_does_not_crash(name: str) -> None:
    for depth in range(100, 3000, 100):
        nested: Any = []
        for _ in range(depth):
            nested = [nested]
        thing = copy.deepcopy(POST)
        thing["data"][name] = nested
        assert len(parse_children(parse_listing({"data": {"children": [thing]}}).children)) == 1
