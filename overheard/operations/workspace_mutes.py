"""Mutes of a workspace: add, list and lift them."""

from __future__ import annotations

import math

import msgspec

from overheard import schedule
from overheard.db import mutes, workspaces
from overheard.db.database import Db
from overheard.errors import InvalidInput, NotFound
from overheard.operations.workspaces import locked
from overheard.process import RunningProcess
from overheard.workspaces import MuteSpec, WorkspaceSpec, validated_mute
from overheard.workspaces.mutes import mute_text, public_mute, until_text

LOOK_BACK_DAYS = 7


class SavedMute(msgspec.Struct, frozen=True):
    """A mute as it is stored, and how many of the ``mentions`` of the last days it would have ``muted``."""

    mute: MuteSpec
    until_at: float | None
    muted: int
    mentions: int


class MuteState(msgspec.Struct, frozen=True):
    """A mute as it is listed. Empty conditions fit everything; ``until_at``: None for good."""

    workspace: str
    query: str
    author: str
    place: str
    thread: str
    until_at: float | None
    state: str


def add(running: RunningProcess, slug: str, mute: MuteSpec) -> SavedMute:
    """Mute what fits all conditions; the same conditions get a new end. ``mute.until`` may be a span, too: ``2d``.

    Raises NotFound, InvalidInput, Conflict.
    """
    now = running.clock()
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        is_span = schedule.INTERVAL.fullmatch(mute.until) is not None
        until = until_text(math.ceil(now + schedule.span_seconds(mute.until))) if is_span else mute.until
        valid = validated_mute(spec, msgspec.structs.replace(mute, until=until))
        ends = schedule.until_seconds(valid.until, spec.timezone)
        if ends is not None and ends <= now:
            raise InvalidInput(f"until {mute.until!r} is in the past")
        others = [each for each in spec.mute if not _same(each, valid)]
        mutes.save(running.db, workspace_id, [*others, valid], spec.timezone)
    counts = mutes.would_mute(running.db, workspace_id, valid, now - LOOK_BACK_DAYS * 86400)
    return SavedMute(valid, ends, *counts)


def lift(running: RunningProcess, slug: str, mute: MuteSpec) -> MuteSpec:
    """Lift the mute with exactly these conditions. Raises NotFound, which lists those that there are, and Conflict."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        found = [each for each in spec.mute if _same(each, _as_stored(spec, mute))]
        if not found:
            has = "; ".join(map(mute_text, spec.mute)) if spec.mute else "none"
            raise NotFound(f"workspace {slug} has no mute of {mute_text(mute)[:100]}; its mutes: {has}")
        left = [each for each in spec.mute if each not in found]
        mutes.save(running.db, workspace_id, left, spec.timezone)
    return found[0]


def listing(db: Db, slug: str, now: float) -> list[MuteState]:
    """Return the workspace's mutes, those that have ended included. Raises NotFound."""
    row = workspaces.by_name(db, slug)
    found = map(public_mute, mutes.load(db, row.id))
    ends = [(mute, schedule.until_seconds(mute.until, row.timezone)) for mute in found]
    return [
        MuteState(
            workspace=row.slug,
            query=mute.query,
            author=mute.author,
            place=mute.place,
            thread=mute.thread,
            until_at=until,
            state="ended" if until is not None and until <= now else "active",
        )
        for mute, until in ends
    ]


def _as_stored(spec: WorkspaceSpec, mute: MuteSpec) -> MuteSpec:
    try:
        return validated_mute(spec, mute)
    except InvalidInput:  # a place that was watched, or a query that was there, when it was muted
        return mute


def _same(mute: MuteSpec, other: MuteSpec) -> bool:
    return msgspec.structs.replace(mute, until="") == msgspec.structs.replace(other, until="")
