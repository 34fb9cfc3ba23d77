"""The table decides which stage follows, and which messages a stage may send."""

from __future__ import annotations

import pytest

from overheard.errors import InvalidInput
from overheard.messages import ComposeDigest, ItemsMatched, NotifyChannel, PollPart
from overheard.stages import STAGES, Stage, followers, recipient

MATCHED = ItemsMatched(part=PollPart(poll="p", part=0), items=())
INSERTED = Stage("enrich", ItemsMatched, (ItemsMatched,), "nowhere:work", 1, "enrich", 70)
TABLE = [each for stage in STAGES.values() for each in ((INSERTED, stage) if stage.name == "store" else (stage,))]


def test_a_stage_that_takes_and_gives_the_same_message_can_be_inserted() -> None:
    assert recipient(MATCHED, STAGES.values(), "match").name == "store"
    assert recipient(MATCHED, TABLE, "match").name == "enrich"
    assert recipient(MATCHED, TABLE, "enrich").name == "store"
    assert [stage.name for stage in followers(TABLE[1], TABLE)] == ["enrich"]


def test_a_message_not_taken_below_goes_to_the_first_stage_that_takes_it() -> None:
    prompt = NotifyChannel(channel_id=1)
    assert {recipient(prompt, TABLE, name).name for name in ("store", "digest", "notify", None)} == {"notify"}


def test_a_stage_sends_only_the_messages_of_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"match does not give ComposeDigest: see stages\.py"):
        recipient(ComposeDigest(workspace_id=1, period_end=0), TABLE, "match")


def test_a_message_that_no_stage_takes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no stage takes ItemsMatched"):
        recipient(MATCHED, [STAGES["notify"]])
