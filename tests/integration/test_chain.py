"""The whole pipeline, with our own processes on a real RabbitMQ and a real PostgreSQL; Reddit and Hacker News."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
from peewee import SQL, fn

from overheard.db.models import DeadLetter, Delivery, Feed, Mention, RefreshDemand, SourceStatus
from overheard.simulators.reddit import RedditSimulator
from tests.servers.farm import ALL_STAGES, HACKER_NEWS, Farm
from tests.servers.rabbitmq import RabbitServer


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url) as farm:
        yield farm


def say(farm: Farm, count: int, first: int = 0) -> set[str]:
    """Add items to both sources, half of ``count`` to each, and return their ids."""
    half = count // 2
    return farm.post(half, first=first) | farm.tell(count - half, first=first + half)


def publish(url: str, key: str, body: bytes, **properties: object) -> None:
    """Publish as another client would: no confirms, no delivery mode, nothing of ours imported."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().basic_publish("overheard.events", key, body, pika.BasicProperties(**properties))
    connection.close()


def test_an_event_of_another_client_ends_in_a_signed_webhook(farm: Farm, rabbit_server: RabbitServer) -> None:
    farm.workspace(every="1d")
    farm.everything()
    # The workspace is new, so the tick demands it once; after that only events do.
    farm.wait(lambda: farm.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
    posted = farm.post(3)
    publish(farm.bus, "workspace.due", b'{"workspace": "acme"}')
    assert set(farm.wait_for_items(posted)) == posted

    comment = farm.simulator.add_comment(next(iter(posted)), "another NEEDLE, in a comment")
    rabbit_server.admin(
        farm.bus,
        "publish",
        "exchange=overheard.events",
        "routing_key=workspace.due",
        'payload={"workspace": "acme"}',
    )
    farm.wait_for_items({comment})
    request = farm.sink.wait_for(4)[3]
    assert request.json["type"] == "mention.created"
    assert request.json["data"]["highlights"] == [["body", 8, 14]]


@pytest.mark.parametrize("victim", ALL_STAGES[:4])
def test_a_worker_killed_between_any_two_stages_loses_nothing(farm: Farm, victim: str) -> None:
    farm.workspace(watch=(HACKER_NEWS,))
    farm.producer("ingress")
    farm.producer("tick")
    farm.actors(*(stage for stage in ALL_STAGES if stage != victim), name="others")
    wanted: set[str] = set()
    for round_ in range(3):
        farm.actors(victim)
        wanted |= say(farm, 20, first=20 * round_)
        # Kill it while it works: after one more request to Reddit the rest is between two stages.
        asked = farm.simulator.counts()["total"]
        farm.simulator.wait_for_requests(asked + 1)
        farm.kill9(victim)
    farm.actors(victim)
    received = farm.wait_for_items(wanted, seconds=60)
    assert set(received) == wanted
    assert farm.scalar(Mention.select(fn.count(Mention.id))) == len(wanted)
    # Each kill may repeat the deliveries that were being sent, with the same id: at most one attempt for each.
    repeats = len(received) - len(wanted)
    ids = [request.headers["webhook-id"] for request in farm.sink.wait_for(0)]
    assert len(set(ids)) == len(wanted)
    assert repeats <= 3 * 8, repeats


def take_all(farm: Farm, queue: str, count: int) -> list[bytes]:
    """Take ``count`` messages off a queue without consumers."""
    bodies: list[bytes] = []

    def taken() -> bool:
        with pika.BlockingConnection(pika.URLParameters(farm.bus)) as connection:
            try:
                while (got := connection.channel().basic_get(queue, auto_ack=True))[0] is not None:
                    bodies.append(got[2])
            except (pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker):
                return False  # not declared yet, or being declared
        return len(bodies) == count

    farm.wait(taken, lambda: f"{len(bodies)} of {count} on {queue}")
    return bodies


def test_a_duplicated_and_shuffled_bus_adds_no_row(farm: Farm) -> None:
    farm.settings |= {"FETCH__LEASE": "300", "TICK__SWEEP_AFTER": "300"}  # what is taken off the bus comes once
    farm.workspace(subreddits=("python",), every="1d", watch=(HACKER_NEWS,))
    farm.producer("ingress")
    farm.producer("tick")
    posted = farm.post(90) | farm.tell(25)
    farm.actors("fetch")
    bodies = take_all(farm, "match", 3)  # polls of the posts, of the comments, and of Hacker News
    connection = pika.BlockingConnection(pika.URLParameters(farm.bus))
    for body in [*bodies, *reversed(bodies), *bodies]:
        connection.channel().basic_publish("", "match", body)
    connection.close()
    farm.actors("match")
    thrice = take_all(farm, "store", 9)
    connection = pika.BlockingConnection(pika.URLParameters(farm.bus))
    for body in [*reversed(thrice), *thrice]:
        connection.channel().basic_publish("", "store", body)
    connection.close()
    farm.actors("store", "notify", name="rest")
    received = farm.wait_for_items(posted)
    farm.wait(lambda: not farm.scalar(Delivery.select(fn.count(SQL("*"))).where(Delivery.state == "pending")))
    assert len(received) == len(posted)
    assert farm.scalar(Mention.select(fn.count(Mention.id))) == len(posted)
    assert farm.scalar(Delivery.select(fn.count(Delivery.id))) == len(posted)


def test_rabbitmq_restarted_in_the_middle_loses_nothing(farm: Farm, rabbit_server: RabbitServer) -> None:
    farm.workspace(watch=(HACKER_NEWS,))
    farm.everything()
    first = say(farm, 10)
    farm.wait_for_items(first)
    rabbit_server.kill9()
    second = say(farm, 10, first=10)
    rabbit_server.start()
    third = say(farm, 10, first=20)
    received = farm.wait_for_items(first | second | third, seconds=90)
    assert set(received) == first | second | third


def test_processes_that_start_before_rabbitmq_wait_for_it(tmp_path: Path, postgresql_url: str) -> None:
    server = RabbitServer()
    try:
        with Farm(tmp_path, bus=server.url, database=postgresql_url) as farm:
            farm.workspace(watch=(HACKER_NEWS,))
            farm.everything()
            for name, line in (
                ("actors", "cannot be reached yet"),
                ("ingress", "waiting for the bus"),
                ("tick", "tick failed"),
            ):
                farm.wait(lambda: line in farm.log(name), lambda: f"{name} did not log it")  # noqa: B023
            posted = say(farm, 2)
            server.start()
            farm.wait_for_items(posted, seconds=60)
    finally:
        server.stop()


def test_rate_limits_and_errors_of_a_source_cost_only_time(farm: Farm) -> None:
    # A group for each fault of Reddit: one with several in a row would wait longer and longer. And few faults in a row:
    # a source that fails for ten seconds is asked only now and then.
    farm.settings["FETCH__GROUP_SIZE"] = "1"
    farm.workspace(subreddits=("python", "linux", "rust", "golang"), watch=(HACKER_NEWS,))
    farm.everything()
    farm.wait_for_items(say(farm, 4))
    farm.simulator.faults.fail(429, times=2, retry_after="1")
    farm.wait_for_items(say(farm, 5, first=4), seconds=60)
    farm.simulator.faults.fail(503, times=3)
    farm.hackernews.faults.fail(429, retry_after="1")
    farm.hackernews.faults.reset()
    farm.wait_for_items(say(farm, 5, first=9), seconds=60)
    # Only now: Hacker News has one feed, which would wait longer and longer with all four in a row.
    for faults in (farm.simulator.faults, farm.hackernews.faults):
        faults.html(status=200, times=1)
        faults.truncate(times=1)
    farm.simulator.faults.reset(times=1)
    farm.wait_for_items(say(farm, 10, first=14), seconds=60)
    assert not farm.simulator.counts()["violations"]
    assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))


