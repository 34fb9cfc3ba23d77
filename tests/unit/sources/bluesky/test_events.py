"""Frames of a Jetstream server, as they are and as they should not be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overheard.sources.bluesky.events import Protocol, StreamEvent, StreamNotice, UnreadableFrame, decode, error_name

DID = "did:plc:q235v55g5unth4zjjdpacfdr"
KEY = "3mmoojp4cd223"
URI = f"at://{DID}/app.bsky.feed.post/{KEY}"
ROOT = "at://did:plc:j76trmiofvaxxpvx2vnb2vwf/app.bsky.feed.post/3mmojbrjwbs26"
AT = 1_779_719_009.157119
RECORD = {"$type": "app.bsky.feed.post", "createdAt": "2026-05-25T14:23:28.757Z", "langs": ["en"], "text": "Try RSV!"}


def frame(protocol: Protocol, record: Any = RECORD, operation: str = "create", **fields: Any) -> bytes:
    """A commit of a post, in the server's own form; ``fields`` replace those of the commit."""
    commit = {"rev": "3mmoojpaqkn2z", "operation": operation, "collection": "app.bsky.feed.post", "rkey": KEY}
    commit |= {"record": record, "cid": "bafyrei"} if record is not None else {}
    commit |= fields
    if protocol == "v1":
        return json.dumps({"did": DID, "time_us": round(AT * 1e6), "kind": "commit", "commit": commit}).encode()
    return v2("commit", **commit)


def v2(kind: str, **fields: Any) -> bytes:
    payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": 12345, "did": DID}
    payload |= {"time": "2026-05-25T14:23:29.157119Z", **fields}
    return json.dumps({"$type": "message", "payload": payload}).encode()


def account(protocol: Protocol, **told: Any) -> bytes:
    told = {"did": DID, "seq": 30340180351, "time": "2026-05-25T14:23:29.950Z", **told}
    if protocol == "v2":
        return v2("account", account=told)
    return json.dumps({"did": DID, "time_us": round(AT * 1e6), "kind": "account", "account": told}).encode()


def event(frame: bytes, protocol: Protocol) -> StreamEvent:
    decoded = decode(frame)
    assert isinstance(decoded, StreamEvent)
    assert (decoded.time_us, decoded.seq) == (1_779_719_009_157_119, None if protocol == "v1" else 12345)
    return decoded


both = pytest.mark.parametrize("protocol", ["v1", "v2"])


@both
def test_a_post(protocol: Protocol) -> None:
    item = event(frame(protocol), protocol).item
    assert item is not None
    assert (item.source, item.id, item.kind, item.place, item.author) == ("bluesky", URI, "post", "all", DID)
    assert (item.title, item.body, item.thread, item.url, item.texts) == ("", "Try RSV!", URI, "", {})
    assert item.permalink == f"https://bsky.app/profile/{DID}/post/{KEY}"
    assert item.created_at == pytest.approx(1_779_719_008.757)
    assert item.edited_at is None


@both
def test_a_reply_is_a_comment_of_its_thread_s_root(protocol: Protocol) -> None:
    reply = {"parent": {"cid": "b", "uri": URI}, "root": {"cid": "b", "uri": ROOT}}
    item = event(frame(protocol, {**RECORD, "reply": reply}), protocol).item
    assert item is not None
    assert (item.kind, item.thread) == ("comment", ROOT)


@both
def test_an_update_is_an_edited_item_and_a_delete_a_gone_one(protocol: Protocol) -> None:
    edited = event(frame(protocol, operation="update"), protocol).item
    assert edited is not None
    assert edited.edited_at == AT
    deleted = event(frame(protocol, None, "delete"), protocol)
    assert (deleted.item, deleted.gone, deleted.wrong) == (None, URI, "")


