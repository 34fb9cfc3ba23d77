"""The simulated server answers as Mastodon does, by requests that no client of ours makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from overheard.simulators.mastodon import MastodonSimulator

START = 1_795_780_800.0


@pytest.fixture
def server() -> Iterator[MastodonSimulator]:
    with MastodonSimulator(clock=lambda: START) as simulator:
        yield simulator


def get(server: MastodonSimulator, path: str, **params: Any) -> requests.Response:
    return requests.get(f"{server.url}api/v1/{path}", params=params, timeout=60)


def ids(answer: requests.Response) -> list[int]:
    return [int(status["id"]) for status in answer.json()]


def test_pages_are_listed_newest_first_whatever_their_bounds(server: MastodonSimulator) -> None:
    made = []
    for number in range(100):
        made.append(server.publish(f"{number}").id)
        server.advance(1)
    public = "timelines/public"
    assert ids(get(server, public)) == made[:79:-1], "20 by default"
    assert ids(get(server, public, limit=1000)) == made[:59:-1], "40 at most"
    assert ids(get(server, public, limit=5, min_id=made[9])) == made[14:9:-1], "the page after it"
    assert ids(get(server, public, limit=5, since_id=made[9])) == made[:94:-1], "the newest page, down to it"
    assert ids(get(server, public, limit=5, max_id=made[9])) == made[8:3:-1], "the page before it"
    assert ids(get(server, public, min_id=made[9], max_id=made[12])) == made[11:9:-1]
    assert ids(get(server, public, limit=3, min_id="rubbish")) == made[2::-1], "not a number: 0"


def test_an_id_is_made_from_the_time_at_which_a_status_was_written(server: MastodonSimulator) -> None:
    newer = server.publish("newer")
    late = int(server.federate("late", late_by=60))
    assert late >> 16 == int((START - 60) * 1000)
    assert ids(get(server, "timelines/public")) == [newer.id, late]


def test_the_public_timeline_has_no_replies_and_a_tag_has(server: MastodonSimulator) -> None:
    post = server.publish("one", tags=["Python"])
    reply = server.publish("two", tags=["python"], reply_to=str(post.id))
    assert ids(get(server, "timelines/public")) == [post.id]
    assert ids(get(server, "timelines/tag/PYTHON")) == [reply.id, post.id]


def test_requests_with_bounds_are_limited_in_each_window(server: MastodonSimulator) -> None:
    server.allowed = 2
    public = "timelines/public"
    left = [get(server, public, min_id=1).headers["X-RateLimit-Remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = get(server, public, min_id=1)
    assert (refused.status_code, refused.json()) == (429, {"error": "Too many requests"})
    assert "retry-after" not in refused.headers
    assert refused.headers["X-RateLimit-Reset"] == "2026-11-27T12:15:00.000000Z"
    assert get(server, public).status_code == 200, "without bounds it is not limited"
    server.advance(900)
    assert get(server, public, min_id=1).status_code == 200


def test_single_statuses_are_there_until_they_are_deleted(server: MastodonSimulator) -> None:
    status = server.publish("<p>one</p>")
    server.edit(str(status.id), "<p>two</p>")
    shown = get(server, f"statuses/{status.id}").json()
    assert (shown["content"], shown["edited_at"]) == ("<p>two</p>", "2026-11-27T12:00:00.000Z")
    server.delete(str(status.id))
    gone = get(server, f"statuses/{status.id}")
    assert (gone.status_code, gone.json()) == (404, {"error": "Record not found"})
    assert get(server, "timelines/home").status_code == 404


def test_a_closed_server_wants_a_token() -> None:
    with MastodonSimulator(wants_token=True) as server:
        assert get(server, "timelines/public").status_code == 422


def test_the_control_path_publishes(server: MastodonSimulator) -> None:
    answer = requests.post(f"{server.url}_simulator/statuses", json={"content": "a < b", "tag": "x"}, timeout=60).json()
    [shown] = get(server, "timelines/tag/x").json()
    assert (shown["id"], shown["uri"], shown["content"]) == (answer["id"], answer["uri"], "<p>a &lt; b</p>")
    server.add_sample()
    assert len(ids(get(server, "timelines/public"))) == 2