def test_the_mentions_of_other_sources_arrive_while_reddit_refuses_the_key(farm: Farm) -> None:
    farm.settings["REDDIT__CLIENT_SECRET"] = "revoked"
    farm.workspace(watch=(HACKER_NEWS,))
    farm.everything()
    farm.wait_for_items(farm.tell(3))
    refused = farm.post(3)
    farm.wait(lambda: "Reddit refuses the login" in farm.log("actors"))
    for round_ in range(1, 4):
        farm.wait_for_items(farm.tell(3, first=10 * round_))
    assert not refused & set(farm.received())
    assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))
    failing = [
        farm.scalar(SourceStatus.select(SourceStatus.failing_since).where(SourceStatus.name == name)) is not None
        for name in ("reddit", "hackernews")
    ]
    assert failing == [True, False]


def test_two_fetch_processes_share_a_budget_and_never_exceed_it(
    tmp_path: Path, rabbit_url: str, postgresql_url: str
) -> None:
    """Reddit allows 240 requests per minute; ten feeds, each requested alone, want about 300."""
    reddit = RedditSimulator(requests_per_minute=240, window_seconds=60)
    settings = {
        "REDDIT__REQUESTS_PER_MINUTE": "228",
        "REDDIT__BURST": "2",
        "FETCH__GROUP_SIZE": "1",
        "LOG__LEVEL": "WARNING",
    }
    names = ("python", "linux", "rust", "golang", "erlang")
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, simulator=reddit, **settings) as farm:
        farm.workspace(subreddits=names)
        farm.producer("ingress")
        farm.producer("tick")
        farm.actors("fetch", name="fetch-1")
        farm.actors("fetch", name="fetch-2")
        farm.actors("match", "store", "notify", name="rest")
        posted: set[str] = set()
        for round_ in range(3):
            for name in names:
                posted |= farm.post(2, name, first=10 * round_)
            farm.wait_for_items(posted, seconds=60)
        assert reddit.counts()["violations"] == 0
        assert 429 not in reddit.counts()["by_status"]
        assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))


