"""Items: their texts, and the watches that they belong to."""

from __future__ import annotations

from typing import Any

from overheard.items import Item


def item(**fields: Any) -> Item:
    return Item(**({"source": "reddit", "id": "t3_a", "kind": "post", "place": "PyThon", "created_at": 0.0} | fields))


def test_a_threads_title_is_not_among_a_comments_texts() -> None:
    post = item(title="T", body="B", thread="t3_a")
    comment = item(id="t1_a", kind="comment", thread_title="T", body="B", thread="t3_a")
    assert (post.fields, comment.fields) == ({"title": "T", "body": "B"}, {"body": "B"})


def test_an_item_is_found_in_its_place_and_in_all_of_its_source() -> None:
    assert item().found_in == (("reddit", "post", "python"), ("reddit", "post", "all"))
    assert item(source="other").key == ("other", "t3_a")
