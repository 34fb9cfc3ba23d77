"""Rules of a workspace: mutes, hours, the queries and pace of channels; what names a query follows its name."""

from __future__ import annotations

import msgspec
import pytest

from overheard.db import mutes, storing, workspace_specs, workspaces
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Mention, Mute, Query
from overheard.db.retention import DAY_SECONDS
from overheard.workspaces import ChannelSpec, MuteSpec, WorkspaceSpec, validated
from tests.fixtures import Clock, Race, World

MUTES = (
    MuteSpec("brand", "automod", "python", "t3_1", "2026-12-30T23:00:00Z"),
    MuteSpec(author="jürgen", until="2026-12-30T23:00:00.500000Z"),
    MuteSpec(thread="t3_ABC"),
)


def ruled(world: World) -> WorkspaceSpec:
    spec = world.spec(
        queries={"brand": "acme", "help": "acme help"}, quiet="22:00-07:00", working="mon-fri 08:00-18:00"
    )
    channel = (
        ChannelSpec("team", "https://example.org/hook", "both", None, "90s", 0, "1h", ("help", "brand")),
        ChannelSpec("boss", "null://", "digest", queries=("brand",)),
        ChannelSpec("all", "null://"),
    )
    return validated(msgspec.structs.replace(spec, channel=channel, mute=MUTES))


def test_rules_come_back_as_they_were_saved(world: World, db: Db) -> None:
    spec = ruled(world)
    acme = world.save(spec)
    assert workspace_specs.load(db, acme, secrets=False) == spec
    world.save(spec)
    assert workspace_specs.load(db, acme, secrets=False) == spec
    other = world.workspace("bolt")
    assert workspace_specs.load(db, other, secrets=False).mute == ()
    world.save(msgspec.structs.replace(spec, mute=MUTES[1:], quiet=""))
    assert workspace_specs.load(db, acme, secrets=False).mute == MUTES[1:]
    workspace_specs.remove(db, acme)
    assert world.rows(Mute) == []


def test_what_names_a_query_follows_its_new_name(world: World, db: Db, clock: Clock) -> None:
    acme = world.save(ruled(world))
    bolt = world.workspace("bolt")
    mutes.save(db, bolt, [MuteSpec("brand")], "UTC")
    row = world.query(acme)
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    in_flight = world.matched((world.item(1001), (acme,)))
    assert workspace_specs.rename_query(db, acme, "brand", "mark")
    found = workspace_specs.load(db, acme, secrets=False)
    assert [query.name for query in found.query] == ["mark", "help"]
    assert [channel.queries for channel in found.channel] == [("help", "mark"), ("mark",), ()]
    assert [mute.query for mute in found.mute] == ["mark", "", ""]
    assert world.query(acme, "mark") == row
    assert world.rows(Mention, "query_ids") == [(f"[{row}]",)]
    assert [mute.query for mute in mutes.load(db, bolt)] == ["brand"], "of another workspace"
    assert world.query(bolt, "brand")
    storing.store(db, in_flight, clock())
    assert {channel for (channel,) in world.rows(Delivery, "channel")} == {
        world.channel(acme, name) for name in ("team", "boss", "all")
    }


def test_a_query_cannot_take_the_name_of_one_that_was_removed(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "help": "x"})
    assert not workspace_specs.rename_query(db, acme, "brand", "help")
    world.workspace(queries={"brand": "acme"})
    assert not workspace_specs.rename_query(db, acme, "brand", "help")
    assert world.rows(Query, "name") == [("brand",), ("help",)]


def test_a_removed_query_takes_its_mutes_with_it_and_leaves_the_lists(world: World, db: Db) -> None:
    acme = world.save(ruled(world))
    assert workspace_specs.leave_out_query(db, acme, "help") == (["team"], 0)
    assert workspace_specs.leave_out_query(db, acme, "nothing") == ([], 0)
    found = workspace_specs.load(db, acme, secrets=False)
    assert [channel.queries for channel in found.channel] == [("brand",), ("brand",), ()]
    assert mutes.remove_query(db, acme, "brand") == 1
    assert workspace_specs.load(db, acme, secrets=False).mute == MUTES[1:]


def test_a_single_channel_is_saved_and_removed(world: World, db: Db, clock: Clock) -> None:
    spec = ruled(world)
    acme = world.save(spec)
    team = world.channel(acme)
    Channel.update(disabled_at=1.0).execute(db.peewee)
    changed = msgspec.structs.replace(spec.channel[0], url="https://example.net/", secret="whsec_x whsec_y")
    workspace_specs.save_channel(db, acme, changed, clock(), lambda channel: channel.secret)
    workspace_specs.save_channel(db, acme, ChannelSpec("new", "null://"), clock(), lambda channel: None)
    found = workspace_specs.load(db, acme, secrets=True)
    assert found.channel == (changed, *spec.channel[1:], ChannelSpec("new", "null://"))
    assert world.channel(acme) == team
    assert dict(world.rows(Channel, "name", "disabled_at")) == {"team": None, "boss": 1.0, "all": 1.0, "new": None}
    assert workspace_specs.remove_channel(db, acme, "boss")
    assert not workspace_specs.remove_channel(db, acme, "boss")
    assert [channel.name for channel in workspace_specs.load(db, acme, secrets=True).channel] == ["team", "all", "new"]


@pytest.mark.parametrize(
    ("mute", "muted"),
    [
        (MuteSpec(author="someone"), 3),
        (MuteSpec(author="jürgen"), 1),
        (MuteSpec(place="python"), 3),
        (MuteSpec(place="rust", author="someone"), 0),
        (MuteSpec(thread="t3_x"), 1),
        (MuteSpec(query="help"), 0),
        (MuteSpec(query="brand"), 3),
        (MuteSpec(query="brand", author="jürgen"), 1),
    ],
)
def test_it_is_known_what_a_mute_would_have_muted(
    world: World, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch, mute: MuteSpec, muted: int
) -> None:
    acme = world.workspace(queries={"brand": "acme", "help": "x"}, subreddits=["python", "rust"])
    brand, both = (world.query(acme),), (world.query(acme), world.query(acme, "help"))
    items = [
        world.item(1, thread="t3_x"),
        world.item(2),
        world.item(3, author="JÜRGEN", place="rust"),
        world.item(4, author="Someone"),
    ]
    monkeypatch.setattr(mutes, "PAGE_MENTIONS", 3)
    storing.store(db, world.matched(*[(item, (acme,)) for item in items]), clock())
    Mention.update(query_ids=msgspec.json.encode(brand).decode()).execute(db.peewee)
    last = Mention.select(Mention.id).order_by(Mention.id.desc()).limit(1).scalar(db.peewee)
    Mention.update(query_ids=msgspec.json.encode(both).decode()).where(Mention.id == last).execute(db.peewee)
    assert mutes.would_mute(db, acme, mute, clock() - DAY_SECONDS) == (muted, 4)
    assert mutes.would_mute(db, acme, mute, clock() + 1) == (0, 0)


def test_mutes_added_at_the_same_time_are_all_kept(world: World, db: Db, race: Race) -> None:
    acme = world.workspace()

    def add(author: str) -> None:
        with db.transaction():
            workspaces.lock(db, acme)
            mutes.save(db, acme, [*mutes.load(db, acme), MuteSpec(author=author)], "UTC")

    race(*[lambda author=author: add(author) for author in "abcdef"])
    assert sorted(mute.author for mute in mutes.load(db, acme)) == list("abcdef")
