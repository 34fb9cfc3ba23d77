"""Folding at the claim: what of a channel's waiting mentions is sent, bundled into a summary, or held.

All of it happens in the claim's transaction, under the lock on the channel's row. Only mentions that were never tried
are folded: a receiver may have got those that were, and must get them again with the same id (I4).
"""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard import folding
from overheard.db.channel_locks import LOCK
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.delivery_conditions import OLDEST_FIRST, due, latest_lease, waiting
from overheard.db.models import BUNDLED, DIGEST, HELD, PENDING, SENT, SUMMARY, Channel, Delivery, Workspace
from overheard.folding import FoldRules, SentMessage, WaitingMentions
from overheard.quiet_hours import opens_at
from overheard.routing import HELD_BY_LIMIT, HELD_BY_QUIET_HOURS

# A claim looks at so many of the oldest waiting mentions, and folds as many; the next summary has the others. Chosen:
# more than ever wait in two minutes, and few enough for a statement of tens of milliseconds.
FOLD_MAX_ROWS = 10_000
# While a channel fails, its next try is one of those that were tried before, once there are so many: each mention that
# was tried has to be sent by itself afterwards. More than one, as the channel may fail because of that very message.
MAX_PROBES = 3


class ChannelPace(msgspec.Struct, frozen=True):
    """What decides when a channel may be sent to, and how much: its own settings, and its workspace's hours."""

    failures: int
    failing: bool
    mode: str
    min_gap: float
    max_per_hour: int
    summary_every: float
    wake_at: float
    quiet: str
    working: str
    timezone: str

    @property
    def rules(self) -> FoldRules:
        """Return the rules of folding."""
        return FoldRules(self.min_gap, self.max_per_hour, self.summary_every, digest=self.mode == "both")

    @property
    def folds(self) -> bool:
        """Return True if mentions may be folded; otherwise each of them is a message."""
        return self.max_per_hour > 0


class FoldedClaim(msgspec.Struct, frozen=True):
    """What a claim may take: ``limit`` deliveries, of them ``singles`` untried mentions, only of ``queries``.

    ``summary``: the id of the summary that was made, which goes first. ``wake_at``: when to decide again; ``heard_of``:
    the queries of what waits until then.
    """

    limit: int
    singles: int = 0
    queries: frozenset[int | None] | None = None
    summary: str | None = None
    wake_at: float | None = None
    heard_of: frozenset[int | None] = frozenset()


def lock(db: Db, channel_id: int, now: float) -> ChannelPace | None:
    """Lock the channel's row until the transaction ends, and return its pace.

    None if it is postponed or disabled, or if another claim has the lock. Store only refers to the row, so it does not
    wait for this lock. Nor does a second claim: the process that has the lock may be dead, and keeps it until the
    database notices.
    """
    rows = _locked(db, channel=channel_id, now=now)
    return ChannelPace(*rows[0]) if rows else None


def fold(db: Db, channel_id: int, pace: ChannelPace, *, now: float, limit: int, summary_id: str) -> FoldedClaim:
    """Bundle or hold what has to be, and return what may be claimed.

    1. in quiet hours, hold all that is due, except digests, until they end;
    2. a channel without a pace gets all that is due;
    3. nothing before ``min_gap`` is over, or beyond ``max_per_hour``;
    4. otherwise, what ``folding.plan`` says: single messages, a summary, or holding them for the digest.
    """
    opening = opens_at(pace.quiet, pace.working, pace.timezone, now)
    if opening is not None:
        _hold_until(db, channel_id, opening, now)
        return FoldedClaim(limit)
    if not pace.folds and not pace.min_gap:
        return FoldedClaim(limit, limit)
    sent = sent_messages(db, channel_id, pace, now)
    next_at = folding.ready_at(pace.rules, sent)
    if next_at > now:
        return FoldedClaim(0, wake_at=next_at)
    limit = min(limit, folding.messages_left(pace.rules, sent))
    if not pace.folds:
        return FoldedClaim(limit, limit)
    if pace.failures and len(_tried(db, channel=channel_id, now=now, limit=MAX_PROBES)) >= MAX_PROBES:
        return FoldedClaim(limit)
    groups = waiting_mentions(db, channel_id, now)
    plan = folding.plan(pace.rules, sent, groups, now)
    if plan.overflow:
        _hold_for_digest(db, channel_id, now)
    made = _summarize(db, channel_id, summary_id, groups, now) if plan.summary else None
    heard_of = frozenset(group.query for group in groups)
    return FoldedClaim(limit, min(plan.singles, limit), plan.queries, made, plan.wake_at, heard_of)


def sent_messages(db: Db, channel_id: int, pace: ChannelPace, now: float) -> list[SentMessage]:
    """Return the messages of the last hour, newest first, as many as the channel's pace depends on."""
    rows = _sent(db, channel=channel_id, since=now - folding.HOUR_SECONDS, limit=max(pace.max_per_hour, 1))
    return [SentMessage(at, kind == SUMMARY, query) for at, kind, query in rows]


