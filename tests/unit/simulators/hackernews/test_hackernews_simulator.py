"""The simulated Hacker News answers as Firebase and Algolia do: to right requests, and to wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from overheard.simulators.hackernews import HackerNewsSimulator
from tests.fixtures import Clock

NOW = 1_795_424_400


@pytest.fixture
def simulator() -> Iterator[HackerNewsSimulator]:
    with HackerNewsSimulator(clock=Clock(), first=100) as made:
        yield made


def get(simulator: HackerNewsSimulator, path: str, **params: str) -> Any:
    response = requests.get(simulator.url + path, params=params, timeout=60, allow_redirects=False)
    assert response.status_code == 200, response.text
    return response.json()


def test_items(simulator: HackerNewsSimulator) -> None:
    story = simulator.add_story("A & B", "It's\n\nfine.", author="pg")
    comment = simulator.add_comment(story, "a/b")
    assert (story, comment, get(simulator, "v0/maxitem.json")) == (100, 101, 101)
    assert get(simulator, f"v0/item/{story}.json") == {
        "id": 100, "type": "story", "by": "pg", "time": NOW, "title": "A &amp; B", "text": "It&#x27;s<p>fine.",
        "score": 1, "descendants": 1, "kids": [101],
    }  # fmt: skip
    assert get(simulator, f"v0/item/{comment}.json", print="pretty") == {
        "id": 101, "type": "comment", "by": "someone", "time": NOW, "parent": 100, "text": "a&#x2F;b",
    }  # fmt: skip


def test_polls_and_jobs(simulator: HackerNewsSimulator) -> None:
    poll = simulator.add_poll("Tabs?", ["Yes", "No"])
    assert get(simulator, f"v0/item/{poll}.json")["parts"] == [poll + 1, poll + 2]
    assert get(simulator, f"v0/item/{poll + 1}.json")["poll"] == poll
    assert get(simulator, f"v0/item/{simulator.add_job('Hiring')}.json")["type"] == "job"


def test_numbers_without_an_item_are_null(simulator: HackerNewsSimulator) -> None:
    hole, late = simulator.add_hole(), simulator.add_story("late", hidden_for=30)
    assert get(simulator, "v0/maxitem.json") == late
    for number in (hole, late, 99_999, 0, "x"):
        assert get(simulator, f"v0/item/{number}.json") is None
    simulator.advance(30)
    assert get(simulator, f"v0/item/{late}.json")["title"] == "late"
    assert get(simulator, f"v0/item/{hole}.json") is None


def test_deleted_dead_and_edited_items(simulator: HackerNewsSimulator) -> None:
    deleted, dead, edited = (simulator.add_story("Title", "text", url="https://x.example") for _ in range(3))
    simulator.delete(deleted)
    simulator.kill(dead)
    simulator.edit(edited, "new")
    assert get(simulator, f"v0/item/{deleted}.json") == {"id": deleted, "type": "story", "time": NOW, "deleted": True}
    shown = get(simulator, f"v0/item/{dead}.json")
    assert (shown["dead"], "title" in shown, "url" in shown) == (True, False, False)
    assert get(simulator, f"v0/item/{edited}.json")["text"] == "new"
    assert get(simulator, "v0/updates.json") == {"items": [edited, dead, deleted], "profiles": []}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("v0/item/100", 302), ("v0/maxitem", 302), ("", 302), ("v0/nothing.json", 401), ("v0/item/.json", 200),
        ("api/v1/items", 404), ("api/v1/search_by_date?tags=nothing", 400), ("api/v1/search_by_date?x=1", 400),
        ("api/v1/search_by_date?numericFilters=id>5", 400), ("api/v1/search_by_date?hitsPerPage=many", 400),
    ],
)  # fmt: skip
def test_wrong_paths_and_parameters(simulator: HackerNewsSimulator, path: str, status: int) -> None:
    assert requests.get(simulator.url + path, timeout=60, allow_redirects=False).status_code == status


def test_nothing_can_be_written(simulator: HackerNewsSimulator) -> None:
    assert requests.put(f"{simulator.url}v0/item/5.json", data="{}", timeout=60).status_code == 401


def test_search(simulator: HackerNewsSimulator) -> None:
    story = simulator.add_story("Postgres & more", created=NOW - 50)
    comment = simulator.add_comment(story, "Use MySQL", created=NOW - 40, author="ann")
    simulator.kill(simulator.add_story("Postgres is dead"))

    def found(**params: str) -> list[str]:
        return [hit["objectID"] for hit in get(simulator, "api/v1/search_by_date", **params)["hits"]]

    assert found() == [str(comment), str(story)]
    assert found(tags="story") == found(query="postgr") == [str(story)]
    assert found(tags=f"comment,story_{story}", query="mysql") == [str(comment)]
    assert found(tags="(story,comment),author_ann") == [str(comment)]
    assert found(numericFilters=f"created_at_i>={NOW - 50},created_at_i<{NOW - 40}") == [str(story)]
    assert found(hitsPerPage="1", page="1") == [str(story)]
    [hit] = get(simulator, "api/v1/search_by_date", tags="comment")["hits"]
    assert (hit["story_title"], hit["story_id"], hit["parent_id"]) == ("Postgres &amp; more", story, story)


def test_search_shows_a_thousand_items(simulator: HackerNewsSimulator) -> None:
    simulator.add_samples(1005)
    answer = get(simulator, "api/v1/search_by_date", hitsPerPage="5000")
    assert (len(answer["hits"]), answer["nbHits"]) == (1000, 1005)
    assert get(simulator, "api/v1/search_by_date", hitsPerPage="1000", page="1")["hits"] == []


def test_samples_fill_a_stop(simulator: HackerNewsSimulator) -> None:
    simulator.add_samples(100, seconds=1000)
    times = [item.time for item in simulator.items.all_visible()]
    assert times == sorted(times, reverse=True)
    assert (times[-1], times[0]) == (NOW - 1000, NOW - 10)


def test_the_control_path(simulator: HackerNewsSimulator) -> None:
    def post(command: str, **fields: object) -> Any:
        response = requests.post(f"{simulator.url}_simulator/{command}", json=fields, timeout=60)
        assert response.status_code == 200, response.text
        return response.json()

    story = post("stories", title="Title", hidden_for=0)["id"]
    comment = post("comments", parent=story, text="text")["id"]
    post("holes", count=2)
    post("delete", number=comment)
    post("edit", number=story, text="new")
    assert get(simulator, "v0/updates.json")["items"] == [story, comment]
    post("samples", count=3, seconds=60)
    assert get(simulator, "v0/maxitem.json") == 106
    post("max-item", number=5)
    assert get(simulator, "v0/maxitem.json") == 5
    post("max-item")
    assert get(simulator, "v0/maxitem.json") == 106
    post("faults", kind="fail", status=500, path="maxitem")
    assert requests.get(f"{simulator.url}v0/maxitem.json", timeout=60).status_code == 500
