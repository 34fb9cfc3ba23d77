"""Decode the frames of a Jetstream server, in both versions of its protocol. Pure.

v1 (``/subscribe``): one event a frame, with a time in microseconds. v2 (``network.bsky.jetstream.subscribeEvents``):
the event is wrapped in a message, and has a sequence number as well; advice and errors are frames of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from overheard.items import Item
from overheard.sources.bluesky.names import DID, POSTS, item_id
from overheard.sources.bluesky.posts import UNREADABLE, to_item
from overheard.sources.sanitize import MAX_EPOCH_SECONDS

Protocol = Literal["v1", "v2"]

SEQ_END = 10**15  # where cursors begin to be times
TIME_US_END = int(MAX_EPOCH_SECONDS * 1e6)
# States of an account that is not active, in which its posts remain: its server has technical problems.
PASSING_STATES = ("desynchronized", "throttled")


class StreamEvent(msgspec.Struct, frozen=True):
    """One event: its position, and what it says about posts.

    ``gone``: the id of a deleted post. ``gone_author``: an account that was deleted, taken down or left. ``wrong``: why
    the post is not an item. Events of all other kinds only have a position.
    """

    time_us: int
    seq: int | None = None
    item: Item | None = None
    gone: str | None = None
    gone_author: str | None = None
    wrong: str = ""

    @property
    def at(self) -> float:
        """Return when the server saw it, in seconds since the epoch."""
        return self.time_us / 1e6


class StreamNotice(msgspec.Struct, frozen=True):
    """A frame that is not an event.

    ``outdated``: the server no longer has what followed the cursor. ``ended``: it closes the stream after this.
    """

    outdated: bool = False
    ended: bool = False


class UnreadableFrame(ValueError):
    """A frame that is not an event. The message is safe to log: it contains nothing of the frame."""


class _Commit(msgspec.Struct, frozen=True):
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: msgspec.Raw = msgspec.Raw()  # decoded alone: what is wrong with it does not cost the event's position


class _AccountState(msgspec.Struct, frozen=True):
    active: bool = True
    status: str | None = None


class _Event(_Commit, frozen=True):
    """An event of either version: v1 has ``kind`` and ``time_us``, and its commit one level lower than v2."""

    type: str = msgspec.field(name="$type", default="")
    kind: str = ""
    did: str = ""
    seq: int | None = None
    time_us: int = 0
    time: str = ""
    name: str = ""
    commit: _Commit | None = None
    account: _AccountState = _AccountState()


class _Frame(_Event, frozen=True):
    payload: _Event | None = None  # v2


_decoder = msgspec.json.Decoder(_Frame)


def decode(frame: bytes) -> StreamEvent | StreamNotice:
    """Return what a frame says. Raises UnreadableFrame."""
    try:
        outer = _decoder.decode(frame)
    except UNREADABLE as error:
        raise UnreadableFrame("not Unicode" if isinstance(error, UnicodeError) else str(error)) from None
    if outer.type == "error":
        return StreamNotice(ended=True)
    event = outer.payload or outer
    kind = event.kind or event.type.rpartition("#")[2]
    if kind == "info":
        return StreamNotice(outdated=event.name == "OutdatedCursor")
    if event.seq is not None and not 0 < event.seq < SEQ_END:
        raise UnreadableFrame("its sequence number is not one")
    position = StreamEvent(_checked_time(event.time_us or _microseconds(event.time)), event.seq)
    return _told(position, kind, event.did, event.commit or event, event.account)


def _told(position: StreamEvent, kind: str, did: str, commit: _Commit, account: _AccountState) -> StreamEvent:
    if kind == "commit" and commit.collection == POSTS:
        return _of_commit(position, did, commit)
    if kind == "account" and not account.active and account.status not in PASSING_STATES and DID.fullmatch(did):
        return msgspec.structs.replace(position, gone_author=did)
    return position


def _of_commit(position: StreamEvent, did: str, commit: _Commit) -> StreamEvent:
    replace = msgspec.structs.replace
    if commit.operation == "delete":
        gone = item_id(did, commit.rkey)
        return replace(position, gone=gone, wrong="" if gone else "its account or key is not valid")
    if commit.operation not in ("create", "update"):
        return replace(position, wrong="an unknown operation")
    try:
        edited = commit.operation == "update"
        return replace(position, item=to_item(did, commit.rkey, commit.record, at=position.at, edited=edited))
    except ValueError as error:
        return replace(position, wrong=str(error))


def _microseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableFrame("its time is not a time") from None
    if moment.tzinfo is None:
        raise UnreadableFrame("its time has no zone")
    return round(moment.timestamp() * 1e6)


def _checked_time(time_us: int) -> int:
    if not 0 < time_us < TIME_US_END:
        raise UnreadableFrame("its time is not a time")
    return time_us


def error_name(body: bytes) -> str:
    """Return the name of the error in the body of a refusal (v2); empty if there is none."""
    try:
        answer: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return ""
    name = answer.get("error") if isinstance(answer, dict) else None
    return name if isinstance(name, str) else ""