def test_a_private_subreddit_stops_only_itself(farm: Farm) -> None:
    farm.simulator.set_subreddit("secret", "private")
    farm.simulator.set_subreddit("gone", "banned")
    farm.workspace(subreddits=("python", "secret", "gone", "linux"))
    farm.everything()
    wanted = farm.post(2) | farm.post(2, "linux", first=2)
    farm.wait_for_items(wanted)
    farm.wait(
        lambda: farm.scalar(Feed.select(fn.count(SQL("*"))).where(Feed.failures > 0)) == 4,
        lambda: "not all of the four refused feeds are marked",
    )


MALFORMED = [
    ("workspace.due", b"not json", "not JSON"),
    ("workspace.due", b"\xff\xfe", "UTF-8"),
    ("workspace.due", b'["acme"]', "want a JSON object"),
    ("workspace.due", b'{"workspace": true}', "boolean"),
    ("workspace.due", b'{"workspace": "nobody"}', "no workspace 'nobody'"),
    ("workspace.due", b'{"workspace": "acme", "x": 1}', "unknown key"),
    ("workspace.deu", b'{"workspace": "acme"}', "no such event type"),
]


def test_malformed_events_are_parked_with_their_reasons(farm: Farm) -> None:
    farm.settings["TICK__SWEEP_AFTER"] = "60"  # until then they stay in the queue, too
    farm.workspace(every="1d")
    farm.everything()
    farm.wait(lambda: farm.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
    for key, body, _ in MALFORMED:
        publish(farm.bus, key, body)
    farm.wait(lambda: farm.scalar(DeadLetter.select(fn.count(DeadLetter.id))) == len(MALFORMED))
    for _, _, reason in MALFORMED:
        found = DeadLetter.select(fn.count(DeadLetter.id)).where(DeadLetter.reason.contains(reason))
        assert farm.scalar(found) == 1, reason
    rejected = take_all(farm, "overheard.rejected", len(MALFORMED))
    assert sorted(rejected) == sorted(body for _, body, _ in MALFORMED)
    wanted = farm.post(1)
    publish(farm.bus, "workspace.due", b'{"workspace": "acme"}')
    farm.wait_for_items(wanted)


def test_a_poison_message_is_parked_and_delays_no_other(farm: Farm) -> None:
    farm.workspace()
    farm.everything()
    farm.wait_for_items(farm.post(1))
    connection = pika.BlockingConnection(pika.URLParameters(farm.bus))
    for body in (b"rubbish", json.dumps({"queue_name": "store", "actor_name": 7}).encode()):
        connection.channel().basic_publish("", "store", body)
    connection.close()
    farm.wait_for_items(farm.post(3, first=1))
    farm.wait(lambda: farm.scalar(DeadLetter.select(fn.count(DeadLetter.id))) == 2)


def test_two_ticks_side_by_side_ask_once(farm: Farm) -> None:
    farm.settings["TICK__SWEEP_AFTER"] = "300"  # nothing takes the events, and then they are sent again
    for number in range(40):
        farm.workspace(f"ws{number}", every="1d")
    farm.producer("tick", name="tick-1")
    farm.producer("tick", name="tick-2")
    farm.wait(lambda: not farm.scalar(RefreshDemand.select(fn.count(SQL("*"))).where(RefreshDemand.demanded_at == 0)))
    connection = pika.BlockingConnection(pika.URLParameters(farm.bus))

    def depth() -> int:
        channel = connection.channel()
        try:
            count = int(channel.queue_declare("overheard.ingress", passive=True).method.message_count)
        except pika.exceptions.ChannelClosedByBroker:
            return 0  # not declared yet
        channel.close()
        return count

    farm.wait(lambda: depth() >= 40)
    farm.terminate("tick-1")
    farm.terminate("tick-2")
    assert depth() == 40
    connection.close()


def test_sigterm_ends_every_process_in_order(farm: Farm) -> None:
    farm.workspace(watch=(HACKER_NEWS,))
    farm.everything()
    farm.wait_for_items(say(farm, 2))
    assert [farm.terminate(name) for name in ("tick", "ingress", "actors")] == [0, 0, 0]
