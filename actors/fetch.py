"""fetch: makes a workspace's feeds fresh. One poll of a group serves everybody who watches its feeds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from actors.grouping import excess, halves, joining
from actors.reading import Reading
from actors.refusals import Refusals, Refused, Run
from overheard.clock import Clock
from overheard.config import Fetch as Rules
from overheard.db import feeds, groups, sources, workspaces
from overheard.db.connect import Db
from overheard.db.groups import Group
from overheard.errors import FeedRefused, LoginRefused, Permanent, Postponed, TryAgain, Unavailable
from overheard.log import get_logger
from overheard.messages import ON_SCHEDULE, FetchWorkspace, ItemsFetched, Missed, PollPart, Progress, Target
from overheard.metrics import Metrics
from overheard.portions import item_size, portions
from overheard.sending import Send
from overheard.sources import Budget, GroupLimit, Page, Source
from overheard.sources.registry import is_internal

log = get_logger(__name__)

FIRST_RETRY = 2.0  # seconds after a passing fault of the source; doubles
LONGEST_RETRY = 295.0  # the bus delays up to 300
LOOK_AGAIN_MOST = 5.0
LOOK_AGAIN = 0.25  # seconds until a demand looks again at a feed that is being read just now
READ_AHEAD = 0.75  # of [fetch] fresh_for: who falls due so soon is served by a reading made now
PROBE_SECONDS = 30.0  # between two tries of what was refused while it is not known whether everybody is
EASY = 0.25  # of the pages that may be read: a group that needs no more may have twice as many feeds again


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
        self.refusals = Refusals(clock)

    def fetch(self, message: FetchWorkspace, budget: Budget) -> None:
        """Poll the groups of the workspace's stale feeds, each once, joined by other groups that are due.

        1. a poll that had waited for the budget goes on where it was;
        2. a group is read back to its cursor. A refused one is divided until the refused feed stands alone, and only
           that one backs off; one that has more news than its source lists is divided too;
        3. a passing fault of the source puts its group off for everybody, and a message comes back for the group then:
           however long Reddit is away, there is one such message a group, and none that dies of it;
        4. when a feed was being read already, but from before ``fresh_since``, a wish is looked at again soon;
        5. the demand is marked as served. A crash before that is found by the sweep.

        Raises Postponed (with the rest of a poll to resume), Unavailable (bus, database) and Permanent.
        """
        began, run = self.clock(), Run(message, budget)
        try:
            self._refresh(run, began)
        except Postponed as wait:
            # The demand stands in line now: it counts as forgotten only some time after its turn.
            workspaces.demand(self.db, message.workspace_id, began + max(wait.delay - 1.0, 0.0))
            self._settle(run, probe=False)
            raise
        self._settle(run, probe=True)
        workspaces.served(self.db, message.workspace_id, began)

    def _refresh(self, run: Run, now: float) -> None:
        message = run.message
        if message.resume is not None:
            self._read_on(run, message.resume)
        fresh_since = message.fresh_since
        stale = feeds.stale_of(self.db, message.workspace_id, now=now, fresh_since=fresh_since)
        for group_id in dict.fromkeys(feed.group_id for feed in stale):
            self._poll(run, group_id, alone=False)
        wish = message.reason not in ON_SCHEDULE
        if wish and feeds.still_stale(self.db, message.workspace_id, now=self.clock(), fresh_since=fresh_since):
            again = msgspec.structs.replace(message, resume=None, attempt=message.attempt + 1)
            self.send(again, delay=min(LOOK_AGAIN * 2.0 ** min(message.attempt, 10), LOOK_AGAIN_MOST))

    def _poll(self, run: Run, group_id: int, *, alone: bool) -> None:
        """Read a group, unless somebody else is reading it; others that are due join it, unless it is to stay alone."""
        poll = uuid.uuid4().hex
        group = groups.claim(self.db, group_id, poll, now=self.clock(), lease=self.rules.lease)
        if group is None:
            return
        if rest := excess(group, self._limit(group)):
            groups.divide(self.db, group, [feed.id for feed in rest])
            group = groups.load(self.db, [group_id])[0]
        elif not alone:
            group = self._joined(run.message, group, poll)
        self._read(run, Reading(poll, group))

    def _joined(self, message: FetchWorkspace, group: Group, poll: str) -> Group:
        """The group with the feeds of others that others need now, or will while this reading still counts as fresh.

        Three quarters of that time, as a demand comes some seconds after its workspace is due. A hand's demand is no
        reason to hurry the others. What this demand has read already does not join again, however long it waits for
        its turns: a refused group would never get smaller.
        """
        limit, fresh_for, now = self._limit(group), self.rules.fresh_for, self.clock()
        room = min(limit.places, group.room or limit.places) - len(group.feeds)
        if room <= 0:
            return group
        asked_at = message.fresh_since + (fresh_for if message.reason in ON_SCHEDULE else 0.0)
        others = feeds.also_due(
            self.db,
            group,
            now=now,
            due_by=now + READ_AHEAD * fresh_for,
            fresh_for=fresh_for,
            unread_since=asked_at,
            room=room,
        )
        chosen = joining(group, others, limit)
        if not chosen:
            return group
        join = self.sources[group.source].join
        return groups.join(self.db, group, chosen, poll, now=now, lease=self.rules.lease, cursor=join)

    def _limit(self, group: Group) -> GroupLimit:
        limit = self.sources[group.source].group_limit
        return msgspec.structs.replace(limit, places=min(limit.places, self.rules.group_size))

    def _divide(self, run: Run, reading: Reading, load: Mapping[str, int] | None = None) -> None:
        """Read a group in two parts.

        ``load``: it has more news than one listing holds, and stays divided for a while.
        """
        group = reading.group
        first, second = halves(group, load or {})
        room = max(len(first), len(second)) if load is not None else None
        groups.release(self.db, reading.poll)
        other = groups.divide(self.db, group, [feed.id for feed in second], room=room)
        for group_id in (group.id, other):
            self._poll(run, group_id, alone=True)

    def _settle(self, run: Run, *, probe: bool) -> None:
        """Decide about feeds that were refused when asked for alone: is it them, or is it everybody?

        When the source has answered something since, it is them. Else they are tried again soon, and then something
        that is always there is asked for as well: what lasts for seconds must put no feed away for half an hour.
        """
        for each in run.refused:
            group = each.reading.group
            known = self.refusals.answered_since(group.source, each.at)
            if not known and not (each.again and probe and self._answers(group.source, run.budget)):
                self._put_off(run.message, each.reading, PROBE_SECONDS, refused_at=each.at)
                continue
            (feed,), reason = group.feeds, each.refusal.reason
            again = feeds.refuse(self.db, feed, reason, now=self.clock(), longest=self.rules.longest_backoff)
            log.warning("feed refused", feed=feed.place, kind=feed.kind, reason=reason, retry_at=again)

    def _answers(self, name: str, budget: Budget) -> bool:
        if self.refusals.answered_nothing_since(name, self.clock() - PROBE_SECONDS / 2):
            return False
        try:
            self.sources[name].probe(budget)
        except (FeedRefused, Postponed, TryAgain, Permanent):
            self.refusals.answered_nothing(name)
            return False
        self._answered(name)
        return True

    def _answered(self, name: str) -> None:
        self.refusals.answered(name)
        sources.read(self.db, name, self.clock())

    def _read_on(self, run: Run, progress: Progress) -> None:
        group = groups.held(self.db, progress.group_id, progress.poll_id)
        if group is None:
            return  # the lease ran out meanwhile: whoever took it over reads again from the cursor
        if not progress.pages:
            groups.begin(self.db, progress.poll_id, self.clock())
        run.refused_at = progress.refused_at
        self._read(run, Reading.resumed(progress, group))
        run.refused_at = None

    def _read(self, run: Run, reading: Reading) -> None:
        try:
            self._read_pages(run, reading)
        except FeedRefused as refusal:
            self._refused(run, reading, refusal)

    def _refused(self, run: Run, reading: Reading, refusal: FeedRefused) -> None:
        source = reading.group.source
        # A feed that was never read has nothing to lose: most likely its name is wrong, or it is private.
        again = run.refused_at is not None or reading.group.cursor is None
        at = run.refused_at if run.refused_at is not None else self.clock()
        if self.refusals.everybody(source) and not (again and self._answers(source, run.budget)):
            now = self.clock()
            sources.failed(self.db, source, f"it refuses every feed ({refusal.reason})", now, now + PROBE_SECONDS)
            log.warning("source refuses everybody", **reading.gist, seconds=PROBE_SECONDS)
            self._put_off(run.message, reading, PROBE_SECONDS, refused_at=at)
        elif len(reading.group.feeds) > 1:
            # Here, not from the top: a group must get smaller with each slot of the budget that it costs.
            self._divide(run, reading)
        else:
            run.refused.append(Refused(reading, refusal, at, again))

    def _read_pages(self, run: Run, reading: Reading) -> None:
        """Read back to the cursor, sending each page on as it comes; the last bears the target."""
        source = self.sources[reading.group.source]
        done, count = False, 0
        while not done:
            try:
                page = self._page(source, reading, run.budget)
            except Postponed as wait:
                if wait.slot is None:
                    log.info("no place in line", **reading.gist, seconds=LONGEST_RETRY)
                    self._put_off(run.message, reading, LONGEST_RETRY)
                    return
                # The feeds stay ours, so that nobody else lines up for the same reading.
                groups.extend(self.db, reading.poll, self.clock() + wait.delay + self.rules.lease)
                wait.resume = msgspec.structs.replace(run.message, resume=reading.progress())
                raise
            except Unavailable:  # the database, where the budget is: not the source
                with suppress(Unavailable), self.db.session():
                    groups.release(self.db, reading.poll)  # or the retry would find them taken, by this poll
                raise
            except TryAgain as fault:
                self._put_off_for(run.message, reading, fault)
                return
            reading.take(page, self.clock())
            done = page.complete or page.position is None or reading.pages >= self.rules.max_pages
            too_much = done and not page.complete and len(reading.group.feeds) > 1
            target = None if not done or too_much else self._target(reading, page)
            try:
                self._send_page(reading, page, target)
            except TryAgain:
                groups.release(self.db, reading.poll)  # or the retry would find them taken, by this poll
                raise
            if not is_internal(source.name):
                self.metrics.items_fetched.labels(source.name, reading.group.kind).inc(len(page.items))
            count += len(page.items)
        log.info("poll read", **reading.gist, items=count)
        if too_much:
            log.info("more news than a listing holds", **reading.gist)
            self._divide(run, reading, page.load)

    def _page(self, source: Source, reading: Reading, budget: Budget) -> Page:
        """The next page. Whether the source answers is noted: who looks at us from outside sees nothing else of it."""
        now, group = self.clock, reading.group
        try:
            page = source.read(reading.request(), budget)
        except FeedRefused:
            self.refusals.refused(group.source)
            if not self.refusals.everybody(group.source):
                sources.answered(self.db, group.source)
            raise
        except Unavailable:
            raise  # a server of ours, which has faults of its own
        except (TryAgain, Permanent) as fault:
            until = now() + (getattr(fault, "delay", None) or 0.0)
            revoked = isinstance(fault, LoginRefused)
            sources.failed(self.db, group.source, str(fault), now(), until, revoked=revoked)
            raise
        self._answered(group.source)
        return page

    def _put_off_for(self, message: FetchWorkspace, reading: Reading, fault: TryAgain) -> None:
        delay = fault.delay if fault.delay is not None else FIRST_RETRY * 2.0 ** min(message.attempt, 10)
        delay = min(delay, LONGEST_RETRY)
        log.warning("source put off", **reading.gist, seconds=round(delay, 1), exc_info=fault)
        self._put_off(msgspec.structs.replace(message, attempt=message.attempt + 1), reading, delay)

    def _put_off(
        self, message: FetchWorkspace, reading: Reading, delay: float, *, refused_at: float | None = None
    ) -> None:
        """Let the message come back for the whole group, which is then read from its newest page again.

        The feeds stay leased until then, to a poll that has yet to begin. Whoever falls due meanwhile finds them taken
        and is served by it, and if the message is lost, the sweep finds a lease that ran out.
        """
        later = reading.anew()
        groups.put_off(self.db, reading.poll, later.poll, until=self.clock() + delay, lease=self.rules.lease)
        progress = msgspec.structs.replace(later.progress(), refused_at=refused_at)
        self.send(msgspec.structs.replace(message, resume=progress), delay=delay)

    def _target(self, reading: Reading, page: Page) -> Target:
        """What store makes of the group when all is stored; with a gap, when the reading ends short of the cursor."""
        missed = None
        if page.unread is not None:
            reason = page.unread.reason if page.position is None else "pages"
            missed = Missed(reason, page.unread.since, page.unread.until)
            log.warning("coverage gap", **reading.gist, reason=reason)
        room = reading.group.room
        if room is not None and reading.pages <= EASY * self.rules.max_pages:
            room = 2 * room if 2 * room < self.rules.group_size else None
        return reading.target(page, missed, room)

    def _send_page(self, reading: Reading, page: Page, target: Target | None) -> None:
        rest = portions(page.items, item_size)
        gone = tuple((reading.group.source, item_id) for item_id in page.gone)
        while rest:
            portion = rest.pop(0)
            final = target is not None and not rest
            part = PollPart(
                poll=reading.poll,
                part=reading.parts,
                parts=reading.parts + 1 if final else None,
                targets=(target,) if target is not None and final else (),
            )
            self.send(ItemsFetched(part=part, items=portion, gone=gone))
            gone = ()
            reading.parts += 1
