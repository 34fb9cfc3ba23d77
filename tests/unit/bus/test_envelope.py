"""The envelope refuses everything else, with a reason that says where."""

from __future__ import annotations

import json
import pickle

import dramatiq
import pytest

from overheard.bus.envelope import ENVELOPE_MAX_BYTES, StrictEncoder, pack, problem
from overheard.errors import InvalidInput
from overheard.items import Item
from overheard.messages import ItemsFetched, Message, PollPart
from tests.servers.malformed import GOOD, MALFORMED


@pytest.fixture(autouse=True)
def encoder() -> StrictEncoder:
    chosen = StrictEncoder()
    dramatiq.set_encoder(chosen)
    return chosen


def test_a_message_comes_back_typed_and_equal() -> None:
    item = Item(
        source="reddit", id="t3_a", kind="post", place="python", author=None, title="Tïtle", body="body", created_at=1.0
    )
    sent = pack(
        ItemsFetched(part=PollPart(poll="p", part=1), items=(item,)),
        message_id="m",
        options={"retries": 2, "slot": 1.5},
    )
    got = dramatiq.Message.decode(sent.encode())
    assert got.args[0].message == ItemsFetched(part=PollPart(poll="p", part=1), items=(item,))
    assert got.options == {"retries": 2, "slot": 1.5}
    assert (got.message_id, got.message_timestamp) == ("m", sent.message_timestamp)


def test_the_valid_body_is_accepted(encoder: StrictEncoder) -> None:
    assert problem(json.dumps(GOOD).encode(), queue="notify") is None


@pytest.mark.parametrize(("body", "where"), MALFORMED.values(), ids=MALFORMED.keys())
def test_refused_with_a_reason(encoder: StrictEncoder, body: bytes, where: str) -> None:
    with pytest.raises(dramatiq.DecodeError) as caught:
        dramatiq.Message.decode(body)
    assert where in str(caught.value.error)


def test_pickle_is_not_run(encoder: StrictEncoder) -> None:
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    with pytest.raises(dramatiq.DecodeError):
        encoder.decode(pickle.dumps(Bomb()))


def test_a_message_over_the_limit_is_refused_both_ways(encoder: StrictEncoder) -> None:
    item = Item(
        source="reddit",
        id="t3_a",
        kind="post",
        place="python",
        author=None,
        title="",
        body="x" * ENVELOPE_MAX_BYTES,
        created_at=1.0,
    )
    with pytest.raises(InvalidInput, match=r"match message is .* bytes, the limit is"):
        pack(ItemsFetched(part=PollPart(poll="p", part=1), items=(item,))).encode()
    with pytest.raises(dramatiq.DecodeError, match="the limit is"):
        encoder.decode(b" " * (ENVELOPE_MAX_BYTES + 1))


def test_an_eta_is_accepted_only_on_the_delay_queue(encoder: StrictEncoder) -> None:
    delayed = {**GOOD, "queue_name": "notify.DQ", "options": {"eta": 1_795_424_400_000}}
    encoder.decode(json.dumps(delayed).encode())
    with pytest.raises(dramatiq.DecodeError, match=r"only a message on notify\.DQ"):
        encoder.decode(json.dumps({**delayed, "queue_name": "notify"}).encode())


def test_a_body_on_another_queue_is_a_problem(encoder: StrictEncoder) -> None:
    assert problem(json.dumps(GOOD).encode(), queue="fetch") == "addressed to notify, but found on fetch"


def test_a_payload_never_prints_its_text() -> None:
    item = Item(
        source="reddit",
        id="t3_a",
        kind="post",
        place="python",
        author=None,
        title="secret words",
        body="more",
        created_at=1.0,
    )
    message = pack(ItemsFetched(part=PollPart(poll="p", part=1), items=(item,)))
    assert "secret" not in f"{message} {message!r} {message.args!r}"


def test_pack_refuses_what_no_stage_takes() -> None:
    with pytest.raises(InvalidInput, match="no stage takes Message"):
        pack(Message())
