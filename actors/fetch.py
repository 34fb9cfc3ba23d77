"""fetch: makes a workspace's feeds fresh. One poll serves everybody who watches the same feeds (I7)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import msgspec

from actors.reading import Reading
from overheard import canary
from overheard.clock import Clock
from overheard.config import Fetch as Rules
from overheard.db import feeds, workspaces
from overheard.db.connect import Db
from overheard.db.feeds import FeedRow
from overheard.errors import FeedRefused, Postponed, TryAgain, Unavailable
from overheard.items import ALL, Item
from overheard.log import get_logger
from overheard.messages import ON_SCHEDULE, FetchWorkspace, ItemsFetched, Progress
from overheard.metrics import Metrics
from overheard.portions import item_size, portions
from overheard.sending import Send
from overheard.sources import Budget, Source

log = get_logger(__name__)

FIRST_RETRY = 2.0  # seconds after a passing fault of the source; doubles
LONGEST_RETRY = 295.0  # the bus delays up to 300
LOOK_AGAIN_MOST = 5.0
LOOK_AGAIN = 0.25  # seconds until a demand looks again at a feed that is being read just now
READ_AHEAD = 0.75  # of [fetch] fresh_for: who falls due so soon is served by a reading made now
LONGEST_URL = 1500  # bytes of names in a listing's URL: what is known to work is below 2,000 in all
NEARLY_ALL = 0.95  # a listing that ends short of this much of its depth was read to its real end


class Fetcher:
    """What the stage works with. Handlers are its methods; each message brings its own turn at the budget.

    ``sources`` are those of the feeds, by name; a request names feeds of one source and kind.
    """

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        rules: Rules,
        metrics: Metrics,
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.rules = rules
        self.metrics = metrics

    def fetch(self, message: FetchWorkspace, budget: Budget) -> None:
        """Poll the workspace's stale feeds, each group once, topped up with other feeds that are due.

        1. a poll that had waited for the budget goes on where it was;
        2. stale feeds are read in groups, as many as one request can name; a refused group is split until the
           refused feed stands alone, and only that one backs off;
        3. a passing fault of the source puts its group off for everybody, and a message comes back for the group then:
           however long Reddit is away, there is one such message a group, and none that dies of it;
        4. when a feed was being read already, but from before ``fresh_since``, a wish is looked at again soon;
        5. the demand is marked as served. A crash before that is found by the sweep.

        Raises Postponed (with the rest of a poll to resume), Unavailable (bus, database) and Permanent.
        """
        began = self.clock()
        try:
            self._refresh(message, began, budget)
        except Postponed as wait:
            # The demand stands in line now: it counts as forgotten only some time after its turn.
            workspaces.demand(self.db, message.workspace_id, began + max(wait.delay - 1.0, 0.0))
            raise
        workspaces.served(self.db, message.workspace_id, began)

    def _refresh(self, message: FetchWorkspace, now: float, budget: Budget) -> None:
        if message.resume is not None:
            self._read_on(message, message.resume, budget)
        fresh_since = message.fresh_since
        stale = feeds.stale_of(self.db, message.workspace_id, now=now, fresh_since=fresh_since)
        for _, alike in groupby(stale, key=lambda feed: (feed.source, feed.kind)):
            for group in self._groups(message, list(alike)):
                self._poll(message, group, budget, refill=True)
        wish = message.reason not in ON_SCHEDULE
        if wish and feeds.still_stale(self.db, message.workspace_id, now=self.clock(), fresh_since=fresh_since):
            again = msgspec.structs.replace(message, resume=None, attempt=message.attempt + 1)
            self.send(again, delay=min(LOOK_AGAIN * 2.0 ** min(message.attempt, 10), LOOK_AGAIN_MOST))

    def _groups(self, message: FetchWorkspace, stale: list[FeedRow]) -> list[list[FeedRow]]:
        """Groups that one request can name. "all", and feeds that were refused, are asked for alone."""
        alone = [feed for feed in stale if feed.name == ALL or feed.failures]
        together = [feed for feed in stale if feed not in alone]
        room = -len(together) % self.rules.group_size
        if together and room:
            had = {feed.id for feed in together}
            others = self._others(message, together[0], room + len(together))
            together += [feed for feed in others if feed.id not in had][:room]
        # Feeds that were last read at about the same time share a request: it has to go back to the oldest cursor.
        together.sort(key=lambda feed: (feed.cursor_at is None, feed.cursor_at or 0.0))
        return [*_portions(together, self.rules.group_size), *([feed] for feed in alone)]

    def _others(self, message: FetchWorkspace, alike: FeedRow, limit: int) -> list[FeedRow]:
        """Feeds that may ride along: those that others need now, or will while this reading still counts as fresh.

        Three quarters of that time, as a demand comes some seconds after its workspace is due. A hand's demand is no
        reason to hurry the others. What this demand has read already does not ride again, however long it waits for
        its turns: a refused group would never get smaller.
        """
        now, fresh_for = self.clock(), self.rules.fresh_for
        asked_at = message.fresh_since + (fresh_for if message.reason in ON_SCHEDULE else 0.0)
        others = feeds.also_due(
            self.db,
            alike.source,
            alike.kind,
            now=now,
            due_by=now + READ_AHEAD * fresh_for,
            fresh_for=fresh_for,
            unread_since=asked_at,
            limit=limit + 1,
        )
        return [feed for feed in others if feed.name != ALL][:limit]

    def _poll(self, message: FetchWorkspace, group: Sequence[FeedRow], budget: Budget, *, refill: bool = False) -> None:
        poll = uuid.uuid4().hex
        claimed = feeds.claim(self.db, group, poll, now=self.clock(), lease=self.rules.lease)
        if not claimed:
            return  # somebody else is reading all of them now
        if refill and len(claimed) < len(group):
            claimed += self._refill(message, poll, claimed)
        try:
            self._read(message, Reading(poll, claimed[0].kind, claimed), budget)
        except FeedRefused as refusal:
            feeds.release(self.db, poll)
            self._split(message, claimed, refusal, budget)

    def _refill(self, message: FetchWorkspace, poll: str, had: Sequence[FeedRow]) -> list[FeedRow]:
        """Others were quicker with some of the group: a request costs the same, however many feeds it names."""
        others = self._others(message, had[0], self.rules.group_size - len(had))
        fitting = _portions([*had, *others], self.rules.group_size)[0][len(had) :]
        return feeds.claim(self.db, fitting, poll, now=self.clock(), lease=self.rules.lease)

    def _split(self, message: FetchWorkspace, group: Sequence[FeedRow], refusal: FeedRefused, budget: Budget) -> None:
        if len(group) == 1:
            self._refused(group[0], refusal)
            return
        middle = len(group) // 2
        for half in (group[:middle], group[middle:]):
            self._poll(message, half, budget)

    def _refused(self, feed: FeedRow, refusal: FeedRefused) -> None:
        again = feeds.refuse(self.db, feed, refusal.reason, now=self.clock(), longest=self.rules.longest_backoff)
        log.warning("feed refused", feed=feed.name, kind=feed.kind, reason=refusal.reason, retry_at=again)

    def _read_on(self, message: FetchWorkspace, progress: Progress, budget: Budget) -> None:
        held = feeds.by_ids(self.db, progress.feed_ids, progress.poll_id)
        if not held:
            return  # the lease ran out meanwhile: whoever took it over reads again from the cursor
        if not progress.pages:
            feeds.begin(self.db, progress.poll_id, self.clock())
        try:
            self._read(message, Reading.resumed(progress, held), budget)
        except FeedRefused as refusal:
            # Split here, not from the top: a group must get smaller with each slot of the budget that it costs.
            feeds.release(self.db, progress.poll_id)
            self._split(message, held, refusal, budget)

    def _read(self, message: FetchWorkspace, reading: Reading, budget: Budget) -> None:
        """Page back to the cursors, sending each page on as it comes; the last bears the targets."""
        source = self.sources[reading.source]
        done, count = False, 0
        while not done:
            try:
                page = source.read(reading.kind, reading.names, after=reading.after or None, budget=budget)
            except Postponed as wait:
                if wait.slot is None:
                    log.info("no place in line", **reading.gist, seconds=LONGEST_RETRY)
                    self._read_later(message, reading, LONGEST_RETRY)
                    return
                # The feeds stay ours, so that nobody else lines up for the same reading.
                feeds.extend(self.db, reading.poll, self.clock() + wait.delay + self.rules.lease)
                wait.resume = msgspec.structs.replace(message, resume=reading.progress())
                raise
            except Unavailable:  # the database, where the budget is: not the source
                with suppress(Unavailable), self.db.session():
                    feeds.release(self.db, reading.poll)  # or the retry would find them taken, by this poll
                raise
            except TryAgain as fault:
                self._put_off(message, reading, fault)
                return
            reading.take(page.items, page.after)
            done = self._is_done(source, reading, page.items)
            try:
                self._send_page(reading, page.items, done)
            except TryAgain:
                feeds.release(self.db, reading.poll)  # or the retry would find them taken, by this poll
                raise
            if source.name != canary.SOURCE:  # which nobody wrote
                self.metrics.items_fetched.labels(source.name, reading.kind).inc(len(page.items))
            count += len(page.items)
        log.info("poll read", **reading.gist, items=count)

    def _put_off(self, message: FetchWorkspace, reading: Reading, fault: TryAgain) -> None:
        delay = fault.delay if fault.delay is not None else FIRST_RETRY * 2.0 ** min(message.attempt, 10)
        delay = min(delay, LONGEST_RETRY)
        log.warning("source put off", **reading.gist, seconds=round(delay, 1), exc_info=fault)
        self._read_later(msgspec.structs.replace(message, attempt=message.attempt + 1), reading, delay)

    def _read_later(self, message: FetchWorkspace, reading: Reading, delay: float) -> None:
        """Let the message come back for the whole group, which is then read from its newest page again.

        The feeds stay leased until then, to a poll that has yet to begin. Whoever falls due meanwhile finds them taken
        and is served by it, and if the message is lost, the sweep finds a lease that ran out.
        """
        later = Reading(uuid.uuid4().hex, reading.kind, reading.feeds)
        feeds.put_off(self.db, reading.poll, later.poll, until=self.clock() + delay, lease=self.rules.lease)
        self.send(msgspec.structs.replace(message, resume=later.progress()), delay=delay)

    def _is_done(self, source: Source, reading: Reading, items: Sequence[Item]) -> bool:
        if reading.covered(items, self.rules.overlap):
            return True
        deep = reading.pages * source.page_size >= NEARLY_ALL * source.depth
        at_the_limit = reading.pages >= self.rules.max_pages
        if not reading.after and not deep:
            return True  # the listing's real end: there is nothing older
        if not reading.after or at_the_limit:
            self.metrics.coverage_gaps.inc()
            feeds.gap(self.db, [feed.id for feed in reading.feeds])
            log.warning("coverage gap", **reading.gist)
            return True
        return False

    def _send_page(self, reading: Reading, items: Sequence[Item], done: bool) -> None:
        rest = portions(items, item_size)
        while rest:
            portion = rest.pop(0)
            final = done and not rest
            part = ItemsFetched(
                poll_id=reading.poll,
                part=reading.parts,
                items=portion,
                parts=reading.parts + 1 if final else None,
                targets=reading.targets() if final else (),
            )
            self.send(part)
            reading.parts += 1


def _portions(group: list[FeedRow], size: int) -> list[list[FeedRow]]:
    portions: list[list[FeedRow]] = []
    length = 0
    for feed in group:
        length += len(feed.name) + 1
        if not portions or len(portions[-1]) >= size or length > LONGEST_URL:
            portions.append([])
            length = len(feed.name) + 1
        portions[-1].append(feed)
    return portions
