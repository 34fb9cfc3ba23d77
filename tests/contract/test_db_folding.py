"""Folding at the claim: each mention is told once, as a message of its own or counted in a summary (I4, I8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from overheard.db import (
    channel_activity,
    channels,
    deliveries,
    delivery_backlog,
    delivery_history,
    digests,
    erasure,
    folding,
    mentions,
    notice_contents,
    storing,
)
from overheard.db.database import Db
from overheard.db.deliveries import ClaimedDelivery
from overheard.db.delivery_history import DeliveryFilter
from overheard.db.models import Channel, Delivery, FailedTry, Mention, StoredItem
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.notices import Notice, PlaceCount, WorkspaceReport
from tests.fixtures import Clock, Race, World

LEASE = 60.0
DAY = 86_400.0


class Feed:
    """A workspace with the queries brand and rival, and one channel, ``team``."""

    def __init__(self, world: World, db: Db, clock: Clock) -> None:
        self.world, self.db, self.clock = world, db, clock
        self.number = 36**3  # ids of equal length, so that mentions are stored in their order
        self.wake_at: float | None = None

    def save(self, mode: Any = "instant", *, pace: dict[str, Any] | None = None, **fields: Any) -> None:
        """Save it, with the usual pace."""
        queries = {"brand": "acme", "rival": "bolt"}
        fields = {"name": "Acme Inc.", "subreddits": ("python", "rust"), **fields}
        spec = self.world.spec(queries=queries, channels={"team": mode}, pace=pace or {}, **fields)
        self.workspace = self.world.save(spec)
        self.channel = self.world.channel(self.workspace)
        self.queries = {name: self.world.query(self.workspace, name) for name in queries}

    def tell(self, count: int = 1, *queries: str, link: str | None = None, **fields: Any) -> list[str]:
        """Store so many mentions of the queries (brand); return the items' ids."""
        found = tuple(self.queries[name] for name in queries or ("brand",))
        items = []
        for _ in range(count):
            self.number += 1
            url = link or f"https://example.org/{self.number}"
            items.append(self.world.item(self.number, url=url, **fields))
        matches = (WorkspaceMatch(self.workspace, found, (("title", 3, 7),)),)
        message = ItemsMatched(
            part=PollPart(poll=f"p{self.number}", part=0, parts=1),
            items=tuple(MatchedItem(item, matches) for item in items),
        )
        storing.store(self.db, message, self.clock())
        return [item.id for item in items]

    def claim(self, limit: int = 50) -> list[ClaimedDelivery]:
        claim = deliveries.claim(self.db, self.channel, now=self.clock(), limit=limit, lease=LEASE)
        self.wake_at = claim.wake_at
        return list(claim.deliveries)

    def wakes(self) -> float | None:
        """Claim nothing, and return when to notify the channel again."""
        assert self.claim() == []
        return self.wake_at

    def notices(self, claimed: Sequence[ClaimedDelivery]) -> list[Notice]:
        contents = [deliveries.contents(self.db, each) for each in claimed]
        assert None not in contents
        return [each.notice for each in contents if each is not None]

    def send(self, limit: int = 50) -> list[Notice]:
        """Claim and send until nothing more can be; return what was sent."""
        sent: list[Notice] = []
        while claimed := self.claim(limit):
            sent += self.notices(claimed)
            for each in claimed:
                deliveries.mark_sent(self.db, each.id, self.clock())
        return sent

    def states(self) -> Counter[tuple[str, str | None]]:
        return Counter(self.world.rows(Delivery, "state", "held_by"))


@pytest.fixture
def feed(world: World, db: Db, clock: Clock) -> Feed:
    return Feed(world, db, clock)


def told(notices: Sequence[Notice]) -> int:
    """How many mentions the notices tell of."""
    return sum(each.totals.total if each.totals else len(each.mentions) + each.omitted for each in notices)


