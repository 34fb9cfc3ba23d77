"""Folding with our own processes: each mention is told once, however many there are, and whatever is killed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from peewee import fn

from overheard.db.models import PENDING, Delivery
from tests.servers.farm import ALL_STAGES, Farm
from tests.servers.sink import Answer, Request

PACE = {"summary_every": "2s"}


@pytest.fixture(params=["servers", "memory"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Farm]:
    """Everything on RabbitMQ and PostgreSQL, or in one process on memory:// and SQLite."""
    urls = ("rabbit_url", "postgresql_url")
    bus, database = (
        map(request.getfixturevalue, urls)
        if request.param == "servers"
        else ("memory://", f"sqlite:///{tmp_path}/overheard.db")
    )
    with Farm(tmp_path, bus=bus, database=database) as farm:
        yield farm


def start(farm: Farm) -> None:
    if farm.bus == "memory://":
        farm.start("run", "overheard.cli", "run")
    else:
        farm.everything()


def told(farm: Farm) -> int:
    """How many mentions the receiver was told of."""
    return mentions_in(farm.sink.wait_for(0))


def mentions_in(requests: Iterable[Request]) -> int:
    """How many mentions these messages tell of; one that was repeated counts once."""
    counts = {
        request.headers["webhook-id"]: 1 if request.json["type"] == "mention.created" else request.json["data"]["total"]
        for request in requests
    }
    return sum(counts.values())


class InterruptedReceiver:
    """Leaves one message unanswered of each path and type in ``moments``: the first, or another by its number."""

    def __init__(self, moments: Mapping[tuple[str, str], int]) -> None:
        self.moments = moments
        self.unanswered: dict[tuple[str, str], Request] = {}
        self.answered: dict[str, Request] = {}  # by the message's id
        self._arrived: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def told(self) -> int:
        return mentions_in(list(self.answered.values()))

    def answer(self, request: Request) -> Answer:
        moment = request.path, request.json["type"]
        with self._lock:
            self._arrived[moment] += 1
            if self._arrived[moment] == self.moments.get(moment):
                self.unanswered[moment] = request
                return Answer(fault="hang")
            self.answered[request.headers["webhook-id"]] = request
        return Answer()


def test_a_flood_is_folded_and_counted_exactly(farm: Farm) -> None:
    farm.workspace(pace=PACE)
    start(farm)
    farm.wait_for_items(farm.post(1))
    for round_ in range(4):
        farm.post(50, first=100 * round_ + 1)
        seen = len(farm.sink.wait_for(0))
        farm.sink.wait_for(seen + 1)
    farm.wait(lambda: told(farm) == 201, lambda: f"{told(farm)} of 201")
    messages = farm.sink.wait_for(0)
    assert [request.json["type"] for request in messages[:10]] == ["mention.created"] * 10
    assert len(messages) <= 20
    assert all(request.verified_by(farm.secret) for request in messages)


def test_a_killed_notify_loses_and_doubles_nothing(farm: Farm) -> None:
    """It is killed twice: the receiver has a single message, then a summary, that it has not answered yet."""
    farm.settings |= {"NOTIFY__TIMEOUT": "1", "NOTIFY__LEASE": "6.1"}  # the shortest: it waits for the lease to end
    farm.workspace("singles", subreddits=("python",), pace=PACE)
    farm.workspace("folded", subreddits=("rust",), pace=PACE)
    receiver = InterruptedReceiver({("/singles", "mention.created"): 5, ("/folded", "mentions.summary"): 1})
    farm.sink.always = receiver.answer
    victim = "run" if farm.bus == "memory://" else "actors"
    farm.post(40, "python")
    farm.post(40, "rust")
    start(farm)
    for moment in receiver.moments:
        farm.wait(lambda moment=moment: moment in receiver.unanswered, lambda moment=moment: f"no {moment}")
        farm.kill9(victim)
        farm.start(victim, "overheard.cli", "run") if victim == "run" else farm.actors(*ALL_STAGES, name=victim)
    farm.wait(lambda: receiver.told >= 80, lambda: f"{receiver.told} of 80")
    farm.wait(lambda: farm.scalar(Delivery.select(fn.count(Delivery.id)).where(Delivery.state == PENDING)) == 0)
    assert receiver.told == 80
    for unanswered in receiver.unanswered.values():
        repeated = receiver.answered[unanswered.headers["webhook-id"]]
        assert repeated.json["data"] == unanswered.json["data"]


def test_another_query_does_not_wait_for_a_flood(farm: Farm) -> None:
    farm.workspace(pace={"summary_every": "10m"}, query={"brand": "needle", "rival": "thimble"})
    start(farm)
    farm.wait_for_items(farm.post(1))
    flood = farm.post(60, first=1)
    farm.sink.wait_for(10)
    farm.wait(lambda: told(farm) == 10)
    quiet = farm.simulator.add_post("python", "a thimble", "in the haystack", "someone")
    farm.wait_for_items({quiet})
    assert told(farm) == 11
    assert len(flood) == 60