@both
@pytest.mark.parametrize(
    ("told", "is_gone"),
    [
        ({"active": True}, False),
        ({"active": False, "status": "deleted"}, True),
        ({"active": False, "status": "takendown"}, True),
        ({"active": False, "status": "suspended"}, True),
        ({"active": False, "status": "deactivated"}, True),
        ({"active": False}, True),
        ({"active": False, "status": "something new"}, True),
        ({"active": False, "status": "desynchronized"}, False),
        ({"active": False, "status": "throttled"}, False),
    ],
)
def test_an_account_that_is_not_active_is_gone_unless_its_server_is_ill(
    protocol: Protocol, told: dict[str, Any], is_gone: bool
) -> None:
    assert event(account(protocol, **told), protocol).gone_author == (DID if is_gone else None)


@both
def test_other_events_have_a_position_only(protocol: Protocol) -> None:
    identity = {"did": DID, "handle": "a.example.org", "seq": 1, "time": "2026-05-25T14:23:29.950Z"}
    told = {"did": DID, "time_us": round(AT * 1e6), "kind": "identity", "identity": identity}
    frames = [
        json.dumps(told).encode() if protocol == "v1" else v2("identity", identity=identity),
        json.dumps({**told, "kind": "new"}).encode() if protocol == "v1" else v2("sync", sync={"blocks": {}}),
        frame(protocol, {"subject": "x"}, collection="app.bsky.feed.like"),
    ]
    for each in frames:
        position = event(each, protocol)
        assert position == StreamEvent(position.time_us, position.seq)


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        ("2026-05-25T14:20:00.000Z", 1_779_718_800.0),
        ("2026-05-25T16:20:00+02:00", 1_779_718_800.0),
        ("2026-05-25T14:20:00", 1_779_718_800.0),
        ("2026-05-25T14:24:00Z", AT),  # half a minute in the future
        ("2016-05-25T14:23:28Z", AT),
        ("2036-05-25T14:23:28Z", AT),
        ("0001-01-01T00:00:00Z", AT),
        ("yesterday", AT),
        ("", AT),
        (None, AT),
        (1_779_719_008, AT),
        ({}, AT),
    ],
)
def test_the_client_s_clock_is_not_believed_beyond_minutes(claimed: object, expected: float) -> None:
    item = event(frame("v1", {**RECORD, "createdAt": claimed}), "v1").item
    assert item is not None
    assert item.created_at == expected


def test_links_and_descriptions_are_texts_of_their_own() -> None:
    external = {"uri": "https://example.org/a", "title": "A title", "description": "More"}
    linked = event(frame("v1", {**RECORD, "embed": {"external": external}}), "v1").item
    assert linked is not None
    assert (linked.url, linked.texts) == ("https://example.org/a", {"link": "A title\nMore"})
    images = {"images": [{"alt": "A cat"}, {"alt": ""}, {}, 7, {"alt": "A dog"}]}
    quoting = {"$type": "app.bsky.embed.recordWithMedia", "record": {}, "media": images}
    shown = event(frame("v1", {**RECORD, "embed": quoting}), "v1").item
    assert shown is not None
    assert (shown.url, shown.texts) == ("", {"caption": "A cat\n\nA dog"})
    script = event(frame("v1", {**RECORD, "embed": {"external": {"uri": "javascript:alert(1)"}}}), "v1").item
    assert script is not None
    assert script.url == ""


def test_the_first_language_is_told_and_labels_for_adults_only() -> None:
    told = {**RECORD, "langs": ["und", "pt-BR", "en"], "labels": {"values": [{"val": "!x"}, {"val": "porn"}]}}
    item = event(frame("v1", told), "v1").item
    plain = event(frame("v1"), "v1").item
    assert item is not None
    assert plain is not None
    assert (item.lang, item.nsfw) == ("pt-br", True)
    assert (plain.lang, plain.nsfw) == ("en", False)


@pytest.mark.parametrize(
    "strange", [None, 7, "x", [], {}, {"root": 7}, {"root": {"uri": 7}}, {"media": [1]}, [[[]]], {"values": [7]}]
)
def test_strange_parts_of_a_record_cost_only_themselves(strange: object) -> None:
    parts = dict.fromkeys(("reply", "embed", "langs", "labels"), strange)
    item = event(frame("v2", {**RECORD, **parts}), "v2").item
    assert item is not None
    assert (item.kind, item.body) == ("post", "Try RSV!")


