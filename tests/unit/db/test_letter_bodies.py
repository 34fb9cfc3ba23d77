"""Taking items out of dead letters' bodies: nothing of the item is left, and the rest can be replayed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.bus.envelope import StrictEncoder
from overheard.db import letter_bodies as bodies

ENCODER = StrictEncoder()


def item(number: int, author: str | None = "Ada") -> dict[str, Any]:
    return {
        "name": f"t3_{number}", "kind": "post", "subreddit": "python", "author": author, "title": f"title {number}",
        "body": f"body {number}", "permalink": "https://www.reddit.com/r/python/1/", "url": "", "created_at": 1.0,
    }  # fmt: skip


def envelope(stage: str, payload: dict[str, Any], **options: Any) -> str:
    return json.dumps(
        {
            "queue_name": stage, "actor_name": stage, "args": [payload], "kwargs": {}, "options": options,
            "message_id": "m", "message_timestamp": 1,
        },
        separators=(",", ":"),
    )  # fmt: skip


def fetched(*items: dict[str, Any], **options: Any) -> str:
    return envelope("match", {"v": 1, "poll_id": "p", "part": 0, "items": items, "parts": 1, "targets": []}, **options)


def matched(*wanted: tuple[dict[str, Any], tuple[int, ...]]) -> str:
    entries = [
        {"item": one, "matches": [{"workspace_id": each, "query_ids": [1], "highlights": []} for each in ids]}
        for one, ids in wanted
    ]
    return envelope("store", {"v": 1, "poll_id": "p", "part": 0, "items": entries, "parts": 1, "targets": []})


def left(body: str | None) -> Any:
    """The items of a body, which must still be one that can be replayed."""
    assert body is not None
    return ENCODER.decode(body.encode())["args"][0].message.items


def test_an_item_is_taken_out_of_what_was_fetched_and_what_was_matched() -> None:
    kept = left(bodies.without_items(fetched(item(1), item(2), traceback="ValueError: body 1"), ["t3_1"]))
    assert [one.name for one in kept] == ["t3_2"]
    changed = bodies.without_items(matched((item(1), (5,)), (item(2), (5,))), ["t3_1", "t3_9"])
    assert [entry.item.id for entry in left(changed)] == ["t3_2"]


def test_the_traceback_that_travels_with_a_retry_goes_too() -> None:
    changed = bodies.without_items(fetched(item(1), retries=2, traceback="ValueError: 'body 1'"), ["t3_1"])
    assert changed is not None
    assert "body 1" not in changed
    assert json.loads(changed)["options"] == {"retries": 2}


def test_a_body_without_it_stays_as_it_is() -> None:
    for body in (fetched(item(1)), "rubbish", "[]", '{"workspace_id": 1}', ""):
        assert bodies.without_items(body, ["t3_12"]) is None
        assert bodies.without_authors(body, ["bob"], items_too=True) is None


@pytest.mark.parametrize("name", ["Ada", "ada", "ADA"])
def test_an_author_is_taken_off_or_out(name: str) -> None:
    body = fetched(item(1), item(2, "bob"), item(3, None))
    assert [one.author for one in left(bodies.without_authors(body, [name], items_too=False))] == [None, "bob", None]
    assert [one.name for one in left(bodies.without_authors(body, [name], items_too=True))] == ["t3_2", "t3_3"]


def test_several_authors_at_once() -> None:
    body = fetched(item(1), item(2, "bob"), item(3, "Eve"))
    kept = left(bodies.without_authors(body, {"EVE", "ada"}, items_too=False))
    assert [one.author for one in kept] == [None, "bob", None]
    assert bodies.without_authors(body, [], items_too=True) is None


def test_who_is_only_spoken_of_stays_as_it_is() -> None:
    body = fetched(item(1, "bob") | {"title": '"Ada"', "body": "ada"})
    assert bodies.without_authors(body, ["ada"], items_too=True) is None


@pytest.mark.parametrize("cut", [100, 200, 300])
def test_a_body_that_cannot_be_read_goes_whole(cut: int) -> None:
    body = fetched(item(1))[:-cut] if cut < 300 else '{"items":["t3_1"],"subreddit":"x","author":"Ada"}'
    assert bodies.without_items(body, ["t3_1"]) == bodies.UNREADABLE
    assert '"subreddit"' not in bodies.UNREADABLE


def test_a_workspace_is_taken_out_and_what_was_only_its_own_goes() -> None:
    def without(body: str) -> Any:
        return bodies.without_workspace(body, 5, "acme", {70, 71})

    both = matched((item(1), (5, 6)), (item(2), (5,)))
    assert [(entry.item.id, [m.workspace_id for m in entry.matches]) for entry in left(without(both))] == [
        ("t3_1", [6])
    ]
    assert without(matched((item(1), (6,)))) is None
    assert without(fetched(item(1))) is None
    for own in (
        envelope("fetch", {"v": 1, "workspace_id": 5}), envelope("notify", {"v": 1, "channel_id": 71}),
        '{"workspace": "acme", "x": 1}', '{"workspace": 5}', '{"workspace": "acme", ',
    ):  # fmt: skip
        assert without(own) == ""
    for other in (
        envelope("fetch", {"v": 1, "workspace_id": 55}), envelope("notify", {"v": 1, "channel_id": 7}),
        '{"workspace": "acmes"}', "rubbish", "[5]", "5",
    ):  # fmt: skip
        assert without(other) is None


def test_texts_go_and_what_it_was_stays() -> None:
    for body in (fetched(item(1), traceback="body 1"), matched((item(1), (5,)))):
        stripped = bodies.without_texts(body)
        for secret in ("body 1", "title 1", "Ada", "t3_1", bodies.HOLDS_ITEMS):
            assert secret not in stripped
        assert json.loads(stripped)["message_id"] == "m"
        with pytest.raises(Exception, match=r"\$\.args\[0\]"):
            ENCODER.decode(stripped.encode())
    assert bodies.without_texts(fetched(item(1))[:-50]) == bodies.UNREADABLE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["args", "items", "item", "name",
        "matches", "author", "options", "subreddit", "workspace"]), inner, max_size=4),
)  # fmt: skip


@given(JSON | st.builds(lambda items: {"args": [{"items": items}]}, JSON))
def test_no_body_makes_it_fail(value: Any) -> None:
    body = json.dumps(value)
    for changed in (
        bodies.without_items(body + '"t3_1"', ["t3_1"]), bodies.without_items(body, ["name"]),
        bodies.without_authors(body, ["author"], items_too=True), bodies.without_workspace(body, 1, "items", [2]),
        bodies.without_texts(body),
    ):  # fmt: skip
        assert changed is None or isinstance(changed, str)
