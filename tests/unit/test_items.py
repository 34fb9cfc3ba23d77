"""Items: their numbers and their texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.items import Item, number_of, post_of, untitled


@pytest.mark.parametrize(("name", "number"), [("t3_0", 0), ("t3_z", 35), ("t1_10", 36), ("t3_1abc", 60_024)])
def test_the_number_of_a_name(name: str, number: int) -> None:
    assert number_of(name) == number


@pytest.mark.parametrize("name", ["", "t3_", "t3", "abc", "t2_abc", "T3_abc", "t3_ä", "t3_!", "t3-abc", "_abc"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        number_of(name)


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_numbers_rise_as_names_do(one: int, two: int) -> None:
    def name(number: int) -> str:
        digits = ""
        while number:
            number, digit = divmod(number, 36)
            digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        return "t3_" + (digits or "0")

    assert number_of(name(one)) == one
    assert (number_of(name(one)) < number_of(name(two))) == (one < two)


def test_a_comment_s_title_is_not_its_own_words() -> None:
    values = {"subreddit": "x", "author": None, "permalink": "", "url": "", "created_at": 0.0}
    post = Item(name="t3_a", kind="post", title="T", body="B", **values)  # type: ignore[arg-type]
    comment = Item(name="t1_a", kind="comment", title="T", body="B", **values)  # type: ignore[arg-type]
    assert (post.fields, comment.fields) == ({"title": "T", "body": "B"}, {"body": "B"})
    assert post.number == 10


@pytest.mark.parametrize(
    ("kind", "link", "post", "bare"),
    [
        ("comment", "https://www.reddit.com/r/x/comments/1abc/a_title/zz9/", "t3_1abc", "/r/x/comments/1abc/_/zz9/"),
        ("comment", "https://www.reddit.com/r/x/comments/1abc/a_title/zz9", "t3_1abc", "/r/x/comments/1abc/_/zz9"),
        ("comment", "https://www.reddit.com/r/x/comments/1abc/", "t3_1abc", "/r/x/comments/1abc/"),
        ("comment", "https://www.reddit.com/r/comments/x/", "t3_x", "/r/comments/x/"),
        ("comment", "https://www.reddit.com/r/x/", None, "/r/x/"),
        ("post", "https://www.reddit.com/r/x/comments/1abc/a_title/", None, None),
    ],
)
def test_a_comments_link_names_its_post(kind: Any, link: str, post: str | None, bare: str | None) -> None:
    item = Item("t1_zz9", kind, "x", None, "T", "B", link, "", 0.0)
    assert post_of(item) == post
    if bare is not None:
        assert untitled(link) == f"https://www.reddit.com{bare}"
        assert untitled(untitled(link)) == untitled(link)
