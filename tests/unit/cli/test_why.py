"""``overheard why``."""

from __future__ import annotations

from collections.abc import Callable

from overheard.db.models import Delivery, Workspace
from overheard.process import RunningProcess

from .conftest import Run, lines, rows

Mention = Callable[..., None]


def test_json_has_the_steps_of_the_way(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention("t3_1", age=0)
    Delivery.update(state="muted", held_by="mute: author bot").execute(running.db.peewee)
    steps = lines(run("why", "acme", "--item", "t3_1", "--format", "json").stdout)
    assert [list(step) for step in steps] == [["at", "step", "channel", "reason"]] * 5
    assert [step["step"] for step in steps] == ["read", "matched", "stored", "routed", "held"]
    assert steps[0]["at"] is None
    assert steps[2]["at"].endswith("Z")
    assert steps[4]["channel"] == "team"
    assert "muted by the rule author bot" in steps[4]["reason"]
    assert [row["step"] for row in rows(run("why", "acme", "--format", "csv").stdout)] == [
        "read", "matched", "stored", "routed", "held",
    ]  # fmt: skip


def test_people_read_the_way_in_the_workspace_s_time_zone(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention("t3_1", title="\x1b[31mpython\u202e", age=0)
    Workspace.update(timezone="Asia/Kolkata").execute(running.db.peewee)
    text = run("why", "acme").stdout
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "(Asia/Kolkata)" in text.splitlines()[0]
    assert "[31mpython  r/python  by u/alice  item t3_1  mention 1" in text
    assert "by snake: python in the title" in text
    assert "team" in text


def test_a_time_or_an_item_is_asked_for(run: Run, mention: Mention) -> None:
    mention("t3_1", age=3600)
    assert "no mention was stored; the next one" in run("why", "acme", "--at", "5h").stdout
    assert "as mention 1" in run("why", "acme", "--at", "1h").stdout
    assert run("why", "acme", "--at", "5h", "--item", "t3_1").exit_code == 2
    assert run("why", "acme", "--at", "25:00").exit_code == 2
    assert run("why", "nobody").exit_code == 1
