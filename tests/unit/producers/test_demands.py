"""A workspace has at most one message per source waiting for fetch, and each demand gets a poll begun after it."""

from __future__ import annotations

import json

import pytest

from overheard.bus.event_batches import MERGED, OK, IncomingEvent
from overheard.bus.events import message_id_for, message_id_of, parse
from overheard.db import refreshes, workspace_specs
from overheard.db.database import Db
from overheard.errors import NotFound, Unavailable
from overheard.messages import ComposeDigest, FetchWorkspace
from overheard.operations.reading_plan import LONGEST_SECONDS
from producers.demands import LONGEST_PAUSE_SECONDS, LOST_AFTER_SECONDS, Demands
from producers.ingress import Ingress
from tests.fixtures import Clock, Sent, World


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def ingress(db: Db, sent: Sent, clock: Clock) -> Ingress:
    return Ingress(db=db, sender=sent, clock=clock, fresh_for=60, demands=Demands())


@pytest.fixture
def acme(world: World) -> int:
    return int(world.workspace())


def due(workspace: object = "acme", message_id: str | None = None, **more: object) -> IncomingEvent:
    return IncomingEvent("workspace.due", json.dumps({"workspace": workspace, **more}).encode(), message_id)


def test_many_events_of_one_meaning_are_one_message(ingress: Ingress, sent: Sent, acme: int, clock: Clock) -> None:
    settled = ingress.handle([due(), due(reason="deploy"), due(reason="trigger")])
    assert settled == [MERGED, MERGED, OK]
    assert sent.take() == [FetchWorkspace(workspace_id=acme, source="reddit", reason="trigger", fresh_since=clock())]


def test_events_of_another_meaning_are_messages_of_their_own(
    ingress: Ingress, sent: Sent, world: World, acme: int
) -> None:
    bolt = world.workspace("bolt")
    digest = IncomingEvent("workspace.digest", b'{"workspace": "acme"}', None)
    arrivals = [due(), due("bolt"), due(reason="due"), digest, digest]
    assert ingress.handle(arrivals) == [OK, OK, OK, MERGED, OK]
    messages = sent.take()
    assert [(type(each), each.workspace_id) for each in messages] == [
        (FetchWorkspace, acme),
        (FetchWorkspace, bolt),
        (FetchWorkspace, acme),
        (ComposeDigest, acme),
    ]


def test_demands_behind_a_waiting_one_are_merged_and_get_a_later_poll(
    ingress: Ingress, sent: Sent, acme: int, db: Db, clock: Clock
) -> None:
    ingress.handle([due()])
    first = clock()
    sent.take()
    for _ in range(3):
        clock.advance(1)
        assert ingress.handle([due()]) == [MERGED]
        assert ingress.release() is True
        assert sent.take() == [], "fetch has not even served the first one"
    refreshes.mark_served(db, acme, "reddit", first + 0.5)  # it began before the others' events
    assert ingress.release() is False
    [message] = sent.take()
    assert message.fresh_since == clock() >= first + 3
    refreshes.mark_served(db, acme, "reddit", clock.advance(0.1))
    assert ingress.handle([due()]) == [OK], "nothing waits any more"


def test_a_demand_after_the_last_was_taken_up_goes_at_once(
    ingress: Ingress, sent: Sent, acme: int, db: Db, clock: Clock
) -> None:
    for _ in range(20):
        assert ingress.handle([due()]) == [OK]
        refreshes.mark_served(db, acme, "reddit", clock.advance(0.05))
    assert len(sent.take()) == 20


def test_a_lost_message_delays_the_next_demand_only_briefly(
    ingress: Ingress, sent: Sent, acme: int, clock: Clock
) -> None:
    ingress.handle([due()])
    clock.advance(1)
    ingress.handle([due()])
    sent.take()
    clock.advance(LOST_AFTER_SECONDS - 1.5)
    assert ingress.release() is True
    clock.advance(1)
    assert ingress.release() is False
    assert len(sent.take()) == 1


def test_held_back_demands_are_swept_when_the_ingress_dies(
    ingress: Ingress, sent: Sent, acme: int, db: Db, clock: Clock
) -> None:
    """Even if the previous run is served after the demand: that run may accept an older poll."""
    ingress.handle([due()])
    clock.advance(1)
    ingress.handle([due()])
    refreshes.mark_served(db, acme, "reddit", clock.advance(1))
    assert refreshes.claim_lost(db, clock.advance(LOST_AFTER_SECONDS + 60), 60, 10) == [(acme, "reddit")]


