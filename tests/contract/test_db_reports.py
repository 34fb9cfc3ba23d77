"""Reports to workspaces: a flood and a failing channel are told once, however many ticks look, on each database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from overheard.db import channels, incidents, storing
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Query, Workspace
from overheard.messages import MatchedItem, NotifyChannel, WorkspaceMatch
from overheard.notices import WorkspaceReport
from overheard.operations.query_health import FLOOD_PER_DAY
from overheard.workspaces import ChannelSpec, MuteSpec
from producers.reports import FAILING_SECONDS, FLOOD_REPORT_SECONDS, MAX_QUERIES, STEP_SECONDS, WorkspaceReports
from tests.fixtures import Clock, Race, Sent, World

HOUR = 3600.0
URL = "https://example.org/hook"


@pytest.fixture
def step(db: Db, sent: Sent, clock: Clock) -> Callable[[], int]:
    """Let a tick that has just started look."""
    return lambda: WorkspaceReports(db=db, send=sent, clock=clock).step()


@pytest.fixture
def flood(world: World, db: Db, clock: Clock) -> Callable[..., None]:
    """Store so many mentions of some queries."""
    numbers = iter(range(1, 100_000))

    def store(workspace_id: int, count: int, *queries: str, **item: Any) -> None:
        match = WorkspaceMatch(workspace_id, tuple(world.query(workspace_id, query) for query in queries or ("brand",)))
        entries = tuple(MatchedItem(world.item(next(numbers), **item), (match,)) for _ in range(count))
        message = msgspec.structs.replace(world.matched(poll=f"p{next(numbers)}"), items=entries)
        storing.store(db, message, clock())

    return store


def told(db: Db) -> list[tuple[str, WorkspaceReport]]:
    """Return the reports, each with the name of its channel."""
    rows = (
        Delivery.select(Channel.name, Delivery.content, Delivery.state)
        .join(Channel, on=(Delivery.channel == Channel.id))
        .where(Delivery.kind == "report")
        .order_by(Delivery.created_at, Channel.id)
    )
    found = list(rows.tuples().execute(db.peewee))
    assert {state for *_, state in found} <= {"pending"}
    return [(name, msgspec.json.decode(content, type=WorkspaceReport)) for name, content, _ in found]


# -- queries that flood


def test_a_query_that_floods_is_reported_once_in_seven_days(
    world: World, db: Db, clock: Clock, sent: Sent, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    acme = world.workspace(queries={"brand": "acme", "jobs": "hiring"}, subreddits=("python", "rust"))
    team = world.channel(acme)
    flood(acme, FLOOD_PER_DAY, place="rust")
    assert step() == 0, "as much as somebody may read"
    clock.advance(2 * HOUR)
    flood(acme, 40, place="python")
    flood(acme, 10, "jobs", place="python")
    assert step() == 1
    assert sent.take() == [NotifyChannel(channel_id=team)]
    [(name, report)] = told(db)
    assert (name, report.kind, report.name) == ("team", "query flooding", "brand")
    assert report.title == "The query “brand” finds too much: 240 mentions in 24 hours"
    assert report.lines[0] == "That is 10 an hour; in the last hour it was 40."
    assert report.lines[1] == "They are in r/rust (200), r/python (40)."

    assert step() == 0
    clock.advance(FLOOD_REPORT_SECONDS - 1)
    flood(acme, FLOOD_PER_DAY + 1)
    assert step() == 0
    clock.advance(1)
    assert step() == 1, "a week later it still floods"


def test_a_report_names_the_largest_of_many_places(
    world: World, db: Db, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    places = {"a": 100, "b": 80, "c": 60, "d": 40, "e": 2}
    acme = world.workspace(subreddits=tuple(places))
    for place, count in places.items():
        flood(acme, count, place=place)
    step()
    [(_, report)] = told(db)
    assert report.lines[1] == "Most of them are in r/a (100), r/b (80), r/c (60) and 2 more."


def test_of_several_ticks_one_reports(
    world: World, db: Db, clock: Clock, sent: Sent, step: Callable[[], int], flood: Callable[..., None], race: Race
) -> None:
    acme = world.workspace(channels={"team": "instant", "other": "instant"})
    flood(acme, FLOOD_PER_DAY + 1)
    channels.record_failure(db, world.channel(acme, "other"), "500", clock() - FAILING_SECONDS)
    assert sum(race(*[step] * 4)) == 2
    assert sorted(report.kind for _, report in told(db)) == ["channel failing", "query flooding"]
    assert [incident.count for incident in incidents.unreported(db)] == [1]


def test_a_report_says_what_would_tame_the_query(
    world: World, db: Db, clock: Clock, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    acme = world.workspace(queries={"brand": "linear"}, subreddits=("python", "math"))
    flood(acme, 20, body="We track issues in Linear", title="", author=None)
    flood(acme, 180, body="a linear map", title="", place="math", author=None)
    flood(acme, 100, body="https://example.org/linear/x", title="", author="bot")
    assert step() == 1
    [(_, report)] = told(db)
    assert report.lines[2:] == (
        "What would tame it, tried on the newest 300:",
        "Written as =Linear, it leaves 20.",
        "Written as linear -in:link, it leaves 200.",
        "Written as linear place:math, it leaves 180.",
        "Or mute the place or the query for a while, or have its mentions sent as a digest.",
    )
    assert "overheard" not in " ".join(report.lines)


@pytest.mark.parametrize("text", ["title:hello", "=Acme"])
def test_a_report_without_a_change_that_helps_says_what_can_be_done(
    world: World, db: Db, step: Callable[[], int], flood: Callable[..., None], text: str
) -> None:
    acme = world.workspace(queries={"brand": text})
    flood(acme, FLOOD_PER_DAY + 1, title="hello Acme", body="")
    step()
    [(_, report)] = told(db)
    assert report.lines[1:] == (
        "All are in r/Python.",
        "A further word in it, a mute of the place or of the query, or a digest would make it less.",
    )


def test_a_flood_is_told_to_a_channel_that_works_hears_of_it_and_is_sent_at_once(
    world: World, db: Db, clock: Clock, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    spec = world.spec(queries={"brand": "acme", "jobs": "hiring"})
    names = {"digest": ("digest", ()), "jobs": ("instant", ("jobs",)), "off": ("instant", ()), "good": ("both", ())}
    wanted = tuple(ChannelSpec(name, URL, mode, queries=queries) for name, (mode, queries) in names.items())  # type: ignore[arg-type]
    acme = world.save(msgspec.structs.replace(spec, channel=wanted))
    Channel.update(disabled_at=clock(), reported_at=clock()).where(Channel.name == "off").execute(db.peewee)
    flood(acme, FLOOD_PER_DAY + 1)
    step()
    assert [name for name, _ in told(db)] == ["good"]
    Channel.update(failing_since=clock()).where(Channel.name == "good").execute(db.peewee)
    Query.update(flood_reported_at=None).execute(db.peewee)
    step()
    assert [name for name, _ in told(db)] == ["digest", "good"], "at last a digest channel"
    Channel.update(failing_since=clock()).execute(db.peewee)
    Query.update(flood_reported_at=None).execute(db.peewee)
    assert step() == 0
    assert world.rows(Query, "flood_reported_at") == [(None,), (None,)], "it is told when a channel works"


def test_a_digest_channel_gets_a_report_of_a_flood_with_its_digest_and_one_of_a_failing_channel_at_once(
    world: World, db: Db, clock: Clock, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    acme = world.workspace(channels={"daily": "digest", "other": "instant"})
    channels.record_failure(db, world.channel(acme, "other"), "500", clock() - FAILING_SECONDS)
    flood(acme, FLOOD_PER_DAY + 1)
    assert step() == 2
    next_digest_at = Workspace.select(Workspace.next_digest_at).scalar(db.peewee)
    assert next_digest_at > clock()
    rows = Delivery.select(Delivery.content, Delivery.due_at).where(Delivery.kind == "report").tuples()
    due = {msgspec.json.decode(content)["kind"]: due_at for content, due_at in rows.execute(db.peewee)}
    assert due == {"channel failing": clock(), "query flooding": next_digest_at}


def test_what_is_muted_paused_removed_or_backfilled_does_not_flood(
    world: World, db: Db, clock: Clock, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    many = FLOOD_PER_DAY + 1
    muted = world.workspace("muted", mute=(MuteSpec(query="brand"), MuteSpec(query="brand", author="bot")))
    flood(muted, many)
    paused = world.workspace("paused")
    flood(paused, many)
    Workspace.update(active=False).where(Workspace.id == paused).execute(db.peewee)
    removed = world.workspace("removed")
    flood(removed, many)
    Query.update(removed_at=clock()).where(Query.workspace == removed).execute(db.peewee)
    flood(world.workspace("old"), many, created_at=clock() - 100_000)
    clock.advance(1)
    assert step() == 0
    partly = world.workspace("partly", mute=(MuteSpec(query="brand", author="bot"),))
    flood(partly, many)
    assert step() == 1


def test_a_step_reports_a_few_floods_and_the_next_one_the_others(
    world: World, db: Db, clock: Clock, sent: Sent, flood: Callable[..., None]
) -> None:
    queries = {f"q{number}": f"acme{number}" for number in range(MAX_QUERIES + 1)}
    acme = world.workspace(queries=queries)
    flood(acme, FLOOD_PER_DAY + 1, *queries)
    ticker = WorkspaceReports(db=db, send=sent, clock=clock)
    assert [ticker.step(), ticker.step()] == [MAX_QUERIES, 0], "not at every tick"
    clock.advance(STEP_SECONDS)
    assert ticker.step() == 1


# -- channels that fail


def test_a_channel_that_fails_for_six_hours_is_reported_to_another_one_and_to_the_operator(
    world: World, db: Db, clock: Clock, sent: Sent, step: Callable[[], int], flood: Callable[..., None]
) -> None:
    acme = world.workspace(channels={"chat": "instant", "mail": "instant"}, timezone="Europe/Berlin")
    chat = world.channel(acme, "chat")
    flood(acme, 3)
    channels.record_failure(db, chat, "the server answered 500\n(Internal Server Error).", clock())
    clock.advance(FAILING_SECONDS - 1)
    assert step() == 0
    clock.advance(1)
    assert step() == 1
    assert sent.take() == [NotifyChannel(channel_id=world.channel(acme, "mail"))]
    report = WorkspaceReport(
        kind="channel failing",
        name="chat",
        title="The channel “chat” has not worked for 6 h",
        lines=(
            "Nothing could be sent there since Mon 23 Nov 10:00: the server answered 500 (Internal Server Error).",
            "3 mentions wait for it, and nothing is lost.",
            "It is tried again by itself, and then gets what waited.",
        ),
    )
    assert told(db) == [("mail", report)]
    assert [(each.kind, each.what, each.count) for each in incidents.unreported(db)] == [
        ("channel failing", "acme/chat", 1)
    ]
    clock.advance(HOUR)
    assert step() == 0, "once per failure"
    channels.mark_healthy(db, chat)
    clock.advance(HOUR)
    assert step() == 0, "what waited for it arrives: that says enough"
    channels.record_failure(db, chat, "500", clock())
    clock.advance(FAILING_SECONDS)
    assert step() == 1, "it is another failure"


def test_a_disabled_channel_is_reported_once_also_if_its_failing_was(
    world: World, db: Db, clock: Clock, step: Callable[[], int]
) -> None:
    acme = world.workspace(channels={"chat": "instant", "mail": "instant"})
    chat = world.channel(acme, "chat")
    channels.record_failure(db, chat, "410", clock())
    clock.advance(FAILING_SECONDS)
    assert step() == 1
    clock.advance(HOUR)
    channels.disable(db, chat, "it is gone", clock())
    assert [step(), step()] == [1, 0]
    name, report = told(db)[-1]
    assert (name, report.kind, report.title) == ("mail", "channel disabled", "The channel “chat” is switched off")
    assert report.lines[0] == "Since Mon 23 Nov 16:00 it is not tried any more: it is gone."
    kinds = [(each.kind, each.count) for each in incidents.unreported(db)]
    assert kinds == [("channel disabled", 1), ("channel failing", 1)], "the operator is not told twice of either"


def test_without_another_channel_only_the_operator_is_told(
    world: World, db: Db, clock: Clock, sent: Sent, step: Callable[[], int]
) -> None:
    acme = world.workspace(channels={"chat": "instant", "mail": "instant"})
    for name in ("chat", "mail"):
        channels.record_failure(db, world.channel(acme, name), "500", clock())
    world.workspace("bolt")
    clock.advance(FAILING_SECONDS)
    assert step() == 0
    assert (told(db), sent) == ([], [])
    assert [each.what for each in incidents.unreported(db)] == ["acme/chat", "acme/mail"]
    channels.mark_healthy(db, world.channel(acme, "mail"))
    assert step() == 0, "that was six hours ago"


def test_overheard_s_own_channel_is_not_reported(world: World, db: Db, clock: Clock, step: Callable[[], int]) -> None:
    acme = world.workspace(channels={"chat": "instant", "mail": "instant"})
    Workspace.update(internal=True).execute(db.peewee)
    channels.record_failure(db, world.channel(acme, "chat"), "500", clock() - FAILING_SECONDS)
    assert step() == 0
    assert incidents.unreported(db) == []
