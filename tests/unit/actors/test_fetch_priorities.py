"""Which messages leave the last tokens of their budget to others: all but runs by hand and readings that have begun."""

from __future__ import annotations

import pytest

from actors.fetch import is_patient
from overheard.messages import FetchWorkspace, PollProgress

WAITING, BEGUN = PollProgress("p", 1), PollProgress("p", 1, pages=1)


@pytest.mark.parametrize(
    ("message", "patient"),
    [
        (FetchWorkspace(workspace_id=1, source="reddit", reason="trigger"), False),
        (FetchWorkspace(workspace_id=1, source="reddit", reason="trigger", resume=WAITING), False),
        (FetchWorkspace(workspace_id=1, source="reddit", reason="due"), True),
        (FetchWorkspace(workspace_id=1, source="reddit", reason="sweep"), True),
        (FetchWorkspace(group_id=1, source="reddit", reason="planned"), True),
        (FetchWorkspace(group_id=1, source="reddit", reason="planned", resume=WAITING), True),
        (FetchWorkspace(group_id=1, source="reddit", reason="planned", resume=BEGUN), False),
    ],
    ids=["by hand", "by hand, postponed", "due", "swept", "planned", "planned, postponed", "begun"],
)
def test_runs_by_hand_and_readings_that_have_begun_come_first(message: FetchWorkspace, patient: bool) -> None:
    assert is_patient(message) is patient