@both
@pytest.mark.parametrize("record", [None, 7, "x", [], {}, {"text": 7}, {"text": None}, {"createdAt": "x"}])
def test_a_record_that_is_not_a_post_is_skipped_and_the_position_kept(protocol: Protocol, record: object) -> None:
    skipped = event(frame(protocol, record), protocol)
    assert skipped.item is None
    assert skipped.wrong


@both
@pytest.mark.parametrize(
    "fields", [{"rkey": "../x"}, {"rkey": ""}, {"rkey": "x" * 600}, {"operation": "rename"}, {"operation": ""}]
)
def test_a_post_that_cannot_be_named_is_skipped(protocol: Protocol, fields: dict[str, str]) -> None:
    skipped = event(frame(protocol, **fields), protocol)
    assert (skipped.item, skipped.gone) == (None, None)
    assert skipped.wrong


def test_texts_are_made_safe_to_store() -> None:
    item = event(frame("v1", {**RECORD, "text": "a\0b \U0001f600"}), "v1").item
    assert item is not None
    assert item.body == "ab \U0001f600"
    long = event(frame("v1", {**RECORD, "text": "x" * 5_000_000}), "v1").item
    assert long is not None
    assert len(long.body) == 100_000


RUBBISH = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"<html>busy</html>",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"did":"x","time_us":"soon"}',
    b'{"did":"x","time_us":-5}',
    b'{"did":"x","time_us":1e400}',
    b'{"did":"x","time_us":99999999999999999999999}',
    b'{"did":7,"time_us":1779719009157119}',
    b'{"$type":"message"}',
    b'{"$type":"message","payload":7}',
    b'{"$type":"other","payload":{}}',
    b'{"$type":"message","payload":{"$type":"x#commit","seq":-1,"time":"2026-05-25T14:23:29Z"}}',
    b'{"$type":"message","payload":{"$type":"x#commit","seq":1000000000000000,"time":"2026-05-25T14:23:29Z"}}',
    b'{"$type":"message","payload":{"$type":"x#commit","seq":5,"time":"now"}}',
    b'{"$type":"message","payload":{"$type":"x#commit","seq":5,"time":"2026-05-25T14:23:29"}}',
    b'{"$type":"message","payload":{"$type":"x#commit","seq":5,"time":"0001-01-01T00:00:00Z"}}',
    b'{"did":"\\ud800","time_us":1,"kind":"commit","commit":{"rkey":"\\udfff"',
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda rubbish: str(rubbish[:40]))
def test_rubbish_is_unreadable_and_nothing_else(rubbish: bytes) -> None:
    with pytest.raises(UnreadableFrame):
        decode(rubbish)


def test_a_lone_surrogate_costs_its_own_post_at_most() -> None:
    text = frame("v1").replace(b"Try RSV!", b"\\ud800 x \\udfff")
    try:
        told = decode(text)
    except UnreadableFrame:
        return
    assert isinstance(told, StreamEvent)
    assert told.wrong or (told.item is not None and told.item.body.encode())


def test_advice_and_errors_of_v2() -> None:
    info = {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor", "message": "from 24"}
    assert decode(json.dumps({"$type": "message", "payload": info}).encode()) == StreamNotice(outdated=True)
    other = {**info, "name": "Hello"}
    assert decode(json.dumps({"$type": "message", "payload": other}).encode()) == StreamNotice()
    error = b'{"$type":"error","error":"ConsumerTooSlow","message":"reader below floor rate"}'
    assert decode(error) == StreamNotice(ended=True)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"error":"CursorTooOld","message":"x"}', "CursorTooOld"),
        (b"", ""),
        (b"404 page not found", ""),
        (b"[]", ""),
        (b'{"error":7}', ""),
        (b"\xff", ""),
    ],
)
def test_the_name_of_a_refusal(body: bytes, name: str) -> None:
    assert error_name(body) == name