def test_held_back_demands_are_recorded_after_an_outage_of_the_database(
    ingress: Ingress, sent: Sent, acme: int, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redelivered event finds its demand held back but not recorded, and records it: the ingress may still die."""

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the database")

    ingress.handle([due()])
    clock.advance(1)
    with monkeypatch.context() as patched:
        patched.setattr(refreshes, "demand", away)
        with pytest.raises(Unavailable):
            ingress.handle([due()])
    assert ingress.handle([due()]) == [MERGED]
    refreshes.mark_served(db, acme, "reddit", clock.advance(1))
    assert refreshes.claim_lost(db, clock.advance(LOST_AFTER_SECONDS + 60), 60, 10) == [(acme, "reddit")]


def test_a_flood_delays_only_its_own_workspace(
    ingress: Ingress, sent: Sent, world: World, acme: int, db: Db, clock: Clock
) -> None:
    bolt = world.workspace("bolt")
    for _ in range(20):
        ingress.handle([due()] * 500)
        clock.advance(0.1)
        refreshes.mark_served(db, acme, "reddit", clock())
        ingress.release()
    assert len(sent.take()) == 1
    assert ingress.handle([*[due()] * 500, due("bolt")])[-1] == OK
    assert [each.workspace_id for each in sent.take()] == [bolt]
    clock.advance(LONGEST_PAUSE_SECONDS)
    assert ingress.release() is False
    assert [each.workspace_id for each in sent.take()] == [acme]


def test_demands_on_schedule_and_by_hand_have_separate_lanes(
    ingress: Ingress, sent: Sent, acme: int, clock: Clock
) -> None:
    assert ingress.handle([due(reason="due")]) == [OK]
    assert ingress.handle([due()]) == [OK]
    assert ingress.handle([due(reason="sweep")]) == [MERGED]
    assert [each.fresh_since for each in sent.take()] == [clock() - LONGEST_SECONDS, clock()]


def test_a_repeated_event_id_is_the_same_message(ingress: Ingress, sent: Sent, acme: int, db: Db, clock: Clock) -> None:
    ids: list[str] = []
    sent.send_all = lambda parcels: ids.extend(each.message_id for each in parcels)
    for _ in range(2):
        ingress.handle([due(event_id="e7")])
        refreshes.mark_served(db, acme, "reddit", clock.advance(1))
    ingress.handle([due(), due(message_id="e7")])
    wanted = message_id_for(message_id_of(parse("workspace.due", due(event_id="e7").body)), "reddit")
    assert ids == [wanted] * 3


def test_while_the_bus_is_away_nothing_counts_as_sent(ingress: Ingress, sent: Sent, acme: int, clock: Clock) -> None:
    sent.failure = Unavailable("the bus")
    with pytest.raises(Unavailable):
        ingress.handle([due()])
    sent.failure = None
    assert ingress.handle([due()]) == [OK]
    ingress.handle([due()])
    sent.take()
    sent.failure = Unavailable("the bus")
    clock.advance(LOST_AFTER_SECONDS)
    with pytest.raises(Unavailable):
        ingress.release()
    sent.failure = None
    assert ingress.release() is False
    assert len(sent.take()) == 1


def test_the_last_release_sends_all_held_back_demands(ingress: Ingress, sent: Sent, acme: int) -> None:
    ingress.handle([due()])
    ingress.handle([due()])
    assert ingress.release(last=True) is False
    assert len(sent.take()) == 2


def test_demands_of_paused_or_removed_workspaces_are_dropped(
    ingress: Ingress, sent: Sent, world: World, acme: int, db: Db
) -> None:
    bolt = world.workspace("bolt")
    for _ in range(2):
        ingress.handle([due(), due("bolt")])
    sent.take()
    workspace_specs.set_active(db, acme, False)
    workspace_specs.remove(db, bolt)
    assert ingress.release() is False
    assert sent.take() == []


def test_each_event_of_a_batch_is_refused_with_its_own_reason(ingress: Ingress, sent: Sent, acme: int) -> None:
    settled = ingress.handle([due(), due("nobody"), IncomingEvent("workspace.due", b"{", None), due(99)])
    assert [each.outcome for each in settled] == ["ok", "rejected", "rejected", "rejected"]
    assert [type(each.refusal) for each in settled[1::2]] == [NotFound, NotFound]
    assert "no workspace 'nobody'; there are: acme" in settled[1].reason
    assert len(sent.take()) == 1


def test_idle_lanes_are_removed(ingress: Ingress, sent: Sent, world: World, clock: Clock) -> None:
    for number in range(10):
        world.workspace(f"w{number}")
    ingress.handle([due(f"w{number}") for number in range(10)])
    assert ingress.demands is not None
    assert len(ingress.demands._lanes) == 10
    clock.advance(LOST_AFTER_SECONDS + 1)
    ingress.release()
    assert ingress.demands._lanes == {}


def test_demands_over_the_trigger_limit_wait_and_are_not_lost(
    db: Db, sent: Sent, clock: Clock, world: World, acme: int
) -> None:
    world.workspace("bolt")
    ingress = Ingress(db=db, sender=sent, clock=clock, fresh_for=60, demands=Demands(), triggers_per_hour=3)
    for _ in range(3):
        assert ingress.handle([due()]) == [OK]
        refreshes.mark_served(db, acme, "reddit", clock())
        clock.advance(1)
    sent.take()
    assert ingress.handle([due()]) == ingress.handle([due()]) == [MERGED]
    assert ingress.handle([due(reason="due")]) == ingress.handle([due("bolt")]) == [OK], "others do not wait"
    sent.take()
    assert ingress.release()
    assert sent.take() == []
    clock.advance(1200)
    assert not ingress.release()
    [message] = sent.take()
    assert (message.workspace_id, message.fresh_since) == (acme, clock())


def test_a_demand_that_joins_after_a_sweep_is_recorded_again(
    db: Db, sent: Sent, clock: Clock, world: World, acme: int
) -> None:
    """Over the trigger limit a demand waits for so long that a sweep serves it; the ingress may die after that."""
    ingress = Ingress(db=db, sender=sent, clock=clock, fresh_for=60, demands=Demands(), triggers_per_hour=1)
    ingress.handle([due()])
    refreshes.mark_served(db, acme, "reddit", clock())
    clock.advance(1)
    ingress.handle([due()])
    clock.advance(LOST_AFTER_SECONDS + 60)
    assert refreshes.claim_lost(db, clock(), 60, 10) == [(acme, "reddit")]
    refreshes.mark_served(db, acme, "reddit", clock())
    clock.advance(1)
    assert ingress.handle([due()]) == [MERGED]
    assert refreshes.claim_lost(db, clock.advance(LOST_AFTER_SECONDS + 60), 60, 10) == [(acme, "reddit")]
