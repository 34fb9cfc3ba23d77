"""The way of a mention: read, matched, stored, and then for each channel routed, held, tried, sent or failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from overheard.db.delivery_history import TYPE_OF, DeliveryRow, DeliveryTry
from overheard.db.mention_ways import WatchFacts, WayChannel, WayMention
from overheard.db.models import BUNDLED, FAILED, HELD, MENTION, MUTED, PENDING, SENT, Workspace
from overheard.db.same_links import TOLD_WITH
from overheard.items import ALL, place_key
from overheard.notices import PublicMention
from overheard.operations.way_step import Way, WayStep
from overheard.operations.wording import counted, span, until
from overheard.routing import (
    HELD_BY_DIGEST,
    HELD_BY_DISABLED,
    HELD_BY_LIMIT,
    HELD_BY_QUIET_HOURS,
    NEWS_MAX_AGE_SECONDS,
)
from overheard.sources.logged_items import logged_id
from overheard.sources.registry import author_label, place_label

MAX_TERMS = 5
MENTION_TYPE = TYPE_OF[MENTION]
FIELD_WORDS = {"title": "the title", "body": "the text", "thread": "its thread's title", "url": "the address"}
HOLDING_WORDS = {
    HELD_BY_DIGEST: "kept for the digest",
    HELD_BY_LIMIT: "more than the channel wants as messages of their own",
    HELD_BY_QUIET_HOURS: "held by quiet hours",
    HELD_BY_DISABLED: "held while the channel was disabled",
}
GONE_QUERY = "a query that is not stored any more"
MUTE_PREFIX = "mute: "

Bundled = tuple[str | None, DeliveryRow]  # a delivery, and the id of what has taken it in


class MentionWays:
    """Tells the ways of mentions of one workspace from what is stored about it."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        channels: Sequence[WayChannel],
        watches: Sequence[WatchFacts],
        bundles: Mapping[str, DeliveryRow],
        tries: Mapping[str, Sequence[DeliveryTry]],
        now: float,
    ) -> None:
        self.workspace = workspace
        self.channels = {channel.name: channel for channel in channels}
        self.watches = watches
        self.bundles = bundles
        self.tries = tries
        self.now = now

    def way(self, mention: WayMention, deliveries: Sequence[Bundled]) -> Way:
        """Return the way of a mention with these deliveries."""
        public = mention.public
        steps = [*self._stored(mention)]
        if public.backfilled:
            steps.append(WayStep(mention.stored_at, "routed", None, f"sent nowhere: {self._why_backfilled(mention)}"))
        elif not self.channels:
            steps.append(WayStep(mention.stored_at, "routed", None, "sent nowhere: the workspace has no channel"))
        else:
            for bundle, row in deliveries:
                steps += self._delivered(row, self.bundles.get(bundle or ""))
            steps += self._elsewhere(mention, {row.channel for _, row in deliveries})
        return Way(public.title or public.permalink, tuple(_facts(public)), tuple(steps))

    def _stored(self, mention: WayMention) -> Iterator[WayStep]:
        public = mention.public
        where = place_label(public.source, public.place)
        age = f"{span(mention.stored_at - mention.created_at)} before it was stored"
        item = f"item {public.item} in {where}, published {age}, in logs {logged_id(public.source, public.item)}"
        yield WayStep(mention.read_at or None, "read", None, item)
        # Matching leaves no time of its own.
        yield WayStep(mention.stored_at, "matched", None, f"by {_matched_by(public)}")
        yield WayStep(mention.stored_at, "stored", None, f"as mention {public.id}")

    def _why_backfilled(self, mention: WayMention) -> str:
        public = mention.public
        keys = (place_key(public.place), ALL)
        since = [watch.since for watch in self.watches if watch.source == public.source and watch.place in keys]
        if since and mention.created_at < int(min(since)):
            where = place_label(public.source, public.place)
            return f"it was published {span(min(since) - mention.created_at)} before the workspace watched {where}"
        if mention.created_at < mention.stored_at - NEWS_MAX_AGE_SECONDS:
            return f"it was {span(mention.stored_at - mention.created_at)} old, which is not news"
        return "`overheard backfill` or `overheard query apply` found it, which store and do not send"

    def _delivered(self, row: DeliveryRow, container: DeliveryRow | None) -> Iterator[WayStep]:
        yield WayStep(row.created_at, "routed", row.channel, self._routed(row))
        told_with = (row.held_by or "").startswith(TOLD_WITH)
        if (row.held_by is not None and not told_with) or row.state in (HELD, MUTED):
            yield WayStep(row.created_at, "held", row.channel, self._held(row))
        for each in self.tries.get(row.id, ()):
            yield WayStep(each.at, "tried", row.channel, each.error)
        if row.state == BUNDLED:
            yield from self._bundled(row, container)
        else:
            yield from self._end(row)

    def _bundled(self, row: DeliveryRow, container: DeliveryRow | None) -> Iterator[WayStep]:
        if container is None:
            yield WayStep(None, "held", row.channel, "it went into another message, which is not stored any more")
            return
        count = counted(len(container.mentions), "mention")
        into = f"put into {container.type} {container.id} with {count}"
        same_link = f"told with {container.id}, whose item links to the same page"
        words = same_link if container.type == MENTION_TYPE else into
        # A page may have been told of before this mention was stored.
        yield WayStep(max(row.created_at, container.created_at), "held", row.channel, words)
        for each in self.tries.get(container.id, ()):
            yield WayStep(each.at, "tried", row.channel, each.error)
        yield from self._end(container)

    def _end(self, row: DeliveryRow) -> Iterator[WayStep]:
        tries = self.tries.get(row.id, ())
        if row.state == SENT:
            tried = f" at try {row.attempts}" if row.attempts > 1 else ""
            yield WayStep(row.sent_at, "sent", row.channel, f"the receiver accepted {row.id}{tried}")
        elif row.state == FAILED:
            at = tries[-1].at if tries else None
            yield WayStep(at, "failed", row.channel, f"given up after {counted(row.attempts, 'try')}: {row.error}")
        elif row.state == PENDING:
            yield self._waits(row)

    def _waits(self, row: DeliveryRow) -> WayStep:
        channel, due_at = self.channels.get(row.channel), row.next_try_at or 0.0
        if due_at > self.now:
            if row.held_by == HELD_BY_QUIET_HOURS:
                return WayStep(due_at, "held", row.channel, "due then, with what else waits")
            why = row.error if row.attempts else channel.reason if channel else None
            if why is None and not row.attempts:
                return WayStep(due_at, "held", row.channel, "due then, in the channel's next message or summary")
            after = f", after: {why}" if why else ""
            return WayStep(
                due_at, "held", row.channel, f"waits for its {'next' if row.attempts else 'first'} try{after}"
            )
        waits = f"due for {span(self.now - due_at)}, and not sent yet"
        return WayStep(due_at, "held", row.channel, f"{waits}: `overheard status` says whether deliveries are sent")

    def _routed(self, row: DeliveryRow) -> str:
        if row.state == MUTED:
            return f"not to be sent, as delivery {row.id}"
        digest = row.held_by == HELD_BY_DIGEST
        return f"{'to be sent in a digest' if digest else 'to be sent'}, as delivery {row.id}"

    def _held(self, row: DeliveryRow) -> str:
        held_by = row.held_by or row.state
        if row.state == MUTED:
            rule = held_by.removeprefix(MUTE_PREFIX)
            return f"muted by the rule {rule}; `overheard deliveries retry {row.id}` sends it all the same"
        words = HOLDING_WORDS.get(held_by, f"held by {held_by}")
        channel = self.channels.get(row.channel)
        if held_by == HELD_BY_DISABLED and channel is not None and channel.disabled_at is not None:
            enable = f"overheard channel enable {self.workspace.slug} {row.channel}"
            return f"the channel is disabled ({channel.reason or 'no reason'}); `{enable}` sends what waits"
        if held_by in (HELD_BY_DIGEST, HELD_BY_LIMIT) and row.state == HELD:
            due_at = self.workspace.next_digest_at
            return f"{words}; the digest {'has no schedule' if due_at is None else f'is due {until(due_at, self.now)}'}"
        return words

    def _elsewhere(self, mention: WayMention, told: set[str]) -> Iterator[WayStep]:
        """Yield for each channel without a delivery of the mention why it has none."""
        for channel in self.channels.values():
            if channel.name in told:
                continue
            if channel.created_at > mention.stored_at:
                why = "the channel was added later"
            elif channel.queries and not set(channel.queries) & set(mention.public.queries):
                why = f"the channel hears only of {', '.join(channel.queries)}"
            else:
                why = "its delivery is not stored any more, or the channel heard of other queries then"
            yield WayStep(mention.stored_at, "routed", channel.name, f"not sent there: {why}")


def _matched_by(public: PublicMention) -> str:
    names = dict(zip(public.query_ids, public.queries, strict=False))
    terms = [
        f"{names.get(each.query_id, GONE_QUERY)}: {each.term} in {FIELD_WORDS.get(each.field, each.field)}"
        for each in public.why[:MAX_TERMS]
    ]
    more = f"; and {len(public.why) - MAX_TERMS} more" if len(public.why) > MAX_TERMS else ""
    return ("; ".join(terms) or ", ".join(public.queries) or GONE_QUERY) + more


def _facts(public: PublicMention) -> Iterator[str]:
    yield place_label(public.source, public.place)
    yield f"by {author_label(public.source, public.author)}"
    yield f"item {public.item}"
    yield f"mention {public.id}"