def test_a_flood_is_ten_messages_and_a_summary_and_another_query_gets_through(feed: Feed, clock: Clock) -> None:
    feed.save()
    feed.tell(200)
    singles = feed.send()
    assert [notice.type for notice in singles] == ["mention.created"] * 10
    assert feed.wake_at == clock() + 30
    clock.advance(10)
    feed.tell(100, place="rust")
    feed.tell(1, "rival")
    [quiet] = feed.send()
    assert (quiet.type, quiet.mentions[0].queries) == ("mention.created", ("rival",))
    clock.advance(20)
    feed.tell(3, "brand", "rival", place="rust")
    [summary] = feed.send()
    assert (summary.type, summary.workspace, summary.name) == ("mentions.summary", "acme", "Acme Inc.")
    assert summary.totals is not None
    assert (summary.totals.total, summary.totals.by_query) == (293, {"brand": 293, "rival": 3})
    assert summary.totals.by_place == (PlaceCount("reddit", "Python", 190), PlaceCount("reddit", "rust", 103))
    assert (summary.totals.since, summary.totals.until) == (mentions.rfc3339(clock() - 30), mentions.rfc3339(clock()))
    assert summary.omitted == 293 - len(summary.mentions)
    assert told([*singles, quiet, summary]) == 304
    assert feed.states() == {("sent", None): 12, ("bundled", "limit"): 293}


def test_a_claim_in_batches_sends_no_more_singles(feed: Feed) -> None:
    feed.save()
    feed.tell(30)
    assert len(feed.send(limit=4)) == 10


