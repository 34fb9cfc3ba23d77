"""Rechecks and erasure, with our own processes, a real RabbitMQ and a Reddit over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from peewee import SQL, fn

from overheard.bus.envelope import StrictEncoder, pack
from overheard.db.models import TABLES, DeadLetter, Delivery, Mention, StoredItem, Workspace
from overheard.items import Item
from overheard.messages import ItemsFetched, PollPart
from tests.integration.test_chain import publish
from tests.servers.farm import Farm
from tests.servers.forks import shared_forks
from tests.servers.sink import Answer

HOUR = 3600.0
QUICK = {"RECHECK__WITHIN_HOURS": "0.002"}  # 7.2 s: due after 3.6 s


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, **QUICK) as farm:
        yield farm


def count(farm: Farm, table: Any, *where: Any) -> int:
    query = table.select(fn.COUNT(SQL("*")))
    return int(farm.scalar(query.where(*where) if where else query))


def everything(farm: Farm) -> str:
    """Return the contents of every table."""
    with farm.db.session():
        rows = [list(table.select().tuples().execute(farm.db.peewee)) for table in TABLES]
        farm.db.release()
    return str(rows)


def test_what_is_deleted_on_reddit_is_erased_everywhere(farm: Farm) -> None:
    farm.workspace()
    farm.everything()
    kept = farm.post(3)
    by_author = farm.simulator.add_post("python", "needle by u/quitter", "WORDS-OF-AUTHOR", "quitter")
    by_moderator = farm.simulator.add_post("python", "needle", "WORDS-REMOVED", "mallory")
    of_account = farm.simulator.add_post("python", "needle", "words that stay", "leaver")
    comment = farm.simulator.add_comment(by_author, "a needle in a comment", "bystander")
    farm.wait_for_items({by_author, by_moderator, of_account, comment} | kept)
    dead = [
        Item(
            source="reddit", id=name, kind="post", place="python", author=author, title="t", body=words, created_at=1.0
        )
        for name, author, words in ((by_author, "quitter", "WORDS-OF-AUTHOR"), ("t3_1", "x", "other WORDS"))
    ]
    with pika.BlockingConnection(pika.URLParameters(farm.bus)) as connection:  # as if it had killed its worker
        body = StrictEncoder().encode(pack(ItemsFetched(part=PollPart(poll="p", part=0), items=tuple(dead))).asdict())
        connection.channel().basic_publish("", "match.XQ", body)
    farm.simulator.delete(by_author)
    farm.simulator.delete(by_moderator, "moderator")
    farm.simulator.delete_account("leaver")

    farm.wait(lambda: not count(farm, StoredItem, StoredItem.ref.in_([by_author, by_moderator])))
    farm.wait(lambda: not count(farm, StoredItem, StoredItem.author == "leaver"))
    farm.wait(
        lambda: not count(farm, StoredItem, StoredItem.title.contains("u/quitter")), lambda: "the comment's title stays"
    )
    left = everything(farm)
    for gone in ("WORDS-OF-AUTHOR", "WORDS-REMOVED", "mallory", "leaver", "'quitter'"):
        assert gone not in left, gone
    assert count(farm, Mention) == len(kept) + 2
    farm.wait(lambda: count(farm, DeadLetter, DeadLetter.body.contains("t3_1")) == 1, lambda: "it was not collected")
    assert "WORDS" not in everything(farm)
    with pika.BlockingConnection(pika.URLParameters(farm.bus)) as connection:
        assert connection.channel().queue_declare("match.XQ", passive=True).method.message_count == 0
    assert "WORDS" not in farm.logs()
    time_of_last = farm.scalar(StoredItem.select(fn.MAX(StoredItem.checked_at)))
    farm.wait(lambda: farm.scalar(StoredItem.select(fn.MIN(StoredItem.checked_at))) > time_of_last)
    assert count(farm, StoredItem) == len(kept) + 2, "present items stay, however often they are looked up"


def test_a_deleted_item_disappears_from_a_pending_digest(farm: Farm) -> None:
    farm.workspace(mode="digest", digest="0 0 1 1 *")
    farm.everything()
    kept, gone = farm.post(2), farm.post(2, first=10)
    farm.wait(lambda: count(farm, Delivery, Delivery.state == "held") == 4)
    for name in gone:
        farm.simulator.delete(name)
    farm.wait(lambda: count(farm, Delivery) == 2)
    publish(farm.bus, "workspace.digest", b'{"workspace": "acme"}')
    assert set(farm.wait_for_items(kept)) == kept


def test_a_waiting_delivery_of_a_deleted_item_is_not_sent(farm: Farm) -> None:
    farm.workspace()
    farm.everything()
    farm.sink.answer(*[Answer(503)] * 50)
    gone = farm.post(1)
    farm.wait(lambda: count(farm, Delivery, Delivery.error.is_null(False)) == 1)
    farm.simulator.delete(next(iter(gone)))
    farm.wait(lambda: not count(farm, Delivery))
    assert count(farm, StoredItem) == 0


def age(farm: Farm, hours: float, *where: Any) -> None:
    """Pretend that the items were last looked up ``hours`` ago."""
    with farm.db.session():
        query = StoredItem.update(checked_at=time.time() - hours * HOUR, lease_until=0)
        (query.where(*where) if where else query).execute(farm.db.peewee)
        farm.db.release()


def recheck(farm: Farm, times: int) -> None:
    """Have the items looked up now, again and again; a failure would postpone the next time by a minute."""
    for _ in range(times):
        seen = asked(farm)
        age(farm, 1)
        farm.wait(lambda seen=seen: asked(farm) > seen)


def asked(farm: Farm) -> int:
    """Return the number of requests that looked stored items up."""
    return farm.simulator.counts()["by_endpoint"].get("info", 0)


def test_a_thousand_items_need_ten_requests(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> None:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, FETCH__GROUP_SIZE="1") as farm:
        names = tuple(f"sub{number}" for number in range(10))
        for name in names:
            farm.post(100, name)
        farm.workspace(every="1d", subreddits=names, mode="digest", digest="0 0 1 1 *")
        farm.everything()
        farm.wait(lambda: count(farm, StoredItem) == 1000, lambda: f"{count(farm, StoredItem)} items")
        age(farm, 13)
        farm.wait(lambda: not count(farm, StoredItem, StoredItem.checked_at < time.time() - HOUR))
        assert asked(farm) == 10
        assert count(farm, StoredItem) == 1000


def test_rechecks_yield_to_fetches_unless_they_are_urgent(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> None:
    """Ten feeds, each requested alone and always stale, want far more than 1.5 requests per second.

    Also on a machine that takes seconds for a round: their slots are reserved for the next seven seconds.
    """
    settings = {
        "REDDIT__REQUESTS_PER_MINUTE": "90",
        "REDDIT__BURST": "2",
        "FETCH__GROUP_SIZE": "1",
        "RECHECK__SHARE": "0.25",
        "LOG__LEVEL": "WARNING",
    }
    names = ("python", "linux", "rust", "golang", "erlang", "ocaml", "haskell", "perl", "scala", "julia")
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, **settings) as farm:
        wanted = set().union(*[farm.post(15, name, first=100 * number) for number, name in enumerate(names)])
        farm.workspace(subreddits=names, every="1s")
        farm.everything()
        farm.wait_for_items(wanted, seconds=60)
        age(farm, 13)
        before = farm.simulator.counts()["total"]
        assert farm.simulator.wait_for_requests(before + 12)
        assert asked(farm) == 0, "a recheck that is not urgent takes spare tokens only, and there are none"
        age(farm, 19)
        began, before = time.monotonic(), farm.simulator.counts()["total"]
        farm.wait(lambda: not count(farm, StoredItem, StoredItem.checked_at < time.time() - HOUR), seconds=90)
        requests, seconds = farm.simulator.counts()["total"] - before, time.monotonic() - began
        assert asked(farm) == 2, "150 items"
        assert requests <= 1.5 * seconds + 4, "the budget is not exceeded"
        assert not count(farm, DeadLetter)


def test_an_event_rechecks_one_item_or_all_that_are_due(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> None:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url) as farm:
        farm.workspace(every="1d")
        posted = sorted(farm.post(3))
        farm.everything()
        farm.wait_for_items(set(posted))
        farm.simulator.delete(posted[0])
        publish(farm.bus, "item.recheck", f'{{"item": "{posted[0]}"}}'.encode())
        farm.wait(lambda: count(farm, StoredItem) == 2)
        assert asked(farm) == 1
        publish(farm.bus, "item.recheck", b'{"item": "t3_nothing"}')
        publish(farm.bus, "item.recheck", b'{"items": []}')
        farm.wait(lambda: count(farm, DeadLetter, DeadLetter.stage == "ingress") == 2)
        publish(farm.bus, "item.recheck", b"{}")
        publish(farm.bus, "workspace.due", b'{"workspace": "acme"}')
        farm.wait_for_items(farm.post(1, first=5))
        assert asked(farm) == 1, "nothing was due"


def test_a_transient_error_of_reddit_is_not_a_deletion(farm: Farm) -> None:
    farm.workspace(every="1d")
    farm.everything()
    posted = farm.post(5)
    farm.wait_for_items(posted)
    farm.simulator.faults.fail(503, times=2, path="/api/info")
    farm.simulator.faults.fail(403, times=1, path="/api/info")
    farm.simulator.faults.html(status=200, times=1, path="/api/info")
    farm.simulator.faults.truncate(times=1, path="/api/info")
    since = asked(farm)
    recheck(farm, times=6)
    farm.wait(lambda: not count(farm, StoredItem, StoredItem.checked_at < time.time() - HOUR / 2))
    assert asked(farm) >= since + 6
    farm.simulator.set_subreddit("python", "private")
    recheck(farm, times=3)
    assert count(farm, StoredItem, StoredItem.absent_since.is_null(False)) == 5
    farm.simulator.set_subreddit("python", "public")
    age(farm, 1)
    farm.wait(lambda: not count(farm, StoredItem, StoredItem.absent_since.is_null(False)))
    assert count(farm, StoredItem) == len(posted)
    assert not count(farm, DeadLetter)


def test_a_recheck_of_a_killed_process_is_repeated(farm: Farm) -> None:
    farm.workspace(every="1d")
    farm.producer("ingress")
    farm.producer("tick")
    farm.actors("fetch", "match", "store", "notify", name="others")
    posted = sorted(farm.post(3))
    farm.wait_for_items(set(posted))
    farm.simulator.faults.timeout(times=1, path="/api/info")
    farm.actors("recheck")
    farm.wait(lambda: asked(farm) > 0)
    farm.kill9("recheck")
    farm.simulator.delete(posted[0])
    age(farm, 1)  # its claim has expired
    farm.actors("recheck")
    farm.wait(lambda: count(farm, StoredItem) == 2)
    assert count(farm, Workspace) == 1


def test_a_forgotten_author_is_not_stored_again_by_the_next_poll(farm: Farm) -> None:
    """The posts are still on Reddit, in a listing that every poll reads again."""
    farm.workspace(every="2s")
    farm.everything()
    hers = {farm.simulator.add_post("python", f"needle {number}", "her words", "Ada") for number in range(5)}
    farm.wait_for_items(hers)
    forget = ("forget", "--author", "u/ada", "--yes")
    done = shared_forks().run("overheard.cli", *forget, env=farm.environment, cwd=farm.folder)
    assert done.returncode == 0, done.stderr
    assert count(farm, StoredItem) == 0
    other = farm.post(2)
    received = farm.wait_for_items(other)
    assert len(received) == 7
    assert count(farm, StoredItem) == 2


def test_rechecks_work_in_one_process_on_sqlite(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db", **QUICK) as farm:
        farm.workspace()
        farm.start("run", "overheard.cli", "run")
        posted = sorted(farm.post(3))
        farm.wait_for_items(set(posted))
        farm.simulator.delete(posted[0])
        farm.wait(lambda: count(farm, StoredItem) == 2)
        assert farm.terminate("run") == 0
