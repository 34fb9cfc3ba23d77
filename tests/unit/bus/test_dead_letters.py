"""The stored body of a dead letter: never a text of an item, whatever the body is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.bus.dead_letters import (
    OMITTED_FOREIGN,
    OMITTED_READ_AGAIN,
    DeadLetterRecord,
    redacted_body,
    why_not_kept,
)
from overheard.bus.envelope import StrictEncoder, pack
from overheard.items import Item
from overheard.messages import (
    FetchWorkspace,
    ItemsFetched,
    ItemsMatched,
    MatchedItem,
    Message,
    NotifyChannel,
    PollPart,
    PollTarget,
    RecheckItems,
    WorkspaceMatch,
)
from overheard.stages import STAGES

ENCODER = StrictEncoder()
WORDS = ("her title", "her body", "quill", "her.example", "her_link", "her cursor")
ITEM = Item(
    source="reddit", id="t3_1", kind="post", place="python", author="quill", title="her title", body="her body",
    permalink="https://her.example/her_link", url="https://her.example", created_at=1.0,
)  # fmt: skip
TARGET = PollTarget(group_id=7, feed_ids=(1, 2), cursor="her cursor", read_at=1.0)
PART = PollPart(poll="p", part=2, parts=3, targets=(TARGET,))
FETCHED = ItemsFetched(part=PART, items=(ITEM,))
MATCHED = ItemsMatched(part=PART, items=(MatchedItem(ITEM, (WorkspaceMatch(5, (6,), (("title", 0, 3),)),)),))


def body_of(message: Message, **options: Any) -> bytes:
    return ENCODER.encode(pack(message, message_id="m", options=options).asdict())


def stored_body(body: bytes, stage: str = "match", origin: Any = "nack") -> bytes:
    return redacted_body(DeadLetterRecord("m", stage, f"{stage}.XQ", body, "reason", "", origin))


@pytest.mark.parametrize("message", [FETCHED, MATCHED], ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("origin", ["nack", "xq"])
def test_a_part_of_a_poll_keeps_only_its_ids(message: Message, origin: str) -> None:
    stored = stored_body(body_of(message, retries=2, traceback="her body", workspace="acme"), origin=origin)
    assert json.loads(stored) == {
        "not_kept": OMITTED_READ_AGAIN, "message_id": "m", "poll": "p", "part": 2, "items": 1, "groups": [7],
        "names": ["t3_1"],
    }  # fmt: skip
    assert why_not_kept(stored) == OMITTED_READ_AGAIN


@pytest.mark.parametrize(
    "message",
    [
        FetchWorkspace(workspace_id=1, source="reddit", fresh_since=0),
        NotifyChannel(channel_id=2),
        RecheckItems(source="reddit", item_ids=(3,)),
    ],
)
def test_a_message_of_ids_is_kept_whole_except_its_traceback(message: Message) -> None:
    stored = stored_body(body_of(message, retries=2, traceback="her body", run="r"))
    fields = ENCODER.decode(stored)
    assert fields["args"][0].message == message  # type: ignore[attr-defined]
    assert fields["options"] == {"retries": 2, "run": "r"}
    assert why_not_kept(stored) is None


def test_a_refused_event_is_kept_as_it_came() -> None:
    for body in (b'{"workspace": "acme"}', b"\xff rubbish", body_of(NotifyChannel(channel_id=2))):
        assert stored_body(body, "ingress", "rejected") == body


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_an_undecodable_body_keeps_only_its_size_and_hash(cut: int) -> None:
    body = body_of(FETCHED)[:-cut]
    stored = json.loads(stored_body(body))
    assert stored.keys() == {"not_kept", "size", "sha256"}
    assert (stored["not_kept"], stored["size"], len(stored["sha256"])) == (OMITTED_FOREIGN, len(body), 64)


def test_a_message_of_an_older_version_is_not_kept() -> None:
    older = json.loads(body_of(FETCHED))
    older["args"][0]["items"][0]["flair"] = "her title"
    assert "her title" not in stored_body(json.dumps(older).encode()).decode()


def reaches(kind: Any) -> set[Any]:
    """Return all struct types that a type is composed of."""
    found: set[Any] = set()

    def look(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                return
            found.add(info.cls)
            for field in info.fields:
                look(field.type)
        for name in ("item_type", "item_types", "types", "key_type", "value_type"):
            inner = getattr(info, name, ())
            for each in inner if isinstance(inner, tuple) else (inner,):
                look(each)

    look(msgspec.inspect.type_info(kind))
    return found


def test_every_message_type_with_items_is_redacted() -> None:
    assert {stage.takes for stage in STAGES.values() if Item in reaches(stage.takes)} == {
        ItemsFetched,
        ItemsMatched,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("her body"),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["args", "items", "item", "name", "body", "options"]), inner, max_size=4),
)  # fmt: skip


@given(JSON | st.builds(lambda items: json.loads(body_of(FETCHED)) | {"args": [{"items": items}]}, JSON), st.binary())
def test_redaction_never_fails_or_leaves_text(value: Any, raw: bytes) -> None:
    for body in (raw, json.dumps(value).encode(), json.dumps(value)[:-3].encode() + raw):
        assert "her body" not in stored_body(body).decode()
        why_not_kept(body)
