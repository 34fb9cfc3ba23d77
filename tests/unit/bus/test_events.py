from __future__ import annotations

from collections.abc import Sequence

import pytest

from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.event_batches import OK, EventOutcome, IncomingEvent, refused
from overheard.bus.events import (
    EVENT_MAX_BYTES,
    ItemRecheck,
    WorkspaceDigest,
    WorkspaceDue,
    encode,
    message_id_of,
    parse,
    readable,
)
from overheard.bus.memory_events import MemoryEvents
from overheard.errors import InvalidInput, Unavailable
from overheard.observability.metrics import EVENT_OUTCOMES, ProcessMetrics
from tests.fixtures import Metric


def test_each_event_type_is_parsed() -> None:
    assert parse("workspace.due", b'{"workspace": "acme"}') == WorkspaceDue(workspace="acme")
    assert parse("workspace.due", b'{"workspace": 7, "reason": "by hand", "event_id": "e"}') == WorkspaceDue(
        workspace=7, reason="by hand", event_id="e"
    )
    assert parse("workspace.digest", b'{"workspace": "a-b_c"}') == WorkspaceDigest(workspace="a-b_c")
    assert parse("item.recheck", b"{}") == ItemRecheck()
    assert parse("item.recheck", b'{"item": "t1_1abc"}') == ItemRecheck(item="t1_1abc")


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("workspace.deu", b"{}", "no such event type 'workspace.deu'; valid: workspace.due, workspace.digest, item"),
        ("workspace.due", b"", "not JSON"),
        ("workspace.due", b"acme", "not JSON (line 1, column 1"),
        ("workspace.due", b'{"workspace": "\xff"}', "not UTF-8 (byte 15)"),
        ("workspace.due", b"true", "body is a boolean; want a JSON object"),
        ("workspace.due", b'["acme"]', "body is an array"),
        ("workspace.due", b'{"workspace": NaN}', "NaN, which is not JSON"),
        ("workspace.due", b"[" * 60_000, "nested too deeply"),
        ("workspace.due", b'{"workspace": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "nested too deeply"),
        ("workspace.due", b'{"workspace": [["a"]]}', '"workspace" is an array'),
        ("workspace.due", b" " * (EVENT_MAX_BYTES + 1), "the limit is"),
        ("workspace.due", b'{"workspace": ' + b"9" * 5_000 + b"}", "too large"),
        ("workspace.due", b"{}", '"workspace" is missing'),
        ("workspace.due", b'{"workspace": true}', '"workspace" is a boolean'),
        ("workspace.due", b'{"workspace": 1.5}', '"workspace" is a number'),
        ("workspace.due", b'{"workspace": null}', '"workspace" is null'),
        ("workspace.due", b'{"workspace": 0}', "positive"),
        ("workspace.due", b'{"workspace": 9223372036854775808}', "positive"),
        ("workspace.due", b'{"workspace": "Acme"}', "not a slug"),
        ("workspace.due", b'{"workspace": "acme\\n"}', "not a slug"),
        ("workspace.due", b'{"workspace": "_acme"}', "must start with a-z or 0-9"),
        ("workspace.due", b'{"workspace": "a", "x": 1}', "unknown key 'x'; valid: event_id, reason, source, workspace"),
        ("workspace.due", b'{"workspace": "a", "workspace": "b"}', "'workspace' twice"),
        ("workspace.due", b'{"workspace": "a", "reason": "' + b"x" * 201 + b'"}', "201 characters"),
        ("workspace.due", b'{"workspace": "a", "reason": 5}', '"reason" is a number'),
        ("workspace.due", b'{"workspace": "a", "event_id": ""}', "0 characters"),
        ("workspace.due", b'{"workspace": "a", "event_id": "\\u0000"}', "cannot be stored"),
        ("workspace.due", b'{"workspace": "a", "event_id": "\\ud800"}', "cannot be stored"),
        ("item.recheck", b'{"workspace": "a"}', "unknown key 'workspace'; valid: event_id, item, source"),
        ("item.recheck", b'{"item": "1abc"}', "want the fullname of a post or comment"),
        ("item.recheck", b'{"item": "t3_1ABC"}', "want the fullname"),
        ("item.recheck", b'{"item": "t3_1a,t3_1b"}', "want the fullname"),
        ("item.recheck", b'{"item": "t2_1abc"}', "want the fullname"),
        ("item.recheck", b'{"item": 5}', "a number; want the id of a post or comment"),
    ],
)  # fmt: skip
def test_an_invalid_event_is_refused_with_a_helpful_reason(key: str, body: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(key, body)
    assert reason in str(caught.value)


def test_the_same_event_id_gives_the_same_message_id() -> None:
    one = WorkspaceDue(workspace="a", event_id="e1")
    assert message_id_of(one) == message_id_of(WorkspaceDue(workspace="a", event_id="e1"))
    assert message_id_of(one) != message_id_of(WorkspaceDue(workspace="a", event_id="e2"))
    assert message_id_of(one) != message_id_of(WorkspaceDigest(workspace="a", event_id="e1"))
    assert message_id_of(WorkspaceDue(workspace="a")) != message_id_of(WorkspaceDue(workspace="a"))


def test_encode_refuses_what_the_ingress_would() -> None:
    assert encode("workspace.due", {"workspace": "a", "event_id": "e"})[1] == "e"
    for body in ({"workspace": "A b"}, {"workspace": float("nan")}, {"workspace": "a", "reason": "\ud800"}):
        with pytest.raises(InvalidInput):
            encode("workspace.due", body)


def test_memory_events_keeps_the_same_contract(metrics: ProcessMetrics, metric: Metric) -> None:
    seen: list[tuple[str, bytes, str | None]] = []
    dead_letters: list[DeadLetterRecord] = []

    def handle(arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        [arrival] = arrivals
        seen.append((arrival.key, arrival.body, arrival.message_id))
        match len(seen):
            case 2:
                return [refused(InvalidInput("no workspace 'b'"))]
            case 3:
                raise Unavailable("database away")
        return [OK]

    memory_events = MemoryEvents(handle, dead_letters.extend, metrics)
    assert memory_events.publish("workspace.due", {"workspace": "a", "event_id": "e"}) == "e"
    assert seen == [("workspace.due", b'{"workspace":"a","event_id":"e"}', "e")]
    memory_events.publish("workspace.due", {"workspace": "b"})
    assert [dead_letter.reason for dead_letter in dead_letters] == ["no workspace 'b'"]
    with pytest.raises(Unavailable):
        memory_events.publish("workspace.due", {"workspace": "c"})
    with pytest.raises(InvalidInput, match="no such event type"):
        memory_events.publish("workspace.deu", {})
    outcomes = {each: metric("stage_messages_total", stage="ingress", outcome=each) for each in EVENT_OUTCOMES}
    assert outcomes == {"ok": 1, "merged": 0, "retried": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"workspace": "acme", "event_id": "order-66"}', {"event_id": "order-66", "workspace": "acme"}),
        (b'{"event_id": "order-66", "urgent": true}', {"event_id": "order-66"}),
        (b'{"event_id": "order-66", "workspace": "No Slug"}', {"event_id": "order-66"}),
        (b'{"event_id": 66, "workspace": 7}', {}),
        (b'{"event_id": "", "workspace": ["acme"]}', {}),
        (b'{"event_id": "nul \\u0000", "workspace": "acme"}', {"workspace": "acme"}),
        (b'{"event_id": "' + b"x" * 201 + b'", "workspace": "acme"}', {"workspace": "acme"}),
        (b'{"event_id": "order-66", "event_id": "order-67"}', {}),
        (b'{"event_id": "order-66"', {}),
        (b'["event_id"]', {}),
        (b"\xff", {}),
        (b'{"event_id": "order-66", "reason": "' + b"x" * 70_000 + b'"}', {}),
    ],
)
def test_the_well_formed_fields_of_an_invalid_event_are_read(body: bytes, read: dict[str, str]) -> None:
    assert readable(body) == read
