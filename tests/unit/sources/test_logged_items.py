"""Items in log lines: a bounded number, without names or words."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from overheard.items import Item
from overheard.sources.logged_items import ITEMS_PER_LINE, log_read, logged_id, logged_ids


class Lines(list[dict[str, Any]]):
    """A logger that keeps its lines."""

    def debug(self, event: str, **fields: Any) -> None:
        self.append({"event": event, **fields})


def test_items_are_named_by_source_and_id() -> None:
    assert logged_ids([("reddit", "t3_1"), ("hackernews", "8863")]) == "reddit:t3_1 hackernews:8863"
    assert logged_ids([]) == ""


def test_a_line_has_a_bounded_number_of_them() -> None:
    named = logged_ids(("reddit", f"t3_{number}") for number in range(ITEMS_PER_LINE + 5))
    assert named.split()[ITEMS_PER_LINE:] == ["and", "5", "more"]


@pytest.mark.parametrize(
    ("source", "ref"),
    [
        ("mastodon", "https://mastodon.social/users/quillwright/statuses/1"),
        ("feeds", "quillwright on lone surrogates \ud800"),
        ("bluesky", "at://did:plc:quillwright/app.bsky.feed.post/1"),
        ("replay", "quillwright"),
        ("no such source", "quillwright"),
    ],
)
def test_an_id_that_may_hold_a_name_is_hashed(source: str, ref: str) -> None:
    named = logged_id(source, ref)
    assert "quillwright" not in named
    assert named == logged_id(source, ref)
    assert named != logged_id(source, f"{ref}2")


def test_everything_that_is_read_is_logged_only_when_debugging(caplog: pytest.LogCaptureFixture) -> None:
    items = [Item(source="reddit", id=f"t3_{n}", kind="post", place="python", created_at=0.0) for n in range(45)]
    lines: Any = Lines()
    caplog.set_level(logging.INFO)
    log_read(lines, items, poll="p")
    assert lines == []
    caplog.set_level(logging.DEBUG)
    log_read(lines, items, poll="p")
    named = " ".join(line["item_ids"] for line in lines).split()
    assert named == [f"reddit:{item.id}" for item in items]
    assert {(line["event"], line["poll"]) for line in lines} == {("items read", "p")}