def test_a_summary_is_repeated_with_the_same_id_and_the_same_members(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(30)
    feed.send()
    clock.advance(30)
    [before] = feed.claim()
    [first] = feed.notices([before])
    feed.tell(40)
    assert feed.claim() == [], "a claim holds the channel"
    clock.advance(LEASE + 1)  # its process was killed
    other, again = feed.claim()
    assert (again.id, other.kind) == (before.id, "summary")
    assert feed.notices([again])[0].totals == first.totals
    deliveries.mark_sent(db, other.id, clock())
    deliveries.postpone(db, before.id, clock() + LEASE, clock() + 5, "503")
    clock.advance(5)
    feed.tell(10)
    repeated = [each for each in feed.claim() if each.id == before.id]
    assert feed.notices(repeated)[0].mentions == first.mentions
    deliveries.mark_sent(db, before.id, clock())
    clock.advance(LEASE + 1)
    assert 10 + told([first]) + 40 + told(feed.send()) == 80


def test_a_summary_that_was_not_tried_gets_what_comes_meanwhile(feed: Feed, clock: Clock, db: Db) -> None:
    """It waited for the channel's budget, say; a second summary would be a message too many."""
    feed.save()
    feed.tell(30)
    feed.send()
    clock.advance(30)
    [summary] = feed.claim()
    deliveries.release(db, [summary.id], clock() + LEASE, clock() + 5)
    feed.tell(10)
    clock.advance(35)
    [sent] = feed.send()
    assert (sent.id, told([sent])) == (summary.id, 30)


def test_a_summary_that_is_retried_by_hand_has_the_same_members(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(30)
    feed.send()
    clock.advance(30)
    [summary] = feed.claim()
    deliveries.mark_failed(db, summary.id, clock() + LEASE, "413")
    assert delivery_history.make_due(db, summary.id, clock())
    feed.tell(10)
    clock.advance(31)
    sent = {notice.id: told([notice]) for notice in feed.send()}
    assert sent.pop(summary.id) == 20
    assert list(sent.values()) == [10]


@pytest.mark.parametrize("how", ["killed", "failed"])
def test_a_mention_that_was_tried_is_sent_by_itself(feed: Feed, clock: Clock, db: Db, how: str) -> None:
    """The receiver may have it: it must get it again with the same id (I4)."""
    feed.save()
    feed.tell(10)
    *others, tried = feed.claim()
    for each in others:
        deliveries.mark_sent(db, each.id, clock())
    if how == "failed":
        deliveries.postpone(db, tried.id, clock() + LEASE, clock() + LEASE, "503")
        feed.tell(1, "rival")
        feed.send()
    feed.tell(20)
    clock.advance(LEASE + 1)
    sent = feed.send()
    assert [notice.type for notice in sent if notice.id == tried.id] == ["mention.created"]
    clock.advance(30)
    assert told([*sent, *feed.send()]) == 21


def test_what_was_released_is_folded(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(10)
    feed.send()
    feed.tell(1, "rival")
    [single] = feed.claim()
    deliveries.release(db, [single.id], clock() + LEASE, clock())
    feed.tell(5)
    clock.advance(31)
    assert told(feed.send()) == 6


def test_a_summary_shows_the_newest_of_each_query_first(
    feed: Feed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.save()
    feed.tell(10)
    feed.tell(1, "rival")
    feed.send()
    quiet = feed.tell(2, "rival")
    loud = feed.tell(50)
    clock.advance(31)
    [summary] = feed.send()
    assert [each.item for each in summary.mentions[::-1][:5]] == [loud[-1], quiet[-1], loud[-2], quiet[-2], loud[-3]]
    assert len(summary.mentions) == notice_contents.SUMMARY_MAX_MENTIONS
    assert told([summary]) == 52


def test_a_summary_of_which_one_is_left_is_that_mention(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(10)
    feed.send()
    first, second = feed.tell(2)
    clock.advance(31)
    claimed = feed.claim()
    StoredItem.delete().where(StoredItem.ref == second).execute(db.peewee)
    [notice] = feed.notices(claimed)
    assert (notice.type, [each.item for each in notice.mentions], notice.totals) == ("mention.created", [first], None)


def test_nothing_is_sent_before_the_gap_and_beyond_the_hour_s_limit(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save(pace={"min_gap": "1m", "max_per_hour": 3})
    feed.tell(1)
    began = clock()
    assert len(feed.send()) == 1
    assert feed.wake_at is None, "nothing waits"
    Delivery.insert(id="msg_report", kind="report", channel=feed.channel, state="pending", content="{}", due_at=began,
                    created_at=began).execute(db.peewee)  # fmt: skip
    assert feed.wakes() == began + 60, "whatever it is"
    clock.advance(60)
    [report] = feed.claim()
    deliveries.mark_sent(db, report.id, clock())
    feed.tell(5, "rival")
    clock.advance(60)
    assert len(feed.send()) == 1
    feed.tell(1)
    assert feed.wakes() == began + 3600
    assert feed.wakes() is None, "it is recorded"
    assert delivery_backlog.channels_to_prompt(db, began + 3599, 60, 10) == {}
    assert list(delivery_backlog.channels_to_prompt(db, began + 3600, 60, 10)) == [feed.channel]


def test_a_channel_is_woken_once_and_found_if_the_message_is_lost(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(20)
    feed.send()
    wake_at = clock() + 30
    assert feed.wake_at == wake_at
    waits = delivery_history.listing(db, DeliveryFilter(state="pending"))
    assert {row.next_try_at for row in waits} == {wake_at}, "and is listed so"
    assert channel_activity.of_channels(db, [feed.channel], clock())[feed.channel].next_try_at == wake_at
    assert delivery_backlog.has_untried(db, feed.workspace, clock()) is False
    assert delivery_backlog.oldest_due(db, clock()) is None
    for _ in range(3):
        feed.tell(5)
        assert feed.wakes() is None, "a message is under way"
        clock.advance(5)
    assert delivery_backlog.waiting_channels(db, wake_at + 59, 60, 10) == {}
    assert list(delivery_backlog.waiting_channels(db, wake_at + 60, 60, 10)) == [feed.channel]
    clock.now = wake_at
    assert delivery_backlog.oldest_due(db, clock()) is not None
    assert told(feed.send()) == 25
    feed.tell(1)
    assert feed.wakes() == clock() + 30, "the next one"
    feed.save()
    assert delivery_backlog.oldest_due(db, clock()) is not None, "a channel that is saved waits by its new pace"


def test_a_query_heard_of_during_a_claim_that_waits_is_claimed_by_it(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own claim has skipped the locked row and returned."""
    feed.save()
    feed.tell(20)
    feed.send()
    wake = folding.wake

    def store_meanwhile(*args: Any) -> Any:
        monkeypatch.setattr(folding, "wake", wake)
        feed.tell(1, "rival")
        return wake(*args)

    monkeypatch.setattr(folding, "wake", store_meanwhile)
    [quiet] = feed.notices(feed.claim())
    assert quiet.mentions[0].queries == ("rival",)


# -- links


def test_mentions_that_link_to_the_same_address_are_one_message(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    one = feed.tell(1, link="https://acme.com/launch")
    also = feed.tell(2, link="http://www.acme.com/launch/?utm_source=hn", place="rust")
    other = feed.tell(1)
    first, second = feed.send()
    assert [each.item for each in first.mentions] == [*one, *also[::-1]], "the others newest first"
    assert [each.item for each in second.mentions] == other
    clock.advance(DAY - 1)
    feed.tell(1, link="https://acme.com/launch")
    assert feed.send() == [], "it was told within the day"
    assert feed.states() == {("sent", None): 2, ("bundled", f"told with {first.id}"): 3}
    clock.advance(2)
    assert len(feed.tell(1, link="https://acme.com/launch")) == len(feed.send()) == 1


def test_very_many_of_one_link_are_counted(feed: Feed) -> None:
    feed.save()
    first, *others = feed.tell(50, link="https://acme.com/launch")
    [notice] = feed.send()
    assert [each.item for each in notice.mentions] == [first, *others[::-1][:19]]
    assert told([notice]) == 50


def test_what_would_be_told_with_a_mention_is_told_if_it_is_erased(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    first, second = feed.tell(2, link="https://acme.com/launch")
    [claimed] = feed.claim()
    erasure.erase_keys(db, [("reddit", first)], clock())
    assert deliveries.contents(db, claimed) is None
    clock.advance(LEASE + 1)
    [notice] = feed.send()
    assert [each.item for each in notice.mentions] == [second]
    erasure.erase_keys(db, [("reddit", first)], clock())


def test_a_mention_stays_when_what_links_with_it_is_erased(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    first, second = feed.tell(2, link="https://acme.com/launch")
    claimed = feed.claim()
    erasure.erase_keys(db, [("reddit", second)], clock())
    [notice] = feed.notices(claimed)
    assert [each.item for each in notice.mentions] == [first]


def test_what_was_bundled_into_a_mention_that_is_released_is_folded_like_it(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(10)
    feed.send()
    feed.tell(3, "rival", link="https://acme.com/launch")
    [single] = feed.claim()
    deliveries.release(db, [single.id], clock() + LEASE, clock())
    feed.tell(4)
    feed.tell(1, "brand", "rival")
    Delivery.update(query=feed.queries["brand"]).execute(db.peewee)
    clock.advance(31)
    [summary] = feed.send()
    assert told([summary]) == 8


def test_a_channel_without_a_pace_gets_a_message_for_each_mention(feed: Feed) -> None:
    feed.save(pace={"max_per_hour": 0})
    feed.tell(30, link="https://acme.com/launch")
    assert len(feed.send()) == 30


# -- mode both


def test_what_is_too_much_waits_for_the_digest_and_nothing_is_told_twice(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save("both")
    feed.tell(25)
    singles = feed.send()
    assert len(singles) == 10
    assert feed.states() == {("sent", None): 10, ("held", "limit"): 15}
    feed.tell(1, "rival")
    assert len(feed.send()) == 1
    clock.advance(3600)
    assert digests.compose(db, feed.workspace, clock(), clock()) == [feed.channel]
    [digest] = feed.send()
    assert (digest.type, len(digest.mentions)) == ("digest", 15)
    feed.tell(1)
    assert len(feed.send()) == 1


# -- quiet hours


def test_in_quiet_hours_all_but_digests_waits_and_is_then_one_summary(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save("both", quiet="08:00-10:00", timezone="UTC")  # it is nine o'clock
    began = clock()
    Delivery.insert(id="msg_digest", kind="digest", period_end=1.0, channel=feed.channel, state="pending", due_at=began,
                    created_at=began).execute(db.peewee)  # fmt: skip
    [digest] = feed.claim()
    assert digest.id == "msg_digest"
    deliveries.mark_sent(db, digest.id, clock())
    feed.save("instant", quiet="08:00-10:00", timezone="UTC")
    feed.tell(5)
    Delivery.insert(id="msg_report", kind="report", channel=feed.channel, state="pending", content="{}", due_at=began,
                    created_at=began).execute(db.peewee)  # fmt: skip
    assert feed.wakes() is None
    assert feed.states() == {("sent", None): 1, ("pending", "quiet hours"): 6}
    assert delivery_backlog.has_untried(db, feed.workspace, clock()) is False
    assert delivery_backlog.channels_to_prompt(db, began + 3599, 60, 10) == {}
    assert list(delivery_backlog.channels_to_prompt(db, began + 3600, 60, 10)) == [feed.channel]
    assert delivery_backlog.waiting_channels(db, began + 3659, 60, 10) == {}
    assert list(delivery_backlog.waiting_channels(db, began + 3660, 60, 10)) == [feed.channel]
    clock.advance(3600)
    feed.tell(1)
    claimed = feed.claim()
    assert sorted(each.kind for each in claimed) == ["report", "summary"]
    [summary] = feed.notices([each for each in claimed if each.kind == "summary"])
    assert told([summary]) == 6


def test_a_retry_does_not_wait_for_the_next_summary(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save(pace={"summary_every": "2h"})
    feed.tell(1)
    [refused] = feed.claim()
    Delivery.update(state="failed", attempts=3).where(Delivery.id == refused.id).execute(db.peewee)
    feed.tell(20)
    feed.send()
    clock.advance(60)
    feed.tell(5)
    assert feed.send() == []
    assert delivery_backlog.channels_to_prompt(db, clock(), 60, 10) == {}
    assert delivery_history.make_due(db, refused.id, clock())
    assert list(delivery_backlog.channels_to_prompt(db, clock(), 60, 10)) == [feed.channel]
    assert [each.id for each in feed.claim()] == [refused.id]


def test_what_quiet_hours_held_is_due_when_they_are_changed(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save(quiet="08:00-10:00", timezone="UTC")  # it is nine o'clock
    feed.tell(2)
    assert feed.claim() == []
    clock.advance(60)
    feed.save(quiet="08:00-09:30", timezone="UTC")
    assert list(delivery_backlog.channels_to_prompt(db, clock(), 60, 10)) == [feed.channel]
    assert feed.claim() == [], "these hours hold it, too"
    feed.save(quiet="", timezone="UTC")
    [summary] = feed.send()
    assert told([summary]) == 2


# -- disabled and failing channels


def test_what_waited_for_a_disabled_channel_goes_out_folded(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(2)
    one, other = feed.claim()
    deliveries.release(db, [other.id], clock() + LEASE, clock())
    channels.disable(db, feed.channel, "410", clock())
    feed.tell(20)
    assert feed.states() == {("held", "channel disabled"): 22}
    assert feed.claim() == []
    clock.advance(DAY)
    channels.enable(db, feed.channel, clock())
    assert list(delivery_backlog.channels_to_prompt(db, clock(), 60, 10)) == [feed.channel]
    summary, single = sorted(feed.send(), key=lambda notice: notice.type == "mention.created")
    assert (summary.type, told([summary])) == ("mentions.summary", 21)
    assert single.id == one.id, "it was tried"


def test_a_store_that_saw_the_channel_disabled_leaves_nothing_behind(
    feed: Feed, clock: Clock, db: Db, race: Race
) -> None:
    feed.save()
    for _ in range(8):
        channels.disable(db, feed.channel, "410", clock())
        race(lambda: feed.tell(3), lambda: channels.enable(db, feed.channel, clock()))
        assert {state for state, _ in feed.states()} <= {"pending"}


def test_a_failing_channel_has_few_tried_mentions(feed: Feed, clock: Clock, db: Db) -> None:
    """Each of them is a message of its own when the receiver is back."""
    feed.save()
    feed.tell(40)
    channels.record_failure(db, feed.channel, "503", clock())
    for _ in range(12):
        [probe] = feed.claim()
        channels.record_failure(db, feed.channel, "503", clock())
        deliveries.postpone(db, probe.id, clock() + LEASE, clock() + 700, "503")
        clock.advance(700)
    tried = Delivery.select().where(Delivery.attempts > 0).count(db.peewee)
    assert tried == folding.MAX_PROBES
    channels.mark_healthy(db, feed.channel)
    sent = feed.send()
    clock.advance(30)
    sent += feed.send()
    assert told(sent) == 40
    assert len(sent) <= 10 + folding.MAX_PROBES + 1


def test_failed_tries_are_recorded(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    [item] = feed.tell(1)
    [claimed] = feed.claim()
    deliveries.record_try(db, claimed.id, "no\x00 answer", clock())
    deliveries.record_try(db, claimed.id, "503", clock() + 5)
    deliveries.record_try(db, "msg_erased", "503", clock())
    assert feed.world.rows(FailedTry, "delivery", "at", "error") == [
        (claimed.id, clock(), "no� answer"),
        (claimed.id, clock() + 5, "503"),
    ]
    erasure.erase_keys(db, [("reddit", item)], clock())
    assert feed.world.counts()["FailedTry"] == 0


# -- erasing, reports, races


def test_a_summary_of_which_nothing_is_left_is_deleted(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save()
    feed.tell(10)
    feed.send()
    items = feed.tell(2)
    clock.advance(31)
    [summary] = feed.claim()
    deliveries.record_try(db, summary.id, "it quoted us", clock())
    erasure.erase_keys(db, [("reddit", items[0])], clock())
    assert feed.world.counts()["FailedTry"] == 0, "it may quote what was erased"
    erasure.erase_keys(db, [("reddit", items[1])], clock())
    assert deliveries.contents(db, summary) is None


def test_a_report_has_its_content(feed: Feed, clock: Clock, db: Db) -> None:
    feed.save(timezone="Europe/Berlin")
    report = WorkspaceReport("query flooding", "brand", "brand floods", ("1,738 in half an hour",))
    content = msgspec.json.encode(report).decode()
    Delivery.insert(id="msg_1", kind="report", channel=feed.channel, state="pending", content=content, due_at=clock(),
                    created_at=clock()).execute(db.peewee)  # fmt: skip
    [notice] = feed.send()
    assert notice == Notice(
        "msg_1", "workspace.report", "acme", (), report=report, name="Acme Inc.", timezone="Europe/Berlin"
    )


def test_of_two_concurrent_claims_one_folds(feed: Feed, clock: Clock, db: Db, race: Race) -> None:
    feed.save()
    sent = []
    for _ in range(8):
        feed.tell(12)
        for claimed in race(feed.claim, feed.claim, feed.claim):
            sent += feed.notices(claimed)
            for each in claimed:
                deliveries.mark_sent(db, each.id, clock())
        clock.advance(31)
    clock.advance(200)
    sent += feed.send()
    assert told(sent) == Mention.select().count(db.peewee) == 96
    assert len({each.id for each in sent}) == len(sent)
    assert Channel.select(Channel.wake_at).scalar(db.peewee) <= clock()
