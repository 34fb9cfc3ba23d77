"""Messages between stages round-trip, and anything else is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard import messages
from overheard.items import Item
from overheard.stages import STAGES

MESSAGES = [stage.takes for stage in STAGES.values()]
WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
IDS = st.integers(1, 2**63 - 1)
ITEMS = st.builds(
    Item,
    source=WORDS,
    id=WORDS,
    kind=st.sampled_from(["post", "comment"]),
    place=WORDS,
    author=st.none() | WORDS,
    title=WORDS,
    body=WORDS,
    permalink=WORDS,
    url=WORDS,
    created_at=st.floats(0, 1e10),
    thread=st.none() | WORDS,
    thread_title=WORDS,
    texts=st.dictionaries(WORDS, WORDS, max_size=2),
    edited_at=st.none() | st.floats(0, 1e10),
)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
COUNT = st.integers(0, 100_000)
EDGES = st.none() | st.tuples(WORDS, st.floats(0, 1e10))
TARGETS = st.builds(
    messages.PollTarget,
    IDS,
    st.lists(IDS, min_size=1, max_size=4).map(tuple),
    TEXT,
    st.floats(0, 1e10),
    st.none() | COUNT,
    st.none() | st.builds(messages.GapBounds, TEXT, EDGES, EDGES),
)
PROGRESS = st.builds(
    messages.PollProgress,
    poll_id=TEXT,
    group_id=IDS,
    position=st.none() | TEXT,
    pages=COUNT,
    parts=COUNT,
    read_at=st.floats(0, 1e10),
    refused_at=st.none() | st.floats(0, 1e10),
)
MATCHES = st.builds(
    messages.WorkspaceMatch,
    IDS,
    st.lists(IDS, max_size=3).map(tuple),
    st.lists(st.tuples(WORDS, st.integers(0, 99), st.integers(0, 99)), max_size=3).map(tuple),
)
PARTS = st.builds(
    messages.PollPart,
    poll=TEXT,
    part=COUNT,
    parts=st.none() | COUNT,
    targets=st.lists(TARGETS, max_size=2).map(tuple),
    piece=COUNT,
    pieces=st.integers(1, 100_000),
)
POLL = {"part": PARTS, "gone": st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)}
ANY = st.one_of(
    st.builds(
        messages.FetchWorkspace,
        workspace_id=IDS,
        source=TEXT,
        fresh_since=st.floats(0, 1e10),
        reason=TEXT,
        resume=st.none() | PROGRESS,
    ),
    st.builds(messages.ItemsFetched, items=st.lists(ITEMS, max_size=3).map(tuple), **POLL),
    st.builds(
        messages.ItemsMatched,
        items=st.lists(
            st.builds(messages.MatchedItem, ITEMS, st.lists(MATCHES, max_size=3).map(tuple)), max_size=3
        ).map(tuple),
        **POLL,
    ),
    st.builds(messages.NotifyChannel, channel_id=IDS, lease=st.floats(0, 1e10)),
    st.builds(messages.ComposeDigest, workspace_id=IDS, period_end=st.floats(0, 1e10)),
    st.builds(
        messages.RecheckItems,
        source=TEXT,
        item_ids=st.lists(IDS, max_size=100).map(tuple),
        lease=st.floats(0, 1e10),
    ),
)

EXAMPLES: dict[type[Any], dict[str, Any]] = {
    messages.FetchWorkspace: {"source": "reddit"},
    messages.ItemsFetched: {"part": {"poll": "p", "part": 0}, "items": []},
    messages.ItemsMatched: {"part": {"poll": "p", "part": 0}, "items": []},
    messages.NotifyChannel: {"channel_id": 1},
    messages.ComposeDigest: {"workspace_id": 1, "period_end": 0},
    messages.RecheckItems: {"source": "reddit"},
}


@settings(max_examples=150, deadline=None)
@given(ANY)
def test_a_message_round_trips(message: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(message), type=type(message)) == message


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_stage_s_message_has_an_example(kind: type[Any]) -> None:
    assert msgspec.convert(EXAMPLES[kind], kind).v == 2


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize(
    "change", [{"v": 1}, {"v": 3}, {"v": 0}, {"v": "1"}, {"v": None}, {"unknown": 1}], ids=lambda change: str(change)
)
def test_another_version_or_an_unknown_field_is_refused(kind: type[Any], change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(EXAMPLES[kind] | change, kind)


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_field_without_a_default_is_required(kind: type[Any]) -> None:
    for name in EXAMPLES[kind]:
        with pytest.raises(msgspec.ValidationError, match=name):
            msgspec.convert({key: value for key, value in EXAMPLES[kind].items() if key != name}, kind)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (messages.FetchWorkspace, {"workspace_id": 0}),
        (messages.FetchWorkspace, {"workspace_id": 2**63}),
        (messages.FetchWorkspace, {"workspace_id": True}),
        (messages.FetchWorkspace, {"workspace_id": "1"}),
        (messages.FetchWorkspace, {"fresh_since": -1}),
        (messages.FetchWorkspace, {"reason": ""}),
        (messages.RecheckItems, {"item_ids": [1] * 101}),
        (messages.RecheckItems, {"item_ids": [0]}),
        (messages.RecheckItems, {"lease": -1}),
        (messages.FetchWorkspace, {"reason": "x" * 201}),
        (messages.FetchWorkspace, {"resume": {}}),
        (messages.ItemsFetched, {"part": {"poll": "p", "part": -1}}),
        (messages.ItemsFetched, {"part": {"poll": "p", "part": 100_001}}),
        (messages.ItemsFetched, {"items": [{"name": "t3_a"}]}),
        (messages.ItemsFetched, {"targets": [[1, 2, 3.0]]}),
        (messages.NotifyChannel, {"channel_id": -1}),
        (messages.ComposeDigest, {"period_end": None}),
    ],
)
def test_impossible_values_are_refused(kind: type[Any], change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(EXAMPLES[kind] | change, kind)


def test_a_message_is_immutable() -> None:
    with pytest.raises(AttributeError):
        messages.NotifyChannel(channel_id=1).channel_id = 2  # type: ignore[misc]