def waiting_mentions(db: Db, channel_id: int, now: float) -> list[WaitingMentions]:
    """Return what waits, by query; nothing while a claim holds the channel."""
    return [
        WaitingMentions(query, int(count), oldest_at, int(held))
        for query, count, oldest_at, held in _waiting(db, channel=channel_id, now=now, limit=FOLD_MAX_ROWS)
    ]


def queries_waiting(db: Db, channel_id: int, now: float) -> set[int | None]:
    """Return the queries of what waits."""
    return {group.query for group in waiting_mentions(db, channel_id, now)}


def wake(db: Db, channel_id: int, pace: ChannelPace, wake_at: float, now: float) -> bool:
    """Record when the channel decides again; return False if that, or an earlier time, is recorded already."""
    if now < pace.wake_at <= wake_at:
        return False
    Channel.update(wake_at=wake_at).where(Channel.id == channel_id).execute(db.peewee)
    return True


@compiled
def _locked(db: Db, channel: Any, now: Any) -> Any:
    own = (Channel.failures, Channel.failing_since.is_null(False), Channel.mode, Channel.min_gap, Channel.max_per_hour)
    hours = (Workspace.quiet, Workspace.working, Workspace.timezone)
    query: Any = (
        Channel.select(*own, Channel.summary_every, Channel.wake_at, *hours)
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Channel.id == channel, Channel.not_before <= now, Channel.disabled_at.is_null())
    )
    return query if db.sqlite else query.for_update(LOCK, of=Channel, skip_locked=True)


@compiled
def _sent(db: Db, channel: Any, since: Any, limit: Any) -> Any:
    return (
        Delivery.select(Delivery.sent_at, Delivery.kind, Delivery.query)
        .where(Delivery.channel == channel, Delivery.state == SENT, Delivery.sent_at > since)
        .order_by(Delivery.sent_at.desc())
        .limit(limit)
    )


@compiled
def _waiting(db: Db, channel: Any, now: Any, limit: Any) -> Any:
    unclaimed = fn.coalesce(latest_lease(channel), 0.0) < now
    oldest = (
        Delivery.select(Delivery.query, Delivery.created_at, Delivery.held_by)
        .where(waiting(channel, now), unclaimed)
        .order_by(Delivery.due_at)
        .limit(limit)
        .alias("oldest")
    )
    return (
        Delivery.select(oldest.c.query, fn.COUNT(oldest.c.created_at), fn.MIN(oldest.c.created_at))
        .select_extend(fn.COUNT(oldest.c.held_by))
        .from_(oldest)
        .group_by(oldest.c.query)
    )


@compiled
def _tried(db: Db, channel: Any, now: Any, limit: Any) -> Any:
    return Delivery.select(Delivery.id).where(due(channel, now), Delivery.attempts > 0).limit(limit)


def _oldest_waiting(channel_id: int, now: float) -> Any:
    oldest = Delivery.select(Delivery.id).where(waiting(channel_id, now)).order_by(*OLDEST_FIRST)
    return oldest.limit(FOLD_MAX_ROWS)


def _hold_until(db: Db, channel_id: int, opening: float, now: float) -> None:
    unclaimed = fn.coalesce(latest_lease(channel_id), 0.0) < now
    oldest = Delivery.select(Delivery.id).where(due(channel_id, now), unclaimed, Delivery.kind != DIGEST)
    Delivery.update(due_at=opening, held_by=HELD_BY_QUIET_HOURS).where(
        Delivery.id.in_(oldest.order_by(Delivery.due_at).limit(FOLD_MAX_ROWS)), due(channel_id, now)
    ).execute(db.peewee)


def _hold_for_digest(db: Db, channel_id: int, now: float) -> None:
    Delivery.update(state=HELD, held_by=HELD_BY_LIMIT).where(
        Delivery.id.in_(_oldest_waiting(channel_id, now)), waiting(channel_id, now)
    ).execute(db.peewee)


def _summarize(db: Db, channel_id: int, summary_id: str, groups: list[WaitingMentions], now: float) -> str:
    """Bundle what waits into a summary; return its id. One that was never tried gets it, too: it is not sent yet."""
    most = max(groups, key=lambda group: group.count).query
    untried = due(channel_id, now) & (Delivery.kind == SUMMARY) & (Delivery.attempts == 0)
    made = Delivery.select(fn.MIN(Delivery.id)).where(untried).scalar(db.peewee)
    if made is None:
        made = summary_id
        row = {"id": made, "kind": SUMMARY, "channel": channel_id, "state": PENDING, "query": most}
        Delivery.insert(**row, due_at=now, created_at=now).execute(db.peewee)
    held_by = fn.coalesce(Delivery.held_by, HELD_BY_LIMIT)
    Delivery.update(state=BUNDLED, bundle=made, held_by=held_by).where(
        Delivery.id.in_(_oldest_waiting(channel_id, now)), waiting(channel_id, now)
    ).execute(db.peewee)
    return str(made)
