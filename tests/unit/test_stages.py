"""Who follows whom: by the order of the table, and only what a stage's line says that it gives."""

from __future__ import annotations

import pytest

from overheard.errors import InvalidInput
from overheard.messages import ComposeDigest, ItemsMatched, NotifyChannel, PollPart
from overheard.stages import STAGES, Stage, followers, recipient

MATCHED = ItemsMatched(part=PollPart(poll="p", part=0), items=())
INSERTED = Stage("enrich", ItemsMatched, (ItemsMatched,), "nowhere:work", 1, "enrich", 70)
TABLE = [each for stage in STAGES.values() for each in ((INSERTED, stage) if stage.name == "store" else (stage,))]


def test_what_takes_and_gives_the_same_stands_between_two_others() -> None:
    assert recipient(MATCHED, STAGES.values(), "match").name == "store"
    assert recipient(MATCHED, TABLE, "match").name == "enrich"
    assert recipient(MATCHED, TABLE, "enrich").name == "store"
    assert [stage.name for stage in followers(TABLE[1], TABLE)] == ["enrich"]


def test_what_no_stage_below_takes_goes_to_the_first_that_does() -> None:
    prompt = NotifyChannel(channel_id=1)
    assert {recipient(prompt, TABLE, name).name for name in ("store", "digest", "notify", None)} == {"notify"}


def test_a_stage_sends_only_what_its_line_says() -> None:
    with pytest.raises(InvalidInput, match=r"match does not give ComposeDigest: see stages\.py"):
        recipient(ComposeDigest(workspace_id=1, period_end=0), TABLE, "match")


def test_what_no_stage_takes_goes_nowhere() -> None:
    with pytest.raises(InvalidInput, match="no stage takes ItemsMatched"):
        recipient(MATCHED, [STAGES["notify"]])
