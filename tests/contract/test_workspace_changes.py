"""Changes of a workspace and of its parts by several people at the same time: none is lost, none is half done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from overheard.config import Config
from overheard.db import workspace_specs
from overheard.db.database import Db
from overheard.db.models import Channel
from overheard.errors import Conflict, NotFound
from overheard.operations import channel_changes, workspace_diff, workspace_edit, workspace_mutes, workspace_queries
from overheard.operations.workspace_edit import CheckedEdit
from overheard.process import RunningProcess
from overheard.workspaces import ChannelSpec, MuteSpec, QuerySpec, write
from tests.fixtures import Race, World


@pytest.fixture
def running(db: Db, world: World) -> RunningProcess:
    """A process on the test's database, with the workspace acme."""
    made = RunningProcess(Config())
    made.db, made.clock = db, db.clock
    world.workspace(queries={"brand": "acme", "help": "acme help"}, channels={"team": "instant"}, url="null://")
    return made


def edited(running: RunningProcess, **changes: Any) -> CheckedEdit:
    """An edit of acme as it is stored now that is checked and not saved yet."""
    edit = workspace_edit.begin(running.db, "acme")
    text = write([msgspec.structs.replace(edit.before, **changes)])
    return workspace_edit.check(running, edit, text.encode(), "acme.toml")


@pytest.mark.parametrize(
    "change",
    [
        lambda running: workspace_queries.edit(running, "acme", "help", lambda query: QuerySpec("help", "acme oops")),
        lambda running: workspace_queries.rename(running, "acme", "help", "assist"),
        lambda running: workspace_mutes.add(running, "acme", MuteSpec(author="bot")),
        lambda running: channel_changes.add(running, "acme", ChannelSpec("new", "https://example.org/")),
        lambda running: channel_changes.remove(running, "acme", "team"),
        lambda running: workspace_edit.apply(running, edited(running, quiet="22:00-07:00")),
    ],
)
def test_an_edit_that_began_before_another_change_is_refused(
    running: RunningProcess, change: Callable[[RunningProcess], object]
) -> None:
    late = edited(running, every="1h")
    change(running)
    now = workspace_diff.stored_spec(running.db, "acme")
    with pytest.raises(Conflict, match=r"was changed by somebody else in the meantime:\n[+~-] "):
        workspace_edit.apply(running, late)
    assert workspace_diff.stored_spec(running.db, "acme") == now
    again = edited(running, every="1h")
    assert not workspace_edit.apply(running, again).new
    assert workspace_diff.changes(now, again.after) == again.changes
    found = workspace_diff.stored_spec(running.db, "acme")
    assert found is not None
    assert found.every == "1h"


def test_an_edit_of_a_workspace_that_was_removed_is_refused(running: RunningProcess, world: World) -> None:
    late = edited(running, every="1h")
    workspace_specs.remove(running.db, world.workspace(queries={}, channels={}))
    with pytest.raises(NotFound):
        workspace_edit.apply(running, late)
    assert workspace_diff.stored_spec(running.db, "acme") is None


def test_of_edits_at_the_same_time_one_is_saved(running: RunningProcess, race: Race) -> None:
    edits = [edited(running, every=f"{minutes}m") for minutes in range(10, 16)]

    def apply(edit: CheckedEdit) -> bool:
        try:
            workspace_edit.apply(running, edit)
        except Conflict:
            return False
        return True

    assert sorted(race(*[lambda edit=edit: apply(edit) for edit in edits])) == [False] * 5 + [True]


def test_channels_that_are_added_and_changed_at_the_same_time_are_all_kept(
    running: RunningProcess, race: Race, world: World
) -> None:
    def change(number: int) -> None:
        channel_changes.add(running, "acme", ChannelSpec(f"new {number}", "null://"))
        channel_changes.edit(
            running, "acme", "team", lambda team: msgspec.structs.replace(team, max_per_hour=team.max_per_hour + 1)
        )

    race(*[lambda number=number: change(number) for number in range(5)])
    assert sorted(world.rows(Channel, "name", "max_per_hour")) == [
        *((f"new {number}", 60) for number in range(5)),
        ("team", 5),  # the fixture's is 0
    ]


def test_a_secret_that_is_rotated_twice_at_the_same_time_is_rotated_once(running: RunningProcess, race: Race) -> None:
    old = channel_changes.add(running, "acme", ChannelSpec("hook", "https://example.org/")).new_secret

    def rotate() -> str | None:
        try:
            return channel_changes.edit(running, "acme", "hook", channel_changes.rotated).new_secret
        except Conflict:
            return None

    made = [secret for secret in race(rotate, rotate, rotate) if secret]
    now = workspace_diff.stored_spec(running.db, "acme")
    assert now is not None
    assert [channel.secret for channel in now.channel if channel.name == "hook"] == [f"{made[0]} {old}"]
    assert len(made) == 1
